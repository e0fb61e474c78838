//! Clusters form, lose members and get them back.

use std::net::{Ipv6Addr, TcpListener};

use consul_tests::cluster::clock::Clock;
use consul_tests::cluster::{Cluster, Network, Plan, Role};
use consul_tests::wait::check;
use consul_tests::{Reply, Setup, binary, eventually, ports, tools};
use serde_json::json;

#[tokio::test]
async fn servers_and_a_client_on_one_machine_form_a_cluster() {
    let cluster = Cluster::on_loopback(Plan::servers(3).clients(1));
    let leader = cluster.converged().await;
    assert!(leader < 3, "a client leads");
    cluster.agent(3).put("/v1/kv/through-the-client", "x").await.ok();
    for number in 0..cluster.len() {
        let reply = cluster.agent(number).get("/v1/kv/through-the-client?raw&consistent").await.ok();
        assert_eq!(reply.text(), "x");
    }
}

/// The four agents share one address, so each has ports of its own.
#[tokio::test]
async fn agents_talk_over_ipv6() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return tools::skip("this machine has no IPv6");
    }
    let ports: [[u16; 3]; 4] = std::array::from_fn(|_| std::array::from_fn(|_| ports::free()));
    let mut cluster = Cluster::on_loopback(Plan::servers(3).clients(1).config(move |config| {
        let names = ["s1", "s2", "s3", "c1"];
        let number = names.iter().position(|name| config["node_name"] == *name).expect("one of the four");
        let [lan, wan, server] = ports[number];
        config["bind_addr"] = json!("::1");
        config["ports"]["serf_lan"] = json!(lan);
        config["ports"]["serf_wan"] = json!(wan);
        config["ports"]["server"] = json!(server);
        config["retry_join"] = json!([format!("[::1]:{}", ports[0][0]), format!("[::1]:{}", ports[1][0])]);
    }));
    for number in 0..4 {
        cluster.agent_mut(number).ready().await;
    }
    let all = |reply: &Reply| reply.json().as_array().is_some_and(|nodes| nodes.len() == 4);
    let nodes = cluster.agent(3).until("/v1/catalog/nodes", all).await.json();
    assert!(
        nodes.as_array().unwrap().iter().all(|node| node["TaggedAddresses"]["lan_ipv6"] == "::1"),
        "{nodes}"
    );
    cluster.agent(3).put("/v1/kv/key", "x").await.ok();
    let leader = cluster.agent(0).get("/v1/status/leader").await.ok().json();
    assert!(leader.as_str().is_some_and(|address| address.starts_with("[::1]:")), "{leader}");
    let shown = cluster.agent(1).cli(&["operator", "raft", "list-peers"]).await.ok().stdout;
    assert_eq!(shown.matches("[::1]:").count(), 3, "{shown}");
    if !tools::lacks(&["dig"]) {
        let answer = cluster.agent(3).dig("s1.node.consul AAAA").await;
        assert!(answer.text.contains("::1"), "{}", answer.text);
    }
}

