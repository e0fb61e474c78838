//! Peers that no honest agent would be, on every port of agents in a cluster. The cluster goes on as if nothing were.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use consul_tests::cluster::{Cluster, Plan};
use consul_tests::noise::{noise, rng};
use consul_tests::wait::check;
use consul_tests::{binary, eventually, process, raw, tools};
use rand::Rng;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::methods::METHODS;

/// How much larger an agent may be after an attack. Allocators keep some; leaks grow past any such number.
const GROWTH_KIB_MAX: u64 = 150 * 1024;
/// Connections that an agent may have more than before, to other agents for instance.
const FILES_MORE_MAX: usize = 40;
/// Warnings that one attack may cause.
const WARNINGS_MAX: usize = 60;
/// An agent that wants nothing of us says so by silence.
const SILENCE: Duration = Duration::from_millis(500);
const STREAM_PORTS: [u16; 3] = [8300, 8301, 8302];
const PACKET_PORTS: [u16; 2] = [8301, 8302];

fn skipped() -> bool {
    if binary::is_reference() {
        tools::skip("what it does with garbage is not ours to test");
        return true;
    }
    false
}

/// A cluster and what its agents were like before.
struct Attacked {
    cluster: Cluster,
    before: Vec<(u64, usize, usize)>,
}

impl Attacked {
    async fn new(plan: Plan) -> Self {
        let cluster = Cluster::on_loopback(plan);
        cluster.converged().await;
        let before = (0..cluster.len()).map(|number| figures(&cluster, number)).collect();
        Self { cluster, before }
    }

    fn addresses(&self) -> Vec<Ipv4Addr> {
        (0..self.cluster.len()).map(|number| self.cluster.agent(number).address()).collect()
    }

    /// Writes go through, as from a client of the cluster.
    async fn works(&self) {
        let agent = self.cluster.agent(self.cluster.len() - 1);
        assert_eq!(agent.put("/v1/kv/alive", "yes").await.ok().text().trim(), "true");
        assert_eq!(agent.get("/v1/kv/alive?raw&consistent").await.ok().text(), "yes");
    }

    /// Nobody panicked, failed, grew, kept connections or filled its log.
    async fn is_as_before(&self) {
        self.works().await;
        self.cluster.members_agree("dc1").await;
        for (number, (memory, files, warnings)) in self.before.iter().enumerate() {
            let agent = self.cluster.agent(number);
            let name = agent.name();
            eventually(&format!("{name} has closed what the attack opened"), async || {
                let (_, now, _) = figures(&self.cluster, number);
                check(now <= files + FILES_MORE_MAX, format!("{files} files before, {now} now"))
            })
            .await;
            let (memory_now, _, warnings_now) = figures(&self.cluster, number);
            assert!(memory_now < memory + GROWTH_KIB_MAX, "{name} grew from {memory} to {memory_now} KiB");
            let more = warnings_now - warnings;
            assert!(more <= WARNINGS_MAX, "{name} logged {more} warnings:\n{}", agent.log());
            let log = agent.log();
            assert!(!log.contains("panicked"), "{name}:\n{log}");
            let failed = log.lines().find(|line| line.contains("EventMemberFailed"));
            assert_eq!(failed, None, "{name} lost a member");
        }
    }
}

/// Memory in KiB, open files and warnings in the log.
fn figures(cluster: &Cluster, number: usize) -> (u64, usize, usize) {
    let agent = cluster.agent(number);
    let files = fs::read_dir(format!("/proc/{}/fd", agent.pid())).map(Iterator::count).unwrap_or(0);
    let is_warning = |line: &&str| line.contains("[WARN]") || line.contains("[ERROR]");
    (process::memory_kib(agent.pid()), files, agent.log().lines().filter(is_warning).count())
}

async fn connect(to: impl Into<SocketAddr>) -> TcpStream {
    let to = to.into();
    TcpStream::connect(to).await.unwrap_or_else(|error| panic!("{to}: {error}"))
}

