//! The handbook with definition files: a commented server configuration, services, checks of every kind, questions.

use std::path::Path;

use consul_tests::wait::check;
use consul_tests::{Agent, Setup, binary, cli, eventually, tools};
use serde_json::{Value, json};

/// With the values that the page leaves to the reader.
const CONFIG_JSON: &str = r#"{
"bootstrap": true,
"server": true,
"datacenter": "test",
"ui_dir": "consul-ui",
// <- the directory of the page
"data_dir": "consul-data",
"encrypt": "7mASsjRU1X0ORmQyymo9Hw==",
"addresses": {
"http":
"127.0.0.1"
},
"bind_addr": "127.0.0.1",
"advertise_addr": "127.0.0.1",
"bind_addr": "127.0.0.1",
"advertise_addr": "127.0.0.1",
}"#;

const AGENT_JSON: &str = r#"{
"server": false,
"datacenter": "test",
"data_dir": "/data/consul",
"bind_addr": "127.0.0.1",
"encrypt": "7mASsjRU1X0ORmQyymo9Hw==",
"start_join": ["192.168.1.155"]
// <- an array
}"#;

#[tokio::test]
async fn commented_configuration_starts_a_server() {
    if binary::is_reference() {
        return tools::skip("the reference takes no comments in JSON");
    }
    let setup =
        Setup::bare("korea").file("config.json", CONFIG_JSON).args("-bind=127.0.0.1").config(|config| {
            config["performance"] = json!({"raft_multiplier": 1});
        });
    let agent = setup.start().await;
    assert_eq!(agent.get("/v1/catalog/datacenters").await.ok().json(), json!(["test"]));
    let detailed = agent.shell().run("consul members -detailed").await.ok().stdout;
    let mut lines = detailed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(lines.next().unwrap(), ["Node", "Address", "Status", "Tags"]);
    let row = lines.next().unwrap();
    assert!(row[3].contains("dc=test") && row[3].contains("role=consul"), "{detailed}");
}

#[tokio::test]
async fn printed_files_are_valid() {
    let dir = tempfile::tempdir().unwrap();
    if !binary::is_reference() {
        validates(dir.path(), "config.json", CONFIG_JSON).await;
        validates(dir.path(), "agent.json", AGENT_JSON).await;
    }
    let server = r#"{
"datacenter": "dc1",
"log_level": "INFO",
"node_name": "consul_server1",
"data_dir": "/tmp/data-dir",
"server": true,
"bootstrap_expect": 3,
"bind_addr": "0.0.0.0",
"advertise_addr": "127.0.0.1",
"client_addr": "0.0.0.0",
"ui": true,
"ports": {
"dns": 8600,
"http": 8500,
"https": -1,
"server": 8300,
"serf_lan": 8301,
"serf_wan": 8302
},
"rejoin_after_leave": true,
"retry_join": [
"172.20.0.2",
"172.20.0.3",
"172.20.0.4"
],
"retry_interval": "30s",
"reconnect_timeout": "72h"
}"#;
    validates(dir.path(), "consul_server1_conf.json", server).await;
}

async fn validates(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
    let mut lines = vec![vec!["validate", name]];
    if !binary::is_reference() {
        // What the command was called before, with the flag that it took.
        lines.push(vec!["configtest", "-config-file", name]);
    }
    for args in lines {
        let mut command = std::process::Command::new(binary::consul());
        command.args(&args).current_dir(dir);
        let output = cli::run(command.into(), b"").await;
        assert_eq!(output.code, 0, "{args:?}: {}", output.all());
    }
}

#[tokio::test]
async fn tagged_service_answers_dns_and_http() {
    if tools::lacks(&["dig", "curl"]) {
        return;
    }
    let mut agent = Setup::dev("ef06bc916151").start().await;
    let shell = agent.shell().path("/etc/consul.d/server", "conf");
    shell
        .run(
            r#"echo '{"service": {"name": "web",
"tags": ["rails"], "port": 80}}' | sudo tee /etc/consul.d/server/web.json"#,
        )
        .await
        .ok();
    // consul agent -dev -config-dir=/etc/consul.d/server
    agent.terminate().await;
    agent.restart().await;
    agent.logs("Synced service").await;
    eventually("web resolves", async || {
        let dig = agent.dig("web.service.consul").await;
        check(dig.data() == ["127.0.0.1"], dig.text)
    })
    .await;
    let srv = shell.dig("dig @127.0.0.1 -p 8600 web.service.consul SRV").await;
    assert_eq!(srv.data(), ["1 1 80 ef06bc916151.node.dc1.consul."], "{}", srv.text);
    assert_eq!(shell.dig("dig @127.0.0.1 -p 8600 rails.web.service.consul").await.data(), ["127.0.0.1"]);

    let found = agent.get("/v1/catalog/service/web").await.ok().json();
    let wanted = json!({
        "Node": "ef06bc916151", "Address": "127.0.0.1", "Datacenter": "dc1", "ServiceID": "web", "ServiceName": "web",
        "ServiceTags": ["rails"], "ServiceAddress": "", "ServicePort": 80, "ServiceEnableTagOverride": false,
    });
    assert_includes(&found[0], &wanted);
    assert_eq!(found[0]["TaggedAddresses"]["wan"], "127.0.0.1");
    let passing =
        shell.run("curl -s 'http://localhost:8500/v1/health/service/web?passing'").await.ok().stdout;
    let passing: Value = serde_json::from_str(&passing).unwrap();
    assert_eq!(passing[0]["Service"]["Tags"], json!(["rails"]));
    for path in ["/v1/health/node/ef06bc916151", "/v1/health/state/passing"] {
        let checks = agent.get(path).await.ok().json();
        assert!(
            checks.as_array().unwrap().iter().any(|check| check["CheckID"] == "serfHealth"),
            "{path}: {checks}"
        );
    }
    assert_eq!(agent.get("/v1/health/checks/web").await.ok().json(), json!([]));
}

