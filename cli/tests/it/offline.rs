use std::process::Stdio;

use crate::program::{Lab, run};

#[track_caller]
fn refused(args: &[&str], code: i32, first_line: &str) {
    let shown = run(args);
    assert_eq!(shown.err.lines().next(), Some(first_line), "{args:?}");
    assert_eq!((shown.code, shown.out.as_str()), (code, ""), "{args:?}");
}

#[test]
fn flags_that_cannot_be_read_are_named() {
    refused(&["kv", "get", "--bogus"], 1, "flag provided but not defined: -bogus");
    refused(&["members", "-status"], 1, "flag needs an argument: -status");
    refused(&["kv", "get", "-v"], 1, "flag provided but not defined: -v");
    refused(&["kv", "put", "-flags=x", "k"], 1, "invalid value \"x\" for flag -flags: parse error");
    refused(&["intention", "check", "-bogus"], 2, "flag provided but not defined: -bogus");
    let shown = run(&["tls", "ca", "create", "-bogus"]);
    assert!(shown.err.ends_with("\nFailed to parse args: flag provided but not defined: -bogus\n"));
}

#[test]
fn arguments_are_checked_before_anything_is_sent() {
    refused(&["kv", "get"], 1, "Error! Missing KEY argument");
    refused(&["kv", "get", "a", "b"], 1, "Too many arguments (expected 1, got 2)");
    refused(&["kv", "put", "k", "v", "-flags=9"], 1, "Error! Too many arguments (expected 1 or 2, got 3)");
    refused(&["kv", "put", "-cas", "k"], 1, "Must specify -modify-index with -cas!");
    refused(
        &["kv", "put", "-acquire", "k"],
        1,
        "Error! Missing -session (required with -acquire and -release)",
    );
    refused(
        &["kv", "put", "k", "@nope"],
        1,
        "Error! Failed to read file: open nope: no such file or directory",
    );
    refused(
        &["kv", "put", "-base64", "k", "%%%"],
        1,
        "Error! Cannot base 64 decode data: illegal base64 data at input byte 0",
    );
    refused(
        &["kv", "put", "/lead", "x"],
        1,
        "Error! Failed writing data: Invalid key. Key must not begin with a '/': /lead",
    );
    refused(&["kv", "delete", "-cas", "-recurse", "k"], 1, "Cannot specify both -cas and -recurse!");
    refused(&["kv", "import", ""], 1, "Error! Empty DATA argument");
    refused(&["join"], 1, "At least one address to join must be specified.");
    refused(&["force-leave"], 1, "A single node name must be specified to force leave.");
    refused(&["maint", "-enable", "-disable"], 1, "Only one of -enable or -disable may be provided");
    refused(&["event"], 1, "Event name must be specified");
    refused(&["event", "-name=x", "-tag=y"], 1, "Cannot provide tag filter without service filter.");
    refused(&["exec"], 1, "Must specify a command to execute");
    refused(&["watch"], 1, "Watch type must be specified");
    refused(&["watch", "-type=bogus"], 1, "Unsupported watch type: bogus");
    refused(&["watch", "-type=key", "-key=a", "-prefix=b"], 1, "Invalid parameters: [prefix]");
    refused(&["keyring", "-list", "-use=x"], 1, "Only a single action is allowed");
    refused(
        &["rtt", "-wan", "a", "b"],
        1,
        "Node names must be specified as <node name>.<datacenter> with -wan",
    );
    refused(&["acl", "policy", "create"], 1, "Missing require '-name' flag");
    refused(&["acl", "token", "list", "-format=xml"], 1, "Unknown format: xml");
    refused(&["intention", "check", "a"], 2, "Error: command requires exactly two arguments: src and dst");
    refused(&["login", "-method=m"], 1, "Missing required '-token-sink-file' flag");
    refused(&["services", "register"], 1, "Service registration requires at least one argument or flags.");
    refused(&["snapshot", "save"], 1, "Missing FILE argument");
    refused(&["lock", "p"], 1, "Key prefix and child command must be specified");
    refused(&["lock", "-n=0", "p", "x"], 1, "Lock holder limit must be positive");
    refused(&["lock", "-timeout=-1s", "p", "x"], 1, "Timeout must be positive");
    refused(&["debug", "x"], 1, "==> debug: Too many arguments provided, expected 0");
}

