//! What each kind of name is answered, over UDP unless said otherwise.

use std::time::Duration;

use consul_dns::backend::{Cache, Consistency, Event, Health, QueryAnswer};
use consul_dns::settings::{ServiceTtl, Zone};
use hickory_proto::op::ResponseCode::{self, FormErr, NXDomain, NoError, NotImp, Refused, ServFail};
use hickory_proto::rr::RecordType::{A, AAAA, ANY, AXFR, MX, NS, PTR, SOA, SRV, TXT};
use hickory_proto::rr::{DNSClass, RData};

use crate::client::{ask, gist, lines, question, send_udp, tcp, udp, with_edns};
use crate::world::{World, instance, node, serve};

#[tokio::test]
async fn service_in_every_form() {
    let dns = serve(World::new()).await;
    for name in
        ["web.service.consul.", "WEB.Service.Consul.", "web.service.dc1.consul.", "_web._tcp.service.consul."]
    {
        let reply = ask(dns.addr, name, A).await;
        assert!(reply.authoritative() && reply.recursion_desired() && !reply.recursion_available());
        let want = [0, 1, 2].map(|n| format!("{name} 0 IN A 10.2.0.{n}"));
        assert_eq!(lines(reply.answers()), want);
    }
    let tagged = ask(dns.addr, "v2.web.service.consul.", A).await;
    assert_eq!(lines(tagged.answers()), ["v2.web.service.consul. 0 IN A 10.2.0.2"]);
    assert_eq!(gist(&ask(dns.addr, "_web._v1.consul.", SRV).await).1, 1);
    for name in [
        "v3.web.service.consul.",
        "none.web.service.consul.",
        "nothing.service.consul.",
        "web.connect.consul.",
    ] {
        assert_eq!(gist(&ask(dns.addr, name, A).await), (NXDomain, 0, vec![SOA]), "{name}");
    }
    assert_eq!(gist(&ask(dns.addr, "web.service.consul.", AAAA).await), (NoError, 0, vec![SOA]));
}

#[tokio::test]
async fn srv_brings_addresses_and_meta() {
    let dns = serve(World::new()).await;
    let reply = ask(dns.addr, "web.service.consul.", SRV).await;
    assert_eq!(
        lines(reply.answers()),
        [
            "web.service.consul. 0 IN SRV 1 1 82 web2.node.dc1.consul.",
            "web.service.consul. 0 IN SRV 1 2 80 web0.node.dc1.consul.",
            "web.service.consul. 0 IN SRV 1 2 81 web1.node.dc1.consul.",
        ]
    );
    assert_eq!(reply.additionals().len(), 9);
    assert_eq!(lines(reply.additionals())[0], "web0.node.dc1.consul. 0 IN A 10.2.0.0");
}

#[tokio::test]
async fn answers_come_in_another_order_each_time() {
    let mut world = World::new();
    world.add_many("many", 50);
    let dns = serve(world).await;
    let mut first = std::collections::HashSet::new();
    for _ in 0..40 {
        first.insert(ask(dns.addr, "many.service.consul.", A).await.answers()[0].to_string());
    }
    assert!(first.len() > 3);
}

#[tokio::test]
async fn node_answers_and_absences() {
    let dns = serve(World::new()).await;
    assert_eq!(lines(ask(dns.addr, "NODE.web1.NODE.consul.", A).await.answers()), Vec::<String>::new());
    let reply = ask(dns.addr, "Web1.NODE.consul.", A).await;
    assert_eq!(lines(reply.answers()), ["Web1.NODE.consul. 0 IN A 10.2.0.1"]);
    assert_eq!(reply.additionals().len(), 2);
    assert_eq!(gist(&ask(dns.addr, "web1.node.consul.", AAAA).await), (NoError, 0, vec![]));
    assert_eq!(gist(&ask(dns.addr, "web1.node.consul.", MX).await), (NoError, 0, vec![]));
    assert_eq!(gist(&ask(dns.addr, "web1.node.consul.", ANY).await).1, 3);
    assert_eq!(gist(&ask(dns.addr, "web1.node.consul.", TXT).await).1, 2);
    assert_eq!(gist(&ask(dns.addr, "nobody.node.consul.", A).await), (NXDomain, 0, vec![SOA]));
    assert_eq!(gist(&ask(dns.addr, "web1.node.dc9.consul.", A).await), (NXDomain, 0, vec![SOA]));
}