#[tokio::test]
async fn agent_serves_on_when_the_wall_clock_jumps() {
    let Some(clock) = Clock::new() else { return tools::skip("not installed: libfaketime") };
    if binary::is_reference() {
        return tools::skip("this program does not ask the C library for the time");
    }
    let mut agent = clock.govern(Setup::server("s1")).start().await;
    assert!(clock.moves(&agent).await, "the agent does not go by the clock that it was given");
    let session = agent.put("/v1/session/create", r#"{"TTL": "10s"}"#).await.ok().json();
    let path = format!("/v1/session/info/{}", session["ID"].as_str().unwrap_or_default());
    for offset in [7200, -7200, 86_400, 0] {
        clock.set(offset);
        agent.is_alive().await;
        // Time to live is counted on the monotonic clock.
        assert!(agent.get(&path).await.ok().json()[0].is_object(), "the session ended at {offset} s");
    }
}

#[test]
fn killed_leader_is_replaced_and_comes_back_as_a_follower() {
    Network::run(async |network| {
        let mut cluster = Plan::servers(3).on(&network);
        let first = cluster.converged().await;
        cluster.agent(first).put("/v1/kv/before", "x").await.ok();
        cluster.kill(first);
        let second = cluster.leader().await;
        assert_ne!(second, first);
        assert_eq!(cluster.agent(second).get("/v1/kv/before?raw").await.ok().text(), "x");
        cluster.agent(second).put("/v1/kv/meanwhile", "x").await.ok();
        cluster.relaunch(first);
        cluster.converged().await;
        let reply =
            cluster.agent(first).until("/v1/kv/meanwhile?raw&stale", |reply| reply.status == 200).await;
        assert_eq!(reply.text(), "x");
    });
}

#[test]
fn leader_without_quorum_answers_nothing_that_could_be_old() {
    Network::run(async |network| {
        let cluster = Plan::servers(3).on(&network);
        let old = cluster.converged().await;
        cluster.agent(old).put("/v1/kv/key", "old").await.ok();
        cluster.isolate(&[old]);
        let others: Vec<usize> = (0..3).filter(|&server| server != old).collect();
        let new = cluster.leader_among(&others).await;
        eventually("the majority writes", async || {
            let reply = cluster.agent(new).put("/v1/kv/key", "new").await;
            check(reply.status == 200, reply.text())
        })
        .await;
        for mode in ["raw", "raw&consistent"] {
            let reply = cluster.agent(old).get(&format!("/v1/kv/key?{mode}")).await;
            assert_eq!(reply.status, 500, "{mode}: {}", reply.text());
        }
        assert_eq!(cluster.agent(old).get("/v1/kv/key?raw&stale").await.ok().text(), "old");
        cluster.heal();
        cluster.converged().await;
        assert_eq!(cluster.agent(old).get("/v1/kv/key?raw").await.ok().text(), "new");
    });
}

#[test]
fn data_survives_kill_of_all_servers() {
    Network::run(async |network| {
        let mut cluster = Plan::servers(3).on(&network);
        let leader = cluster.converged().await;
        for number in 0..20 {
            cluster.agent(leader).put(&format!("/v1/kv/key/{number}"), number.to_string()).await.ok();
        }
        for server in 0..3 {
            cluster.kill(server);
        }
        for server in 0..3 {
            cluster.relaunch(server);
        }
        let leader = cluster.converged().await;
        let keys = cluster.agent(leader).get("/v1/kv/key/?keys&consistent").await.ok().json();
        assert_eq!(keys.as_array().map(Vec::len), Some(20), "{keys}");
    });
}

#[test]
fn member_that_fails_is_noticed_and_one_that_leaves_is_forgotten() {
    Network::run(async |network| {
        let mut cluster = Plan::servers(3).clients(2).on(&network);
        let leader = cluster.converged().await;
        cluster.kill(3);
        let path = "/v1/health/node/c1";
        let reply = cluster.agent(leader).until(path, |reply| reply.json()[0]["Status"] == "critical").await;
        assert_eq!(reply.json()[0]["CheckID"], "serfHealth");
        // Clients leave when they are told to end.
        cluster.terminate(4).await;
        cluster
            .agent(leader)
            .until("/v1/catalog/node/c2", |reply| reply.text().trim() == "null" || reply.status == 404)
            .await;
        cluster.relaunch(3);
        cluster.agent(leader).until(path, |reply| reply.json()[0]["Status"] == "passing").await;
    });
}

#[test]
fn datacenters_answer_for_each_other() {
    Network::run(async |network| {
        let plan =
            Plan::servers(3).datacenter("dc2", "t", 1, Role::Server).datacenter("dc2", "d", 1, Role::Client);
        let cluster = plan.on(&network);
        cluster.converged().await;
        cluster.converged_in("dc2").await;
        // The nearest comes first, so the order is not the same everywhere.
        let both = |reply: &Reply| reply.text().contains("\"dc1\"") && reply.text().contains("\"dc2\"");
        for number in 0..cluster.len() {
            cluster.agent(number).until("/v1/catalog/datacenters", both).await;
        }
        cluster.agent(0).put("/v1/kv/far?dc=dc2", "x").await.ok();
        assert_eq!(cluster.agent(4).get("/v1/kv/far?raw").await.ok().text(), "x");
        assert_eq!(cluster.agent(0).get("/v1/kv/far").await.status, 404);
        assert_eq!(cluster.agent(4).get("/v1/kv/far?dc=dc1").await.status, 404);
    });
}