#[test]
fn an_agent_that_is_not_there_is_reported_with_the_request() {
    refused(
        &["kv", "get", "-stale", "a b"],
        1,
        "Error querying Consul agent: Get \"http://127.0.0.1:1/v1/kv/a%20b?stale=\": dial tcp 127.0.0.1:1: connect: \
         connection refused",
    );
    refused(
        &["kv", "put", "-flags=3", "k", "v"],
        1,
        "Error! Failed writing data: Put \"http://127.0.0.1:1/v1/kv/k?flags=3\": dial tcp 127.0.0.1:1: connect: \
         connection refused",
    );
}

#[test]
fn client_settings_are_checked_first() {
    let connecting = "Error connecting to Consul agent:";
    refused(
        &["members", "-token-file=nope"],
        1,
        &format!("{connecting} Error loading token file: open nope: no such file or directory"),
    );
    refused(&["members", "-http-addr=tcp://a:1"], 1, &format!("{connecting} Unknown protocol scheme: tcp"));
    refused(
        &["members", "-client-cert=x"],
        1,
        &format!("{connecting} both client cert and client key must be provided"),
    );
    refused(
        &["operator", "raft", "list-peers", "-ca-file=nope"],
        1,
        "Error initializing client: Error loading CA File: open nope: no such file or directory",
    );
}

#[test]
fn keys_are_random_and_32_bytes_long() {
    let (one, two) = (run(&["keygen"]).out, run(&["keygen", "ignored"]).out);
    assert_eq!(one.len(), 45);
    assert!(one.ends_with("=\n"));
    assert_ne!(one, two);
}

#[test]
fn good_configuration_is_told_from_bad() {
    let lab = Lab::new();
    let good = lab.write("good.json", r#"{"data_dir": "/tmp/x", "bind_addr": "127.0.0.1"}"#);
    let shown = lab.run(&["validate", &good]);
    assert_eq!((shown.code, shown.out.as_str()), (0, "Configuration is valid!\n"), "{}", shown.err);
    let shown = lab.run(&["validate", "-quiet", &good]);
    assert_eq!((shown.code, shown.out.as_str()), (0, ""));
    let shown = lab.run(&["configtest", "-config-file", &good]);
    assert_eq!((shown.code, shown.out.as_str(), shown.err.as_str()), (0, "", ""));

    let bad = lab.write("bad.json", r#"{"no_such_key": 1}"#);
    for args in [&["validate", &bad][..], &["configtest", "-config-file", &bad], &["validate", "/no/such"]] {
        let shown = lab.run(args);
        assert_eq!((shown.code, shown.out.as_str()), (1, ""), "{args:?}");
        assert!(shown.err.starts_with("Config validation failed: "), "{}", shown.err);
    }
    refused(&["validate"], 1, "Must specify at least one config file or directory");
    refused(&["configtest"], 1, "Must specify config using -config-file or -config-dir");
}

#[test]
fn what_is_no_snapshot_is_refused() {
    let lab = Lab::new();
    let file = lab.write("x.snap", "nonsense");
    let shown = lab.run(&["snapshot", "inspect", &file]);
    assert_eq!(shown.code, 1);
    assert!(
        shown.err.starts_with("Error verifying snapshot: failed to decompress snapshot: "),
        "{}",
        shown.err
    );
    refused(
        &["snapshot", "inspect", "nope"],
        1,
        "Error opening snapshot file: open nope: no such file or directory",
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let lab = Lab::new();
    let mut child = lab.command(&["-h"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}
