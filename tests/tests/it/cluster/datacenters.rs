//! Several datacenters: who answers for whom, what stays apart, and what happens when one cannot be reached.

use std::net::Ipv4Addr;
use std::time::Instant;

use consul_tests::cluster::{Cluster, Network, Plan, Role};
use consul_tests::place::Place;
use consul_tests::wait::check;
use consul_tests::{Agent, Reply, SOON, Setup, binary, eventually, tools};
use serde_json::{Value, json};

const UNKNOWN: &str = "No path to datacenter";
const UNREACHABLE: &str = "Remote DC has no server currently reachable";

/// A server and a client in `dc1`, a server each in `dc2` and `dc3`: numbers 0 to 3.
fn three() -> Plan {
    let plan = Plan::servers(1).clients(1);
    brisk(plan.datacenter("dc2", "t", 1, Role::Server).datacenter("dc3", "u", 1, Role::Server))
}

/// Failures between datacenters are noticed within a second or two rather than after a minute.
fn brisk(plan: Plan) -> Plan {
    plan.config(|config| {
        config["gossip_wan"] = json!({
            "gossip_interval": "50ms", "probe_interval": "200ms", "probe_timeout": "100ms", "suspicion_mult": 3,
        });
    })
}

/// Waits until every server answers for every datacenter.
async fn federated(cluster: &Cluster, datacenters: &[&str]) {
    for datacenter in datacenters {
        cluster.converged_in(datacenter).await;
    }
    for number in 0..cluster.len() {
        for datacenter in datacenters {
            let path = format!("/v1/status/leader?dc={datacenter}");
            cluster
                .agent(number)
                .until(&path, |reply| reply.status == 200 && reply.text().contains(':'))
                .await;
        }
    }
}

