//! Addresses that are worked out on the machine.

use crate::{host, interface, load_err, load_ok};
use consul_config::{Interface, expand_addresses};

fn machine() -> Vec<Interface> {
    vec![
        interface("lo", "127.0.0.1", 8),
        interface("lo", "::1", 128),
        interface("eth1", "192.168.5.6", 16),
        interface("eth0", "10.1.2.3", 24),
        interface("eth0", "fe80::1", 64),
        interface("eth0", "fd00::5", 64),
        interface("wan0", "8.1.2.3", 20),
    ]
}

fn expand(text: &str) -> String {
    expand_addresses(text, &machine()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn sources_give_addresses() {
    for (text, expected) in [
        ("10.0.0.1", "10.0.0.1"),
        ("{{ GetPrivateIP }}", "10.1.2.3"),
        ("{{GetPrivateIPs}}", "10.1.2.3 fd00::5 192.168.5.6"),
        ("{{ GetPublicIP }}", "8.1.2.3"),
        ("{{ GetInterfaceIP \"eth1\" }}", "192.168.5.6"),
        ("{{ GetInterfaceIP `eth0` }}", "10.1.2.3"),
        ("{{ GetInterfaceIP \"lo\" }}", ""),
        ("{{ GetInterfaceIPs \"lo\" }}", "127.0.0.1 ::1"),
        ("{{ (GetPrivateIP) }}", "10.1.2.3"),
        ("127.0.0.1 {{ GetPrivateIP }}", "127.0.0.1 10.1.2.3"),
    ] {
        assert_eq!(expand(text), expected, "{text}");
    }
}

#[test]
fn pipes_choose_order_and_print() {
    for (pipe, expected) in [
        (r#"include "network" "192.168.0.0/16" | attr "address""#, "192.168.5.6"),
        (
            r#"include "name" "^eth" | include "type" "ipv4" | sort "name" | join "address" ",""#,
            "10.1.2.3,192.168.5.6",
        ),
        (r#"exclude "name" "lo|eth0" | join "name" " ""#, "eth1 wan0"),
        (r#"include "rfc" "1918" | sort "-address" | limit 1 | attr "address""#, "192.168.5.6"),
        (r#"include "flags" "loopback" | attr "address""#, "127.0.0.1"),
        (r#"include "flags" "forwardable" | include "type" "ipv6" | attr "address""#, "fd00::5"),
        (r#"include "flags" "loopback|up" | join "address" " ""#, "127.0.0.1 ::1"),
        (
            r#"include "flags" "loopback|forwardable" | include "type" "ipv6" | join "address" " ""#,
            "::1 fd00::5",
        ),
        (r#"include "rfc" "4193|1918" | limit 2 | join "address" " ""#, "fd00::5 192.168.5.6"),
        (r#"include "network" "8.0.0.0/8|8.1.0.0/16" | join "address" " ""#, "8.1.2.3"),
        (r#"include "type" "ipv4" | sort "size" | join "mask_bits" " ""#, "8 16 20 24"),
        (r#"include "address" "^10[.]" | math "network" "-1" | attr "address""#, "10.1.2.255"),
        (r#"sort "default,type" | offset 1 | unique "name" | attr "string""#, "fe80::1/64"),
        (r#"include "size" "/20" | attr "network""#, "8.1.0.0"),
        (r#"include "address" "^10\." | math "address" "+5" | attr "address""#, "10.1.2.8"),
        (r#"include "address" "^10[.]" | math "network" "+1" | attr "address""#, "10.1.2.1"),
        (r#"include "address" "^10[.]" | math "mask" "/8" | attr "string""#, "10.0.0.0/8"),
        (r#"include "address" "^10[.]" | attr "broadcast""#, "10.1.2.255"),
        (r#"include "address" "^10[.]" | attr "hex""#, "0a010203"),
        (r#"include "address" "^10[.]" | attr "uint32""#, "167838211"),
        (r#"include "name" "nothing" | attr "address""#, ""),
    ] {
        assert_eq!(expand(&format!("{{{{ GetAllInterfaces | {pipe} }}}}")), expected, "{pipe}");
    }
}

#[test]
fn what_is_no_template_is_refused() {
    for text in [
        "{{ foo",
        "{{ foo }}",
        "{{ }}",
        "{{ GetAllInterfaces }}",
        "{{ GetAllInterfaces | attr \"nope\" }}",
        "{{ GetAllInterfaces | include \"name\" \"(\" | attr \"name\" }}",
        "{{ GetAllInterfaces | include \"rfc\" \"1\" | attr \"name\" }}",
        "{{ GetPrivateIP | attr \"name\" }}",
        "{{ GetAllInterfaces | include \"flags\" \"shiny\" | attr \"name\" }}",
        "{{ GetInterfaceIP }}",
        "{{ GetAllInterfaces | limit x | attr \"name\" }}",
        "{{ GetAllInterfaces | math \"address\" \"5\" | attr \"name\" }}",
        "{{ \"open }}",
    ] {
        assert!(expand_addresses(text, &machine()).is_err(), "{text}");
    }
    let error = load_err(&["-client={{ foo"], &[]);
    assert!(error.contains("client_addr: error parsing \"{{ foo\": unable to parse template"), "{error}");
}

#[test]
fn templates_work_where_addresses_are_configured() {
    assert_eq!(host().interfaces.len(), 1);
    let args = [
        "-bind={{ GetPrivateIP }}",
        "-retry-join={{ GetInterfaceIPs \"eth0\" }}",
        "-retry-join=provider=x a=b",
    ];
    let config = load_ok(&args, &[]).config;
    assert_eq!(config.network.bind_addr.to_string(), "10.1.2.3");
    assert_eq!(config.join.lan.retry, ["10.1.2.3", "provider=x a=b"]);
}

#[test]
fn an_empty_result_is_an_error_or_a_notice() {
    assert!(load_err(&["-bind={{ GetPublicIP }}"], &[]).contains("bind_addr cannot be empty"));
    let loaded = load_ok(&["-client={{ GetPublicIP }}"], &[]);
    assert!(loaded.config.network.http.is_empty());
    assert!(loaded.warnings[0].message.starts_with("client_addr is empty"), "{:?}", loaded.warnings);
}
