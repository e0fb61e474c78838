//! Our agents beside HashiCorp's in one cluster, and clients beside servers of either kind.

use std::path::Path;

use consul_tests::cluster::{Cluster, Plan};
use consul_tests::wait::check;
use consul_tests::{Agent, binary, eventually};
use serde_json::json;

/// 32 bytes.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Ten agents that encrypt: servers of one kind, clients of both.
fn mixed(theirs: &Path, with_their_servers: bool) -> Plan {
    Plan::servers(3)
        .clients(7)
        .program(theirs, move |name| match name.strip_prefix('c') {
            Some(number) => number.parse::<u8>().is_ok_and(|number| number % 2 == 1),
            None => with_their_servers,
        })
        .config(|config| config["encrypt"] = json!(KEY))
}

async fn register(agent: &Agent, service: &str) {
    agent.put_json("/v1/agent/service/register", &json!({"Name": service, "Port": 80})).await.ok();
}

/// Waits until every running agent finds as many healthy instances of a service.
async fn all_find(cluster: &Cluster, service: &str, instances: usize) {
    let path = format!("/v1/health/service/{service}?passing");
    for number in (0..cluster.len()).filter(|&number| cluster.is_running(number)) {
        let name = cluster.agent(number).name();
        eventually(&format!("{name} finds {instances} of {service}"), async || {
            let asked = cluster.agent(number).try_request(reqwest::Method::GET, &path, Vec::new()).await;
            let reply = asked.map_err(|error| error.to_string())?;
            check(
                reply.status == 200 && reply.json().as_array().map(Vec::len) == Some(instances),
                reply.text(),
            )
        })
        .await;
    }
}

/// What happens to an agent before it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Killed,
    /// A client that is asked to end leaves the cluster.
    Leaves,
}

/// Kills agents and has them leave, two at a time, and checks after each step that everybody agrees on who is there and
/// on what they serve.
async fn survives_churn(mut cluster: Cluster) {
    use Fate::{Killed, Leaves};
    cluster.converged().await;
    // `c6` is ours and `c7` theirs; both serve something all the time.
    for steady in [8, 9] {
        register(cluster.agent(steady), "steady").await;
    }
    all_find(&cluster, "steady", 2).await;
    // One of each kind is killed and one of each kind leaves; at last a server is killed, too.
    let rounds = [[(3, Killed), (4, Leaves)], [(5, Leaves), (6, Killed)], [(7, Killed), (1, Killed)]];
    for (round, fates) in rounds.into_iter().enumerate() {
        let service = format!("round-{round}");
        for (number, _) in fates {
            register(cluster.agent(number), &service).await;
        }
        all_find(&cluster, &service, 2).await;
        for (number, fate) in fates {
            match fate {
                Killed => cluster.kill(number),
                Leaves => cluster.terminate(number).await,
            }
        }
        cluster.members_agree("dc1").await;
        all_find(&cluster, &service, 0).await;
        all_find(&cluster, "steady", 2).await;
        for (number, _) in fates {
            cluster.relaunch(number);
        }
        cluster.members_agree("dc1").await;
        // What was registered over the API comes back with the agent.
        all_find(&cluster, &service, 2).await;
    }
    nobody_took_for_failed(&cluster, &["c6", "c7", "s1", "s3"]);
}

/// Agents that ran all the time must not have been declared dead by anybody.
fn nobody_took_for_failed(cluster: &Cluster, steady: &[&str]) {
    for number in 0..cluster.len() {
        let log = cluster.agent(number).log();
        for name in steady {
            let failed = format!("EventMemberFailed: {name} ");
            let line = log.lines().find(|line| line.contains(&failed));
            assert_eq!(line, None, "in the log of {}", cluster.agent(number).name());
        }
    }
}

#[tokio::test]
async fn our_servers_with_clients_of_both_kinds_survive_churn() {
    let Some(theirs) = binary::reference() else { return };
    survives_churn(Cluster::on_loopback(mixed(&theirs, false))).await;
}

#[tokio::test]
async fn their_servers_with_clients_of_both_kinds_survive_churn() {
    let Some(theirs) = binary::reference() else { return };
    survives_churn(Cluster::on_loopback(mixed(&theirs, true))).await;
}

