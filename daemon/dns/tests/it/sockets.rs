//! Connections, limits and stopping.

use std::net::SocketAddr;
use std::time::Duration;

use consul_dns::backend::Event;
use consul_dns::server::{Listeners, ServerLimits};
use hickory_proto::rr::RecordType::A;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::client::{ask, framed, question, read_framed, tcp};
use crate::world::{World, serve, serve_with};

const LIMIT: Duration = Duration::from_secs(5);

fn packet(id: u16, name: &str) -> Vec<u8> {
    let mut message = question(name, A);
    message.set_id(id);
    message.to_vec().unwrap()
}

#[tokio::test]
async fn a_slow_question_delays_no_other_on_udp() {
    let dns = serve(World::new()).await;
    let slow = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    slow.send_to(&packet(1, "slow.service.consul."), dns.addr).await.unwrap();
    assert_eq!(ask(dns.addr, "web.service.consul.", A).await.answers().len(), 3);
    dns.world.slow.add_permits(1);
    let mut buffer = [0; 512];
    timeout(LIMIT, slow.recv(&mut buffer)).await.unwrap().unwrap();
}

#[tokio::test]
async fn replies_on_one_connection_overtake_a_slow_one() {
    let dns = serve(World::new()).await;
    let mut stream = TcpStream::connect(dns.addr).await.unwrap();
    let both =
        [framed(&packet(1, "slow.service.consul.")), framed(&packet(2, "web.service.consul."))].concat();
    stream.write_all(&both).await.unwrap();
    assert_eq!(read_framed(&mut stream).await.id(), 2);
    dns.world.slow.add_permits(1);
    assert_eq!(read_framed(&mut stream).await.id(), 1);
}

#[tokio::test]
async fn a_client_that_stops_sending_still_gets_its_replies() {
    let dns = serve(World::new()).await;
    let mut stream = TcpStream::connect(dns.addr).await.unwrap();
    stream.write_all(&framed(&packet(1, "slow.service.consul."))).await.unwrap();
    stream.shutdown().await.unwrap();
    dns.world.slow.add_permits(1);
    assert_eq!(read_framed(&mut stream).await.id(), 1);
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let limits = ServerLimits { idle_timeout: Duration::from_millis(50), ..ServerLimits::default() };
    let dns = serve_with(World::new(), limits).await;
    let mut silent = TcpStream::connect(dns.addr).await.unwrap();
    let mut half = TcpStream::connect(dns.addr).await.unwrap();
    half.write_all(&[0, 40, 1, 2]).await.unwrap();
    for stream in [&mut silent, &mut half] {
        let end = timeout(LIMIT, stream.read(&mut [0; 1])).await.expect("connection stays open");
        assert!(matches!(end, Ok(0) | Err(_)));
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let dns = serve_with(World::new(), ServerLimits { connections_max: 1, ..ServerLimits::default() }).await;
    let mut first = TcpStream::connect(dns.addr).await.unwrap();
    first.write_all(&framed(&packet(1, "web.service.consul."))).await.unwrap();
    read_framed(&mut first).await;
    let message = question("web.service.consul.", A);
    let second = tcp(dns.addr, &message);
    tokio::pin!(second);
    assert!(timeout(Duration::from_millis(50), &mut second).await.is_err());
    drop(first);
    assert_eq!(second.await.answers().len(), 3);
}

#[tokio::test]
async fn too_many_waiting_questions_are_dropped_and_counted() {
    let dns = serve_with(World::new(), ServerLimits { waiting_max: 1, ..ServerLimits::default() }).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for id in [1, 2] {
        socket.send_to(&packet(id, "slow.service.consul."), dns.addr).await.unwrap();
    }
    // Answered after the two above: the socket is read in order.
    ask(dns.addr, "web.service.consul.", A).await;
    assert!(dns.world.events.lock().unwrap().contains(&Event::Overload));
    dns.world.slow.add_permits(2);
    let mut buffer = [0; 512];
    timeout(LIMIT, socket.recv(&mut buffer)).await.unwrap().unwrap();
    assert_eq!(buffer[..2], [0, 1]);
}

#[tokio::test]
async fn stopping_finishes_what_is_in_the_works_and_frees_the_port() {
    let dns = serve(World::new()).await;
    let mut stream = TcpStream::connect(dns.addr).await.unwrap();
    let both =
        [framed(&packet(1, "slow.service.consul.")), framed(&packet(2, "web.service.consul."))].concat();
    stream.write_all(&both).await.unwrap();
    assert_eq!(read_framed(&mut stream).await.id(), 2);
    let (addr, world) = (dns.addr, dns.world.clone());
    let stopping = tokio::spawn(dns.server.stop());
    world.slow.add_permits(1);
    assert_eq!(read_framed(&mut stream).await.id(), 1);
    timeout(LIMIT, stopping).await.unwrap().unwrap();
    Listeners::bind(&[addr]).await.unwrap();
}

#[tokio::test]
async fn stopping_gives_up_on_questions_that_take_too_long() {
    let limits = ServerLimits { drain_timeout: Duration::from_millis(50), ..ServerLimits::default() };
    let dns = serve_with(World::new(), limits).await;
    let slow = packet(1, "slow.service.consul.");
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    udp.send_to(&slow, dns.addr).await.unwrap();
    let mut stream = TcpStream::connect(dns.addr).await.unwrap();
    stream.write_all(&framed(&slow)).await.unwrap();
    assert_eq!(ask(dns.addr, "web.service.consul.", A).await.answers().len(), 3);
    timeout(LIMIT, dns.server.stop()).await.expect("stopping hangs");
    assert!(matches!(timeout(LIMIT, stream.read(&mut [0; 1])).await.unwrap(), Ok(0) | Err(_)));
    UdpSocket::bind(dns.addr).await.unwrap();
}

#[tokio::test]
async fn a_server_on_all_addresses_replies_from_the_one_that_was_asked() {
    for any in ["0.0.0.0:0", "[::]:0"] {
        let listeners = match Listeners::bind(&[any.parse().unwrap()]).await {
            Ok(listeners) => listeners,
            Err(error) => {
                eprintln!("skipped: {error}");
                continue;
            }
        };
        let port = listeners.addresses()[0].port();
        let _server = listeners.serve(std::sync::Arc::new(World::new()), ServerLimits::default());
        for host in ["127.0.0.1", "127.0.0.2"] {
            let addr = SocketAddr::new(host.parse().unwrap(), port);
            assert_eq!(ask(addr, "web.service.consul.", A).await.answers().len(), 3);
        }
    }
}

#[tokio::test]
async fn several_addresses_are_served_and_a_taken_one_is_named() {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let two = Listeners::bind(&[any, "127.0.0.2:0".parse().unwrap()]).await.unwrap();
    let addresses = two.addresses();
    let error = Listeners::bind(&addresses).await.map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), format!("listen tcp {}: bind: address already in use", addresses[0]));
    let _server = two.serve(std::sync::Arc::new(World::new()), ServerLimits::default());
    for addr in addresses {
        assert_eq!(ask(addr, "web.service.consul.", A).await.answers().len(), 3);
    }
}
