//! What clients notice when the leader goes: waits that go on, sessions and locks that stay, reads that say how old
//! they may be.

use std::time::{Duration, Instant};

use consul_tests::cluster::{Cluster, Network, Plan};
use consul_tests::wait::check;
use consul_tests::{Reply, eventually, http};
use serde_json::json;
use tokio::task::JoinHandle;

/// Asks in the background, so that the cluster can be changed meanwhile.
fn ask(cluster: &Cluster, number: usize, path: &str) -> JoinHandle<Reply> {
    let (client, url) = (http::client(), cluster.agent(number).url(path));
    tokio::task::spawn_local(async move {
        let response = client.get(&url).send().await.unwrap_or_else(|error| panic!("{url}: {error:?}"));
        Reply::read(response).await.unwrap_or_else(|error| panic!("{url}: {error:?}"))
    })
}

/// Kills the leader and waits for another.
async fn fail_over(cluster: &mut Cluster, leader: usize) -> usize {
    cluster.kill(leader);
    let killed = Instant::now();
    let others: Vec<usize> =
        cluster.servers_of("dc1").into_iter().filter(|&server| server != leader).collect();
    let next = cluster.leader_among(&others).await;
    eventually("the new leader writes", async || {
        let reply = cluster.agent(next).put("/v1/kv/fail-over", "x").await;
        check(reply.status == 200, reply.text())
    })
    .await;
    println!("fail-over: {:.2?} until a write", killed.elapsed());
    next
}

async fn open_session(cluster: &Cluster, number: usize, body: serde_json::Value) -> String {
    let reply = cluster.agent(number).put_json("/v1/session/create", &body).await.ok().json();
    reply["ID"].as_str().expect("a session has an id").to_owned()
}

#[test]
fn waits_outlive_the_leader_and_see_what_the_next_one_writes() {
    Network::run(async |network| {
        let mut cluster = Plan::servers(3).clients(1).on(&network);
        let leader = cluster.converged().await;
        cluster.agent(leader).put("/v1/kv/key", "old").await.ok();
        let index = cluster.agent(leader).get("/v1/kv/key").await.ok().index();
        let others: Vec<usize> = (0..4).filter(|&number| number != leader).collect();
        let waiting: Vec<_> = ["", "&consistent", "&stale"]
            .into_iter()
            .flat_map(|mode| others.iter().map(move |&number| (number, mode)))
            .map(|(number, mode)| {
                ask(&cluster, number, &format!("/v1/kv/key?raw&wait=80s&index={index}{mode}"))
            })
            .collect();
        let next = fail_over(&mut cluster, leader).await;
        eventually("the next leader writes", async || {
            let reply = cluster.agent(next).put("/v1/kv/key", "new").await;
            check(reply.status == 200, reply.text())
        })
        .await;
        for read in waiting {
            let reply = read.await.unwrap().ok();
            assert_eq!(reply.text(), "new");
            assert!(reply.index() > index, "{} after {index}", reply.index());
        }
    });
}