#[tokio::test]
async fn long_meta_does_not_silence_its_node() {
    let mut world = World::new();
    let long = "x".repeat(512);
    world.add(instance(&node("big", "10.9.0.1", &[("k", &long)]), "big", "", 1, &[], Health::Passing));
    let dns = serve(world).await;
    assert_eq!(gist(&ask(dns.addr, "big.node.consul.", A).await).1, 1);
    let txt = tcp(dns.addr, &question("big.node.consul.", TXT)).await;
    let RData::TXT(txt) = txt.answers()[0].data() else { panic!() };
    assert_eq!(txt.iter().map(|s| s.len()).collect::<Vec<_>>(), [255, 255, 4]);
}

#[tokio::test]
async fn zone_apex_and_bad_names() {
    let dns = serve(World::new()).await;
    let soa = ask(dns.addr, "does.not.exist.consul.", SOA).await;
    let RData::SOA(data) = soa.answers()[0].data() else { panic!() };
    assert_eq!(
        (data.mname().to_ascii().as_str(), data.rname().to_ascii().as_str()),
        ("ns.consul.", "hostmaster.consul.")
    );
    assert_eq!((data.refresh(), data.retry(), data.expire(), data.minimum()), (3600, 600, 86400, 0));
    assert_eq!(lines(soa.name_servers()), ["consul. 0 IN NS n1.node.dc1.consul."]);
    assert_eq!(lines(soa.additionals()), ["n1.node.dc1.consul. 0 IN A 127.0.0.1"]);
    let ns = ask(dns.addr, "consul.", NS).await;
    assert_eq!(lines(ns.answers()), ["consul. 0 IN NS n1.node.dc1.consul."]);
    for name in ["consul.", "service.consul.", "a.b.c.d.consul.", "web.service.foo.bar.consul."] {
        assert_eq!(gist(&ask(dns.addr, name, A).await), (NXDomain, 0, vec![SOA]), "{name}");
    }
    assert_eq!(gist(&ask(dns.addr, "zz.addr.consul.", A).await), (NoError, 0, vec![]));
    let axfr = ask(dns.addr, "consul.", AXFR).await;
    assert!(axfr.authoritative() && axfr.response_code() == NotImp);
}

#[tokio::test]
async fn foreign_names_and_classes_are_refused_without_opt() {
    let dns = serve(World::new()).await;
    let reply = udp(dns.addr, &with_edns(question("example.com.", A), 4096, None)).await;
    assert_eq!(gist(&reply), (Refused, 0, vec![]));
    assert!(!reply.authoritative() && reply.extensions().is_none() && reply.queries().len() == 1);
    let mut chaos = question("version.consul.", TXT);
    chaos.queries_mut()[0].set_query_class(DNSClass::CH);
    assert_eq!(udp(dns.addr, &chaos).await.response_code(), Refused);
}

#[tokio::test]
async fn reverse_names() {
    let dns = serve(World::new()).await;
    let reply = ask(dns.addr, "1.0.2.10.in-addr.arpa.", PTR).await;
    assert!(reply.authoritative());
    assert_eq!(lines(reply.answers()), ["1.0.2.10.in-addr.arpa. 0 IN PTR web1.node.dc1.consul."]);
    let unknown = ask(dns.addr, "9.9.9.10.in-addr.arpa.", PTR).await;
    assert_eq!((gist(&unknown), unknown.authoritative()), ((ServFail, 0, vec![]), false));
    assert!(dns.world.events.lock().unwrap().iter().any(|e| matches!(e, Event::PtrQuery(_))));
}

#[tokio::test]
async fn failures_of_the_servers_are_servfail() {
    let dns = serve(World::new()).await;
    for name in
        ["web.service.leaderless.consul.", "web1.node.leaderless.consul.", "q.query.leaderless.consul."]
    {
        assert_eq!(gist(&ask(dns.addr, name, A).await), (ServFail, 0, vec![]), "{name}");
    }
}

