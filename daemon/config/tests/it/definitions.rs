//! Service and check definitions.

use crate::{load_err, load_ok, messages};

#[test]
fn hcl_definitions_on_one_line_load() {
    let text = "check { id = \"mem-util\" name = \"Memory utilization\" args = [\"sh\", \"-c\", \"echo 42\"] interval = \"1s\" }\n\
                checks = [ { id = \"chk2\", name = \"/health\", ttl = \"15s\", status = \"passing\" } ]\n\
                service {\n  name = \"hcl\"\n  port = 1\n  meta { a = \"b\" }\n  # a comment\n  enable_tag_override = true\n}\n";
    let config = load_ok(&[], &[("checks.hcl", text)]).config;
    let ids: Vec<_> = config.check_definitions.iter().map(|check| check.id.as_str()).collect();
    assert_eq!(ids, ["chk2", "mem-util"]);
    let args = config.check_definitions[1].script_args.as_ref().expect("args");
    assert_eq!(args, &["sh", "-c", "echo 42"]);
    let service = &config.service_definitions[0];
    assert_eq!((service.name.as_str(), service.port, service.enable_tag_override), ("hcl", 1, true));
    assert_eq!(service.meta.as_ref().expect("meta")["a"], "b");
}

#[test]
fn camel_case_names_and_quoted_numbers_are_understood() {
    let text = r#"{"service": {"Name": "web", "Port": "80", "EnableTagOverride": true,
      "Weights": {"Passing": 5}, "TaggedAddresses": {"lan": {"Address": "1.2.3.4", "Port": 81}},
      "Checks": {"CheckID": "a", "HTTP": "http://x/", "Interval": "10s", "DeregisterCriticalServiceAfter": "90m",
                 "TLSSkipVerify": true, "ScriptArgs": []}}}"#;
    let loaded = load_ok(&[], &[("web.json", text)]);
    let service = &loaded.config.service_definitions[0];
    assert_eq!((service.port, service.enable_tag_override), (80, true));
    let weights = service.weights.expect("weights");
    assert_eq!((weights.passing, weights.warning), (5, 1));
    assert_eq!(service.tagged_addresses.as_ref().expect("addresses")["lan"].port, 81);
    let check = &service.checks.as_ref().expect("checks")[0];
    assert_eq!(check.id, "a");
    assert!(check.tls_skip_verify);
    assert_eq!(check.deregister_critical_service_after.to_string(), "1h30m0s");
    assert_eq!(messages(&loaded), ["The 'check_id' field is deprecated. Use the 'id' field instead."]);
}

#[test]
fn a_proxy_block_becomes_the_shared_type() {
    let text = r#"service { name = "p" kind = "connect-proxy" port = 1
      proxy { destination_service_name = "web" destination_service_id = "web-1"
              config { bind_address = "0.0.0.0" } upstreams = [ { destination_name = "db" local_bind_port = 9 } ] } }"#;
    let config = load_ok(&[], &[("p.hcl", text)]).config;
    let proxy = config.service_definitions[0].proxy.as_ref().expect("proxy");
    assert_eq!(
        (proxy.destination_service_name.as_str(), proxy.destination_service_id.as_str()),
        ("web", "web-1")
    );
    assert_eq!(proxy.config.as_ref().expect("config")["bind_address"], "0.0.0.0");
    assert_eq!(proxy.upstreams.as_ref().expect("upstreams")[0].local_bind_port, 9);
}

#[test]
fn definitions_that_cannot_run_are_refused_by_name() {
    for (text, expected) in [
        (r#"{"service": {"port": 1}}"#, "Failed to register service \"\": Service name missing"),
        (
            r#"{"service": {"name": "web", "check": {"http": "x"}}}"#,
            "Failed to validate checks for service \"web\": Interval must be > 0 for Script, HTTP, or TCP checks",
        ),
        (
            r#"{"service": {"name": "web", "check": {"args": ["x"], "interval": "1s", "ttl": "2s"}}}"#,
            "Failed to validate checks for service \"web\": Interval and TTL cannot both be specified",
        ),
        (
            r#"{"check": {"name": "n"}}"#,
            "Failed to register check 'n': Check is not valid: TTL must be > 0 for TTL checks",
        ),
        (
            r#"{"check": {"name": "n", "ttl": "1s", "status": "bogus"}}"#,
            "Failed to register check 'n': Check is not valid: Bad check status",
        ),
        (
            r#"{"service": {"name": "a", "weights": {"passing": 0}}}"#,
            "Invalid weight definition for service a: Passing must be greater than 0",
        ),
        (
            r#"{"service": {"name": "a", "meta": {"b c": "d"}}}"#,
            "invalid meta for service a: Couldn't load metadata pair ('b c', 'd'): Key contains invalid characters",
        ),
    ] {
        let error = load_err(&[], &[("s.json", text)]);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_check_with_an_unreadable_duration_gets_one_error() {
    let error = load_err(&[], &[("c.hcl", "check { name = \"x\" ttl = \"15\" }")]);
    let expected = "1 error occurred:\n\t* checks[0].ttl: invalid duration: \"15\": time: missing unit in duration \
                    \"15\" (at c.hcl:1:26)\n";
    assert_eq!(error, expected);
}
