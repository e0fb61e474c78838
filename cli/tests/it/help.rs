use crate::program::run;

/// The commands that every release has, and those that came later and are provided.
const COMMANDS: &[&str] = &[
    "acl",
    "agent",
    "catalog",
    "completion",
    "config",
    "configtest",
    "connect",
    "debug",
    "event",
    "exec",
    "force-leave",
    "info",
    "intention",
    "join",
    "keygen",
    "keyring",
    "kv",
    "leave",
    "lock",
    "login",
    "logout",
    "maint",
    "members",
    "monitor",
    "operator",
    "reload",
    "rtt",
    "services",
    "snapshot",
    "tls",
    "troubleshoot",
    "validate",
    "version",
    "watch",
];

#[test]
fn without_a_command_the_list_goes_to_stderr() {
    let shown = run(&[]);
    assert_eq!(shown.code, 127);
    assert!(shown.out.is_empty());
    assert!(
        shown.err.starts_with(
            "Usage: consul [--version] [--help] <command> [<args>]\n\nAvailable commands are:\n"
        )
    );
    for name in COMMANDS {
        assert!(shown.err.contains(&format!("\n    {name} ")), "{name} is not listed");
    }
}

#[test]
fn asked_for_help_goes_to_stdout() {
    for args in [&["-h"][..], &["--help"], &["-help"]] {
        let shown = run(args);
        assert_eq!((shown.code, shown.err.as_str()), (0, ""));
        assert!(shown.out.contains("Available commands are:"));
    }
}

#[test]
fn unknown_commands_are_127_whatever_follows() {
    for args in [&["bogus"][..], &["help"], &["bogus", "-h"], &["--", "members"]] {
        let shown = run(args);
        assert_eq!((shown.code, shown.out.as_str()), (127, ""), "{args:?}");
        assert!(shown.err.contains("Available commands are:"));
    }
}

#[test]
fn a_group_without_a_leaf_explains_itself() {
    for args in [&["kv"][..], &["kv", "bogus", "x"], &["operator", "raft", "-list-peers"]] {
        let shown = run(args);
        assert_eq!((shown.code, shown.out.as_str()), (1, ""), "{args:?}");
        assert!(shown.err.contains("Subcommands:"));
    }
    let shown = run(&["kv", "-h"]);
    assert_eq!((shown.code, shown.err.as_str()), (0, ""));
    assert!(shown.out.starts_with("Usage: consul kv <subcommand> [options] [args]\n"));
}

#[test]
fn every_command_has_help() {
    for name in COMMANDS {
        let shown = run(&[name, "-h"]);
        assert_eq!((shown.code, shown.err.as_str()), (0, ""), "{name}");
        assert!(shown.out.starts_with(&format!("Usage: consul {name}")), "{name}: {}", shown.out);
    }
}

#[test]
fn help_is_found_after_positionals_but_not_after_two_dashes() {
    for args in [&["kv", "get", "a", "-h"][..], &["exec", "ls", "--help"]] {
        let shown = run(args);
        assert_eq!(shown.code, 0, "{args:?}");
        assert!(shown.out.starts_with("Usage: consul "));
    }
    let shown = run(&["kv", "get", "--", "-h"]);
    assert_eq!(shown.code, 1);
    assert!(shown.err.contains("connection refused"), "{}", shown.err);
}

#[test]
fn leaf_help_lists_common_and_own_flags() {
    let shown = run(&["kv", "get", "-h"]).out;
    let http = shown.find("HTTP API Options").unwrap();
    let own = shown.find("Command Options").unwrap();
    assert!(
        http < shown.find("  -http-addr=<address>").unwrap()
            && own < shown.find("  -separator=<string>").unwrap()
    );
    assert!(shown.contains("\n  -recurse\n     "));
    assert!(!run(&["keygen", "-h"]).out.contains("HTTP API Options"));
}

#[test]
fn the_version_is_printed_as_tools_expect() {
    for args in [&["version"][..], &["-v"], &["-version"], &["--version"], &["version", "extra"]] {
        let shown = run(args);
        assert_eq!((shown.code, shown.err.as_str()), (0, ""));
        assert!(shown.out.starts_with("Consul v1.22.0+rs."), "{}", shown.out);
        assert!(shown.out.ends_with(")\n\n"));
    }
    let json: serde_json::Value = serde_json::from_str(&run(&["version", "-format=json"]).out).unwrap();
    assert_eq!(json["Version"], "1.22.0");
    assert_eq!(json["RPC"]["Max"], 3);
    let shown = run(&["version", "-format=xml"]);
    assert_eq!((shown.code, shown.err.as_str()), (1, "Unknown format: xml\n"));
}
