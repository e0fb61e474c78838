use std::sync::Arc;

use consul_api::types::StringMap;
use consul_api::types::catalog::{NodeService, ServiceAddress, Weights};

use super::*;

fn settings() -> Settings {
    let mut settings = Settings::new("dc1", "n1", "consul").unwrap();
    settings.node_ttl = std::time::Duration::from_secs(9);
    settings
}

fn node(name: &str, address: &str) -> Node {
    Node { node: name.into(), address: address.into(), ..Node::default() }
}

fn instance(node_name: &str, node_address: &str, address: &str, port: i64) -> Instance {
    Instance {
        node: Arc::new(node(node_name, node_address)),
        service: Arc::new(NodeService {
            service: "web".into(),
            address: address.into(),
            port,
            weights: Some(Weights { passing: 5, warning: 2 }),
            ..NodeService::default()
        }),
        health: Health::Passing,
    }
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn ask<'a>(settings: &'a Settings, name: &'a Name, asked: RecordType) -> Question<'a> {
    Question { settings, zone: &settings.domain, name, asked, now: 77, answers_max: 1000 }
}

fn lines(records: &[Record]) -> Vec<String> {
    records.iter().map(ToString::to_string).collect()
}

fn service(instances: &[Instance], asked: RecordType, settings: &Settings) -> Sections {
    let owner = name("web.service.consul.");
    let refs: Vec<_> = instances.iter().collect();
    ask(settings, &owner, asked).service(&refs, "dc1", 3, &Hosts::new())
}

const SOA: &str = "consul. 0 IN SOA ns.consul. hostmaster.consul. 77 3600 600 86400 0";

#[test]
fn a_failed_node_still_answers_and_brings_its_meta() {
    let settings = settings();
    let owner = name("N1.node.consul.");
    let mut n1 = node("n1", "10.0.0.1");
    n1.meta = Some(StringMap::from([("rack".into(), "r1".into())]));
    let answer = |asked| ask(&settings, &owner, asked).node(&n1, "dc1", &Hosts::new());

    let a = answer(RecordType::A);
    assert_eq!(lines(&a.answers), ["N1.node.consul. 9 IN A 10.0.0.1"]);
    assert_eq!(lines(&a.additional), ["N1.node.consul. 9 IN TXT rack=r1"]);
    let aaaa = answer(RecordType::AAAA);
    assert_eq!((aaaa.code, aaaa.answers.len(), aaaa.authority.len()), (Code::Success, 0, 0));
    assert_eq!(aaaa.additional.len(), 1);
    assert_eq!(answer(RecordType::ANY).answers.len(), 2);
    assert_eq!(lines(&answer(RecordType::TXT).answers), ["N1.node.consul. 9 IN TXT rack=r1"]);
    assert_eq!(answer(RecordType::MX), Sections::default());
}

#[test]
fn node_meta_extras_can_be_switched_off_but_not_for_txt_questions() {
    let mut settings = settings();
    settings.node_meta_txt = false;
    let owner = name("n1.node.consul.");
    let mut n1 = node("n1", "10.0.0.1");
    n1.meta = Some(StringMap::from([("rack".into(), "r1".into())]));
    let answer = |asked| ask(&settings, &owner, asked).node(&n1, "dc1", &Hosts::new());
    assert!(answer(RecordType::A).additional.is_empty());
    assert_eq!(answer(RecordType::TXT).answers.len(), 1);
    assert_eq!(answer(RecordType::ANY).answers.len(), 2);
}

#[test]
fn a_node_at_a_host_name_is_an_alias_that_keeps_the_ttl_of_what_it_resolves_to() {
    let settings = settings();
    let owner = name("amazon.node.consul.");
    let amazon = node("amazon", "www.amazon.com");
    let question = ask(&settings, &owner, RecordType::AAAA);
    let host = question.node_host(&amazon, "dc1").unwrap();
    let hosts = Hosts::from([(host.clone(), vec![records::ip(host, 300, [1, 2, 3, 4].into())])]);
    assert_eq!(
        lines(&question.node(&amazon, "dc1", &hosts).answers),
        ["amazon.node.consul. 9 IN CNAME www.amazon.com.", "www.amazon.com. 300 IN A 1.2.3.4"]
    );
}

#[test]
fn same_address_is_answered_once_and_other_families_are_skipped() {
    let instances = [
        instance("a", "10.0.0.1", "", 1),
        instance("b", "10.0.0.1", "", 2),
        instance("c", "10.0.0.9", "::7", 3),
    ];
    let settings = settings();
    let of = |asked| lines(&service(&instances, asked, &settings).answers);
    assert_eq!(of(RecordType::A), ["web.service.consul. 3 IN A 10.0.0.1"]);
    assert_eq!(of(RecordType::AAAA), ["web.service.consul. 3 IN AAAA ::7"]);
    assert_eq!(of(RecordType::ANY).len(), 2);
    assert_eq!(of(RecordType::TXT).len(), 2);
    let mx = service(&instances, RecordType::MX, &settings);
    assert_eq!((mx.code, lines(&mx.authority)), (Code::Success, vec![SOA.to_owned()]));
}

#[test]
fn addresses_win_over_host_names_and_only_the_first_host_name_counts() {
    let settings = settings();
    let owner = name("web.service.consul.");
    let mixed = [instance("a", "one.example", "", 1), instance("b", "10.0.0.1", "", 2)];
    let refs: Vec<_> = mixed.iter().collect();
    let question = ask(&settings, &owner, RecordType::A);
    assert!(question.service_hosts(&refs, "dc1").is_empty());
    assert_eq!(
        lines(&question.service(&refs, "dc1", 3, &Hosts::new()).answers),
        ["web.service.consul. 3 IN A 10.0.0.1"]
    );

    let names = [instance("a", "one.example", "", 1), instance("b", "two.example", "", 2)];
    let refs: Vec<_> = names.iter().collect();
    assert_eq!(question.service_hosts(&refs, "dc1"), [name("one.example.")]);
    let hosts =
        Hosts::from([(name("one.example."), vec![records::ip(name("one.example."), 300, [1; 4].into())])]);
    assert_eq!(
        lines(&question.service(&refs, "dc1", 3, &hosts).answers),
        ["web.service.consul. 3 IN CNAME one.example.", "one.example. 3 IN A 1.1.1.1"]
    );
    let cname = ask(&settings, &owner, RecordType::CNAME).service(&refs, "dc1", 3, &hosts);
    assert_eq!(lines(&cname.answers), ["web.service.consul. 3 IN CNAME one.example."]);
}

#[test]
fn srv_targets_by_kind_of_address() {
    let mut warning = instance("Bad_Node", "10.0.0.3", "", 83);
    warning.health = Health::Warning;
    let mut critical = instance("q", "10.0.0.4", "", 84);
    critical.health = Health::Critical;
    let instances = [
        instance("c1", "192.168.33.21", "", 80),
        instance("c2", "10.0.0.2", "10.3.9.9", 81),
        instance("c3", "10.0.0.3", "2001:db8::7", 82),
        warning,
        critical,
        instance("shop", "www.amazon.com", "", 85),
        instance("c1", "192.168.33.21", "", 80),
        instance("c1", "192.168.33.21", "", 8080),
    ];
    let settings = settings();
    let sections = service(&instances, RecordType::SRV, &settings);
    assert_eq!(
        lines(&sections.answers),
        [
            "web.service.consul. 3 IN SRV 1 5 80 c1.node.dc1.consul.",
            "web.service.consul. 3 IN SRV 1 5 81 0a030909.addr.dc1.consul.",
            "web.service.consul. 3 IN SRV 1 5 82 20010db8000000000000000000000007.addr.dc1.consul.",
            "web.service.consul. 3 IN SRV 1 2 83 Bad_Node.node.dc1.consul.",
            "web.service.consul. 3 IN SRV 1 0 84 q.node.dc1.consul.",
            "web.service.consul. 3 IN SRV 1 5 85 www.amazon.com.",
            "web.service.consul. 3 IN SRV 1 5 8080 c1.node.dc1.consul.",
        ]
    );
    assert_eq!(
        lines(&sections.additional)[..2],
        ["c1.node.dc1.consul. 3 IN A 192.168.33.21", "0a030909.addr.dc1.consul. 3 IN A 10.3.9.9"]
    );
}

#[test]
fn a_node_name_that_no_dns_name_can_hold_is_reached_by_address() {
    let sections = service(&[instance(&"x".repeat(70), "10.0.0.2", "", 80)], RecordType::SRV, &settings());
    assert_eq!(lines(&sections.answers), ["web.service.consul. 3 IN SRV 1 5 80 0a000002.addr.dc1.consul."]);
}

#[test]
fn srv_extras_hold_node_meta_once_per_instance() {
    let mut with_meta = instance("c1", "10.0.0.1", "", 80);
    let mut node = node("c1", "10.0.0.1");
    node.meta = Some(StringMap::from([("a".into(), "b".into())]));
    with_meta.node = Arc::new(node);
    let mut second = with_meta.clone();
    second.service = Arc::new(NodeService { port: 81, ..(*second.service).clone() });
    let mut settings = settings();
    let sections = service(&[with_meta.clone(), second.clone()], RecordType::SRV, &settings);
    assert_eq!(
        lines(&sections.additional),
        [
            "c1.node.dc1.consul. 3 IN A 10.0.0.1",
            "c1.node.dc1.consul. 3 IN TXT a=b",
            "c1.node.dc1.consul. 3 IN A 10.0.0.1",
            "c1.node.dc1.consul. 3 IN TXT a=b",
        ]
    );
    settings.node_meta_txt = false;
    assert_eq!(service(&[with_meta, second], RecordType::SRV, &settings).additional.len(), 2);
}

#[test]
fn a_record_limit_spares_srv() {
    let instances: Vec<_> =
        (1..9).map(|n| instance(&format!("n{n}"), &format!("10.0.0.{n}"), "", 80)).collect();
    let mut settings = settings();
    settings.a_record_limit = 2;
    assert_eq!(service(&instances, RecordType::A, &settings).answers.len(), 2);
    assert_eq!(service(&instances, RecordType::ANY, &settings).answers.len(), 2);
    assert_eq!(service(&instances, RecordType::SRV, &settings).answers.len(), 8);
}

#[test]
fn wan_addresses_are_for_other_datacenters_and_only_if_configured() {
    let mut there = instance("c1", "10.0.0.1", "", 80);
    let mut node = node("c1", "10.0.0.1");
    node.tagged_addresses = Some(StringMap::from([("wan".into(), "20.0.0.1".into())]));
    there.node = Arc::new(node);
    let mut own = instance("c2", "10.0.0.2", "", 80);
    own.service = Arc::new(NodeService {
        tagged_addresses: Some(
            [("wan".to_owned(), ServiceAddress { address: "20.9.9.9".into(), port: 8282 })].into(),
        ),
        ..(*own.service).clone()
    });
    let instances = [there, own];
    let refs: Vec<_> = instances.iter().collect();
    let owner = name("web.service.dc2.consul.");
    let mut settings = settings();
    settings.translate_wan_addrs = true;
    let srv = |settings: &Settings, dc: &str| {
        lines(&ask(settings, &owner, RecordType::SRV).service(&refs, dc, 0, &Hosts::new()).answers)
    };
    assert_eq!(
        srv(&settings, "dc2"),
        [
            "web.service.dc2.consul. 0 IN SRV 1 5 80 14000001.addr.dc2.consul.",
            "web.service.dc2.consul. 0 IN SRV 1 5 8282 14090909.addr.dc2.consul.",
        ]
    );
    let local = srv(&settings, "DC1");
    assert_eq!(local[0], "web.service.dc2.consul. 0 IN SRV 1 5 80 c1.node.DC1.consul.");
    settings.translate_wan_addrs = false;
    assert_eq!(srv(&settings, "dc2")[1], "web.service.dc2.consul. 0 IN SRV 1 5 80 c2.node.dc2.consul.");
}

#[test]
fn literal_addresses_go_to_the_section_that_the_type_allows() {
    let settings = settings();
    let owner = name("0A000002.addr.dc1.consul.");
    let a = ask(&settings, &owner, RecordType::A).literal([10, 0, 0, 2].into());
    assert_eq!(lines(&a.answers), ["0a000002.addr.dc1.consul. 9 IN A 10.0.0.2"]);
    let aaaa = ask(&settings, &owner, RecordType::AAAA).literal([10, 0, 0, 2].into());
    assert_eq!((aaaa.answers.len(), aaaa.additional.len()), (0, 1));
}

#[test]
fn name_servers_are_three_valid_node_names_with_glue() {
    let settings = settings();
    let owner = name("foo.consul.");
    let servers: Vec<_> = ["N1", "bad_name", "dot.ted", "n2", "n3", "n4"]
        .iter()
        .map(|n| instance(n, "10.0.0.1", "", 8300))
        .collect();
    let refs: Vec<_> = servers.iter().collect();
    let ns = ask(&settings, &owner, RecordType::NS).apex_ns(&refs);
    assert_eq!(ns.answers.len(), 3);
    assert_eq!(lines(&ns.answers)[0], "consul. 9 IN NS n1.node.dc1.consul.");
    assert_eq!(lines(&ns.additional)[0], "n1.node.dc1.consul. 9 IN A 10.0.0.1");
    let soa = ask(&settings, &owner, RecordType::SOA).apex_soa(&[]);
    assert_eq!(lines(&soa.answers), [SOA]);
}

#[test]
fn reverse_answers_stay_in_the_main_domain() {
    let settings = settings();
    let owner = name("1.0.0.10.in-addr.arpa.");
    let node = Holder::Node { name: "n1".into(), datacenter: "dc1".into() };
    let service = Holder::Service { name: "web".into(), datacenter: "dc1".into() };
    let line = |holder: &Holder| lines(&reverse(&owner, &settings, holder).unwrap().answers);
    assert_eq!(line(&node), ["1.0.0.10.in-addr.arpa. 0 IN PTR n1.node.dc1.consul."]);
    assert_eq!(line(&service), ["1.0.0.10.in-addr.arpa. 0 IN PTR web.service.dc1.consul."]);
}

#[test]
fn critical_instances_are_never_healthy_and_warning_ones_only_if_allowed() {
    let with = |health| Instance { health, ..instance("n", "10.0.0.1", "", 1) };
    let all = [with(Health::Passing), with(Health::Warning), with(Health::Critical)];
    assert_eq!(healthy(&all, false).len(), 2);
    assert_eq!(healthy(&all, true).len(), 1);
    assert_eq!(Health::of_status("unheard of"), Health::Warning);
}
