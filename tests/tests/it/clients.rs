//! Programs of others that talk to an agent: a Python client library, Prometheus.

use std::path::PathBuf;
use std::process::Command;

use consul_api::client::{Client, Config, QueryOptions, WriteOptions};
use consul_api::types::kv::KvPair;
use consul_tests::wait::check;
use consul_tests::{Background, Setup, cli, eventually, http, ports, tools};
use serde_json::{Value, json};

#[tokio::test]
async fn our_own_client_reads_writes_and_waits() {
    let agent = Setup::dev("n1").start().await;
    let client = Client::new(Config::new(format!("127.0.0.1:{}", agent.ports().http))).unwrap();
    let (reads, writes) = (QueryOptions::default(), WriteOptions::default());
    let pair =
        |value: &str| KvPair { key: "app/name".into(), value: value.into(), flags: 7, ..KvPair::default() };
    assert!(client.kv().put(&pair("v1"), &writes).await.unwrap());
    let first = client.kv().get("app/name", &reads).await.unwrap();
    let stored = first.value.unwrap();
    assert_eq!((&stored.value, stored.flags), (&pair("v1").value, 7));
    assert!(!client.kv().cas(&KvPair { modify_index: 1, ..pair("no") }, &writes).await.unwrap());
    // A blocking read comes back with the change, and with a higher index.
    let kv = client.kv();
    let waiting = reads.after(first.meta.index, std::time::Duration::from_secs(60));
    let (changed, wrote) = tokio::join!(kv.get("app/name", &waiting), async {
        let newer = KvPair { modify_index: stored.modify_index, ..pair("v2") };
        kv.cas(&newer, &writes).await
    });
    assert!(wrote.unwrap());
    let changed = changed.unwrap();
    assert!(changed.meta.index > first.meta.index);
    assert_eq!(changed.value.unwrap().value, pair("v2").value);
    assert_eq!(client.kv().keys("app/", "", &reads).await.unwrap().value, ["app/name"]);
    let nodes = client.catalog().nodes(&reads).await.unwrap().value;
    assert_eq!(nodes.len(), 1);
    assert_eq!(client.agent().self_info().await.unwrap().config_text("NodeName"), "n1");
}

/// A Python that has py-consul: `CONSUL_TEST_PYTHON`, or the system's.
async fn python() -> Option<PathBuf> {
    let python =
        std::env::var_os("CONSUL_TEST_PYTHON").map(PathBuf::from).or_else(|| tools::find("python3"))?;
    let mut command = Command::new(&python);
    command.args(["-c", "import importlib.metadata, consul; importlib.metadata.version('py-consul')"]);
    (cli::run(command.into(), b"").await.code == 0).then_some(python)
}

#[tokio::test]
async fn py_consul_works() {
    let Some(python) = python().await else {
        return tools::skip("py-consul is not installed (pip install py-consul, or set CONSUL_TEST_PYTHON)");
    };
    let agent = Setup::dev("n1").start().await;
    let mut command = Command::new(python);
    command.arg("-c").arg(include_str!("py_consul.py")).arg(agent.ports().http.to_string());
    let output = cli::run(command.into(), b"").await;
    assert!(output.code == 0 && output.stdout.trim_end().ends_with("done"), "{}", output.all());
}

fn prometheus() -> Option<PathBuf> {
    std::env::var_os("CONSUL_TEST_PROMETHEUS").map(PathBuf::from).or_else(|| tools::find("prometheus"))
}

/// What a build says that left the discovery out.
const WITHOUT_DISCOVERY: &str = "field consul_sd_configs not found";

const PROMETHEUS_YML: &str = "
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: consul
    metrics_path: /v1/agent/metrics
    params:
      format: [prometheus]
    consul_sd_configs:
      - server: 127.0.0.1:8500
        services: [web]
        tags: [blue]
        refresh_interval: 1s
";

#[tokio::test]
async fn prometheus_discovers_and_scrapes() {
    let Some(prometheus) = prometheus() else {
        return tools::skip("prometheus is not installed (or set CONSUL_TEST_PROMETHEUS)");
    };
    let agent = Setup::dev("n1")
        .config(|config| {
            config["telemetry"] = json!({"prometheus_retention_time": "10m", "disable_hostname": true})
        })
        .start()
        .await;
    let service = json!({"Name": "web", "ID": "web-1", "Tags": ["blue", "v2"], "Address": "127.0.0.1",
        "Port": agent.ports().http, "Meta": {"team": "a"}});
    agent.put_json("/v1/agent/service/register", &service).await.ok();
    agent.until("/v1/catalog/service/web", |reply| reply.json()[0].is_object()).await;
    std::fs::write(
        agent.dir().join("prometheus.yml"),
        PROMETHEUS_YML.replace("8500", &agent.ports().http.to_string()),
    )
    .unwrap();
    let port = ports::free();
    let mut command = Command::new(prometheus);
    command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"]).current_dir(agent.dir());
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let prometheus = Background::spawn(command);
    let client = http::client();
    eventually("Prometheus starts or says why not", async || {
        let is_up = client.get(format!("http://127.0.0.1:{port}/-/ready")).send().await.is_ok();
        check(is_up || prometheus.output().contains(WITHOUT_DISCOVERY), prometheus.output())
    })
    .await;
    if prometheus.output().contains(WITHOUT_DISCOVERY) {
        return tools::skip(
            "this build of prometheus has no consul_sd (Debian 12 leaves it out, Debian 11 has it)",
        );
    }
    let target = eventually("Prometheus scrapes what it discovered", async || {
        let url = format!("http://127.0.0.1:{port}/api/v1/targets");
        let text =
            client.get(url).send().await.map_err(|error| error.to_string())?.text().await.unwrap_or_default();
        let found: Value = serde_json::from_str(&text).map_err(|_| text.clone())?;
        let target = found["data"]["activeTargets"][0].clone();
        check(target["health"] == "up", text)?;
        Ok::<_, String>(target)
    })
    .await;
    let labels = &target["discoveredLabels"];
    let wanted = [
        ("__meta_consul_service", "web"),
        ("__meta_consul_service_id", "web-1"),
        ("__meta_consul_node", "n1"),
        ("__meta_consul_dc", "dc1"),
        ("__meta_consul_tags", ",blue,v2,"),
        ("__meta_consul_service_metadata_team", "a"),
        ("__meta_consul_health", "passing"),
    ];
    for (name, value) in wanted {
        assert_eq!(labels[name], value, "{name} of {labels}");
    }
    // A service that goes away is forgotten.
    agent.put("/v1/agent/service/deregister/web-1", "").await.ok();
    eventually("Prometheus forgets it", async || {
        let url = format!("http://127.0.0.1:{port}/api/v1/targets");
        let text =
            client.get(url).send().await.map_err(|error| error.to_string())?.text().await.unwrap_or_default();
        check(text.contains("\"activeTargets\":[]"), text)
    })
    .await;
}
