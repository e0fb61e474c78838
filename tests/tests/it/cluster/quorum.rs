//! Servers come, go, move and come back, and the quorum follows them.

use std::cell::Cell;
use std::fs;
use std::time::Duration;

use consul_tests::cluster::{Cluster, Plan};
use consul_tests::wait::{check, within};
use consul_tests::{Agent, Reply, binary, eventually};
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::{Value, json};

/// A failed member is found out, a change of the quorum is made, a new server becomes stable.
const FOLLOWED: Duration = Duration::from_secs(90);

fn is_ours() -> bool {
    !binary::is_reference()
}

/// New servers vote soon, and those that leave do not wait for long.
fn quick(config: &mut Value) {
    config["autopilot"] = json!({"server_stabilization_time": "1s"});
    config["performance"]["leave_drain_time"] = json!("100ms");
}

/// `s1` forms a cluster of its own, and the others join it.
fn grown_from_one(config: &mut Value) {
    let expect = if config["node_name"] == "s1" { 1 } else { 0 };
    config["bootstrap_expect"] = json!(expect);
}

async fn raft_servers(agent: &Agent) -> Result<Vec<Value>, String> {
    let asked = agent.try_request(Method::GET, "/v1/operator/raft/configuration", Vec::new());
    let reply = asked.await.map_err(|error| error.to_string())?;
    check(reply.status == 200, reply.text())?;
    Ok(reply.json()["Servers"].as_array().cloned().unwrap_or_default())
}

/// Waits until the quorum consists of exactly these voters, and returns their entries by name.
async fn voters_are(agent: &Agent, wanted: &[&str]) -> Vec<Value> {
    within(FOLLOWED, &format!("{wanted:?} vote"), async || {
        let mut servers = raft_servers(agent).await?;
        servers.sort_by_key(|server| server["Node"].to_string());
        let names: Vec<&str> = servers.iter().filter_map(|server| server["Node"].as_str()).collect();
        let all_vote = servers.iter().all(|server| server["Voter"] == true);
        if names == wanted && all_vote { Ok(servers) } else { Err(format!("{servers:?}")) }
    })
    .await
}

async fn writes(agent: &Agent, key: &str) {
    within(FOLLOWED, &format!("{} writes", agent.name()), async || {
        let path = format!("/v1/kv/{key}");
        let reply =
            agent.try_request(Method::PUT, &path, b"x".to_vec()).await.map_err(|error| error.to_string())?;
        check(reply.status == 200, reply.text())
    })
    .await;
}

#[tokio::test]
async fn a_cluster_of_one_grows_and_operators_change_it() {
    if !is_ours() {
        return;
    }
    let mut cluster = Cluster::on_loopback(Plan::servers(3).config(quick).config(grown_from_one));
    let servers = voters_are(cluster.agent(0), &["s1", "s2", "s3"]).await;
    assert!(cluster.agent(0).log().contains("Promoting server"), "new servers begin without a vote");

    let tolerates = |reply: &Reply| reply.status == 200 && reply.json()["FailureTolerance"] == 1;
    cluster.agent(1).until("/v1/operator/autopilot/health", tolerates).await;
    let shown = cluster.agent(2).cli(&["operator", "autopilot", "state"]).await.ok().stdout;
    assert!(shown.contains("Failure Tolerance:            1") && shown.contains("Status:          leader"));
    let listed = cluster.agent(2).cli(&["operator", "raft", "list-peers"]).await.ok().stdout;
    let head: Vec<&str> = listed.lines().next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(head, ["Node", "ID", "Address", "State", "Voter", "RaftProtocol"]);
    assert_eq!(listed.lines().count(), 4, "{listed}");

    let second = format!("-id={}", servers[1]["ID"].as_str().unwrap_or_default());
    let moved = cluster.agent(2).cli(&["operator", "raft", "transfer-leader", &second]).await.ok();
    assert_eq!(moved.stdout, "Success\n");
    assert_eq!(cluster.leader().await, 1);

    let keep = ["operator", "autopilot", "set-config", "-cleanup-dead-servers=false"];
    cluster.agent(0).cli(&keep).await.ok();
    cluster.kill(2);
    let path = "/v1/operator/autopilot/health";
    let ill = cluster
        .agent(0)
        .until(path, |reply| reply.status == 429 && reply.text().contains("\"SerfStatus\":\"failed\""))
        .await
        .json();
    assert_eq!((&ill["Healthy"], &ill["FailureTolerance"]), (&json!(false), &json!(0)));
    cluster.agent(0).cli(&["force-leave", "s3"]).await.ok();
    voters_are(cluster.agent(0), &["s1", "s2"]).await;
    // With two servers both must agree: the second one is taken out while it is there to do so.
    let follower = format!("-address={}:8300", cluster.agent(0).address());
    let removed = cluster.agent(1).cli(&["operator", "raft", "remove-peer", &follower]).await.ok().stdout;
    assert_eq!(removed, format!("Removed peer with address \"{}\"\n", &follower["-address=".len()..]));
    assert_eq!(raft_servers(cluster.agent(1)).await.unwrap().len(), 1);
    writes(cluster.agent(1), "alone").await;
    let unknown = cluster.agent(1).cli(&["operator", "raft", "remove-peer", "-id=nope"]).await;
    assert!(
        unknown.code == 1 && unknown.stderr.contains("id \"nope\" was not found in the Raft configuration")
    );
}