async fn names(agent: &Agent) -> Vec<String> {
    let list = agent.get("/v1/catalog/datacenters").await.ok().json();
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Event names that an agent has kept.
async fn events(agent: &Agent) -> String {
    agent.get("/v1/event/list").await.ok().text()
}

#[tokio::test]
async fn every_agent_reads_and_writes_in_every_datacenter_and_nothing_leaks() {
    let cluster = Cluster::on_loopback(three());
    federated(&cluster, &["dc1", "dc2", "dc3"]).await;
    for number in 0..cluster.len() {
        let agent = cluster.agent(number);
        for datacenter in ["dc1", "dc2", "dc3"] {
            let path = format!("/v1/kv/{datacenter}/{}?dc={datacenter}", agent.name());
            assert_eq!(agent.put(&path, "x").await.ok().text().trim(), "true");
        }
    }
    for number in 0..cluster.len() {
        let agent = cluster.agent(number);
        for datacenter in ["dc1", "dc2", "dc3"] {
            let keys = agent.get(&format!("/v1/kv/?keys&consistent&dc={datacenter}")).await.ok().json();
            let keys: Vec<&str> = keys.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let own = format!("{datacenter}/");
            let wrong: Vec<&&str> =
                keys.iter().filter(|key| !key.starts_with(&own) && **key != "caught-up").collect();
            assert!(wrong.is_empty() && keys.len() >= cluster.len(), "{datacenter}: {keys:?}");
        }
        // Names count in any case, as they do in DNS.
        agent.get(&format!("/v1/kv/dc2/{}?dc=DC2", agent.name())).await.ok();
        let asked = Instant::now();
        let refused = agent.get("/v1/catalog/nodes?dc=nowhere").await;
        assert_eq!((refused.status, refused.text().contains(UNKNOWN)), (500, true), "{}", refused.text());
        let refused = agent.put("/v1/kv/x?dc=nowhere", "x").await;
        assert_eq!((refused.status, refused.text().contains(UNKNOWN)), (500, true), "{}", refused.text());
        assert!(asked.elapsed() < SOON / 8, "an unknown datacenter is waited for");
    }
    let list = names(cluster.agent(1)).await;
    assert_eq!((list.len(), list[0].as_str()), (3, "dc1"), "a client hears it from its servers: {list:?}");
    assert_eq!(names(cluster.agent(3)).await[0], "dc3");
}

#[tokio::test]
async fn servers_know_where_other_datacenters_lie_and_who_is_there() {
    let cluster = Cluster::on_loopback(three());
    federated(&cluster, &["dc1", "dc2", "dc3"]).await;
    let complete = |reply: &Reply| reply.json().as_array().is_some_and(|list| list.len() == 3);
    for number in [0, 1] {
        let map = cluster.agent(number).until("/v1/coordinate/datacenters", complete).await.json();
        assert_eq!((&map[0]["Datacenter"], &map[0]["AreaID"]), (&json!("dc1"), &json!("wan")));
        let nodes: Vec<&Value> =
            map.as_array().into_iter().flatten().map(|entry| &entry["Coordinates"][0]["Node"]).collect();
        assert!(nodes.contains(&&json!("s1")) && nodes.contains(&&json!("t1")), "{map}");
    }
    let rtt = cluster.agent(0).cli(&["rtt", "-wan", "s1.dc1", "t1.dc2"]).await.ok();
    assert!(rtt.stdout.starts_with("Estimated s1.dc1 <-> t1.dc2 rtt: "), "{}", rtt.stdout);
    let shown = cluster.agent(0).cli(&["members", "-wan"]).await.ok().stdout;
    for name in ["s1.dc1", "t1.dc2", "u1.dc3"] {
        assert!(shown.contains(name), "{shown}");
    }
    assert!(!shown.contains("\nc1"), "a client is in the WAN:\n{shown}");
    // A client has no part in it.
    assert_eq!(cluster.agent(1).get("/v1/agent/members?wan=1").await.ok().json(), Value::Null);
    let address = cluster.agent(2).address();
    let refused = cluster.agent(1).put(&format!("/v1/agent/join/{address}?wan=1"), "").await;
    assert_eq!((refused.status, refused.text().as_str()), (500, "Must be a server to join WAN cluster"));
    // Neither pool takes in who does not belong there.
    let refused = cluster.agent(1).put(&format!("/v1/agent/join/{address}"), "").await;
    assert_eq!(refused.status, 500);
    assert!(refused.text().contains("part of wrong datacenter"), "{}", refused.text());
    let members = cluster.agent(0).get("/v1/agent/members").await.ok().text();
    assert!(!members.contains("\"t1\""), "{members}");
}

#[tokio::test]
async fn events_and_commands_stay_in_the_datacenter_they_are_for() {
    let cluster = Cluster::on_loopback(three().config(|config| {
        config["disable_remote_exec"] = json!(false);
    }));
    federated(&cluster, &["dc1", "dc2", "dc3"]).await;
    cluster.agent(1).put("/v1/event/fire/deploy?dc=dc2", "1.2.3").await.ok();
    cluster.agent(2).until("/v1/event/list", |reply| reply.text().contains("deploy")).await;
    // What was fired later has passed everywhere, so the first would have too.
    for datacenter in ["dc1", "dc3"] {
        cluster.agent(2).put(&format!("/v1/event/fire/later?dc={datacenter}"), "").await.ok();
    }
    for number in [0, 1, 3] {
        cluster.agent(number).until("/v1/event/list", |reply| reply.text().contains("later")).await;
        assert!(!events(cluster.agent(number)).await.contains("deploy"));
    }
    assert!(!events(cluster.agent(2)).await.contains("later"));
    let ran = cluster.agent(1).cli(&["exec", "-datacenter", "dc2", "echo ran"]).await.ok();
    assert!(ran.stdout.contains("t1: ran") && !ran.stdout.contains("s1: "), "{}", ran.all());
}

async fn register(agent: &Agent, service: &Value) {
    agent.put("/v1/agent/service/register", service.to_string()).await.ok();
    let path = format!("/v1/health/service/{}", service["Name"].as_str().unwrap_or_default());
    agent.until(&path, |reply| reply.json()[0].is_object()).await;
}

#[tokio::test]
async fn queries_fail_over_to_the_datacenter_that_has_the_service() {
    let cluster = Cluster::on_loopback(three());
    federated(&cluster, &["dc1", "dc2", "dc3"]).await;
    register(cluster.agent(3), &json!({"Name": "db", "Port": 5432})).await;
    let failovers = [
        ("named", json!({"Datacenters": ["dc2", "nowhere", "dc1", "dc3"]}), 2),
        ("targets", json!({"Targets": [{"Datacenter": "dc3"}]}), 1),
    ];
    let nearest = ("nearest", json!({"NearestN": 2}), 0);
    for (name, failover, asked) in failovers.iter().chain([&nearest]) {
        let query = json!({"Name": name, "Service": {"Service": "db", "Failover": failover}});
        let created = cluster.agent(1).request(reqwest::Method::POST, "/v1/query", query.to_string()).await;
        created.ok();
        for number in [0, 1] {
            let answer = cluster.agent(number).get(&format!("/v1/query/{name}/execute")).await.ok().json();
            assert_eq!(answer["Datacenter"], "dc3", "{name}: {answer}");
            assert_eq!(answer["Nodes"][0]["Node"]["Node"], "u1", "{name}: {answer}");
            let failovers = answer["Failovers"].as_u64().unwrap_or_default();
            assert!(*asked == 0 || failovers == *asked, "{name}: {answer}");
        }
    }
    // The query belongs to dc1; another datacenter runs it when it is named.
    assert_eq!(cluster.agent(2).get("/v1/query/named/execute").await.status, 404);
    assert_eq!(cluster.agent(2).get("/v1/query/named/execute?dc=dc1").await.ok().json()["Datacenter"], "dc3");
    if tools::lacks(&["dig"]) {
        return;
    }
    for question in ["named.query.consul SRV", "named.query.dc1.consul SRV"] {
        let answer = cluster.agent(1).dig(question).await;
        assert_eq!(answer.data(), ["1 1 5432 u1.node.dc3.consul."], "{question}: {}", answer.text);
    }
}

#[tokio::test]
async fn names_of_other_datacenters_are_answered_in_both_domains() {
    if tools::lacks(&["dig"]) {
        return;
    }
    let cluster = Cluster::on_loopback(three().config(|config| config["alt_domain"] = json!("corp.example")));
    federated(&cluster, &["dc1", "dc2", "dc3"]).await;
    register(cluster.agent(2), &json!({"Name": "web", "Port": 80})).await;
    let address = cluster.agent(2).address().to_string();
    for agent in [cluster.agent(0), cluster.agent(1)] {
        for name in [
            "web.service.dc2.consul",
            "WEB.Service.DC2.Consul",
            "web.service.dc2.dc.consul",
            "web.service.dc2.corp.example",
            "t1.node.dc2.consul",
            "t1.node.dc2.corp.example",
        ] {
            let answer = agent.dig(name).await;
            assert_eq!(answer.data(), [address.as_str()], "{name}: {}", answer.text);
        }
        for name in ["web.service.consul", "web.service.dc1.consul", "web.service.nowhere.consul"] {
            let answer = agent.dig(name).await;
            assert_eq!(answer.status, "NXDOMAIN", "{name}: {}", answer.text);
        }
        let located = agent.dig("web.service.dc2.corp.example SRV").await;
        assert_eq!(located.data(), ["1 1 80 t1.node.dc2.corp.example."], "{}", located.text);
    }
}

#[tokio::test]
async fn blocking_query_waits_in_another_datacenter() {
    let cluster = Cluster::on_loopback(three());
    federated(&cluster, &["dc1", "dc2", "dc3"]).await;
    cluster.agent(2).put("/v1/kv/watched", "old").await.ok();
    let index = cluster.agent(1).get("/v1/kv/watched?dc=dc2").await.ok().index();
    let path = format!("/v1/kv/watched?raw&dc=dc2&wait=30s&index={index}");
    let waiting = cluster.agent(1).get(&path);
    let writing = async {
        // The question is on its way once the other datacenter waits for somebody; a write before that wakes it too.
        cluster.agent(2).put("/v1/kv/watched", "new").await.ok();
    };
    let (woken, ()) = tokio::join!(waiting, writing);
    assert_eq!((woken.status, woken.text().as_str()), (200, "new"));
    assert!(woken.index() > index);
}

#[tokio::test]
async fn addresses_of_another_datacenter_are_translated_where_that_is_wanted() {
    let cluster = Cluster::on_loopback(three().config(|config| {
        if config["datacenter"] == "dc1" {
            config["translate_wan_addrs"] = json!(true);
        }
    }));
    federated(&cluster, &["dc1", "dc2", "dc3"]).await;
    let node = json!({
        "Node": "far", "Address": "10.0.0.1", "TaggedAddresses": {"wan": "20.0.0.1"},
        "Service": {
            "Service": "web", "Port": 80, "TaggedAddresses": {"wan": {"Address": "30.0.0.1", "Port": 8080}},
        },
    });
    cluster.agent(2).put("/v1/catalog/register", node.to_string()).await.ok();
    for (number, expected) in [(1, ["20.0.0.1", "30.0.0.1", "8080"]), (3, ["10.0.0.1", "", "80"])] {
        let agent = cluster.agent(number);
        let health = agent.get("/v1/health/service/web?dc=dc2").await.ok();
        assert_eq!(health.header("x-consul-translate-addresses"), if number == 1 { "true" } else { "" });
        let row = &health.json()[0];
        let seen = [&row["Node"]["Address"], &row["Service"]["Address"], &row["Service"]["Port"]];
        assert_eq!(seen.map(|value| value.to_string().replace('"', "")), expected);
        let row = &agent.get("/v1/catalog/service/web?dc=dc2").await.ok().json()[0];
        let seen = [&row["Address"], &row["ServiceAddress"], &row["ServicePort"]];
        assert_eq!(seen.map(|value| value.to_string().replace('"', "")), expected);
        let found = agent.get("/v1/catalog/node/far?dc=dc2").await.ok().json();
        let seen = [
            &found["Node"]["Address"],
            &found["Services"]["web"]["Address"],
            &found["Services"]["web"]["Port"],
        ];
        assert_eq!(seen.map(|value| value.to_string().replace('"', "")), expected);
    }
    // At home nothing changes, with the setting or without.
    let at_home = cluster.agent(2).get("/v1/health/service/web").await.ok().json();
    assert_eq!(at_home[0]["Node"]["Address"], "10.0.0.1");
}

#[tokio::test]
async fn keys_of_all_pools_are_listed_and_changed_from_one_server() {
    let (first, second) =
        ("ukNIFv9UIcYceWbXEJe39T6TOJfefHygBTPrew8fiEc=", "pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s=");
    let cluster = Cluster::on_loopback(three().config(move |config| config["encrypt"] = json!(first)));
    federated(&cluster, &["dc1", "dc2", "dc3"]).await;
    let agent = cluster.agent(0);
    agent.cli(&["keyring", "-install", second]).await.ok();
    agent.cli(&["keyring", "-use", second]).await.ok();
    agent.cli(&["keyring", "-remove", first]).await.ok();
    for number in [0, 2, 3] {
        let rings = cluster.agent(number).get("/v1/operator/keyring").await.ok().json();
        let rings = rings.as_array().cloned().unwrap_or_default();
        assert_eq!(rings.len(), 4, "one of the WAN and one of each datacenter: {rings:?}");
        assert_eq!((&rings[0]["WAN"], &rings[0]["NumNodes"]), (&json!(true), &json!(3)));
        for ring in &rings {
            assert_eq!(ring["Keys"], json!({ second: ring["NumNodes"] }), "{ring}");
        }
    }
    // They talk on with the new key.
    cluster.agent(1).put("/v1/kv/after?dc=dc3", "x").await.ok();
}

#[tokio::test]
async fn one_server_in_the_wan_brings_the_others_of_its_datacenter_along() {
    let plan = brisk(Plan::servers(3).datacenter("dc2", "t", 1, Role::Server));
    let cluster = Cluster::on_loopback(plan.config(|config| {
        if config["datacenter"] == "dc1" && config["node_name"] != "s1" {
            config["retry_join_wan"] = json!([]);
        }
    }));
    federated(&cluster, &["dc1", "dc2"]).await;
    for number in 0..4 {
        cluster
            .agent(number)
            .until("/v1/agent/members?wan=1", |reply| {
                ["s1.dc1", "s2.dc1", "s3.dc1", "t1.dc2"].iter().all(|name| reply.text().contains(name))
            })
            .await;
    }
}

#[tokio::test]
async fn datacenter_that_is_gone_is_unreachable_until_it_returns_or_is_given_up() {
    let mut cluster = Cluster::on_loopback(three());
    federated(&cluster, &["dc1", "dc2", "dc3"]).await;
    let path = "/v1/catalog/nodes?dc=dc2";
    let says = |words: &'static str| move |reply: &Reply| reply.status == 500 && reply.text().contains(words);
    cluster.kill(2);
    for number in [0, 1, 3] {
        cluster.agent(number).until(path, says(UNREACHABLE)).await;
    }
    assert!(names(cluster.agent(0)).await.contains(&"dc2".to_owned()), "it may come back");
    if !tools::lacks(&["dig"]) {
        let answer = cluster.agent(1).dig("t1.node.dc2.consul").await;
        assert_eq!(answer.status, "SERVFAIL", "{}", answer.text);
    }
    cluster.relaunch(2);
    cluster.agent(1).until(path, |reply| reply.status == 200).await;
    cluster.kill(2);
    cluster.agent(0).until(path, says(UNREACHABLE)).await;
    cluster.agent(0).cli(&["force-leave", "-wan", "t1.dc2"]).await.ok();
    for number in [0, 1, 3] {
        cluster.agent(number).until(path, says(UNKNOWN)).await;
        assert!(!names(cluster.agent(number)).await.contains(&"dc2".to_owned()));
    }
}

#[test]
fn lost_link_between_datacenters_fails_requests_in_time_and_comes_back_by_itself() {
    Network::run(async |network| {
        let cluster = three().on(&network);
        federated(&cluster, &["dc1", "dc2", "dc3"]).await;
        register(cluster.agent(2), &json!({"Name": "web", "Port": 80})).await;
        register(cluster.agent(3), &json!({"Name": "web", "Port": 80})).await;
        let failover = json!({"Datacenters": ["dc2", "dc3"]});
        let query = json!({"Name": "web", "Service": {"Service": "web", "Failover": failover}});
        cluster.agent(0).request(reqwest::Method::POST, "/v1/query", query.to_string()).await.ok();
        let index = cluster.agent(1).get("/v1/kv/x?dc=dc2").await.index();
        let waiting = format!("/v1/kv/x?dc=dc2&wait=5m&index={index}");
        let link = async {
            cluster.isolate(&[2]);
            if !tools::lacks(&["dig"]) {
                // At once, before anybody knows why there is no answer.
                let answer = cluster.agent(0).dig("t1.node.dc2.consul +tries=1 +timeout=10").await;
                assert_eq!(answer.status, "SERVFAIL", "{}", answer.text);
            }
            let found = cluster.agent(1).get("/v1/query/web/execute").await.ok().json();
            assert_eq!(found["Datacenter"], "dc3", "{found}");
            let gone = |reply: &Reply| reply.status == 500 && reply.text().contains(UNREACHABLE);
            cluster.agent(0).until("/v1/catalog/nodes?dc=dc2", gone).await;
            cluster.agent(2).until("/v1/catalog/nodes?dc=dc1", gone).await;
            cluster.agent(0).get("/v1/catalog/nodes?dc=dc3").await.ok();
        };
        // Who waits for an answer from there is not left waiting.
        let (cut, ()) = tokio::join!(cluster.agent(1).get(&waiting), link);
        assert_eq!(cut.status, 500, "{}", cut.text());
        cluster.heal();
        for (number, path) in [(1, "/v1/catalog/nodes?dc=dc2"), (2, "/v1/catalog/nodes?dc=dc1")] {
            cluster.agent(number).until(path, |reply| reply.status == 200).await;
        }
    });
}

/// A server of HashiCorp's in `dc2`, with an address beside those of a cluster.
fn foreign(cluster: &Cluster) -> Option<Setup> {
    let program = binary::reference()?;
    let [a, b, c, _] = cluster.agent(0).address().octets();
    let first = cluster.agent(0).address();
    let setup = Setup::in_place("h1", Place::at(Ipv4Addr::new(a, b, c, 200))).program(&program);
    Some(setup.config(|config| {
        config["datacenter"] = json!("dc2");
        config["server"] = json!(true);
        config["bootstrap_expect"] = json!(1);
        config["data_dir"] = json!("data");
        config["performance"] = json!({"raft_multiplier": 1});
        config["retry_join_wan"] = json!([first]);
        config["retry_interval_wan"] = json!("1s");
    }))
}

#[tokio::test]
async fn datacenter_of_hashicorps_servers_and_one_of_ours_answer_for_each_other() {
    let plan = Plan::servers(1).clients(1).config(|config| config["translate_wan_addrs"] = json!(false));
    let cluster = Cluster::on_loopback(plan);
    cluster.converged().await;
    let Some(theirs) = foreign(&cluster) else { return };
    let mut theirs = theirs.start().await;
    theirs.ready().await;
    let has_leader = |reply: &Reply| reply.status == 200 && reply.text().contains(':');
    for (agent, datacenter) in [(cluster.agent(1), "dc2"), (&theirs, "dc1")] {
        agent.until(&format!("/v1/status/leader?dc={datacenter}"), has_leader).await;
    }
    let both = |reply: &Reply| reply.text().contains("\"dc1\"") && reply.text().contains("\"dc2\"");
    for agent in [cluster.agent(0), cluster.agent(1), &theirs] {
        agent.until("/v1/catalog/datacenters", both).await;
        agent.until("/v1/coordinate/datacenters", both).await;
    }
    register(cluster.agent(1), &json!({"Name": "ours", "Port": 1})).await;
    register(&theirs, &json!({"Name": "theirs", "Port": 2})).await;
    for (agent, there, service, node) in
        [(cluster.agent(1), "dc2", "theirs", "h1"), (&theirs, "dc1", "ours", "c1")]
    {
        agent.put(&format!("/v1/kv/greeting?dc={there}"), node).await.ok();
        let read = agent.get(&format!("/v1/kv/greeting?raw&dc={there}")).await.ok();
        assert_eq!(read.text(), node);
        let rows = agent.get(&format!("/v1/health/service/{service}?dc={there}&passing")).await.ok().json();
        assert_eq!(rows[0]["Node"]["Node"], node, "{rows}");
        let session = agent.put(&format!("/v1/session/create?dc={there}"), "{}").await;
        assert!(matches!(session.status, 200 | 500), "{}", session.text());
        for (name, failover) in [("near", json!({"NearestN": 1})), ("named", json!({"Datacenters": [there]}))]
        {
            let query = json!({"Name": name, "Service": {"Service": service, "Failover": failover}});
            agent.request(reqwest::Method::POST, "/v1/query", query.to_string()).await.ok();
            let answer = agent.get(&format!("/v1/query/{name}/execute")).await.ok().json();
            assert_eq!(
                (&answer["Datacenter"], &answer["Nodes"][0]["Node"]["Node"]),
                (&json!(there), &json!(node)),
                "{answer}"
            );
        }
        let index = agent.get(&format!("/v1/kv/greeting?dc={there}")).await.ok().index();
        let path = format!("/v1/kv/greeting?raw&wait=30s&index={index}&dc={there}");
        let write = format!("/v1/kv/greeting?dc={there}");
        let (woken, written) = tokio::join!(agent.get(&path), agent.put(&write, "again"));
        written.ok();
        assert_eq!(woken.text(), "again");
        agent.put(&format!("/v1/event/fire/hello?dc={there}"), "").await.ok();
        if !tools::lacks(&["dig"]) {
            let found = agent.dig(&format!("{service}.service.{there}.consul SRV")).await;
            assert!(found.text.contains(&format!("{node}.node.{there}.consul.")), "{}", found.text);
            let found = agent.dig("near.query.consul SRV").await;
            assert!(found.text.contains(&format!("{node}.node.{there}.consul.")), "{}", found.text);
        }
    }
    for agent in [cluster.agent(0), cluster.agent(1), &theirs] {
        agent.until("/v1/event/list", |reply| reply.text().contains("hello")).await;
    }
    // It is over when it says goodbye.
    theirs.cli(&["leave"]).await;
    cluster
        .agent(1)
        .until("/v1/catalog/nodes?dc=dc2", |reply| reply.status == 500 && reply.text().contains(UNKNOWN))
        .await;
    eventually("dc2 is forgotten", async || {
        let list = names(cluster.agent(1)).await;
        check(list == ["dc1"], list)
    })
    .await;
}
