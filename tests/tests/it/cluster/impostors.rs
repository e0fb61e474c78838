//! Agents that must not be in a cluster: they are refused with a line that says what to do, and the cluster goes on.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use consul_tests::cluster::{Cluster, Plan};
use consul_tests::place::Place;
use consul_tests::wait::check;
use consul_tests::{Agent, Background, Setup, binary, eventually, tools};
use serde_json::{Value, json};
use tempfile::TempDir;

const REFERENCE: &str = "/usr/bin/consul";

fn skipped() -> bool {
    if binary::is_reference() {
        tools::skip("the texts are ours");
        return true;
    }
    false
}

/// An address beside those of the cluster.
fn beside(cluster: &Cluster, number: u8) -> Ipv4Addr {
    let [a, b, c, _] = cluster.agent(0).address().octets();
    Ipv4Addr::new(a, b, c, 100 + number)
}

/// An agent that joins the cluster on its own account.
fn stranger(cluster: &Cluster, number: u8, name: &str, edit: impl FnOnce(&mut Value)) -> Agent {
    let first = cluster.agent(0).address();
    let setup = Setup::in_place(name, Place::at(beside(cluster, number))).config(|config| {
        config["data_dir"] = json!("data");
        config["retry_join"] = json!([first]);
        config["retry_interval"] = json!("1s");
        config["performance"] = json!({"raft_multiplier": 1});
    });
    setup.config(edit).launch()
}

/// A copy of the data of an agent, as somebody makes it who clones a machine.
fn copy_of(agent: &Agent) -> TempDir {
    let copy = TempDir::with_prefix("consul-copy-").unwrap();
    let copied = Command::new("cp").arg("-a").arg(agent.dir().join("data/.")).arg(copy.path()).status();
    assert!(copied.unwrap().success());
    copy
}

async fn ends_with_an_error(agent: &mut Agent, line: &str) {
    agent.logs(line).await;
    let status = agent.ends().await;
    assert_eq!(status.code(), Some(1), "{}", agent.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_nodes_of_a_name_or_an_id_give_way() {
    if skipped() {
        return;
    }
    let cluster = Cluster::on_loopback(Plan::servers(3).clients(1));
    let leader = cluster.converged().await;

    let mut twin = stranger(&cluster, 1, "c1", |_| {});
    ends_with_an_error(&mut twin, "another member has this node's name").await;
    let mut twin = stranger(&cluster, 2, "s1", |config| config["server"] = json!(true));
    ends_with_an_error(&mut twin, "another member has this node's name").await;

    let copy = copy_of(cluster.agent(3));
    let clone = stranger(&cluster, 3, "clone", |config| config["data_dir"] = json!(copy.path()));
    clone.logs("with this agent's ID: one data directory was copied from the other").await;
    cluster.members_agree("dc1").await;
    drop(clone);

    for (number, name) in [(4, "copy"), (5, "s1")] {
        // The copy of a leader is the most dangerous one: it takes itself for the leader.
        let copy = copy_of(cluster.agent(leader));
        let name = if name == "s1" { cluster.agent(leader).name() } else { name };
        let mut clone = stranger(&cluster, number, name, |config| {
            config["server"] = json!(true);
            config["data_dir"] = json!(copy.path());
        });
        let line = if number == 4 { "with this agent's ID" } else { "another member has this node's name" };
        ends_with_an_error(&mut clone, line).await;
        assert!(!clone.log().contains("cluster leadership acquired"), "{}", clone.log());
    }
    assert_eq!(cluster.converged().await, leader, "the cluster was disturbed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_of_another_datacenter_or_without_the_key_are_told_so() {
    if skipped() {
        return;
    }
    let key = "pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s=";
    let other = "T1RIRVJPVEhFUk9USEVST1RIRVJPVEhFUk9USEVSMDA=";
    let cluster = Cluster::on_loopback(Plan::servers(1).config(move |config| config["encrypt"] = json!(key)));
    cluster.converged().await;
    let elsewhere = stranger(&cluster, 1, "x1", |config| {
        config["encrypt"] = json!(key);
        config["datacenter"] = json!("dc9");
    });
    elsewhere.logs("part of wrong datacenter 'dc1': this agent is in 'dc9'").await;
    let keyless = stranger(&cluster, 2, "x2", |_| {});
    keyless.logs("Remote state is encrypted and encryption is not configured; all agents").await;
    let wrong = stranger(&cluster, 3, "x3", |config| config["encrypt"] = json!(other));
    wrong.logs("No installed keys could decrypt the message; all agents").await;
    for agent in [&elsewhere, &keyless, &wrong] {
        let members = agent.get("/v1/agent/members").await.ok().json();
        assert_eq!(members.as_array().map(Vec::len), Some(1), "{members}");
        assert!(!agent.log().contains("EventMemberJoin: s1"), "{}", agent.log());
    }
    cluster.members_agree("dc1").await;
}

fn reference(address: Ipv4Addr, data: &Path, args: &[&str]) -> Background {
    let mut command = Command::new(REFERENCE);
    let address = address.to_string();
    command.args(["agent", "-server", "-bind", &address, "-client", &address, "-retry-interval", "1s"]);
    command.args(["-node", "foreign", "-hcl", "ports { grpc = -1 }", "-data-dir"]).arg(data).args(args);
    Background::spawn(command)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_both_kinds_do_not_mix() {
    if skipped() {
        return;
    }
    if !Path::new(REFERENCE).exists() {
        return tools::skip("HashiCorp Consul is not installed");
    }
    let cluster = Cluster::on_loopback(Plan::servers(3));
    let leader = cluster.converged().await;
    let (there, data) = (cluster.agent(0).address().to_string(), TempDir::new().unwrap());
    let foreign = reference(beside(&cluster, 1), data.path(), &["-retry-join", &there]);
    cluster.agent(0).logs("unwanted member").await;
    cluster.members_agree("dc1").await;
    assert_eq!(cluster.converged().await, leader);
    drop(foreign);

    let (at, data) = (beside(&cluster, 2), TempDir::new().unwrap());
    let _foreign = reference(at, data.path(), &["-bootstrap"]);
    let url = format!("http://{at}:8500/v1/status/leader");
    eventually("the foreign server leads", async || {
        let answer = cluster.agent(0).http().get(&url).send().await.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        check(text.contains("8300"), text)
    })
    .await;
    let line = "is a server that replicates in another way: servers of both kinds cannot share";
    let mut ours = stranger(&cluster, 3, "ours", |config| {
        config["server"] = json!(true);
        config["bootstrap_expect"] = json!(3);
        config["retry_join"] = json!([at]);
    });
    ends_with_an_error(&mut ours, line).await;
    let mut ours = stranger(&cluster, 4, "ours2", |config| {
        config["server"] = json!(true);
        config["retry_join"] = json!([]);
        config["start_join"] = json!([at]);
    });
    ends_with_an_error(&mut ours, line).await;
}