#[tokio::test]
async fn a_dead_server_is_cleaned_up_and_votes_again_when_it_is_back() {
    if !is_ours() {
        return;
    }
    let mut cluster = Cluster::on_loopback(Plan::servers(3).config(quick));
    let leader = cluster.converged().await;
    let before = voters_are(cluster.agent(leader), &["s1", "s2", "s3"]).await;
    let dead = (leader + 1) % 3;
    cluster.kill(dead);
    let names = ["s1", "s2", "s3"];
    let left: Vec<&str> = names.into_iter().filter(|name| *name != names[dead]).collect();
    voters_are(cluster.agent(leader), &left).await;
    cluster.agent(leader).logs("Attempting removal of failed server node").await;
    cluster.relaunch(dead);
    let after = voters_are(cluster.agent(leader), &names).await;
    assert_eq!(before[dead]["ID"], after[dead]["ID"]);

    // A server that lost its data is another one, at the same address.
    cluster.kill(dead);
    fs::remove_dir_all(cluster.agent(dead).dir().join("data")).expect("the directory is ours");
    cluster.relaunch(dead);
    within(FOLLOWED, "the new server has taken the place of the old one", async || {
        let now = voters_are(cluster.agent(leader), &names).await;
        check(now[dead]["ID"] != before[dead]["ID"] && now[dead]["Address"] == before[dead]["Address"], now)
    })
    .await;
    cluster.converged().await;
}

#[tokio::test]
async fn servers_leave_one_by_one_and_the_last_one_serves_on() {
    if !is_ours() {
        return;
    }
    let plan = Plan::servers(3).config(quick).config(|config| config["leave_on_terminate"] = json!(true));
    let mut cluster = Cluster::on_loopback(plan);
    let first = cluster.converged().await;
    cluster.agent(first).put("/v1/kv/kept", "x").await.ok();
    let left = cluster.agent(first).cli(&["leave"]).await.ok();
    assert_eq!(left.stdout, "Graceful leave complete\n");
    assert!(cluster.ended(first).await.success());
    assert!(cluster.agent(first).log().contains("handed over the leadership"));
    let second = cluster.leader().await;
    let last = (0..3).find(|server| *server != first && *server != second).expect("there were three");
    let mut names = [cluster.agent(second).name(), cluster.agent(last).name()];
    names.sort_unstable();
    voters_are(cluster.agent(last), &names).await;
    writes(cluster.agent(last), "two").await;

    cluster.agent(second).signal(Signal::SIGTERM);
    assert!(cluster.ended(second).await.success(), "it leaves when it is told to end");
    assert_eq!(cluster.leader().await, last);
    voters_are(cluster.agent(last), &[cluster.agent(last).name()]).await;
    assert_eq!(cluster.agent(last).get("/v1/kv/kept?raw&consistent").await.ok().text(), "x");

    // Who left comes back when it is started again.
    cluster.relaunch(first);
    let mut names = [cluster.agent(first).name(), cluster.agent(last).name()];
    names.sort_unstable();
    voters_are(cluster.agent(last), &names).await;
}

