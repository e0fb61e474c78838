//! Recursors, played by a small DNS server within the test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use consul_dns::backend::Health;
use consul_dns::settings::RecursorStrategy;
use hickory_proto::op::ResponseCode::{NXDomain, NoError, Refused, ServFail};
use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::RecordType::{A, AAAA, ANY, PTR, SRV};
use hickory_proto::rr::rdata::{A as Ip, CNAME, MX as Exchange};
use hickory_proto::rr::{Name, RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use crate::client::{ask, framed, gist, lines, question, tcp, udp, with_edns};
use crate::world::{Running, World, instance, node, serve};

/// How the upstream behaves.
#[derive(Clone, Copy)]
enum Manner {
    Answers,
    Fails(ResponseCode),
    Silent,
    /// Sends a forged reply before the real one.
    Forged,
    /// Truncates over UDP.
    Truncates,
}

struct Upstream {
    addr: SocketAddr,
    asked: Arc<AtomicUsize>,
}

fn answer(query: &[u8], manner: Manner, over_udp: bool) -> Message {
    let query = Message::from_vec(query).unwrap();
    let name = query.queries()[0].name().clone();
    let mut reply = query.clone();
    reply.set_message_type(MessageType::Response).set_recursion_available(true);
    match manner {
        Manner::Fails(code) => {
            reply.set_response_code(code);
        }
        Manner::Truncates if over_udp => {
            reply.set_truncated(true);
        }
        _ => {
            let alias = Name::from_ascii("edge.example.").unwrap();
            let mx = RData::MX(Exchange::new(1, alias.clone()));
            reply.add_answer(Record::from_rdata(name.clone(), 300, RData::CNAME(CNAME(alias.clone()))));
            reply.add_answer(Record::from_rdata(name, 300, mx));
            for n in 1..=6 {
                reply.add_answer(Record::from_rdata(alias.clone(), 300, RData::A(Ip([192, 0, 2, n].into()))));
            }
        }
    }
    reply
}

async fn upstream(manner: Manner) -> Upstream {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(addr).await.unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((len, from)) = udp.recv_from(&mut buffer).await {
            count.fetch_add(1, Ordering::SeqCst);
            if matches!(manner, Manner::Silent) {
                continue;
            }
            let reply = answer(&buffer[..len], manner, true);
            if matches!(manner, Manner::Forged) {
                let mut forged = answer(&buffer[..len], Manner::Fails(NXDomain), true);
                forged.set_id(reply.id().wrapping_add(1));
                udp.send_to(&forged.to_vec().unwrap(), from).await.unwrap();
            }
            udp.send_to(&reply.to_vec().unwrap(), from).await.unwrap();
        }
    });
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let mut packet = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut packet).await.unwrap();
            let reply = answer(&packet, manner, false).to_vec().unwrap();
            stream.write_all(&framed(&reply)).await.unwrap();
        }
    });
    Upstream { addr, asked }
}

fn use_recursors(dns: &Running, upstreams: &[&Upstream]) {
    let recursors = upstreams.iter().map(|u| u.addr).collect();
    dns.world.configure(|settings| {
        settings.recursors = recursors;
        settings.recursor_timeout = Duration::from_millis(200);
    });
}

fn shop() -> World {
    let mut world = World::new();
    let amazon = node("amazon", "www.amazon.com", &[]);
    world.add(instance(&amazon, "shop", "", 80, &[], Health::Passing));
    world
}

