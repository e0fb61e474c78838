//! Files as tutorials of many years print them.

use crate::{load_err, load_ok, messages};

#[test]
fn a_missing_comma_is_pointed_at() {
    let text = "{\n  \"service\": {\n    \"name\": \"web\",\n    \"port\": 80\n    \"check\": {\n      \
                \"script\": \"curl localhost:80 > /dev/null 2>&1\",\n      \"interval\": \"15s\"\n    }\n  }\n}\n";
    assert_eq!(
        load_err(&[], &[("web.json", text)]),
        "failed to parse web.json: invalid character '\"' after object key:value pair (line 5, column 5): \
         a comma is missing after the value that ends on line 4, column 14"
    );
}

#[test]
fn comments_a_trailing_comma_and_a_repeated_key_are_taken() {
    let text = r#"{
"bootstrap": true,
"server": true,
"datacenter": "test",
"ui_dir": "/data/consul-ui",
// <- check this path
"data_dir": "/data/consul",
"encrypt": "7mASsjRU1X0ORmQyymo9Hw==",
"addresses": {
"http":
"10.0.0.9"
},
"bind_addr": "10.0.0.1",
"advertise_addr": "10.0.0.2",
"bind_addr": "10.0.0.3",
"advertise_addr": "10.0.0.4",
}"#;
    let loaded = load_ok(&[], &[("config.json", text)]);
    let config = &loaded.config;
    assert_eq!(config.network.bind_addr.to_string(), "10.0.0.3");
    assert_eq!(config.network.advertise_lan.to_string(), "10.0.0.4");
    assert_eq!(config.network.http[0].to_string(), "10.0.0.9:8500");
    assert_eq!(config.network.dns[0].to_string(), "127.0.0.1:8600");
    assert_eq!(config.ui.dir.as_deref(), Some(std::path::Path::new("/data/consul-ui")));
    assert_eq!(config.gossip.encrypt.as_ref().map(|key| key.bytes().len()), Some(16));
    assert_eq!(
        messages(&loaded),
        [
            "The 'ui_dir' field is deprecated. Use the 'ui_config.dir' field instead.",
            "bootstrap = true: do not enable unless necessary"
        ]
    );
}

#[test]
fn a_client_that_joins_loads() {
    let text = r#"{
"server": false,
"datacenter": "test",
"data_dir": "/data/consul",
"encrypt": "7mASsjRU1X0ORmQyymo9Hw==",
"start_join": ["192.168.1.155"]
// <- give a list
}"#;
    assert_eq!(load_ok(&[], &[("agent.json", text)]).config.join.lan.start, ["192.168.1.155"]);
}

#[test]
fn a_script_runs_even_if_a_ttl_stands_beside_it() {
    let text = r#"{ "services": [ // a list
      { "id": "red0", "name": "redis", "tags": ["primary"], "address": "", "port": 6000,
        "checks": [ { "script": "/bin/check_redis -p 6000", "interval": "5s", "ttl": "20s" } ] },
      { "id": "red1", "name": "redis", "tags": ["delayed", "secondary"], "address": "", "port": 7000,
        "enableTagOverride": true,
        "checks": [ { "script": "/bin/check_redis -p
7000", "interval": "30s" } ] },
    ] }"#;
    let loaded = load_ok(&[], &[("redis.json", text)]);
    let [first, second] = loaded.config.service_definitions.as_slice() else { panic!("two services") };
    let check = &first.checks.as_ref().expect("checks")[0];
    assert_eq!(check.script, "/bin/check_redis -p 6000");
    assert!(check.ttl.is_zero());
    assert_eq!(check.interval.to_string(), "5s");
    assert!(second.enable_tag_override && !first.enable_tag_override);
    assert_eq!(second.checks.as_ref().expect("checks")[0].script, "/bin/check_redis -p\n7000");
    assert_eq!(
        messages(&loaded),
        [
            "redis.json:6:53: a line break inside a string is kept as part of it",
            "The 'script' field is deprecated. Use the 'args' field instead.",
            "A check with 'script', 'interval' and 'ttl' runs its script at the interval; its 'ttl' is ignored.",
        ]
    );
}

#[test]
fn every_printed_kind_of_check_loads() {
    let text = r#"{ "checks": [
      { "id": "mem-util", "name": "Memory utilization", "script": "/bin/check_mem.py", "interval": "10s", "timeout": "1s" },
      { "id": "api", "name": "HTTP API on port 5000", "http": "https://localhost:5000/health",
        "tls_skip_verify": false, "method": "POST", "header": {"x-foo": ["bar", "baz"]}, "interval": "10s", "timeout": "1s" },
      { "id": "ssh", "name": "SSH TCP on port 22", "tcp": "localhost:22", "interval": "10s", "timeout": "1s" },
      { "id": "web-app", "name": "Web App Status", "notes": "Web app does a curl internally every 10 seconds", "ttl": "30s" },
      { "id": "docker", "name": "Memory utilization", "docker_container_id": "f972c95ebf0e", "shell": "/bin/bash",
        "script": "/usr/local/bin/check_mem.py", "interval": "10s" },
      { "id": "mem", "script": "/bin/check_mem", "interval": "10s", "status": "passing" // initial state
      }
    ] }"#;
    let config = load_ok(&[], &[("checks.json", text)]).config;
    assert_eq!(config.check_definitions.len(), 6);
    assert_eq!(config.check_definitions[4].shell, "/bin/bash");
    assert_eq!(config.check_definitions[5].status, "passing");
    let header = config.check_definitions[1].header.as_ref().expect("header");
    assert_eq!(header["x-foo"], ["bar", "baz"]);
}

#[test]
fn a_server_of_a_three_node_container_cluster_loads() {
    let text = r#"{
"datacenter": "dc1", "log_level": "INFO", "node_name": "consul_server1",
"server": true, "bootstrap_expect": 3, "bind_addr": "0.0.0.0", "client_addr": "0.0.0.0", "ui": true,
"ports": { "dns": 8600, "http": 8500, "https": -1, "server": 8300, "serf_lan": 8301, "serf_wan": 8302, "rpc": 8400 },
"rejoin_after_leave": true,
"retry_join": [ "172.20.0.2", "172.20.0.3", "172.20.0.4" ],
"retry_interval": "30s", "reconnect_timeout": "72h"
}"#;
    let loaded = load_ok(&[], &[("server1.json", text)]);
    assert_eq!(loaded.config.bootstrap.expect, 3);
    assert_eq!(loaded.config.join.lan.retry.len(), 3);
    assert_eq!(loaded.config.ports.https, None);
    assert_eq!(
        messages(&loaded),
        [
            "The 'ports.rpc' field is no longer used and will be ignored. There is no command-line RPC listener any \
             more; clients use the HTTP port ('ports.http').",
            "The 'ui' field is deprecated. Use the 'ui_config.enabled' field instead.",
            "Node name \"consul_server1\" will not be discoverable via DNS due to invalid characters. Valid \
             characters include all alpha-numerics and dashes.",
            "bootstrap_expect > 0: expecting 3 servers",
        ]
    );
}