#[test]
fn sessions_and_locks_outlive_the_leader_and_end_in_time() {
    const TTL: Duration = Duration::from_secs(6);
    Network::run(async |network| {
        let plan = Plan::servers(3).clients(1);
        let mut cluster = plan.config(|config| config["session_ttl_min"] = json!("1s")).on(&network);
        let leader = cluster.converged().await;
        let client = 3;
        let ttl = format!("{}s", TTL.as_secs());
        let held = open_session(&cluster, client, json!({"TTL": ttl, "LockDelay": "0s"})).await;
        let lock = cluster.agent(client).put(&format!("/v1/kv/lock?acquire={held}"), "mine").await.ok();
        assert_eq!(lock.text().trim(), "true");
        // The end of this one forbids its lock to everybody for a while.
        let ended = open_session(&cluster, client, json!({"LockDelay": "60s"})).await;
        cluster.agent(client).put(&format!("/v1/kv/delayed?acquire={ended}"), "mine").await.ok();
        cluster.agent(client).put(&format!("/v1/session/destroy/{ended}"), "").await.ok();
        for server in 0..3 {
            cluster
                .agent(server)
                .until(&format!("/v1/session/info/{ended}?stale"), |reply| {
                    reply.json().as_array().is_some_and(Vec::is_empty)
                })
                .await;
        }

        let next = fail_over(&mut cluster, leader).await;
        let renewed = Instant::now();
        eventually("the session is renewed", async || {
            let reply = cluster.agent(client).put(&format!("/v1/session/renew/{held}"), "").await;
            check(reply.status == 200 && reply.json()[0]["ID"] == held.as_str(), reply.text())
        })
        .await;
        let other = open_session(&cluster, client, json!({"LockDelay": "0s"})).await;
        for (key, why) in [("lock", "somebody holds it"), ("delayed", "its delay outlives the leader")] {
            let path = format!("/v1/kv/{key}?acquire={other}");
            let taken = cluster.agent(client).put(&path, "theirs").await.ok();
            assert_eq!(taken.text().trim(), "false", "{key}: {why}");
        }
        cluster
            .agent(next)
            .until("/v1/kv/lock", |reply| reply.status == 200 && reply.json()[0]["Session"].is_null())
            .await;
        assert!(renewed.elapsed() >= TTL, "the session ended after {:?}", renewed.elapsed());
        let taken = cluster.agent(client).put(&format!("/v1/kv/lock?acquire={other}"), "theirs").await.ok();
        assert_eq!(taken.text().trim(), "true");
    });
}

#[test]
fn client_goes_on_with_the_servers_that_are_left() {
    Network::run(async |network| {
        let mut cluster = Plan::servers(3).clients(1).on(&network);
        cluster.converged().await;
        let client = 3;
        for (round, server) in [0, 1, 2].into_iter().enumerate() {
            cluster.kill(server);
            // Reads wait until there is an answer; of a write it may not be known whether it came.
            let services = cluster.agent(client).get("/v1/catalog/services").await.ok();
            assert!(services.json()["consul"].is_array(), "{}", services.text());
            eventually("the client writes", async || {
                let reply = cluster.agent(client).put("/v1/kv/key", "x").await;
                check(reply.status == 200, reply.text())
            })
            .await;
            let name = format!("web{round}");
            cluster.agent(client).put_json("/v1/agent/service/register", &json!({"Name": name})).await.ok();
            let path = format!("/v1/catalog/service/{name}");
            cluster.agent(client).until(&path, |reply| reply.json()[0]["Node"] == "c1").await;
            cluster.relaunch(server);
            cluster.converged().await;
        }
    });
}

#[test]
fn server_that_hears_nobody_says_so() {
    Network::run(async |network| {
        let cluster = Plan::servers(3).on(&network);
        let leader = cluster.converged().await;
        let follower = (leader + 1) % 3;
        cluster.agent(leader).put("/v1/kv/key", "x").await.ok();
        let stale = "/v1/kv/key?raw&stale";
        let reply = cluster.agent(follower).until(stale, |reply| reply.status == 200).await;
        assert_eq!((reply.header("x-consul-knownleader"), reply.text().as_str()), ("true", "x"));
        for cut_off in [follower, leader] {
            cluster.isolate(&[cut_off]);
            let agent = cluster.agent(cut_off);
            let reply =
                agent.until(stale, |reply| reply.header("x-consul-knownleader") == "false").await.ok();
            assert_eq!(reply.text(), "x", "what it has may be shown");
            if cut_off == follower {
                let contact = |reply: &Reply| reply.header("x-consul-lastcontact").parse::<u64>().unwrap();
                let before = contact(&reply);
                agent.until(stale, |reply| contact(reply) > before).await;
            }
            assert_eq!(agent.get("/v1/status/leader").await.ok().text().trim(), "\"\"");
            for path in ["/v1/kv/key", "/v1/kv/key?consistent"] {
                let refused = agent.get(path).await;
                assert_eq!((refused.status, refused.text().trim()), (500, "No cluster leader"), "{path}");
            }
            let refused = agent.put("/v1/kv/key", "y").await;
            assert_eq!((refused.status, refused.text().trim()), (500, "No cluster leader"));
            cluster.heal();
            cluster.converged().await;
            agent.until(stale, |reply| reply.header("x-consul-knownleader") == "true").await;
        }
    });
}