#[tokio::test]
async fn foreign_names_are_forwarded_and_the_reply_comes_back_as_it_is() {
    let dns = serve(World::new()).await;
    let up = upstream(Manner::Answers).await;
    use_recursors(&dns, &[&up]);
    let reply = udp(dns.addr, &with_edns(question("www.Foo.com.", A), 4096, None)).await;
    assert_eq!((reply.response_code(), reply.answers().len(), reply.authoritative()), (NoError, 8, false));
    assert!(reply.recursion_available() && reply.extensions().is_some());
    assert_eq!(tcp(dns.addr, &question("www.foo.com.", A)).await.answers().len(), 8);
    assert_eq!(up.asked.load(Ordering::SeqCst), 2);
    assert!(ask(dns.addr, "web.service.consul.", A).await.recursion_available());
    assert_eq!(ask(dns.addr, "nothing.service.consul.", A).await.response_code(), NXDomain);
    assert_eq!(ask(dns.addr, "9.9.9.10.in-addr.arpa.", PTR).await.answers().len(), 8);
    assert_eq!(up.asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn the_next_recursor_is_tried_on_failure_but_not_on_nxdomain() {
    let dns = serve(World::new()).await;
    let (good, none) = (upstream(Manner::Answers).await, upstream(Manner::Fails(NXDomain)).await);
    for manner in [Manner::Silent, Manner::Fails(ServFail), Manner::Fails(Refused)] {
        let bad = upstream(manner).await;
        use_recursors(&dns, &[&bad, &good]);
        assert_eq!(ask(dns.addr, "www.foo.com.", A).await.answers().len(), 8);
    }
    use_recursors(&dns, &[&none, &good]);
    assert_eq!(gist(&ask(dns.addr, "www.foo.com.", A).await), (NXDomain, 0, vec![]));
}

#[tokio::test]
async fn if_all_recursors_fail_so_does_the_question() {
    let dns = serve(World::new()).await;
    let (silent, failing) = (upstream(Manner::Silent).await, upstream(Manner::Fails(ServFail)).await);
    use_recursors(&dns, &[&silent, &failing]);
    let reply = udp(dns.addr, &with_edns(question("www.foo.com.", A), 4096, None)).await;
    assert_eq!(gist(&reply), (ServFail, 0, vec![]));
    assert!(reply.recursion_available() && !reply.authoritative() && reply.extensions().is_some());
}

#[tokio::test]
async fn a_forged_reply_is_passed_over() {
    let dns = serve(World::new()).await;
    let up = upstream(Manner::Forged).await;
    use_recursors(&dns, &[&up]);
    assert_eq!(gist(&ask(dns.addr, "www.foo.com.", A).await), (NoError, 8, vec![]));
}

#[tokio::test]
async fn random_strategy_asks_all_of_them_in_time() {
    let dns = serve(World::new()).await;
    let (one, two) = (upstream(Manner::Answers).await, upstream(Manner::Answers).await);
    use_recursors(&dns, &[&one, &two]);
    dns.world.configure(|settings| settings.recursor_strategy = RecursorStrategy::Random);
    for _ in 0..64 {
        ask(dns.addr, "www.foo.com.", A).await;
    }
    assert!(one.asked.load(Ordering::SeqCst) > 0 && two.asked.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn external_services_are_aliases() {
    let dns = serve(shop()).await;
    let alone = ask(dns.addr, "shop.service.consul.", A).await;
    assert_eq!(lines(alone.answers()), ["shop.service.consul. 0 IN CNAME www.amazon.com."]);
    let up = upstream(Manner::Truncates).await;
    use_recursors(&dns, &[&up]);
    let wide = with_edns(question("shop.service.consul.", AAAA), 4096, None);
    let reply = udp(dns.addr, &wide).await;
    assert_eq!(reply.answers().len(), 8);
    assert!(reply.answers().iter().all(|r| r.ttl() == 0));
    // Without EDNS: the alias, its alias, one address.
    assert_eq!(ask(dns.addr, "shop.service.consul.", A).await.answers().len(), 3);
    let node = udp(dns.addr, &with_edns(question("amazon.node.consul.", A), 4096, None)).await;
    assert_eq!((node.answers()[0].ttl(), node.answers()[1].ttl()), (0, 300));
    let srv = udp(dns.addr, &with_edns(question("shop.service.consul.", SRV), 4096, None)).await;
    assert_eq!(lines(srv.answers()), ["shop.service.consul. 0 IN SRV 1 2 80 www.amazon.com."]);
    assert_eq!(srv.additionals().len(), 7);
}

#[tokio::test]
async fn aliases_within_the_zone_are_followed_three_times() {
    let mut world = World::new();
    for (name, target) in [("loop1", "loop2.node.consul"), ("loop2", "loop1.node.consul")] {
        world.add(instance(&node(name, target, &[]), name, "", 80, &[], Health::Passing));
    }
    world.add(instance(&node("alias", "web1.node.consul", &[]), "alias", "", 80, &[], Health::Passing));
    let dns = serve(world).await;
    let reply = udp(dns.addr, &with_edns(question("loop1.node.consul.", ANY), 4096, None)).await;
    assert_eq!(reply.answers().len(), 4);
    let alias = ask(dns.addr, "alias.service.consul.", A).await;
    assert_eq!(
        lines(alias.answers()),
        ["alias.service.consul. 0 IN CNAME web1.node.consul.", "web1.node.consul. 0 IN A 10.2.0.1"]
    );
}