#[tokio::test]
async fn settings_apply_from_the_next_question_on() {
    let dns = serve(World::new()).await;
    dns.world.configure(|settings| {
        settings.only_passing = true;
        settings.node_ttl = Duration::from_millis(10_900);
        settings.service_ttl =
            ServiceTtl::new([("web", Duration::from_secs(5)), ("*", Duration::from_secs(7))]);
        settings.soa.min_ttl = 60;
    });
    let web = ask(dns.addr, "WEB.service.consul.", SRV).await;
    assert_eq!(web.answers().len(), 2);
    assert!(web.answers().iter().chain(web.additionals()).all(|r| r.ttl() == 5));
    assert_eq!(ask(dns.addr, "consul.service.consul.", A).await.answers()[0].ttl(), 7);
    assert_eq!(ask(dns.addr, "web1.node.consul.", A).await.answers()[0].ttl(), 10);
    let negative = ask(dns.addr, "nothing.service.consul.", A).await;
    assert_eq!(negative.name_servers()[0].ttl(), 60);
    dns.world.configure(|settings| settings.only_passing = false);
    assert_eq!(gist(&ask(dns.addr, "web.service.consul.", SRV).await).1, 3);
}

#[tokio::test]
async fn alt_domain_is_a_second_tree_with_targets_of_its_own() {
    let dns = serve(World::new()).await;
    dns.world.configure(|settings| settings.alt_domain = Some(Zone::new("Alt.Internal").unwrap()));
    let reply = ask(dns.addr, "v1.web.service.alt.internal.", SRV).await;
    assert_eq!(
        lines(reply.answers()),
        ["v1.web.service.alt.internal. 0 IN SRV 1 2 81 web1.node.dc1.alt.internal."]
    );
    let soa = ask(dns.addr, "x.alt.internal.", A).await;
    assert_eq!(soa.name_servers()[0].name().to_ascii(), "alt.internal.");
    assert_eq!(gist(&ask(dns.addr, "web.service.consul.", A).await).1, 3);
}

#[tokio::test]
async fn prepared_queries_keep_their_order_and_ttl() {
    let mut world = World::new();
    world.add_many("many", 5);
    let instances = world.services["many"].clone();
    let answer = |ttl| QueryAnswer {
        service: "many".into(),
        datacenter: "dc2".into(),
        instances: instances.clone(),
        ttl,
    };
    world.queries.insert("q.dotted".into(), answer(Some(Duration::from_secs(8))));
    world.queries.insert("plain".into(), answer(None));
    world.queries.insert("empty".into(), QueryAnswer { instances: [].into(), ..answer(None) });
    let dns = serve(world).await;
    dns.world
        .configure(|settings| settings.service_ttl = ServiceTtl::new([("many", Duration::from_secs(5))]));
    let reply = tcp(dns.addr, &question("q.dotted.query.consul.", SRV)).await;
    let targets: Vec<_> = reply
        .answers()
        .iter()
        .map(|r| match r.data() {
            RData::SRV(srv) => (r.ttl(), srv.target().to_ascii()),
            other => panic!("{other:?}"),
        })
        .collect();
    let want: Vec<_> = (0..5).map(|n| (8, format!("many-{n}.node.dc2.consul."))).collect();
    assert_eq!(targets, want);
    assert_eq!(ask(dns.addr, "_plain._tcp.query.consul.", SRV).await.answers()[0].ttl(), 5);
    for name in ["empty.query.consul.", "none.query.consul."] {
        assert_eq!(gist(&ask(dns.addr, name, A).await), (NXDomain, 0, vec![SOA]));
    }
}

