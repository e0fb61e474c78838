//! Most servers are lost: an operator makes a new cluster of what is left.

use std::fs;

use consul_tests::cluster::{Cluster, Plan};
use consul_tests::{Agent, binary};
use serde_json::{Value, json};

/// The raft directory as the commands print it.
async fn inspected(agent: &Agent) -> Value {
    let shown = agent.cli(&["operator", "raft", "inspect", "-data-dir=data", "-format=json"]).await.ok();
    serde_json::from_str(&shown.stdout).expect("the output is JSON")
}

fn kill_all(cluster: &mut Cluster) {
    for server in 0..cluster.len() {
        if cluster.is_running(server) {
            cluster.kill(server);
        }
    }
}

#[tokio::test]
async fn one_of_three_servers_becomes_a_cluster_that_grows_again() {
    if binary::is_reference() {
        return;
    }
    let plan =
        Plan::servers(3).config(|config| config["autopilot"] = json!({"server_stabilization_time": "1s"}));
    let mut cluster = Cluster::on_loopback(plan);
    let leader = cluster.converged().await;
    cluster.agent(leader).put("/v1/kv/kept", "x").await.ok();
    cluster.agent(0).until("/v1/kv/kept?stale", |reply| reply.status == 200).await;
    for command in ["inspect", "recover"] {
        let refused = cluster.agent(0).cli(&["operator", "raft", command, "-data-dir", "data"]).await;
        assert_eq!(refused.code, 1, "an agent runs: {}", refused.all());
    }

    kill_all(&mut cluster);
    let stored = inspected(cluster.agent(0)).await;
    assert_eq!(stored["Servers"].as_array().map(Vec::len), Some(3), "{stored}");
    let shown = cluster.agent(0).cli(&["operator", "raft", "inspect", "-data-dir=data"]).await.ok().stdout;
    assert!(shown.contains("Last Index") && shown.contains(stored["ID"].as_str().unwrap_or("?")), "{shown}");
    let none = cluster.agent(0).cli(&["operator", "raft", "inspect", "-data-dir=elsewhere"]).await;
    assert!(none.code == 1 && none.stderr.starts_with("Error inspecting the raft log: "), "{}", none.all());
    let bad = ["operator", "raft", "recover", "-data-dir=data", "-peer=x"];
    assert_eq!(cluster.agent(0).cli(&bad).await.code, 1);

    let recovered =
        cluster.agent(0).cli(&["operator", "raft", "recover", "-data-dir=data"]).await.ok().stdout;
    assert!(recovered.contains("Servers from now on:"), "{recovered}");
    cluster.relaunch(0);
    cluster.agent_mut(0).ready().await;
    assert_eq!(cluster.agent(0).get("/v1/kv/kept?raw&consistent").await.ok().text(), "x");
    for lost in 1..3 {
        fs::remove_dir_all(cluster.agent(lost).dir().join("data")).expect("the directory is ours");
        cluster.relaunch(lost);
    }
    let all_vote = |text: &str| text.matches("\"Voter\":true").count() == 3;
    cluster.agent(0).until("/v1/operator/raft/configuration", |reply| all_vote(&reply.text())).await;
    cluster.converged().await;
    two_of_three_go_on_with_a_file_of_peers(cluster).await;
}

async fn two_of_three_go_on_with_a_file_of_peers(mut cluster: Cluster) {
    let reply = cluster.agent(0).get("/v1/operator/raft/configuration").await.ok().json();
    kill_all(&mut cluster);
    let servers = reply["Servers"].as_array().cloned().unwrap_or_default();
    let left = servers.iter().filter(|server| server["Node"] != "s3");
    let peers: Vec<Value> = left
        .map(|server| json!({"id": server["ID"], "address": server["Address"], "non_voter": false}))
        .collect();
    assert_eq!(peers.len(), 2);
    for server in 0..2 {
        let file = cluster.agent(server).dir().join("data/raft/peers.json");
        fs::write(&file, json!(peers).to_string()).expect("the directory is ours");
        cluster.relaunch(server);
    }
    cluster.leader().await;
    let servers =
        cluster.agent(1).until("/v1/operator/raft/configuration", |reply| reply.status == 200).await;
    assert_eq!(servers.json()["Servers"].as_array().map(Vec::len), Some(2), "{}", servers.text());
    assert!(!cluster.agent(0).dir().join("data/raft/peers.json").exists(), "the file is used once");
    cluster.agent(1).put("/v1/kv/after", "x").await.ok();
    assert_eq!(cluster.agent(0).get("/v1/kv/kept?raw&consistent").await.ok().text(), "x");
}
