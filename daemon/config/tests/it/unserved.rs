//! Settings that are accepted without effect are named.

use crate::load_ok;

fn notices(args: &[&str], text: &str) -> Vec<String> {
    load_ok(args, &[("f.hcl", text)]).unserved
}

#[test]
fn what_was_asked_for_in_vain_is_named_once_for_each_subject() {
    let text = r#"server = true bootstrap = true encrypt = "pUqJrVyVRj5jsiYEkM/tFQ=="
      retry_join = ["10.0.0.1"] retry_interval = "5s" ports { grpc = 9000 server = 9001 }
      tls { defaults { ca_file = "/ca.pem" } }"#;
    assert_eq!(
        notices(&["-serf-lan-port=9002"], text),
        [
            "tls has no effect yet: none of this agent's own connections uses TLS",
            "ports.grpc has no effect yet: this agent offers no gRPC",
        ]
    );
}

#[test]
fn what_is_preset_or_switched_off_is_not_named() {
    assert_eq!(notices(&["-dev"], ""), Vec::<String>::new());
    let off = r#"ports { grpc = -1 serf_wan = -1 } connect { enabled = false } encrypt = "" retry_join = []
      ui_config { enabled = false } primary_datacenter = "dc1""#;
    assert_eq!(notices(&["-dev"], off), Vec::<String>::new());
}

#[test]
fn certificates_for_checks_are_used() {
    let text = r#"enable_agent_tls_for_checks = true tls { internal_rpc { ca_file = "/ca.pem" } }"#;
    assert_eq!(notices(&["-dev"], text), Vec::<String>::new());
}
