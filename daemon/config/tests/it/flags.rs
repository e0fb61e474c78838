//! The command line.

use crate::{load_ok, messages};
use consul_config::{AgentFlags, usage};

fn refused(args: &[&str]) -> String {
    AgentFlags::parse(args.iter().copied()).expect_err("must be refused").to_string()
}

#[test]
fn one_dash_or_two_attached_or_not_are_the_same() {
    for args in [["-node", "n"].as_slice(), &["--node", "n"], &["-node=n"], &["--node=n"]] {
        assert_eq!(load_ok(args, &[]).config.node.name, "n", "{args:?}");
    }
}

#[test]
fn a_switch_takes_a_value_only_with_an_equals_sign() {
    assert!(load_ok(&["-server"], &[]).config.server);
    assert!(!load_ok(&["-server=false"], &[("a.hcl", "server = true")]).config.server);
    assert_eq!(refused(&["-server", "false"]), "Unexpected extra arguments: [false]");
    assert_eq!(refused(&["-server=maybe"]), "invalid boolean value \"maybe\" for -server: parse error");
}

#[test]
fn errors_name_the_flag() {
    assert_eq!(refused(&["-no-such-flag"]), "flag provided but not defined: -no-such-flag");
    assert_eq!(refused(&["-node"]), "flag needs an argument: -node");
    assert_eq!(
        refused(&["-http-port", "abc"]),
        "invalid value \"abc\" for flag -http-port: strconv.Atoi: parsing \"abc\": invalid syntax"
    );
    assert_eq!(
        refused(&["-retry-interval=10"]),
        "invalid value \"10\" for flag -retry-interval: time: missing unit in duration \"10\""
    );
    assert_eq!(refused(&["---x"]), "bad flag syntax: ---x");
    assert_eq!(
        refused(&["-server", "advertise", "1.2.3.4", "-data-dir=/tmp/x"]),
        "Unexpected extra arguments: [advertise 1.2.3.4 -data-dir=/tmp/x]"
    );
    assert_eq!(refused(&["-dev", "-h"]), "flag: help requested");
}

#[test]
fn an_equals_sign_between_spaces_is_understood_with_a_notice() {
    let loaded = load_ok(&["-client", "=", "0.0.0.0"], &[]);
    assert_eq!(loaded.config.network.http[0].to_string(), "0.0.0.0:8500");
    assert_eq!(messages(&loaded), ["Write -client=VALUE without spaces around the equals sign."]);
}

#[test]
fn old_flags_are_taken() {
    let loaded = load_ok(&["-dc", "east", "-atlas", "me/infra", "-atlas-join", "-rpc-port", "8400"], &[]);
    assert_eq!(loaded.config.node.datacenter, "east");
    assert_eq!(loaded.warnings.len(), 3);
    let flags = AgentFlags::parse(["-configdir", "/etc/consul.d"]).expect("flags");
    assert_eq!(flags.config_paths, [std::path::PathBuf::from("/etc/consul.d")]);
}

#[test]
fn old_cloud_join_flags_become_one_entry() {
    let args = ["-retry-join-ec2-tag-key", "role", "-retry-join-ec2-tag-value", "server"];
    assert_eq!(load_ok(&args, &[]).config.join.lan.retry, ["provider=aws tag_key=role tag_value=server"]);
}

#[test]
fn flags_without_a_notice_set_the_present_keys() {
    let loaded = load_ok(&["-ui", "-ui-content-path=x", "-join=a", "-serf-wan-port=-1", "-server"], &[]);
    assert!(loaded.config.ui.enabled);
    assert_eq!(loaded.config.ui.content_path, "/x/");
    assert_eq!(loaded.config.join.lan.start, ["a"]);
    assert_eq!(loaded.config.ports.serf_wan, None);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn help_lists_every_current_flag_and_no_old_one() {
    let text = usage();
    assert!(text.starts_with("Usage: consul agent [options]\n"));
    assert!(
        text.contains(
            "\n  -retry-join=<value>\n     Agent to join; tried again until it works. Repeatable.\n"
        )
    );
    assert!(text.contains("\n  -server\n"));
    assert!(!text.contains("atlas") && !text.contains("-configdir"));
    assert!(text.lines().all(|line| line.len() <= 80));
}