/// Sends bytes, says that there are no more, and reads what comes until the other side ends or is silent.
async fn exchange(to: impl Into<SocketAddr>, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(to).await;
    // The other side may hang up before it has read everything.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    raw::read_to_end(&mut stream, Duration::from_secs(10)).await.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise_on_all_ports_changes_nothing() {
    if skipped() {
        return;
    }
    let mut rng = rng();
    let attacked = Attacked::new(Plan::servers(3).clients(1)).await;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for address in attacked.addresses() {
        for port in PACKET_PORTS {
            for number in 0..500u32 {
                let mut packet = noise(&mut rng, 1..if number % 50 == 0 { 60_000 } else { 1400 });
                if number % 2 == 0 {
                    // With a type that exists they come further.
                    packet[0] = rng.random_range(0..16);
                }
                // Nobody may listen there, which a later packet is told.
                let _ = socket.send_to(&packet, (address, port));
            }
        }
        for port in STREAM_PORTS {
            if TcpStream::connect((address, port)).await.is_err() {
                continue;
            }
            for number in 0..40u8 {
                let mut bytes = noise(&mut rng, 1..4000);
                bytes[0] = number % 12;
                exchange((address, port), &bytes).await;
            }
        }
        attacked.works().await;
    }
    attacked.is_as_before().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_of_gigabytes_take_no_memory() {
    if skipped() {
        return;
    }
    let attacked = Attacked::new(Plan::servers(3)).await;
    let claims: [&[u8]; 10] = [
        // To the server port: an array and a text of 4 GiB, a frame far beyond its window, a snapshot request.
        b"\x00\xdd\xff\xff\xff\xff",
        b"\x00\xdb\xff\xff\xff\xff",
        b"\x04\x00\x00\x00\x01\x00\x00\x00\x01\xff\xff\xff\xff",
        b"\x05\xdf\xff\xff\xff\xff",
        // To the gossip ports: an exchange of members, a text, a sealed frame, a message of users.
        b"\x06\x83\xa5Nodes\xcf\x7f\xff\xff\xff\xff\xff\xff\xff\xacUserStateLen\x00\xa4Join\xc3",
        b"\x06\x83\xa5Nodes\x00\xacUserStateLen\xcf\x7f\xff\xff\xff\xff\xff\xff\xff\xa4Join\xc3",
        b"\x06\xdb\xff\xff\xff\xff",
        b"\x0a\xff\xff\xff\xff",
        b"\x08\x81\xaaUserMsgLen\xcf\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x09\x83\xa4Algo\x00\xa3Buf\xdb\xff\xff\xff\xff",
    ];
    for address in attacked.addresses() {
        for port in STREAM_PORTS {
            let mut held = Vec::new();
            for claim in claims {
                let mut stream = connect((address, port)).await;
                let _ = stream.write_all(claim).await;
                let _ = stream.write_all(&[0; 64 * 1024]).await;
                held.push(stream);
            }
            attacked.works().await;
        }
    }
    attacked.is_as_before().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crowds_and_slow_senders_hold_up_nobody() {
    if skipped() {
        return;
    }
    let attacked = Attacked::new(Plan::servers(3).clients(1)).await;
    let mut held = Vec::new();
    for address in &attacked.addresses()[..3] {
        for port in STREAM_PORTS {
            for number in 0..250u8 {
                let Ok(mut stream) = TcpStream::connect((*address, port)).await else { continue };
                // Some say nothing, some begin something, some never go on with it.
                let beginning: &[u8] = match number % 4 {
                    0 => b"",
                    1 => b"\x00\x82",
                    2 => b"\x04\x00\x01\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00",
                    _ => b"\x06\x83\xa5Nodes",
                };
                let _ = stream.write_all(beginning).await;
                held.push(stream);
            }
        }
        attacked.works().await;
    }
    for stream in &mut held {
        // The agent may well have hung up on it.
        let _ = stream.write_all(b"\x00").await;
    }
    attacked.works().await;
    drop(held);
    attacked.is_as_before().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abuse_of_multiplexing_ends_only_its_connection() {
    if skipped() {
        return;
    }
    let attacked = Attacked::new(Plan::servers(1).clients(1)).await;
    let server = (attacked.addresses()[0], 8300);
    let frame = |kind: u8, flags: u16, stream: u32, len: u32| {
        let mut bytes = vec![0, kind];
        bytes.extend(flags.to_be_bytes());
        bytes.extend(stream.to_be_bytes());
        bytes.extend(len.to_be_bytes());
        bytes
    };
    let opens = |count: u32| (0..count).flat_map(|number| frame(1, 1, number * 2 + 1, 0));
    let floods: [(&str, Vec<u8>); 5] = [
        ("very many streams", opens(100_000).collect()),
        ("streams that are opened and reset", {
            let pairs = (0..50_000).map(|number| number * 2 + 1);
            pairs.flat_map(|stream| [frame(1, 1, stream, 0), frame(1, 8, stream, 0)].concat()).collect()
        }),
        ("pings", frame(2, 1, 0, 7).repeat(100_000)),
        ("windows without end", [opens(1).collect(), frame(1, 0, 1, u32::MAX).repeat(1000)].concat()),
        ("frames for streams that are not there", frame(1, 0, 77, 1).repeat(100_000)),
    ];
    for (what, flood) in floods {
        let mut stream = connect(server).await;
        let _ = stream.write_all(b"\x04").await;
        let (mut read, mut write) = stream.split();
        let sending = async {
            // The server may have had enough before the end.
            let _ = write.write_all(&flood).await;
            let _ = write.shutdown().await;
        };
        let reading = async { while matches!(read.read(&mut [0; 65536]).await, Ok(1..)) {} };
        let ended = timeout(Duration::from_secs(60), async { tokio::join!(sending, reading) }).await;
        assert!(ended.is_ok(), "{what}: the connection was kept after its end");
        attacked.works().await;
    }
    attacked.is_as_before().await;
}

/// A text as all versions of MessagePack read it.
fn text(text: &str) -> Vec<u8> {
    let len = u16::try_from(text.len()).unwrap();
    [&[0xda][..], &len.to_be_bytes(), text.as_bytes()].concat()
}

fn call(method: &str, body: &[u8]) -> Vec<u8> {
    [b"\x00\x82", &text("ServiceMethod")[..], &text(method), &text("Seq"), &[7], body].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_method_can_be_made_to_panic_by_its_arguments() {
    if skipped() {
        return;
    }
    let mut rng = rng();
    let attacked = Attacked::new(Plan::servers(3)).await;
    let server = (attacked.addresses()[0], 8300);
    let wrong_types =
        [&[0x83][..], &text("Datacenter"), &[7], &text("Token"), &[0x90], &text("Key"), &[0xc3]];
    let bodies = [
        vec![0xc1],
        vec![7],
        vec![0xd9, 200, 1],
        [0x91].repeat(20_000),
        [&[0x81][..], &text("Op")].concat().repeat(3000),
        wrong_types.concat(),
        [&[0xde, 0xff, 0xff][..], &[0xff; 300]].concat(),
    ];
    for method in METHODS {
        for body in &bodies {
            exchange(server, &call(method, body)).await;
        }
        for _ in 0..3 {
            exchange(server, &call(method, &noise(&mut rng, 1..600))).await;
        }
    }
    for name in ["", ".", "KVS", "KVS.", ".Get", "KVS.Get.Get", &"K".repeat(4000), &"K".repeat(60_000)] {
        exchange(server, &call(name, &[0x80])).await;
    }
    attacked.is_as_before().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_know_no_other_datacenter_than_those_that_are() {
    if skipped() {
        return;
    }
    let attacked = Attacked::new(Plan::servers(1)).await;
    attacked.cluster.agent(0).put("/v1/kv/secret", "hidden-value").await.ok();
    let server = (attacked.addresses()[0], 8300);
    let of = |datacenter: &str| {
        let fields = [("Datacenter", datacenter), ("Key", "secret"), ("ServiceName", "consul")];
        let fields = fields.into_iter().flat_map(|(name, value)| [text(name), text(value)].concat());
        [0x83].into_iter().chain(fields).collect::<Vec<u8>>()
    };
    let shown = |answer: Vec<u8>| String::from_utf8_lossy(&answer).into_owned();
    for method in
        ["KVS.Get", "KVS.List", "Catalog.ListNodes", "Session.List", "Health.ServiceNodes", "Txn.Read"]
    {
        let answer = shown(exchange(server, &call(method, &of("dc2"))).await);
        assert!(answer.contains("No path to datacenter"), "{method}: {answer}");
        assert!(!answer.contains("hidden-value") && !answer.contains("s1"), "{method}: {answer}");
    }
    let answer = shown(exchange(server, &call("KVS.Get", &of("dc1"))).await);
    assert!(answer.contains("hidden-value"), "the same question of the own datacenter: {answer}");
    attacked.is_as_before().await;
}

/// A question whether the member is alive, as a packet.
fn ping(node: &str) -> Vec<u8> {
    [&[0, 0x82][..], &text("SeqNo"), &[9], &text("Node"), &text(node)].concat()
}

/// What a stranger learns on the gossip ports: whether a ping is answered, and all bytes that come.
async fn learned(address: Ipv4Addr, node: &str) -> (bool, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    let mut bytes = Vec::new();
    let mut answered = false;
    for (port, node) in [(8301, node.to_owned()), (8302, format!("{node}.dc1"))] {
        socket.send_to(&ping(&node), (address, port)).unwrap();
        let mut packet = [0; 65_536];
        while let Ok(len) = socket.recv(&mut packet) {
            answered = true;
            bytes.extend_from_slice(&packet[..len]);
        }
        let nobody =
            [&[6, 0x83][..], &text("Nodes"), &[0], &text("UserStateLen"), &[0], &text("Join"), &[0xc2]];
        bytes.extend(exchange((address, port), &nobody.concat()).await);
    }
    (answered, String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_to_an_encrypted_pool_learn_nothing() {
    if skipped() {
        return;
    }
    let open = Attacked::new(Plan::servers(1)).await;
    let (answered, bytes) = learned(open.addresses()[0], "s1").await;
    // The state of the pool is compressed; the name of that field shows that it was sent.
    assert!(answered && bytes.contains("Algo"), "this test asks nothing that anybody answers: {bytes:?}");
    open.is_as_before().await;

    let key = "pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s=";
    let sealed = Attacked::new(Plan::servers(3).config(move |config| config["encrypt"] = json!(key))).await;
    for address in sealed.addresses() {
        for node in ["s1", "s2", "s3"] {
            let (answered, bytes) = learned(address, node).await;
            assert!(!answered, "a ping in plain text was answered: {bytes:?}");
            // A refusal may say what is missing, but names nobody. It is encrypted, so only words count that are too long to
            // be there by chance.
            for word in ["dc1", "consul", "Algo", "Name", "Meta"] {
                assert!(!bytes.contains(word), "{word}: {bytes:?}");
            }
        }
    }
    sealed.is_as_before().await;
}