fn assert_includes(found: &Value, wanted: &Value) {
    for (key, value) in wanted.as_object().unwrap() {
        assert_eq!(&found[key], value, "{key} of {found}");
    }
}

const REDIS: &str = r#"{
"service": {
"name": "redis",
"tags": ["primary"],
"address": "",
"port": 8000,
"enableTagOverride": false,
"checks": [
{
"script":
"/usr/local/bin/check_redis.py",
"interval": "10s"
}
]
}
}"#;

const SERVICES: &str = r#"{
"services": [ // an array
{
"id": "red0",
"name": "redis",
"tags": [
"primary"
],
"address": "",
"port": 6000,
"checks": [
{
"script": "/bin/check_redis -p
6000",
"interval": "5s",
"ttl": "20s"
}
]
},
{
"id": "red1",
"name": "redis",
"tags": [
"delayed",
"secondary"
],
"address": "",
"port": 7000,
"checks": [
{
"script": "/bin/check_redis -p
7000",
"interval": "30s",
"ttl": "60s"
}
]
}
]
}"#;

const CHECK_FILES: &[(&str, &str)] = &[
    (
        "http.json",
        r#"{"check": {"id": "api", "name": "HTTP API on port 5000", "http": "https://localhost:5000/health",
"tls_skip_verify": false,
"method": "POST",
"header": {"x-foo":["bar",
"baz"]},
"interval": "10s",
"timeout": "1s"
}
}"#,
    ),
    (
        "tcp.json",
        r#"{"check": {"id": "ssh", "name": "SSH TCP on port 22", "tcp": "localhost:22", "interval": "10s", "timeout": "1s"}}"#,
    ),
    (
        "ttl.json",
        r#"{"check": {"id": "web-app", "name": "Web App Status",
"notes": "Web app does a curl internally every 10 seconds", "ttl": "30s"}}"#,
    ),
    (
        "script.json",
        r#"{"check": {"id": "mem-util", "name": "Memory utilization", "script": "/usr/local/bin/check_mem.py",
"interval": "10s", "timeout": "1s"}}"#,
    ),
    (
        "docker.json",
        r#"{"check": {"id": "mem-util-docker", "name": "Memory utilization", "docker_container_id": "f972c95ebf0e",
"shell": "/bin/bash", "script": "/usr/local/bin/check_mem.py", "interval": "10s"}}"#,
    ),
    (
        "status.json",
        r#"{"check": {"id": "mem", "script": "/bin/check_mem", "interval": "10s", "status": "passing" // the first one
}}"#,
    ),
    (
        "many.json",
        r#"{
"checks": [ // an array
{
"id": "chk1",
"name": "mem",
"script": "/bin/check_mem",
"interval": "5s"
},
{
"id": "chk2",
"name": "/health",
"http": "http://localhost:5000/health",
"interval": "15s"
},
{
"id": "chk3",
"name": "cpu",
"script": "/bin/check_cpu",
"interval": "10s"
}
]
}"#,
    ),
];

#[tokio::test]
async fn printed_definitions_load() {
    if binary::is_reference() {
        return tools::skip("releases after 1.0 know no script strings");
    }
    let mut setup = Setup::dev("node1")
        .args("-enable-script-checks")
        .file("redis.json", REDIS)
        .file("services.json", SERVICES);
    for (name, text) in CHECK_FILES {
        setup = setup.file(name, *text);
    }
    let agent = setup.start().await;
    let services = agent.get("/v1/agent/services").await.ok().json();
    assert_eq!(services["redis"]["Port"], 8000);
    assert_eq!(services["red0"]["Tags"], json!(["primary"]));
    assert_eq!(services["red1"]["Tags"], json!(["delayed", "secondary"]));
    let checks = agent.get("/v1/agent/checks").await.ok().json();
    let ids = ["api", "ssh", "web-app", "mem-util", "mem-util-docker", "mem", "chk1", "chk2", "chk3"];
    for id in ids.into_iter().chain(["service:redis", "service:red0", "service:red1"]) {
        assert!(checks[id].is_object(), "no check {id} in {checks}");
    }
    assert_eq!(checks["web-app"]["Status"], "critical");
    // Interval, script and time to live together: the script runs.
    for id in ["service:red0", "service:red1"] {
        assert_eq!(checks[id]["Type"], "script", "{}", checks[id]);
    }
    passes_by_http(&agent, "web-app").await;
}

/// What a program does for a check with a time to live.
async fn passes_by_http(agent: &Agent, id: &str) {
    agent.put(&format!("/v1/agent/check/pass/{id}?note=fine"), "").await.ok();
    let checks = agent.get("/v1/agent/checks").await.ok().json();
    assert_eq!((&checks[id]["Status"], &checks[id]["Output"]), (&json!("passing"), &json!("fine")));
}
