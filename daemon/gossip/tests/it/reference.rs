//! Pools shared with a real agent of HashiCorp, where one is installed.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use consul_gossip::keyring::Key;
use consul_gossip::shell::{self, Handle, Sockets};
use consul_gossip::{Config, Keyring, Member, Swim};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::Instant;

use crate::recorder::{Recorder, What};

const BINARY: &str = "/usr/bin/consul";
const LIMIT: Duration = Duration::from_secs(60);

struct Agent {
    child: Child,
    gossip: SocketAddr,
    http: SocketAddr,
    _data: tempfile::TempDir,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_reference() -> bool {
    let version = Command::new(BINARY).arg("version").output();
    let found = version.is_ok_and(|output| output.stdout.starts_with(b"Consul v1.8"));
    if !found {
        eprintln!("skipped: there is no Consul 1.8 at {BINARY}");
    }
    found
}

fn free_ports(ip: Ipv4Addr) -> [u16; 5] {
    let listeners: Vec<TcpListener> = (0..5).map(|_| TcpListener::bind((ip, 0)).unwrap()).collect();
    std::array::from_fn(|at| listeners[at].local_addr().unwrap().port())
}

/// Starts an agent on an address of its own, since ports come and go.
fn agent(ip: [u8; 4], key: Option<&str>) -> Agent {
    let ip = Ipv4Addr::from(ip);
    let data = tempfile::tempdir().unwrap();
    let [serf, wan, rpc, http, dns] = free_ports(ip);
    let mut command = Command::new(BINARY);
    command
        .args(["agent", "-server", "-bootstrap", "-node=ref", "-log-level=warn"])
        .arg(format!("-bind={ip}"))
        .arg(format!("-client={ip}"))
        .arg(format!("-data-dir={}", data.path().display()))
        .arg(format!("-serf-lan-port={serf}"))
        .arg(format!("-serf-wan-port={wan}"))
        .arg(format!("-server-port={rpc}"))
        .arg(format!("-http-port={http}"))
        .arg(format!("-dns-port={dns}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(key) = key {
        command.arg(format!("-encrypt={key}"));
    }
    let child = command.spawn().unwrap();
    let at = |port| SocketAddr::new(IpAddr::V4(ip), port);
    Agent { child, gossip: at(serf), http: at(http), _data: data }
}

impl Agent {
    async fn cli(&self, args: &[&str]) -> String {
        let mut command = Command::new(BINARY);
        command.arg(args[0]).arg(format!("-http-addr={}", self.http)).args(&args[1..]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Status of a member as the agent sees it.
    async fn status(&self, name: &str) -> Option<String> {
        let members = self.cli(&["members"]).await;
        let mut fields = members.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let line = fields.find(|fields| fields.first() == Some(&name))?;
        line.get(2).map(|status| (*status).to_owned())
    }

    async fn until_status(&self, name: &str, status: &str) {
        let end = Instant::now() + LIMIT;
        while self.status(name).await.as_deref() != Some(status) {
            assert!(Instant::now() < end, "{name} never became {status}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn tags() -> Vec<u8> {
    let tags = BTreeMap::from([
        ("role", "node"),
        ("dc", "dc1"),
        ("segment", ""),
        ("id", "6a2bd1a7-6c5e-4a0e-8f0e-2f5d0c1b9a77"),
        ("vsn", "2"),
        ("vsn_min", "2"),
        ("vsn_max", "3"),
        ("build", "1.8.7:"),
        ("acls", "0"),
    ]);
    [&[255], consul_api::msgpack::to_vec(&tags).unwrap().as_slice()].concat()
}

async fn member(ip: [u8; 4], keyring: Option<Keyring>) -> (Handle<Recorder>, SocketAddr) {
    let sockets = Sockets::bind((ip, 0).into()).await.unwrap();
    let addr = sockets.local_addr();
    let (handle, _) = shell::spawn(sockets, |now| {
        let config = Config { meta: tags().into(), ..Config::lan("ours", addr) };
        Member::new(now, Swim::new(now, config, keyring, StdRng::from_os_rng()), Recorder::default())
    });
    (handle, addr)
}

async fn until(
    handle: &Handle<Recorder>,
    what: &str,
    done: impl Fn(&Swim, &Recorder) -> bool + Send + Clone + 'static,
) {
    let end = Instant::now() + LIMIT;
    loop {
        let done = done.clone();
        if handle.with(move |_, swim, recorder| done(swim, recorder)).await.unwrap() {
            return;
        }
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn join(handle: &Handle<Recorder>, addr: SocketAddr) {
    let end = Instant::now() + LIMIT;
    // The agent may still be starting.
    while handle.join(&[addr]).await.unwrap()[0].1.is_err() {
        assert!(Instant::now() < end, "never joined");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn both_live_and_notice_a_death(ours: [u8; 4], theirs: [u8; 4], key: Option<&str>) {
    if !is_reference() {
        return;
    }
    let keyring = key.map(|_| Keyring::new(Key::new(&(0..16).collect::<Vec<u8>>()).unwrap()));
    let reference = agent(theirs, key);
    let (handle, _) = member(ours, keyring.clone()).await;
    join(&handle, reference.gossip).await;
    reference.until_status("ours", "alive").await;
    until(&handle, "three answered probes", |_, recorder| recorder.pings.len() >= 3).await;
    let (flagged, dropped) = handle
        .with(|_, swim, recorder| (recorder.was_told(What::Failed, "ref"), swim.counters().dropped_total()))
        .await
        .unwrap();
    assert_eq!((flagged, dropped), (false, 0));
    let told = handle.with(|_, _, recorder| recorder.states.len()).await.unwrap();
    assert!(told >= 1, "the agent tells the state of the layer above");

    handle.shutdown().await;
    reference.until_status("ours", "failed").await;

    // The same name comes back with a new life, and is found by the agent instead of finding it.
    let (handle, addr) = member(ours, keyring).await;
    if addr.ip() == IpAddr::from(ours) {
        reference.cli(&["join", &addr.to_string()]).await;
    }
    until(&handle, "joined by the agent", |_, recorder| recorder.was_told(What::Joined, "ref")).await;
    drop(reference);
    until(&handle, "the agent's death", |_, recorder| recorder.was_told(What::Failed, "ref")).await;
    handle.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_live_and_notice_a_death_in_the_open() {
    both_live_and_notice_a_death([127, 0, 41, 1], [127, 0, 41, 2], None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_live_and_notice_a_death_encrypted() {
    both_live_and_notice_a_death([127, 0, 42, 1], [127, 0, 42, 2], Some("AAECAwQFBgcICQoLDA0ODw==")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unencrypted_join_is_answered_with_the_reason() {
    if !is_reference() {
        return;
    }
    let reference = agent([127, 0, 43, 2], Some("AAECAwQFBgcICQoLDA0ODw=="));
    let (handle, _) = member([127, 0, 43, 1], None).await;
    let end = Instant::now() + LIMIT;
    loop {
        let results = handle.join(&[reference.gossip]).await.unwrap();
        let error = results[0].1.clone().unwrap_err().to_string();
        if !error.contains("refused") {
            // It answers encrypted, which we cannot read but know what to make of.
            assert!(error.contains("Remote state is encrypted"), "{error}");
            return;
        }
        assert!(Instant::now() < end, "never answered");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
