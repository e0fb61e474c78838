//! What is refused, and in which words.

use crate::{load_err, load_ok, sources};
use consul_config::load;

#[test]
fn json_syntax_errors_say_what_and_where() {
    for (text, expected) in [
        ("{ \"a\": ", "unexpected end of JSON input (line 1, column 8)"),
        ("{broken", "invalid character 'b' looking for beginning of object key string (line 1, column 2)"),
        ("{\"a\": \"x\n}", r"invalid character '\n' in string literal (line 1, column 9)"),
        (
            "[]",
            "json: cannot unmarshal array into Go value of type map[string]interface {} (line 1, column 1)",
        ),
        ("{} {}", "invalid character '{' after top-level value (line 1, column 4)"),
        ("\u{feff}{}", "invalid character '\u{feff}' looking for beginning of value (line 1, column 1)"),
        ("{\"a\": tru}", "invalid character '}' in literal true (expecting 'e') (line 1, column 10)"),
        ("{\"a\": 01}", "invalid character '1' after object key:value pair (line 1, column 8)"),
    ] {
        assert_eq!(
            load_err(&[], &[("f.json", text)]),
            format!("failed to parse f.json: {expected}"),
            "{text}"
        );
    }
}

#[test]
fn hcl_syntax_errors_say_what_and_where() {
    for (text, expected) in [
        ("server = yes", "At 1:10: Unknown token: 1:10 IDENT yes"),
        ("foo", "At 1:4: key 'foo' expected start of object ('{') or assignment ('=')"),
        ("ports { dns = 2", "At 1:16: object expected closing RBRACE got: EOF"),
        ("}", "At 1:1: expected: IDENT | STRING | ASSIGN | LBRACE got: RBRACE"),
        ("a = [1", "At 1:7: error parsing list, expected comma or list end, got: EOF"),
        ("a = [\"b\" \"c\"]", "At 1:10: error parsing list, expected comma or list end, got: STRING"),
        ("a \"b\" = 1", "At 1:7: nested object expected: LBRACE got: ASSIGN"),
        ("a = \"x\n\"", "At 1:7: literal not terminated"),
        ("\n\na = /* x", "At 3:5: comment not terminated"),
    ] {
        assert_eq!(load_err(&[], &[("f.hcl", text)]), format!("failed to parse f.hcl: {expected}"), "{text}");
    }
}

#[test]
fn unknown_keys_are_listed_with_their_path_and_place() {
    let text =
        "{\n \"nope\": 1,\n \"dns_config\": {\"zz\": 1},\n \"services\": [{\"name\": \"a\", \"foo\": 1}]\n}";
    assert_eq!(
        load_err(&[], &[("f.json", text)]),
        "failed to parse f.json: 3 errors occurred:\n\
         \t* invalid config key nope (at f.json:2:2)\n\
         \t* invalid config key dns_config.zz (at f.json:3:17)\n\
         \t* invalid config key services[0].foo (at f.json:4:29)\n"
    );
}