#[tokio::test]
async fn no_write_fails_while_the_servers_are_restarted_one_by_one() {
    if !is_ours() {
        return;
    }
    let mut cluster = Cluster::on_loopback(Plan::servers(3).config(quick));
    cluster.converged().await;
    let client = cluster.agent(0).http().clone();
    let urls: Vec<String> = (0..3).map(|server| cluster.agent(server).url("/v1/kv/roll")).collect();
    // Whoever is told to end finishes what it has; what comes later must go through the others.
    let (done, written, through) = (Cell::new(false), Cell::new(0), Cell::new(1));
    let load = async {
        while !done.get() {
            let body = written.get().to_string();
            let reply = client.put(&urls[through.get()]).body(body).send().await.expect("the server runs");
            let status = reply.status();
            assert!(status.is_success(), "{status}: {:?}", reply.text().await);
            written.set(written.get() + 1);
        }
    };
    let go_on = async || {
        let before = written.get();
        eventually("writes go on", async || check(written.get() > before + 5, before)).await;
    };
    let restarts = async {
        for server in 0..3 {
            through.set((server + 1) % 3);
            go_on().await;
            cluster.terminate(server).await;
            go_on().await;
            cluster.relaunch(server);
            cluster.converged().await;
        }
        done.set(true);
    };
    tokio::join!(load, restarts);
    let last = cluster.agent(0).get("/v1/kv/roll?raw&consistent").await.ok().text();
    assert_eq!(last, (written.get() - 1).to_string());
}

#[tokio::test]
async fn a_server_with_a_cluster_of_its_own_is_refused_until_its_data_are_gone() {
    if !is_ours() {
        return;
    }
    let plan = Plan::servers(2).config(quick).config(|config| config["bootstrap_expect"] = json!(1));
    let mut cluster = Cluster::on_loopback(plan);
    cluster.agent(0).logs("it has a cluster of its own").await;
    assert_eq!(raft_servers(cluster.agent(0)).await.unwrap().len(), 1);
    cluster.terminate(1).await;
    fs::remove_dir_all(cluster.agent(1).dir().join("data/raft")).expect("the directory is ours");
    cluster.agent(1).write_conf("10-joins.json", r#"{"bootstrap_expect": 0}"#);
    cluster.relaunch(1);
    voters_are(cluster.agent(0), &["s1", "s2"]).await;
}

#[tokio::test]
async fn two_servers_with_one_id_do_not_both_get_in() {
    if !is_ours() {
        return;
    }
    let plan = Plan::servers(3).config(quick).config(grown_from_one).config(|config| {
        if config["node_name"] != "s1" {
            config["node_id"] = json!("11111111-2222-3333-4444-555555555555");
        }
    });
    let cluster = Cluster::on_loopback(plan);
    eventually("one of them is told why", async || {
        check((1..3).any(|twin| cluster.agent(twin).log().contains("conflicting node ID")), "not yet")
    })
    .await;
    eventually("the other one is in", async || {
        let servers = raft_servers(cluster.agent(0)).await?;
        check(servers.len() == 2, format!("{servers:?}"))
    })
    .await;
}

#[tokio::test]
async fn servers_find_each_other_after_they_all_got_another_ones_address() {
    if !is_ours() {
        return;
    }
    let mut cluster = Cluster::on_loopback(Plan::servers(3).config(quick));
    let leader = cluster.converged().await;
    cluster.agent(leader).put("/v1/kv/kept", "x").await.ok();
    let before = voters_are(cluster.agent(leader), &["s1", "s2", "s3"]).await;
    for server in 0..3 {
        cluster.kill(server);
    }
    for server in 0..3 {
        let address = cluster.agent((server + 1) % 3).address();
        let moved = json!({"bind_addr": address, "client_addr": address});
        cluster.agent(server).write_conf("10-moved.json", &moved.to_string());
    }
    for server in 0..3 {
        cluster.relaunch(server);
    }
    // Each agent is asked at the address that another one had, so it does not matter here who is who.
    within(FOLLOWED, "the quorum knows the new addresses", async || {
        let servers = voters_are(cluster.agent(0), &["s1", "s2", "s3"]).await;
        let moved = (0..3).all(|server| {
            servers[server]["ID"] == before[server]["ID"]
                && servers[server]["Address"] == before[(server + 1) % 3]["Address"]
        });
        check(moved, servers)
    })
    .await;
    writes(cluster.agent(0), "after").await;
    assert_eq!(cluster.agent(1).get("/v1/kv/kept?raw&consistent").await.ok().text(), "x");
}