#[tokio::test]
async fn client_subnet_is_the_source_of_queries_and_scopes_only_those() {
    let mut world = World::new();
    world.add_many("many", 2);
    let instances = world.services["many"].clone();
    let answer = QueryAnswer { service: "many".into(), datacenter: "dc1".into(), instances, ttl: None };
    world.queries.insert("q".into(), answer);
    let dns = serve(world).await;
    let subnet = [0, 1, 24, 0, 10, 0, 7];
    for (name, scope) in [("q.query.consul.", 24), ("none.query.consul.", 0), ("web.service.consul.", 0)] {
        let packet = with_edns(question(name, A), 1232, Some(&subnet)).to_vec().unwrap();
        let reply = send_udp(dns.addr, &packet).await;
        assert!(reply.ends_with(&[0, 8, 0, 7, 0, 1, 24, scope, 10, 0, 7]), "{name}");
    }
    ask(dns.addr, "q.query.consul.", A).await;
    let sources = dns.world.sources.lock().unwrap().clone();
    assert_eq!(sources[0].to_string(), "10.0.7.0");
    assert_eq!(sources.last().unwrap().to_string(), "127.0.0.1");
}

#[tokio::test]
async fn data_that_is_too_stale_is_read_again_from_the_leader() {
    let mut world = World::new();
    world.last_contact = Duration::from_secs(30);
    let dns = serve(world).await;
    ask(dns.addr, "web.service.consul.", A).await;
    assert!(dns.world.events.lock().unwrap().contains(&Event::StaleAnswer));
    dns.world.configure(|settings| settings.max_stale = Duration::from_secs(10));
    dns.world.reads.lock().unwrap().clear();
    ask(dns.addr, "web.service.consul.", A).await;
    let modes = || dns.world.reads.lock().unwrap().drain(..).map(|r| r.consistency).collect::<Vec<_>>();
    assert_eq!(modes(), [Consistency::Stale, Consistency::Default]);
    dns.world.configure(|settings| {
        settings.allow_stale = false;
        settings.use_cache = true;
        settings.cache_max_age = Duration::from_secs(3);
    });
    ask(dns.addr, "web1.node.consul.", A).await;
    let reads = dns.world.reads.lock().unwrap().clone();
    assert_eq!(
        (reads[0].consistency, reads[0].cache),
        (Consistency::Default, Cache::MaxAge(Duration::from_secs(3)))
    );
}

#[tokio::test]
async fn truncation_and_the_whole_answer_over_tcp() {
    let mut world = World::new();
    world.add_many("many", 200);
    let dns = serve(world).await;
    let many = question("many.service.consul.", A);
    let plain = udp(dns.addr, &many).await;
    assert_eq!((plain.answers().len(), plain.truncated()), (3, false));
    let large = udp(dns.addr, &with_edns(many.clone(), 1232, None)).await;
    assert!((60..=75).contains(&large.answers().len()));
    assert_eq!(tcp(dns.addr, &many).await.answers().len(), 200);
    dns.world.configure(|settings| {
        settings.enable_truncate = true;
        settings.a_record_limit = 2;
    });
    let limited = udp(dns.addr, &many).await;
    assert_eq!((limited.answers().len(), limited.truncated()), (2, false));
    let srv = udp(dns.addr, &question("many.service.consul.", SRV)).await;
    assert_eq!((srv.answers().len(), srv.truncated()), (3, true));
    assert_eq!(tcp(dns.addr, &many).await.answers().len(), 2);
}

#[tokio::test]
async fn two_questions_in_a_packet_are_malformed() {
    let dns = serve(World::new()).await;
    let mut message = question("web.service.consul.", A);
    let second = message.queries()[0].clone();
    message.add_query(second);
    assert_eq!(udp(dns.addr, &message).await.response_code(), FormErr);
}

#[tokio::test]
async fn later_versions_of_edns_are_told_ours() {
    let dns = serve(World::new()).await;
    for name in ["web.service.consul.", "example.com."] {
        let mut message = with_edns(question(name, A), 1232, None);
        message.extensions_mut().as_mut().unwrap().set_version(1);
        for reply in [udp(dns.addr, &message).await, tcp(dns.addr, &message).await] {
            // The number has two names.
            assert_eq!(u16::from(reply.response_code()), u16::from(ResponseCode::BADVERS));
            assert!(reply.answers().is_empty() && reply.name_servers().is_empty());
            let edns = reply.extensions().as_ref().unwrap();
            assert_eq!((edns.version(), edns.max_payload()), (0, 1232));
        }
    }
}
