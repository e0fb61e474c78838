//! Keys of earlier releases.

use crate::{load_err, load_ok, messages};
use consul_config::{DefaultPolicy, TlsVersion};

#[test]
fn keys_of_the_first_access_control_system_switch_the_present_one_on() {
    let text = r#"{"acl_datacenter": "Main", "acl_default_policy": "deny", "acl_ttl": "10s", "acl_token": "a",
      "acl_master_token": "b", "acl_agent_token": "c", "acl_agent_master_token": "d", "acl_replication_token": "e",
      "acl_enforce_version_8": true}"#;
    let loaded = load_ok(&[], &[("acl.json", text)]);
    let (node, acl) = (&loaded.config.node, &loaded.config.acl);
    assert!(acl.enabled && acl.enable_token_replication);
    assert_eq!(node.primary_datacenter, "main");
    assert_eq!(acl.default_policy, DefaultPolicy::Deny);
    assert_eq!(acl.token_ttl.as_secs(), 10);
    let tokens = [
        &acl.tokens.default,
        &acl.tokens.initial_management,
        &acl.tokens.agent,
        &acl.tokens.agent_recovery,
        &acl.tokens.replication,
    ];
    assert_eq!(tokens.map(|token| token.expose()), ["a", "b", "c", "d", "e"]);
    assert_eq!(loaded.warnings.len(), 9, "{:?}", loaded.warnings);
    assert!(
        messages(&loaded)
            .contains(&"The 'acl_token' field is deprecated. Use the 'acl.tokens.default' field instead.")
    );
}

#[test]
fn the_present_name_wins_over_the_old_one_wherever_it_is_written() {
    let files = [
        ("a.json", r#"{"acl": {"tokens": {"default": "new", "agent_recovery": "kept"}}}"#),
        ("b.json", r#"{"acl_token": "old", "acl": {"tokens": {"agent_master": "old"}}}"#),
    ];
    let tokens = load_ok(&[], &files).config.acl.tokens;
    assert_eq!((tokens.default.expose(), tokens.agent_recovery.expose()), ("new", "kept"));
}

#[test]
fn old_tls_keys_reach_the_doors_they_guarded() {
    let text = r#"ca_file = "/ca" cert_file = "/cert" key_file = "/key" tls_min_version = "tls13"
      verify_incoming = true verify_server_hostname = true"#;
    let tls = load_ok(&[], &[("tls.hcl", text)]).config.tls;
    assert_eq!(tls.https.ca_file.as_deref(), Some(std::path::Path::new("/ca")));
    assert_eq!(tls.internal_rpc.min_version, TlsVersion::V1_3);
    assert!(tls.internal_rpc.verify_incoming && tls.https.verify_incoming && !tls.grpc.verify_incoming);
    assert!(tls.internal_rpc.verify_outgoing && tls.verify_server_hostname && !tls.https.verify_outgoing);
}

#[test]
fn a_specific_old_switch_adds_to_the_general_one() {
    let tls = |text| load_ok(&[], &[("tls.hcl", text)]).config.tls;
    let one = tls("verify_incoming_rpc = true");
    assert!(one.internal_rpc.verify_incoming && !one.https.verify_incoming);
    let both = tls("verify_incoming = false verify_incoming_https = true");
    assert!(!both.internal_rpc.verify_incoming && both.https.verify_incoming);
}

#[test]
fn metrics_keys_that_stood_at_the_top_are_found() {
    let text = r#"{"statsd_addr": "1.2.3.4:8125", "statsite_prefix": "mine", "dogstatsd_tags": ["a"],
      "telemetry": {"enable_deprecated_names": true}}"#;
    let loaded = load_ok(&[], &[("t.json", text)]);
    let telemetry = &loaded.config.telemetry;
    assert_eq!(telemetry.statsd_address, "1.2.3.4:8125");
    assert_eq!(telemetry.metrics_prefix, "mine");
    assert_eq!(telemetry.dogstatsd_tags, ["a"]);
    assert_eq!(loaded.warnings.len(), 4);
}

#[test]
fn addresses_with_ports_are_split() {
    let text =
        r#"advertise_addrs { serf_lan = "10.0.0.1:9301" serf_wan = "[::1]:9302" rpc = "10.0.0.1:9300" }"#;
    let config = load_ok(&["-server"], &[("a.hcl", text)]).config;
    assert_eq!(config.network.advertise_lan.to_string(), "10.0.0.1");
    assert_eq!(config.network.advertise_wan.to_string(), "::1");
    assert_eq!((config.ports.serf_lan, config.ports.serf_wan, config.ports.server), (9301, Some(9302), 9300));
    let error =
        load_err(&[], &[("a.hcl", r#"advertise_addrs { serf_lan = "1.1.1.1:1" rpc = "2.2.2.2:2" }"#)]);
    assert!(error.contains("name different hosts") && error.contains("a.hcl:1:"), "{error}");
}

#[test]
fn a_single_recursor_and_cloud_blocks_join_their_lists() {
    let text = r#"{"recursor": "9.9.9.9", "recursors": ["8.8.8.8"],
      "retry_join_ec2": {"region": "eu", "tag_key": "role", "tag_value": "a b"}, "retry_join_gce": {"project_name": ""}}"#;
    let config = load_ok(&[], &[("a.json", text)]).config;
    let hosts: Vec<_> = config.dns.recursors.iter().map(|r| r.host.as_str()).collect();
    assert_eq!(hosts, ["8.8.8.8", "9.9.9.9"]);
    let expected = ["provider=aws region=eu tag_key=role tag_value=\"a b\"", "provider=gce"];
    assert_eq!(config.join.lan.retry, expected);
}

#[test]
fn keys_without_meaning_say_what_to_use() {
    let text = r#"atlas_infrastructure = "me/x" addresses { rpc = "0.0.0.0" } reap = true peering { enabled = true }
      audit { enabled = true } non_voting_server = true segments = [ { name = "a" } ] ae_interval = "1m"
      disable_update_check = true raft_boltdb { NoFreelistSync = true }"#;
    assert_eq!(
        messages(&load_ok(&[], &[("a.hcl", text)])),
        [
            "The 'addresses.rpc' field is no longer used and will be ignored. There is no command-line RPC listener \
             any more; clients use the HTTP port ('ports.http').",
            "The 'peering' field is no longer used and will be ignored. Cluster peering is not available; federate \
             datacenters with 'retry_join_wan'.",
            "The 'raft_boltdb' field is no longer used and will be ignored. This agent keeps its Raft log in SQLite, \
             which needs no such setting.",
            "\"non_voting_server\" is a Consul Enterprise configuration and will have no effect",
            "\"segments\" is a Consul Enterprise configuration and will have no effect",
            "\"audit\" is a Consul Enterprise configuration and will have no effect",
            "The 'atlas_infrastructure' field is no longer used and will be ignored. The Atlas service no longer \
             exists; use 'retry_join' to find other agents.",
            "The 'reap' field is no longer used and will be ignored. Child processes are always reaped.",
        ]
    );
}

#[test]
fn a_key_set_in_several_files_is_reported_once() {
    let files = [("a.hcl", "ui = true"), ("b.hcl", "ui = true")];
    assert_eq!(load_ok(&[], &files).warnings.len(), 1);
}
