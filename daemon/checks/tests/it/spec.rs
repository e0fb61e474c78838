use std::time::Duration;

use consul_api::types::agent::CheckDefinition;
use consul_api::types::duration::GoDuration;
use consul_api::types::health::Status;
use consul_checks::spec::{Origin, Raised};
use consul_checks::{CheckKind, CheckSpec, Probe, ScriptSwitches, SpecError};

use crate::support::{args, periodic};

fn spec(definition: &CheckDefinition) -> Result<CheckSpec, SpecError> {
    CheckSpec::new(definition, 4096)
}

fn refusal(definition: CheckDefinition) -> String {
    let error = spec(&definition).expect_err("must be refused");
    if error.is_invalid_check() { format!("Invalid check: {error}") } else { error.to_string() }
}

fn named() -> CheckDefinition {
    CheckDefinition { name: "c".into(), ..Default::default() }
}

fn seconds(seconds: i64) -> GoDuration {
    GoDuration::from_secs(seconds)
}

#[test]
fn refusals_are_worded_as_clients_know_them() {
    let no_interval = "Invalid check: Interval must be > 0 for Script, HTTP, or TCP checks";
    let no_ttl = "Invalid check: TTL must be > 0 for TTL checks";
    let cases = [
        (CheckDefinition { ttl: seconds(1), ..Default::default() }, "Missing check name"),
        (CheckDefinition { ttl: seconds(1), status: "bogus".into(), ..named() }, "Bad check status"),
        (
            CheckDefinition { ttl: seconds(1), interval: seconds(1), ..named() },
            "Invalid check: Interval and TTL cannot both be specified",
        ),
        (CheckDefinition { http: "http://x".into(), ..named() }, no_interval),
        (CheckDefinition { tcp: "x:1".into(), ..named() }, no_interval),
        (CheckDefinition { udp: "x:1".into(), ..named() }, no_interval),
        (CheckDefinition { grpc: "x:1".into(), interval: seconds(-1), ..named() }, no_interval),
        (CheckDefinition { h2ping: "x:1".into(), ..named() }, no_interval),
        (CheckDefinition { os_service: "x".into(), ..named() }, no_interval),
        (CheckDefinition { script_args: args(&["true"]), ..named() }, no_interval),
        (named(), no_ttl),
        (CheckDefinition { ttl: seconds(-1), ..named() }, no_ttl),
        (periodic("interval only"), no_ttl),
        (CheckDefinition { script_args: args(&[]), ..periodic("c") }, no_ttl),
        (CheckDefinition { docker_container_id: "x".into(), ..periodic("c") }, no_ttl),
        (
            CheckDefinition { alias_service: "s".into(), ttl: seconds(1), ..named() },
            "Invalid check: TTL must be not be set for Alias checks",
        ),
        (
            CheckDefinition { output_max_size: Some(-1), ttl: seconds(1), ..named() },
            "Invalid check: MaxOutputMaxSize must be positive",
        ),
        (
            CheckDefinition {
                failures_before_warning: Some(3),
                failures_before_critical: 2,
                tcp: "x:1".into(),
                ..periodic("c")
            },
            "Invalid check: FailuresBeforeWarning can't be higher than FailuresBeforeCritical",
        ),
    ];
    for (definition, text) in cases {
        assert_eq!(refusal(definition), text);
    }
}

type Remove = fn(&mut CheckDefinition);

#[test]
fn the_first_of_several_kinds_wins() {
    let mut all = CheckDefinition {
        http: "http://x".into(),
        tcp: "x:1".into(),
        udp: "x:1".into(),
        grpc: "x:1".into(),
        docker_container_id: "d".into(),
        os_service: "s".into(),
        script_args: args(&["true"]),
        h2ping: "x:1".into(),
        alias_service: "a".into(),
        ..periodic("c")
    };
    let steps: [(&str, Remove); 9] = [
        ("http", |d| d.http.clear()),
        ("tcp", |d| d.tcp.clear()),
        ("udp", |d| d.udp.clear()),
        ("grpc", |d| d.grpc.clear()),
        ("docker", |d| d.docker_container_id.clear()),
        ("os_service", |d| d.os_service.clear()),
        ("script", |d| d.script_args = None),
        ("h2ping", |d| d.h2ping.clear()),
        ("alias", |_| ()),
    ];
    for (kind, remove) in steps {
        assert_eq!(spec(&all).unwrap().kind.type_name(), kind);
        remove(&mut all);
    }
    let ttl = CheckDefinition { ttl: seconds(5), http: String::new(), ..named() };
    assert_eq!(spec(&ttl).unwrap().kind, CheckKind::Ttl(Duration::from_secs(5)));
}