#[test]
fn wrong_types_are_listed_in_go_terms() {
    let json = |text| load_err(&[], &[("f.json", text)]);
    let decoding = |list: &str| format!("failed to parse f.json: 1 error(s) decoding:\n\n* {list}");
    for (text, expected) in [
        (
            r#"{"ports":{"http":"many"}}"#,
            "'ports.http' expected type 'int', got unconvertible type 'string' (at f.json:1:18)",
        ),
        (
            r#"{"data_dir":5}"#,
            "'data_dir' expected type 'string', got unconvertible type 'float64' (at f.json:1:13)",
        ),
        (
            r#"{"retry_join":"x"}"#,
            "'retry_join': source data must be an array or slice, got string (at f.json:1:15)",
        ),
        (r#"{"ports":5}"#, "'ports' expected a map, got 'float64' (at f.json:1:10)"),
        (
            r#"{"node_meta":{"a":1}}"#,
            "'node_meta[a]' expected type 'string', got unconvertible type 'float64' (at f.json:1:19)",
        ),
    ] {
        assert_eq!(json(text), decoding(expected));
    }
    let hcl = load_err(&[], &[("f.hcl", "service { name = \"a\" }\nservice { name = \"b\" }")]);
    assert!(hcl.contains("* 'service' expected a map, got 'slice'"), "{hcl}");
}

#[test]
fn bad_values_are_all_reported_at_once() {
    let text = "retry_interval = \"foo\"\nports { http = 99999 }\nclient_addr = \"foo\"";
    assert_eq!(
        load_err(&[], &[("f.hcl", text)]),
        "3 errors occurred:\n\
         \t* ports.http: invalid port: 99999 (at f.hcl:2:16)\n\
         \t* client_addr: invalid ip address: foo (at f.hcl:3:15)\n\
         \t* retry_interval: invalid duration: \"foo\": time: invalid duration \"foo\" (at f.hcl:1:18)\n"
    );
}

#[test]
fn rules_between_keys_are_enforced() {
    for (args, text, expected) in [
        (["-bootstrap"].as_slice(), "", "'bootstrap = true' requires 'server = true'"),
        (&["-bootstrap-expect=3"], "", "'bootstrap_expect > 0' requires 'server = true'"),
        (
            &["-server", "-bootstrap", "-bootstrap-expect=3"],
            "",
            "'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive",
        ),
        (&["-dev", "-bootstrap-expect=1"], "", "'bootstrap_expect > 0' not allowed in dev mode"),
        (&["-datacenter=d.c"], "", "datacenter cannot be \"d.c\". Please use only [a-z0-9-_]"),
        (&["-alt-domain=node.x"], "", "alt_domain cannot start with {service,connect,node,query,addr,dc1}"),
        (&["-segment=x"], "", "Network segments are not supported in this version of Consul"),
        (&["-http-port=8600"], "", "HTTP address 127.0.0.1:8600 already configured for DNS"),
        (
            &["-ui-content-path=/a b/"],
            "",
            "ui-content-path can only contain alphanumeric, -, _, or /. received: /a b/",
        ),
        (
            &[],
            "auto_encrypt { allow_tls = true }",
            "auto_encrypt.allow_tls can only be used on a server. (at f.hcl:1:14)",
        ),
        (
            &["-server"],
            "advertise_reconnect_timeout = \"1h\"",
            "advertise_reconnect_timeout can only be used on a client (at f.hcl:1:31)",
        ),
    ] {
        assert_eq!(load_err(args, &[("f.hcl", text)]), expected, "{args:?} {text}");
    }
}

#[test]
fn values_with_a_text_of_their_own_keep_it() {
    for (text, expected) in [
        ("bootstrap_expect = -1", "bootstrap_expect cannot be -1. Must be greater than or equal to zero"),
        (
            "performance { raft_multiplier = 11 }",
            "performance.raft_multiplier cannot be 11. Must be between 1 and 10",
        ),
        (
            "dns_config { udp_answer_limit = -1 }",
            "dns_config.udp_answer_limit cannot be -1. Must be greater than or equal to zero",
        ),
        ("advertise_addr = \"0.0.0.0\"", "Advertise address cannot be 0.0.0.0, :: or [::]"),
        ("bind_addr = \"my-host\"", "bind_addr cannot be empty"),
        (
            "bind_addr = \"1.1.1.1 2.2.2.2\"",
            "bind_addr cannot contain multiple addresses. Use 'addresses.{dns,http,https}' instead.",
        ),
        ("addresses { dns = \"unix:///x\" }", "DNS address cannot be a unix socket"),
        ("encrypt = \"!!\"", "encrypt has invalid key: illegal base64 data at input byte 0"),
        ("protocol = 9", "Protocol version '9' too high. Must be in range: [2, 3]"),
        (
            "node_id = \"x\"",
            "failed to setup node ID: specified NodeID is invalid: uuid string is wrong length",
        ),
        (
            "node_meta { consul-foo = \"bar\" }",
            "node_meta invalid: Couldn't load metadata pair ('consul-foo', 'bar'): Key prefix 'consul-' is reserved for internal use",
        ),
        (
            "serf_lan_allowed_cidrs = [\"foo\"]",
            "1 error occurred:\n\t* serf_lan_allowed_cidrs: invalid cidr: foo",
        ),
        (
            "http_config { allow_write_http_from = [\"foo\"] }",
            "1 error occurred:\n\t* allow_write_http_from: invalid cidr: foo",
        ),
        (
            "check_output_max_size = 0",
            "check_output_max_size must be positive, to discard check output use the discard_check_output flag",
        ),
        ("acl { default_policy = \"foo\" }", "Unsupported default ACL policy: foo"),
        ("tls { grpc { verify_outgoing = true } }", "verify_outgoing is not valid in the tls.grpc stanza"),
        (
            "tls_cipher_suites = \"foo\"",
            "1 error occurred:\n\t* tls_cipher_suites: invalid tls cipher suites: unsupported cipher \"foo\"",
        ),
        ("cache { entry_fetch_rate = 0 }", "cache.entry_fetch_rate must be strictly positive, was: 0"),
        (
            "limits { http_max_conns_per_client = 100000000 }",
            "system allows a max of 20000 file descriptors, but limits.http_max_conns_per_client: 100000000 needs at \
             least 100000020",
        ),
        ("recursors = [\"0.0.0.0\"]", "DNS recursor address cannot be 0.0.0.0, :: or [::]"),
        (
            "ports { sidecar_min_port = 5 sidecar_max_port = 4 }",
            "sidecar_min_port must be less than sidecar_max_port. To disable, set both to zero.",
        ),
    ] {
        let error = load_err(&[], &[("f.hcl", text)]);
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn a_problem_is_said_once() {
    let error = load_err(&[], &[("f.hcl", "advertise_addr_ipv4 = \"::1\"")]);
    assert_eq!(error, "advertise_addr_ipv4 must be an ipv4 address (at f.hcl:1:23)");
}

#[test]
fn an_agent_needs_a_data_dir() {
    assert_eq!(
        load(&sources(&[], &[])).map(|_| ()).expect_err("refused").to_string(),
        "data_dir cannot be empty"
    );
}

#[test]
fn several_private_addresses_need_a_choice() {
    let mut sources = sources(&["-data-dir=/x"], &[]);
    sources.host.interfaces.push(crate::interface("eth1", "192.168.0.9", 24));
    let error = load(&sources).map(|_| ()).expect_err("ambiguous").to_string();
    assert!(error.contains(
        "Multiple private IPv4 addresses found. Please configure one with 'bind' and/or 'advertise'."
    ));
    sources.host.interfaces.clear();
    let error = load(&sources).map(|_| ()).expect_err("none").to_string();
    assert!(error.contains("No private IPv4 address found"), "{error}");
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let text = r#"acl { tokens { default = "s3cret" } } encrypt = "7mASsjRU1X0ORmQyymo9Hw==""#;
    let shown = format!("{:?}", load_ok(&[], &[("f.hcl", text)]));
    assert!(!shown.contains("s3cret") && !shown.contains("7mAS"), "{shown}");
}
