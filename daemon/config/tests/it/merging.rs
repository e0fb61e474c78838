//! Defaults, precedence and merge rules.

use crate::{load_ok, messages, sources};
use consul_config::{AgentFlags, Endpoint, ListenAddr, Sources, load};
use std::time::Duration;

fn recursors(args: &[&str], files: &[(&str, &str)]) -> Vec<String> {
    load_ok(args, files).config.dns.recursors.iter().map(|e: &Endpoint| e.host.clone()).collect()
}

#[test]
fn an_agent_without_files_is_a_client_with_the_usual_ports() {
    let config = load_ok(&[], &[]).config;
    assert!(!config.server);
    assert_eq!(config.node.name, "host-1");
    assert_eq!(config.node.datacenter, "dc1");
    assert_eq!(config.ports.http, Some(8500));
    assert_eq!(config.network.http, [ListenAddr::Tcp("127.0.0.1:8500".parse().expect("address"))]);
    assert_eq!(config.network.advertise_lan.to_string(), "10.1.2.3");
    assert_eq!(config.network.serf_bind_wan, None);
    assert_eq!(config.gossip.lan.probe_interval, Duration::from_secs(1));
    assert_eq!(config.raft.election_timeout, Duration::from_secs(5));
    assert!(config.process.leave_on_terminate && !config.process.skip_leave_on_interrupt);
}

#[test]
fn a_server_keeps_its_place_when_it_is_stopped() {
    let config = load_ok(&["-server"], &[]).config;
    assert!(!config.process.leave_on_terminate && config.process.skip_leave_on_interrupt);
    assert_eq!(config.network.serf_bind_wan.map(|a| a.port()), Some(8302));
}

#[test]
fn dev_mode_needs_no_data_dir_and_is_quick() {
    let loaded = load(&sources(&["-dev"], &[])).expect("dev mode");
    let config = loaded.config;
    assert!(config.server && config.dev_mode && config.ui.enabled && config.process.enable_debug);
    assert_eq!(config.network.bind_addr.to_string(), "127.0.0.1");
    assert_eq!(config.raft.election_timeout, Duration::from_millis(52));
    assert_eq!(config.gossip.wan.suspicion_mult, 3);
    assert_eq!(config.ports.grpc, Some(8502));
    assert_eq!(config.log.level, "DEBUG");
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn files_and_flags_may_change_what_dev_mode_presets() {
    let config = load(&sources(&["-dev", "-log-level=err"], &[("a.json", r#"{"ports":{"grpc":-1}}"#)]));
    let config = config.expect("dev mode").config;
    assert_eq!(config.ports.grpc, None);
    assert_eq!(config.log.level, "err");
}

#[test]
fn a_later_file_wins_and_a_flag_beats_both() {
    let files = [("a.hcl", r#"node_name = "a" datacenter = "x""#), ("b.json", r#"{"node_name": "b"}"#)];
    assert_eq!(load_ok(&[], &files).config.node.name, "b");
    assert_eq!(load_ok(&["-node=c"], &files).config.node.name, "c");
    assert_eq!(load_ok(&["-node=c", "-hcl", r#"node_name = "d""#], &files).config.node.name, "d");
    assert_eq!(load_ok(&["-node=c"], &files).config.node.datacenter, "x");
}

#[test]
fn lists_of_flags_come_first_and_lists_are_joined() {
    let files = [("a.json", r#"{"recursors": ["1.1.1.1"]}"#), ("b.hcl", r#"recursors = ["2.2.2.2"]"#)];
    assert_eq!(recursors(&["-recursor", "9.9.9.9"], &files), ["9.9.9.9", "1.1.1.1", "2.2.2.2"]);
    let args = ["-recursor", "9.9.9.9", "-recursor", "10.0.0.1", "-hcl", r#"recursors=["8.8.8.8"]"#];
    assert_eq!(recursors(&args, &[]), ["9.9.9.9", "10.0.0.1", "8.8.8.8"]);
}

#[test]
fn a_recursor_named_twice_is_asked_once() {
    assert_eq!(recursors(&["-recursor=1.1.1.1", "-recursor=1.1.1.1:53"], &[]), ["1.1.1.1"]);
}

#[test]
fn maps_are_united_and_blocks_merged_field_by_field() {
    let files = [
        ("a.hcl", "node_meta { a = \"1\" b = \"1\" }\nports { http = 1001 dns = 1002 }"),
        ("b.json", r#"{"node_meta": {"b": "2"}, "ports": {"dns": 1003}}"#),
    ];
    let config = load_ok(&["-node-meta", "c:x:y", "-node-meta=d"], &files).config;
    let meta: Vec<_> = config.node.meta.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(meta, ["a=1", "b=2", "c=x:y", "d="]);
    assert_eq!((config.ports.http, config.ports.dns), (Some(1001), Some(1003)));
}

#[test]
fn a_single_definition_is_appended_after_the_files_list() {
    let files = [
        ("a.json", r#"{"service": {"name": "z"}, "services": [{"name": "y"}]}"#),
        ("b.json", r#"{"service": {"name": "x"}}"#),
    ];
    let names: Vec<_> =
        load_ok(&[], &files).config.service_definitions.iter().map(|s| s.name.clone()).collect();
    assert_eq!(names, ["y", "z", "x"]);
}

#[test]
fn a_directory_is_read_in_order_of_names_and_the_rest_is_passed_over() {
    let dir = tempfile::tempdir().expect("temporary directory");
    std::fs::create_dir(dir.path().join("sub")).expect("sub-directory");
    for (name, text) in [
        ("b.json", r#"{"node_name":"b"}"#),
        ("a.hcl", r#"node_name="a""#),
        ("c.json~", "no configuration"),
        ("empty.json", ""),
        ("sub/z.json", r#"{"node_name":"z"}"#),
    ] {
        std::fs::write(dir.path().join(name), text).expect("write");
    }
    let flags = AgentFlags::parse(["-dev", "-config-dir", &dir.path().display().to_string()]).expect("flags");
    let loaded = load(&Sources::read(flags).expect("read")).expect("load");
    assert_eq!(loaded.config.node.name, "b");
    let expected = format!(
        "skipping file {}/c.json~, extension must be .hcl or .json, or config format must be set",
        dir.path().display()
    );
    assert_eq!(messages(&loaded), [expected]);
}

#[test]
fn a_forced_format_reads_files_of_any_name() {
    let dir = tempfile::tempdir().expect("temporary directory");
    std::fs::write(dir.path().join("agent.conf"), r#"node_name = "conf""#).expect("write");
    let path = dir.path().display().to_string();
    let flags = AgentFlags::parse(["-dev", "-config-format", "hcl", "-config-dir", &path]).expect("flags");
    assert_eq!(load(&Sources::read(flags).expect("read")).expect("load").config.node.name, "conf");
}

#[test]
fn a_missing_path_and_a_dangling_link_are_errors() {
    let flags = |path: &str| AgentFlags::parse(["-dev", "-config-file", path]).expect("flags");
    let error = Sources::read(flags("/no/such.json")).map(|_| ()).expect_err("missing").to_string();
    assert_eq!(error, "Open failed on /no/such.json. open /no/such.json: no such file or directory");

    let dir = tempfile::tempdir().expect("temporary directory");
    std::os::unix::fs::symlink("gone", dir.path().join("a.json")).expect("link");
    let path = dir.path().display().to_string();
    let error = Sources::read(flags(&path)).map(|_| ()).expect_err("dangling").to_string();
    assert_eq!(error, format!("lstat {path}/a.json: no such file or directory"));
}
