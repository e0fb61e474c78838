//! Hostile and damaged input: it may be refused, it may not break anything.

use crate::{sources, try_load};
use consul_config::{AgentFlags, expand_addresses, load};
use proptest::prelude::*;

const HCL: &str = r#"
node_name = "a" # comment
ports { http = 8500, dns = -1 } /* block */
services = [ { name = "web" tags = ["a", "b"] check { args = ["sh", "-c", "true"] interval = "10s" } }, ]
check "x" { ttl = "5s" }
text = <<-EOF
    a ${b "c"} d
    EOF
node_meta "k" = 0x1f
recursors = [ "1.1.1.1", "{{ GetPrivateIP }}" ]
"#;

const JSON: &str = r#"{ "node_name": "a\u00e9\ud83d\ude00", // comment
  "ports": {"http": 8500, "dns": -1.5e0},
  "services": [ {"name": "web", "tags": ["a", "b"], "check": {"script": "x", "interval": "10s", "ttl": "1s"}}, ],
  "watches": [ {"type": "key", "key": null, "handler": "x"} ], "advertise_addrs": {"rpc": "1.1.1.1:1"},
  "retry_join_ec2": {"region": "x"} }"#;

/// A text with some pieces cut out, doubled or replaced.
fn damaged(text: &'static str) -> impl Strategy<Value = String> {
    let edit = (
        0..text.len(),
        0..12_usize,
        prop_oneof![Just(String::new()), "[\\[\\]{}\",:=\\n\\\\<>#/*a0é-]{0,4}"],
    );
    prop::collection::vec(edit, 1..6).prop_map(move |edits| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, len, insert) in edits {
            let at = at.min(chars.len());
            let end = (at + len).min(chars.len());
            chars.splice(at..end, insert.chars());
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn garbage_is_refused_or_read(text in ".{0,200}") {
        let _ = try_load(&[], &[("f.json", &text)]).map_err(|error| error.to_string());
        let _ = try_load(&[], &[("f.hcl", &text)]).map_err(|error| error.to_string());
    }

    #[test]
    fn damaged_json_is_refused_or_read(text in damaged(JSON)) {
        let _ = try_load(&[], &[("f.json", &text)]).map_err(|error| error.to_string());
    }

    #[test]
    fn damaged_hcl_is_refused_or_read(text in damaged(HCL)) {
        let _ = try_load(&[], &[("f.hcl", &text)]).map_err(|error| error.to_string());
    }

    #[test]
    fn any_command_line_is_refused_or_read(args in prop::collection::vec("-{0,2}[a-z=-]{0,12}", 0..5)) {
        let _ = AgentFlags::parse(args);
    }

    #[test]
    fn any_template_is_refused_or_expanded(text in "(\\{\\{)?[ a-zA-Z\"|`0-9+/.]{0,40}(\\}\\})?") {
        let _ = expand_addresses(&text, &crate::host().interfaces);
    }

    #[test]
    fn a_string_survives_json(name in "[a-zA-Z0-9 \\\\\"\u{1f600}é\n\t]{1,20}") {
        let text = serde_json::json!({ "datacenter": "d", "pid_file": name }).to_string();
        let loaded = load(&sources(&["-dev"], &[("f.json", &text)]));
        let config = loaded.expect("valid JSON").config;
        prop_assert_eq!(config.process.pid_file, Some(std::path::PathBuf::from(name)));
    }
}

#[test]
fn deep_nesting_is_refused_before_the_stack_is_gone() {
    for (name, text) in [
        ("f.json", format!("{{\"a\":{}", "[".repeat(100_000))),
        ("f.json", "{\"a\":".repeat(100_000)),
        ("f.hcl", format!("a = {}", "[".repeat(100_000))),
        ("f.hcl", "a {".repeat(100_000)),
        ("f.hcl", format!("{} {{}}", "a ".repeat(100_000))),
    ] {
        assert!(try_load(&[], &[(name, &text)]).is_err());
    }
}

#[test]
fn long_input_of_every_awkward_kind_ends() {
    let many = |piece: &str| piece.repeat(50_000);
    for (name, text) in [
        ("f.json", format!("{{\"a\": \"{}", many("\n"))),
        ("f.json", format!("{{\"recursors\": [{}\"1.1.1.1\"]}}", many("\"x\n\","))),
        ("f.json", many("/*")),
        ("f.hcl", format!("a = \"{}", many("${"))),
        ("f.hcl", format!("a = <<X\n{}", many("Y\n"))),
        ("f.hcl", many("services {}\n")),
        ("f.hcl", many("nope = 1\n")),
    ] {
        let _ = try_load(&[], &[(name, &text)]).map_err(|error| error.to_string());
    }
}