#[test]
fn defaults_are_filled_in_by_kind() {
    let spec = |definition| spec(&definition).unwrap();
    let timeout_of = |kind: CheckKind| match kind {
        CheckKind::Periodic { probe: Probe::Http(check), .. } => Some(check.timeout),
        CheckKind::Periodic { probe: Probe::Script(check), .. } => Some(check.timeout),
        CheckKind::Periodic { probe: Probe::OsService(check), .. } => Some(check.timeout),
        CheckKind::Periodic { probe: Probe::Docker(check), .. } => check.timeout,
        other => panic!("unexpected {other:?}"),
    };
    let http = spec(CheckDefinition { http: "http://x".into(), ..periodic("c") });
    assert_eq!((http.id.as_str(), http.initial_status, http.output_max), ("c", Status::Critical, 4096));
    assert_eq!(timeout_of(http.kind), Some(Duration::from_secs(10)));
    let script = spec(CheckDefinition { script_args: args(&["x"]), ..periodic("c") });
    assert_eq!(timeout_of(script.kind), Some(Duration::from_secs(30)));
    let service = spec(CheckDefinition { os_service: "x".into(), ..periodic("c") });
    assert_eq!(timeout_of(service.kind), Some(Duration::from_secs(30)));
    let docker =
        CheckDefinition { docker_container_id: "d".into(), script_args: args(&["x"]), ..periodic("c") };
    assert_eq!(timeout_of(spec(docker).kind), None);
    let h2ping = spec(CheckDefinition { h2ping: "x:1".into(), ..periodic("c") });
    assert!(
        matches!(h2ping.kind, CheckKind::Periodic { probe: Probe::H2Ping(check), .. } if check.tls.is_some())
    );
}

#[test]
fn short_intervals_are_raised_and_that_is_told() {
    let definition = CheckDefinition {
        tcp: "x:1".into(),
        interval: GoDuration::from_millis(10),
        deregister_critical_service_after: seconds(1),
        ..named()
    };
    let spec = spec(&definition).unwrap();
    assert!(matches!(spec.kind, CheckKind::Periodic { interval, .. } if interval == Duration::from_secs(1)));
    assert_eq!(spec.deregister_after, Some(Duration::from_secs(60)));
    assert_eq!(spec.raised, [Raised::Interval, Raised::DeregisterAfter]);
}

#[test]
fn a_definition_can_lower_the_output_limit_only() {
    let with = |size| CheckDefinition { output_max_size: size, ttl: seconds(1), ..named() };
    for (own, agent, effective) in [
        (None, 4096, 4096),
        (Some(100), 4096, 100),
        (Some(9000), 4096, 4096),
        (None, 50, 50),
        (Some(0), 64, 64),
    ] {
        assert_eq!(CheckSpec::new(&with(own), agent).unwrap().output_max, effective);
    }
}

#[test]
fn a_script_text_runs_in_a_shell() {
    let definition = CheckDefinition { script: "exit 1".into(), ..periodic("c") };
    let CheckKind::Periodic { probe: Probe::Script(script), .. } = spec(&definition).unwrap().kind else {
        panic!("not a script")
    };
    assert_eq!(script.args, ["-c", "exit 1"]);
    let docker = CheckDefinition { docker_container_id: "d".into(), shell: "/bin/ash".into(), ..definition };
    let CheckKind::Periodic { probe: Probe::Docker(docker), .. } = spec(&docker).unwrap().kind else {
        panic!("not docker")
    };
    assert_eq!(docker.command, ["/bin/ash", "-c", "exit 1"]);
}

#[test]
fn commands_run_only_where_they_are_switched_on() {
    let script = CheckDefinition { script_args: args(&["x"]), ..periodic("c") };
    let tcp = CheckDefinition { tcp: "x:1".into(), ..periodic("c") };
    let off = ScriptSwitches::default();
    let local = ScriptSwitches { enable_local_script_checks: true, ..off };
    let on = ScriptSwitches { enable_script_checks: true, ..off };
    for origin in [Origin::ConfigFile, Origin::Api] {
        assert_eq!(off.authorize(&tcp, origin), Ok(()));
        assert_eq!(on.authorize(&script, origin), Ok(()));
    }
    assert_eq!(local.authorize(&script, Origin::ConfigFile), Ok(()));
    assert_eq!(
        off.authorize(&script, Origin::ConfigFile).unwrap_err().to_string(),
        "Scripts are disabled on this agent; to enable, configure 'enable_script_checks' or \
         'enable_local_script_checks' to true"
    );
    for switches in [off, local] {
        assert_eq!(
            switches.authorize(&script, Origin::Api).unwrap_err().to_string(),
            "Scripts are disabled on this agent from remote calls; to enable, configure \
             'enable_script_checks' to true"
        );
    }
}
