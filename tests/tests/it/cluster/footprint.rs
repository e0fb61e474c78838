//! What a cluster costs while nobody looks: figures for the README, printed and not judged.
//!
//! `CONSUL_BIN=… cargo test --release -p consul-tests --test it -- --ignored --nocapture footprint`, with either binary.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use consul_tests::cluster::{Cluster, Plan};
use consul_tests::{Agent, process};
use futures::future::join_all;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

const BLOCKED: usize = 10_000;
const REGISTERED: usize = 1_000;
/// Long enough for what is freed to be given back, and for nothing but upkeep to go on.
const REST: Duration = Duration::from_secs(20);
/// What was asked is waited for by now.
const SETTLED: Duration = Duration::from_secs(4);

fn megabytes(agent: &Agent) -> f64 {
    process::memory_kib(agent.pid()) as f64 / 1024.0
}

async fn register(agent: &Agent, number: usize) {
    let node = format!("n{number}");
    let check = |id: &str, service: &str| json!({"Node": node, "CheckID": id, "Name": id, "ServiceID": service, "Status": "passing"});
    let body = json!({
        "Node": node,
        "Address": format!("10.1.{}.{}", number / 250, number % 250),
        "Service": {"ID": "web", "Service": "web", "Port": 80, "Tags": ["v1"]},
        "Checks": [check("serfHealth", ""), check("service:web", "web")],
    });
    agent.put_json("/v1/catalog/register", &body).await.ok();
}

/// Waits for a change of a key on a connection of its own, from one of some client addresses.
async fn block(agent: &Agent, number: usize, question: &str) -> TcpStream {
    let [_, b, c, _] = agent.address().octets();
    let from = Ipv4Addr::new(127, b, c, 100 + u8::try_from(number % 100).expect("less than 100"));
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((from, 0).into()).expect("a loopback address");
    let mut stream = socket.connect((agent.address(), agent.ports().http).into()).await.expect("it listens");
    stream.write_all(question.as_bytes()).await.expect("it reads");
    stream
}

async fn measure_blocked(cluster: &Cluster, leader: usize, asked: usize, mode: &str) {
    let (agent, leader) = (cluster.agent(asked), cluster.agent(leader));
    leader.put("/v1/kv/blocked", "x").await.ok();
    let there = agent.until(&format!("/v1/kv/blocked?{mode}"), |reply| reply.status == 200).await;
    let path = format!("/v1/kv/blocked?index={}&wait=5m&{mode}", there.index());
    let question = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let before = megabytes(agent);
    let mut streams = Vec::with_capacity(BLOCKED);
    for number in 0..BLOCKED {
        streams.push(block(agent, number, &question).await);
    }
    sleep(SETTLED).await;
    let cost = megabytes(agent) - before;
    let began = Instant::now();
    leader.put("/v1/kv/blocked", "y").await.ok();
    let answers =
        streams.iter_mut().map(|stream| async { stream.read(&mut [0; 4096]).await.expect("an answer") });
    join_all(answers).await;
    let (each, took) = (cost * 1024.0 / BLOCKED as f64, began.elapsed());
    println!(
        "{BLOCKED} reads blocked on {} ({mode}): {cost:.1} MB, {each:.2} KB each, answered in {took:?}",
        agent.name()
    );
}

#[tokio::test]
#[ignore = "measures for some minutes and judges nothing"]
async fn footprint() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("every process has limits");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("the soft limit may be raised to the hard one");
    let plan = Plan::servers(3).clients(1).config(|config| {
        config["limits"] = json!({"http_max_conns_per_client": 1_000});
        config["log_level"] = json!("INFO");
    });
    let cluster = Cluster::on_loopback(plan);
    let leader = cluster.converged().await;
    let follower = (leader + 1) % 3;
    sleep(REST).await;
    for number in 0..cluster.len() {
        println!("{} at rest: {:.1} MB", cluster.agent(number).name(), megabytes(cluster.agent(number)));
    }
    let (began, before) = (Instant::now(), megabytes(cluster.agent(leader)));
    for first in (0..REGISTERED).step_by(8) {
        join_all((first..first + 8).map(|number| register(cluster.agent(leader), number))).await;
    }
    let took = began.elapsed();
    sleep(SETTLED).await;
    let cost = megabytes(cluster.agent(leader)) - before;
    println!("{REGISTERED} nodes with a service and two checks: {took:?}, {cost:.1} MB on the leader");
    measure_blocked(&cluster, leader, leader, "consistent").await;
    measure_blocked(&cluster, leader, follower, "stale").await;
}