#[tokio::test]
async fn snapshots_are_saved_and_restored_through_any_agent() {
    let cluster = Cluster::on_loopback(Plan::servers(3).clients(1));
    let leader = cluster.converged().await;
    let follower = (0..3).find(|&number| number != leader).unwrap_or_default();
    for number in [follower, 3] {
        let agent = cluster.agent(number);
        agent.put("/v1/kv/kept", format!("by {number}")).await.ok();
        for mode in ["", "?stale"] {
            let saved = agent.get(&format!("/v1/snapshot{mode}")).await.ok();
            assert!(saved.index() > 0 && saved.body.starts_with(&[0x1f, 0x8b]), "{mode}");
        }
        let saved = agent.get("/v1/snapshot").await.ok();
        agent.delete("/v1/kv/kept").await.ok();
        let torn = saved.body[..saved.body.len() / 2].to_vec();
        let refused = agent.put("/v1/snapshot", torn).await;
        assert_eq!(refused.status, 500, "{}", refused.text());
        assert_eq!(agent.get("/v1/kv/kept").await.status, 404, "a torn archive changes nothing");
        agent.put("/v1/snapshot", saved.body).await.ok();
        let wanted = format!("by {number}");
        for other in 0..cluster.len() {
            cluster.agent(other).until("/v1/kv/kept?raw", |reply| reply.text() == wanted).await;
        }
    }
}

#[tokio::test]
async fn a_client_goes_on_with_another_server_when_its_own_dies() {
    let mut cluster = Cluster::on_loopback(Plan::servers(3).clients(1));
    cluster.converged().await;
    cluster.agent(3).put("/v1/kv/n", "start").await.ok();
    let mut index = cluster.agent(3).get("/v1/kv/n").await.ok().index();
    for victim in 0..3 {
        let url = cluster.agent(3).url(&format!("/v1/kv/n?raw&wait=2m&index={index}"));
        let waiting = tokio::spawn(cluster.agent(3).http().get(url).send());
        cluster.kill(victim);
        let value = format!("without {victim}");
        eventually("the client writes", async || {
            let reply = cluster.agent(3).put("/v1/kv/n", value.clone()).await;
            check(reply.status == 200, reply.text())
        })
        .await;
        let answer = waiting.await.expect("the task runs to its end").expect("the client answers");
        assert_eq!(answer.text().await.expect("the body arrives"), value);
        index = cluster.agent(3).get("/v1/kv/n").await.ok().index();
        cluster.relaunch(victim);
        cluster.converged().await;
    }
}

#[tokio::test]
async fn events_and_commands_reach_the_agents_that_they_name() {
    let plan = Plan::servers(3).clients(2).config(|config| config["disable_remote_exec"] = json!(false));
    let cluster = Cluster::on_loopback(plan);
    cluster.converged().await;
    let (first, second) = (cluster.agent(3), cluster.agent(4));
    first.put_json("/v1/agent/service/register", &json!({"Name": "web", "Tags": ["blue"]})).await.ok();
    second.put_json("/v1/agent/service/register", &json!({"Name": "web", "Tags": ["green"]})).await.ok();
    for (filter, wanted) in
        [("node=^c2$", [0, 1]), ("service=web", [1, 1]), ("service=web&tag=blue", [1, 0]), ("node=s", [0, 0])]
    {
        let name = filter.replace(['=', '&', '^', '$'], "-");
        second.put(&format!("/v1/event/fire/{name}?{filter}"), "x").await.ok();
        // Sent after it, so where this one is, the other would be too.
        let after = format!("after-{name}");
        first.put(&format!("/v1/event/fire/{after}"), "x").await.ok();
        for (agent, wanted) in [first, second].into_iter().zip(wanted) {
            agent.until(&format!("/v1/event/list?name={after}"), |reply| reply.json()[0].is_object()).await;
            agent
                .until(&format!("/v1/event/list?name={name}"), |reply| {
                    reply.json().as_array().map(Vec::len) == Some(wanted)
                })
                .await;
        }
    }
    let ran = first.cli(&["exec", "-wait", "3s", "-node", "^(c|s1)", "echo ran-$((40 + 2))"]).await.ok();
    for node in ["c1", "c2", "s1"] {
        assert!(ran.all().contains(&format!("{node}: ran-42")), "{}", ran.all());
    }
    assert!(ran.all().contains("3 / 3 node(s) completed"), "{}", ran.all());
    let rtt = second.cli(&["rtt", "c1", "s1"]).await;
    assert!(rtt.code == 0 || rtt.all().contains("coordinate"), "{}", rtt.all());
    let info = first.cli(&["info"]).await.ok().stdout;
    for line in ["known_servers = 3", "members = 5", "member_time = ", "encrypted = false"] {
        assert!(info.contains(line), "{line}: {info}");
    }
}
