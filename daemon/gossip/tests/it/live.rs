//! One pool with a HashiCorp agent, where there is one.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use consul_gossip::keyring::{Key, Keyring};
use consul_gossip::pool::{Events, Pool, Settings};
use consul_gossip::serf::keys::format_key;
use consul_gossip::serf::{self, Event, Hooks, MemberStatus, Tags};
use consul_gossip::swim;

const PATIENCE: Duration = Duration::from_secs(40);
const BINARY: &str = "/usr/bin/consul";

struct Agent {
    child: Child,
    http: SocketAddr,
    lan: SocketAddr,
    wan: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ports that are free for packets and streams. Held together, so that they differ.
fn free_ports<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.each_ref().map(|listener| listener.local_addr().unwrap().port())
}

impl Agent {
    /// `None` where no agent is installed, or it is not of a release that we compare with.
    fn start(key: Option<&Key>) -> Option<Self> {
        let version = Command::new(BINARY).arg("version").output().ok()?;
        if !Path::new(BINARY).exists() || !String::from_utf8_lossy(&version.stdout).starts_with("Consul v1.8")
        {
            return None;
        }
        let [http, lan, wan, server] = free_ports();
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new(BINARY);
        command.args([
            "agent",
            "-dev",
            "-node=srv",
            "-datacenter=dc1",
            "-bind=127.0.0.1",
            "-client=127.0.0.1",
        ]);
        command.args(["-dns-port=-1", "-grpc-port=-1", "-https-port=-1"]);
        command.args([format!("-http-port={http}"), format!("-serf-lan-port={lan}")]);
        command.args([format!("-serf-wan-port={wan}"), format!("-server-port={server}")]);
        if let Some(key) = key {
            command.arg(format!("-encrypt={}", format_key(key)));
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let at = |port| ([127, 0, 0, 1], port).into();
        let agent = Self { child, http: at(http), lan: at(lan), wan: at(wan), _dir: dir };
        eventually("the agent has a leader", || agent.get("/v1/status/leader").contains(':'));
        Some(agent)
    }

    fn cli(&self, args: &[&str]) -> String {
        let output =
            Command::new(BINARY).args(args).env("CONSUL_HTTP_ADDR", self.http.to_string()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    /// The line that `consul members` has for a node.
    fn member(&self, name: &str, pool: &[&str]) -> String {
        let listed = self.cli(&[&["members", "-detailed"], pool].concat());
        listed.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_default().to_owned()
    }

    fn get(&self, path: &str) -> String {
        let Ok(mut stream) = TcpStream::connect(self.http) else { return String::new() };
        let mut text = String::new();
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        match stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut text)) {
            Ok(_) => text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default(),
            Err(_) => String::new(),
        }
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

async fn join(
    name: &str,
    id: u8,
    agent: SocketAddr,
    key: Option<&Key>,
    extra: &[(&str, &str)],
) -> (Pool, Events) {
    let mut tags: Tags = [("role", "node"), ("dc", "dc1"), ("segment", ""), ("vsn", "2"), ("vsn_min", "2")]
        .into_iter()
        .chain([("vsn_max", "3"), ("build", "1.22.0:"), ("acls", "0"), ("ours", "yes")])
        .chain(extra.iter().copied())
        .map(|(tag, value)| (tag.to_owned(), value.to_owned()))
        .collect();
    tags.insert("id".to_owned(), format!("00000000-0000-0000-0000-0000000000{id:02}"));
    let addr: SocketAddr = ([127, 0, 0, 1], 0).into();
    let (pool, events) = Pool::spawn(Settings {
        swim: swim::Config::local(name, addr),
        serf: serf::Config { tags, leave_propagate_delay: Duration::from_secs(1), ..serf::Config::default() },
        hooks: Hooks::default(),
        keyring: key.cloned().map(Keyring::new),
        bind: addr,
        snapshot: None,
        rejoin_after_leave: false,
    })
    .await
    .unwrap();
    let results = pool.join(&[agent], false).await.unwrap();
    assert!(results.iter().all(|(_, result)| result.is_ok()), "{results:?}");
    (pool, events)
}

async fn hears(events: &mut Events, name: &str) -> serf::UserEvent {
    let listening = async {
        while let Some(event) = events.next().await {
            if let Event::User(event) = event
                && event.name == name
            {
                return event;
            }
        }
        panic!("the pool ended");
    };
    tokio::time::timeout(PATIENCE, listening).await.expect("the event in time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_sees_our_tags_and_what_becomes_of_us_and_events_cross() {
    let Some(agent) = Agent::start(None) else { return };
    let (stays, mut events) = join("stays", 1, agent.lan, None, &[]).await;
    let (leaves, _) = join("leaves", 2, agent.lan, None, &[]).await;
    let (dies, _) = join("dies", 3, agent.lan, None, &[]).await;
    for name in ["stays", "leaves", "dies"] {
        eventually("the agent sees us", || agent.member(name, &[]).contains("alive"));
        assert!(agent.member(name, &[]).contains("ours=yes"));
    }
    assert_eq!(stays.member("srv").unwrap().tag("role"), Some("consul"));

    agent.cli(&["event", "-name=deploy", "theirs"]);
    let theirs = hears(&mut events, "consul:event:deploy").await;
    assert!(theirs.payload.windows(6).any(|window| window == b"theirs"));
    let ours =
        b"\x84\xa2ID\xda\x00\x2400000000-1111-2222-3333-444444444444\xa1n\xa6deploy\xa1p\xa4ours\xa1v\x01";
    stays.user_event("consul:event:deploy", ours, false).await.unwrap();
    eventually("the agent hears our event", || agent.get("/v1/event/list").contains("b3Vycw=="));

    leaves.leave().await.unwrap();
    leaves.shutdown().await;
    dies.shutdown().await;
    eventually("it left", || agent.member("leaves", &[]).contains("left"));
    eventually("it failed", || agent.member("dies", &[]).contains("failed"));
    eventually("we see it failed", || stays.member("dies").unwrap().status == MemberStatus::Failed);
    agent.cli(&["force-leave", "dies"]);
    eventually("we see it sent away", || stays.member("dies").unwrap().status == MemberStatus::Left);
    stays.force_leave("dies", true).await.unwrap();
    eventually("the agent forgets it", || agent.member("dies", &[]).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_estimates_the_round_trip_to_us() {
    let Some(agent) = Agent::start(None) else { return };
    let tags = [("role", "consul"), ("dc", "dc2"), ("port", "1"), ("raft_vsn", "3")];
    let (pool, _events) = join("ours.dc2", 4, agent.wan, None, &tags).await;
    eventually("the agent sees us", || agent.member("ours.dc2", &["-wan"]).contains("alive"));
    eventually("it has our coordinate", || {
        agent.cli(&["rtt", "-wan", "srv.dc1", "ours.dc2"]).contains("Estimated srv.dc1 <-> ours.dc2 rtt:")
    });
    let end = Instant::now() + PATIENCE;
    while pool.coordinate_of("srv.dc1").await.unwrap().is_none() {
        assert!(Instant::now() < end, "we have no coordinate of it");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_a_mixed_pool_are_changed_from_either_side() {
    let [old, new, ours] = [1, 2, 3].map(|byte| Key::new(&[byte; 32]).unwrap());
    let Some(agent) = Agent::start(Some(&old)) else { return };
    let (pool, _events) = join("ours", 1, agent.lan, Some(&old), &[]).await;
    eventually("the agent sees us", || agent.member("ours", &[]).contains("alive"));
    let (old, new) = (old, new);
    let listed = |key: &Key, count: &str| {
        agent.cli(&["keyring", "-list"]).contains(&format!("{} [{count}]", format_key(key)))
    };
    eventually("both have the key", || listed(&old, "2/2"));
    for (flag, key) in [("-install", &new), ("-use", &new), ("-remove", &old)] {
        let said = agent.cli(&["keyring", &format!("{flag}={}", format_key(key))]);
        assert!(!said.contains("rror"), "{flag}: {said}");
    }
    assert_eq!(pool.keyring().await.unwrap(), Some(Keyring::new(new.clone())));
    eventually("both have the new key", || listed(&new, "2/2"));

    let listed = pool.keys().list().await.unwrap();
    assert_eq!(listed.primary_keys, [(format_key(&new), 2)].into());
    pool.keys().install(&ours).await.unwrap();
    pool.keys().use_key(&ours).await.unwrap();
    pool.keys().remove(&new).await.unwrap();
    assert_eq!(pool.keys().list().await.unwrap().keys, [(format_key(&ours), 2)].into());
    assert!(agent.member("ours", &[]).contains("alive"));
}
