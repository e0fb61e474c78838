//! What a running agent does with a configuration: reload it and show it.

use crate::load_ok;
use consul_config::node_id::NodeId;
use consul_config::reload::{Change, plan};
use consul_config::{Identity, RuntimeConfig, validate_paths};
use serde_json::{Map, Value};

fn config(text: &str) -> RuntimeConfig {
    load_ok(&[], &[("f.hcl", text)]).config
}

fn shown(text: &str) -> Map<String, Value> {
    let node_id = NodeId::parse("5fe38377-083f-fb09-f388-30b9baad7676").expect("id");
    let identity = Identity { node_id: &node_id, version: "1.22.0", version_prerelease: "", revision: "" };
    config(text).sanitized(&identity)
}

#[test]
fn the_same_configuration_changes_nothing() {
    let plan = plan(&config("node_name = \"a\""), &config("node_name = \"a\""));
    assert!(plan.changes.is_empty() && plan.after_restart.is_empty());
}

#[test]
fn reloadable_parts_are_taken_over_and_named() {
    let running = config("log_level = \"INFO\" service { name = \"web\" port = 80 }");
    let text = r#"log_level = "DEBUG" service { name = "web" port = 81 } recursors = ["8.8.8.8"]
      node_meta { a = "b" } acl { tokens { default = "x" } } limits { rpc_max_burst = 5 }
      dns_config { node_ttl = "5s" } telemetry { prefix_filter = ["-a"] } discard_check_output = true
      check { name = "c" ttl = "1s" } watches = [ { type = "key" key = "a" args = ["true"] } ]"#;
    let plan = plan(&running, &config(text));
    assert_eq!(
        plan.changes,
        [
            Change::AclTokens,
            Change::Services,
            Change::Checks,
            Change::NodeMeta,
            Change::Watches,
            Change::LogLevel,
            Change::Dns,
            Change::Limits,
            Change::MetricsFilter,
            Change::DiscardCheckOutput,
        ]
    );
    assert!(plan.after_restart.is_empty(), "{:?}", plan.after_restart);
    assert_eq!(plan.config.service_definitions[0].port, 81);
    assert_eq!(plan.config.dns.recursors.len(), 1);
}

#[test]
fn what_needs_a_restart_stays_as_it_is_and_is_named() {
    let running = config("node_name = \"a\"");
    let changed = config("node_name = \"b\" domain = \"x\" ports { http = 1 } enable_script_checks = true");
    let plan = plan(&running, &changed);
    assert!(plan.changes.is_empty(), "{:?}", plan.changes);
    assert_eq!(plan.after_restart, ["node", "ports", "addresses", "domain", "checks"]);
    assert_eq!(plan.config.node.name, "a");
    assert_eq!(plan.config.dns.domain, "consul.");
    assert_eq!(plan.config.ports.http, Some(8500));
}

#[test]
fn the_shown_configuration_hides_every_secret() {
    let text = r#"encrypt = "7mASsjRU1X0ORmQyymo9Hw==" key_file = "/etc/k.pem"
      acl { tokens { default = "s3cret-1" agent = "s3cret-2" master = "s3cret-3" replication = "s3cret-4" } }
      service { name = "web" token = "s3cret-5"
                check { http = "http://x" interval = "1s" header { Authorization = ["s3cret-6"] } } }
      check { name = "c" ttl = "1s" token = "s3cret-7" }
      connect { ca_config { private_key = "s3cret-8" } }
      auto_config { intro_token = "s3cret-9" }
      watches = [ { type = "key" key = "app" args = ["x"] token = "s3cret-0" } ]"#;
    let shown = serde_json::to_string(&shown(text)).expect("JSON");
    assert!(!shown.contains("s3cret") && !shown.contains("7mAS") && !shown.contains("k.pem"), "{shown}");
    assert!(shown.contains(r#""key":"app""#));
}

#[test]
fn the_shown_configuration_uses_go_names_and_durations() {
    let map = shown("server = true ports { https = -1 } dns_config { service_ttl { web = \"90s\" } }");
    for (key, expected) in [
        ("CheckUpdateInterval", Value::from("5m0s")),
        ("HTTPSPort", Value::from(-1)),
        ("HTTPAddrs", Value::from(vec!["tcp://127.0.0.1:8500"])),
        ("RPCRateLimit", Value::from(-1.0)),
        ("DNSMaxStale", Value::from("87600h0m0s")),
        ("ACLToken", Value::from("hidden")),
        ("EncryptKey", Value::from("hidden")),
        ("NodeID", Value::from("5fe38377-083f-fb09-f388-30b9baad7676")),
        ("GossipLANProbeInterval", Value::from("1s")),
        ("ServerMode", Value::from(true)),
        ("SerfBindAddrWAN", Value::from("tcp://0.0.0.0:8302")),
    ] {
        assert_eq!(map.get(key), Some(&expected), "{key}");
    }
    assert_eq!(map["DNSServiceTTL"]["web"], "1m30s");
    assert_eq!(map["Telemetry"]["MetricsPrefix"], "consul");
}

#[test]
fn validating_files_needs_no_agent() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("a.hcl");
    std::fs::write(&file, "data_dir = \"/x\" bind_addr = \"127.0.0.1\" acl_datacenter = \"dc1\"")
        .expect("write");
    let loaded = validate_paths(vec![file.clone()], None).expect("valid");
    assert_eq!(
        crate::messages(&loaded),
        ["The 'acl_datacenter' field is deprecated. Use the 'primary_datacenter' field instead."]
    );
    std::fs::write(&file, "bind_addr = \"127.0.0.1\"").expect("write");
    let error = validate_paths(vec![file], None).map(|_| ()).expect_err("no data dir");
    assert_eq!(error.to_string(), "data_dir cannot be empty");
    let error = validate_paths(Vec::new(), Some("yaml".into())).map(|_| ()).expect_err("format");
    assert_eq!(error.to_string(), "-config-format must be either 'hcl' or 'json'");
}
