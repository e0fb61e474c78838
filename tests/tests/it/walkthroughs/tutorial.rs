//! The one-machine tutorial: configuration in a file, services, reload, key/value store.

use consul_tests::stub::Stub;
use consul_tests::syslog::Syslog;
use consul_tests::wait::check;
use consul_tests::{Agent, Setup, eventually, tools};
use serde_json::json;

const CONSUL_JSON: &str = r#"{
     "server": true,
     "bootstrap_expect": 1,
     "client_addr": "0.0.0.0",
     "bind_addr": "192.168.91.128",
     "node_name": "moi",
     "datacenter": "dc1",
     "data_dir": "/tmp/consul",
     "log_level": "INFO",
     "enable_script_checks": true,
     "enable_syslog": true,
     "check_update_interval": "10s",
     "ui": true,
     "start_join": [
           "192.168.91.128"
     ]
   }"#;

/// The printed file with the addresses and paths of this machine. The server joins itself.
fn moi(syslog: Option<&Syslog>) -> Setup {
    let setup = Setup::bare("moi");
    let own = format!("127.0.0.1:{}", setup.ports().serf_lan);
    let text = CONSUL_JSON
        .replace("\"0.0.0.0\"", "\"127.0.0.1\"")
        .replace("\"bind_addr\": \"192.168.91.128\"", "\"bind_addr\": \"127.0.0.1\"")
        .replace("\"192.168.91.128\"", &format!("\"{own}\""))
        .replace("/tmp/consul", "consul-data");
    let text = if syslog.is_some() {
        text
    } else {
        text.replace("\"enable_syslog\": true", "\"enable_syslog\": false")
    };
    setup.file("consul.json", text).config(|config| {
        config["performance"] = json!({"raft_multiplier": 1});
        config["log_level"] = json!("INFO");
    })
}

const WEB_JSON: &str = r#"{
       "service": {
           "name": "web",
           "tags": ["test"],
           "port": 80
       }
   }"#;

#[tokio::test]
async fn one_machine_from_start_to_reload() {
    if tools::lacks(&["curl", "dig", "jq"]) {
        return;
    }
    let syslog = Syslog::listen();
    let mut agent = moi(syslog.as_ref()).start().await;
    let shell = agent.shell().path("/work/go/consul", "conf");
    let members = shell.run("consul members").await.ok().stdout;
    assert!(members.contains("moi "), "{members}");
    let node =
        shell.run(r#"curl -s http://127.0.0.1:8500/v1/catalog/nodes | jq -r ".[].Node""#).await.ok().stdout;
    assert_eq!(node, "moi\n");
    assert_eq!(shell.dig("dig @127.0.0.1 -p 8600 moi.node.consul").await.data(), ["127.0.0.1"]);

    // vi web.json, then restart.
    agent.write_conf("web.json", WEB_JSON);
    agent.terminate().await;
    agent.restart().await;
    agent.until("/v1/catalog/service/web", |reply| reply.json()[0]["ServiceTags"] == json!(["test"])).await;
    in_dns(&agent, "web.service.consul", &["127.0.0.1"]).await;
    let srv = shell.dig("dig @127.0.0.1 -p 8600 web.service.consul SRV").await;
    assert_eq!(srv.data(), ["1 1 80 moi.node.dc1.consul."], "{}", srv.text);
    assert_eq!(shell.dig("dig @127.0.0.1 -p 8600 test.web.service.consul").await.data(), ["127.0.0.1"]);
    assert_eq!(shell.dig("dig @127.0.0.1 -p 8600 other.web.service.consul").await.status, "NXDOMAIN");

    checked_after_reload(&agent).await;
    if let Some(syslog) = &syslog {
        eventually("the system log hears of it", async || {
            let lines = syslog.lines();
            check(lines.iter().any(|line| line.contains("consul") && line.contains("agent")), lines)
        })
        .await;
    }
}

/// The service definition gets a check by `consul reload`; the name resolves only while the check passes.
async fn checked_after_reload(agent: &Agent) {
    let apache = Stub::start();
    let shell = agent.shell().path("/work/go/consul", "conf");
    let printed = r#"cd /work/go/consul; echo '{"service":
     {"name": "web",
       "tags": ["test"],
       "port": 80,
       "check": {
         "args": ["curl", "localhost"],
         "interval": "10s"
       }
     }
   }' > ./web.json"#;
    let printed = printed
        .replace("\"localhost\"", &format!("\"-sf\", \"localhost:{}\"", apache.port()))
        .replace("\"10s\"", "\"200ms\"");
    shell.run(&printed).await.ok();
    let reloaded = shell.run("consul reload").await.ok().stdout;
    assert_eq!(reloaded.trim(), "Configuration reload triggered");
    agent.until("/v1/health/checks/web", |reply| reply.json()[0]["Status"] == "passing").await;
    in_dns(agent, "web.service.consul", &["127.0.0.1"]).await;
    // sudo /etc/init.d/httpd stop
    apache.answer(503);
    in_dns(agent, "web.service.consul", &[]).await;
    apache.answer(200);
    in_dns(agent, "web.service.consul", &["127.0.0.1"]).await;
}

#[tokio::test]
async fn keys_are_put_shown_and_deleted() {
    let agent = Setup::dev("moi").start().await;
    let shell = agent.shell();
    let put = shell.run("consul kv put redis/config/minconns 1").await.ok().stdout;
    assert_eq!(put, "Success! Data written to: redis/config/minconns\n");
    shell.run("consul kv put redis/config/maxconns 25").await.ok();
    let put = shell.run("consul kv put -flags=42 redis/config/users/admin abcd1234").await.ok().stdout;
    assert_eq!(put, "Success! Data written to: redis/config/users/admin\n");
    assert_eq!(shell.run("consul kv get redis/config/minconns").await.ok().stdout, "1\n");
    let detailed = shell.run("consul kv get -detailed redis/config/users/admin").await.ok().stdout;
    let rows: Vec<Vec<&str>> = detailed.lines().map(|line| line.split_whitespace().collect()).collect();
    let names: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(names, ["CreateIndex", "Flags", "Key", "LockIndex", "ModifyIndex", "Session", "Value"]);
    assert_eq!(
        (rows[1][1], rows[2][1], rows[5][1], rows[6][1]),
        ("42", "redis/config/users/admin", "-", "abcd1234")
    );
    let deleted = shell.run("consul kv delete redis/config/minconns").await.ok().stdout;
    assert_eq!(deleted, "Success! Deleted key: redis/config/minconns\n");
    assert_eq!(shell.run("consul kv get redis/config/minconns").await.code, 1);
    let deleted = shell.run("consul kv delete -recurse redis").await.ok().stdout;
    assert_eq!(deleted, "Success! Deleted keys with prefix: redis\n");
    assert_eq!(shell.run("consul kv get -recurse redis").await.stdout, "");
}

async fn in_dns(agent: &Agent, name: &str, addresses: &[&str]) {
    eventually(&format!("{name} resolves to {addresses:?}"), async || {
        let dig = agent.dig(name).await;
        check(dig.data() == addresses, dig.text)
    })
    .await;
}
