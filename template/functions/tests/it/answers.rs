//! Answers of the HTTP API as data.

use std::time::Duration;

use consul_template_functions::{Data, Dependency, Freshness};
use consul_template_language::{Functions, Templates};

/// What a template prints of an answer, which is its dot.
#[track_caller]
fn check(dependency: &Dependency, answer: &str, source: &str, expected: &str) {
    let data = Data::from_answer(dependency, answer.as_bytes()).unwrap();
    let mut templates = Templates::new("t", Functions::<()>::new());
    templates.parse(source).unwrap();
    let output = templates.render(&mut (), data.to_value()).unwrap();
    assert_eq!(String::from_utf8(output).unwrap(), expected);
}

fn web(filter: &str) -> Dependency {
    Dependency::service(&format!("web|{filter}")).unwrap().unwrap()
}

fn with_checks(checks: &str) -> String {
    format!(
        r#"[{{"Node":{{"Node":"n","Address":"a"}},"Service":{{"ID":"w","Service":"web"}},"Checks":{checks}}}]"#
    )
}

#[test]
fn health_is_the_worst_of_all_checks() {
    let rows = [
        ("[]", "passing"),
        ("null", "passing"),
        (r#"[{"Status":"passing"},{"Status":"warning"}]"#, "warning"),
        (r#"[{"Status":"critical"},{"Status":"warning"}]"#, "critical"),
        (r#"[{"CheckID":"_node_maintenance","Status":"critical"}]"#, "maintenance"),
        (r#"[{"CheckID":"_service_maintenance:w","Status":"passing"},{"Status":"critical"}]"#, "maintenance"),
        (r#"[{"Status":"odd"}]"#, ""),
    ];
    for (checks, status) in rows {
        let source = "{{range .}}{{.Status}}|{{.Checks.AggregatedStatus}}{{end}}";
        check(&web("any"), &with_checks(checks), source, &format!("{status}|{status}"));
        let kept = if status == "warning" { "w" } else { "" };
        check(&web("warning"), &with_checks(checks), "{{range .}}{{.ID}}{{end}}", kept);
    }
}

#[test]
fn fields_of_instances() {
    let answer = r#"[{
        "Node": {"ID":"i","Node":"n","Address":"10.0.0.1","TaggedAddresses":{"wan":"1.2.3.4"},"Meta":{"m":"v"}},
        "Service": {"ID":"w","Service":"web","Address":"10.9.9.9","Port":80,"Tags":["b","a"],
                    "Weights":{"Passing":3,"Warning":2}},
        "Checks": [{"CheckID":"c","Name":"C","Status":"passing","Type":"http","ServiceTags":["b","a"],
                    "Definition":{"HTTP":"http://x","Header":{"H":["1"]},"Interval":"10s","Timeout":"1s"},
                    "CreateIndex":5,"ModifyIndex":6}]
    }]"#;
    for (source, expected) in [
        ("{{.NodeID}} {{.NodeAddress}} {{.NodeTaggedAddresses.wan}} {{.NodeMeta.m}}", "i 10.0.0.1 1.2.3.4 v"),
        (
            "{{.Address}}:{{.Port}} {{.Tags}} {{.Weights.Passing}}/{{.Weights.Warning}}",
            "10.9.9.9:80 [a b] 3/2",
        ),
        (
            "{{with index .Checks 0}}{{.Name}} {{.Type}} {{.ServiceTags}} {{.CreateIndex}} {{.ModifyIndex}}{{end}}",
            "C http [b a] 5 6",
        ),
        (
            "{{with (index .Checks 0).Definition}}{{.HTTP}} {{.Header.H}} {{.Interval}} {{.TimeoutDuration}}{{end}}",
            "http://x [1] 10s 1s",
        ),
        ("{{.ServiceMeta}}{{.ServiceTaggedAddresses}}", "map[]map[]"),
    ] {
        check(&web("any"), answer, &format!("{{{{with index . 0}}}}{source}{{{{end}}}}"), expected);
    }
}

#[test]
fn the_order_of_the_server_stays_if_it_is_by_distance() {
    let answer = r#"[{"Node":{"Node":"b"},"Service":{"ID":"1"}},{"Node":{"Node":"a"},"Service":{"ID":"2"}},
                     {"Node":{"Node":"a"},"Service":{"ID":"1"}}]"#;
    let near = Dependency::service("web~_agent|any").unwrap().unwrap();
    check(&near, answer, "{{range .}}{{.Node}}{{.ID}} {{end}}", "b1 a2 a1 ");
    check(&web("any"), answer, "{{range .}}{{.Node}}{{.ID}} {{end}}", "a1 a2 b1 ");
    let nodes = r#"[{"Node":"b","Address":"1"},{"Node":"a","Address":"2"},{"Node":"a","Address":"1"}]"#;
    check(&Dependency::nodes("").unwrap(), nodes, "{{range .}}{{.Node}}{{.Address}} {{end}}", "a1 a2 b1 ");
    check(&Dependency::nodes("~x").unwrap(), nodes, "{{range .}}{{.Node}}{{.Address}} {{end}}", "b1 a2 a1 ");
}

#[test]
fn certificates_and_peers() {
    check(
        &Dependency::CaRoots,
        r#"{"ActiveRootID":"r","Roots":[{"ID":"r","Name":"R","RootCert":"PEM","Active":true,"CreateIndex":1,"ModifyIndex":2}]}"#,
        "{{range .}}{{.ID}} {{.Name}} {{.RootCertPEM}} {{.Active}}{{end}}",
        "r R PEM true",
    );
    let leaf = Dependency::CaLeaf { service: "web".into() };
    let answer = r#"{"SerialNumber":"1","CertPEM":"C","PrivateKeyPEM":"secret","Service":"web","ServiceURI":"spiffe://x","ValidAfter":"a","ValidBefore":"b"}"#;
    check(&leaf, answer, "{{.CertPEM}} {{.PrivateKeyPEM}} {{.ServiceURI}}", "C secret spiffe://x");
    assert!(!format!("{:?}", Data::from_answer(&leaf, answer.as_bytes()).unwrap()).contains("secret"));
    check(
        &Dependency::peerings("").unwrap(),
        r#"[{"ID":"2","Name":"b","State":"PENDING"},{"ID":"1","Name":"a","State":"ACTIVE","Remote":{"Datacenter":"dc9"}}]"#,
        "{{range .}}{{.Name}} {{.PeeringState}} {{.Remote.Datacenter}};{{end}}",
        "a ACTIVE dc9;b PENDING ;",
    );
    check(&Dependency::Partitions, r#"[{"Name":"default"}]"#, "{{range .}}{{.Name}}{{end}}", "default");
}

#[test]
fn absence_is_an_answer_for_some() {
    assert!(Data::absent(&Dependency::key_if_any("k").unwrap().unwrap()).is_some());
    assert!(Data::absent(&Dependency::keys("k").unwrap().unwrap()).is_some());
    assert_eq!(Data::absent(&Dependency::key("k").unwrap().unwrap()), None);
    assert_eq!(Data::absent(&web("any")), None);
}

#[test]
fn values_of_keys_are_not_shown_when_debugging() {
    let key = Dependency::key("k").unwrap().unwrap();
    let data = Data::from_answer(&key, br#"[{"Key":"k","Value":"c2VjcmV0"}]"#).unwrap();
    assert_eq!(format!("{data:?}"), "Text(Bytes(6))");
}

#[test]
fn what_is_about_this_machine_is_not_shared() {
    let shared = |dependency: Dependency| dependency.is_shareable();
    assert!(shared(web("any")) && shared(Dependency::keys("k").unwrap().unwrap()));
    assert!(!shared(Dependency::node("").unwrap()) && !shared(Dependency::CaRoots));
    assert!(!shared(Dependency::File { path: "/x".into() }));
    assert_eq!(web("any").freshness(), Freshness::Blocking);
    let file = Dependency::File { path: "/x".into() };
    assert_eq!(file.freshness(), Freshness::Poll(Duration::from_secs(2)));
    let datacenters = Dependency::Datacenters { ignore_failing: true };
    assert_eq!(datacenters.freshness(), Freshness::Poll(Duration::from_secs(15)));
}

#[test]
fn answers_that_make_no_sense_are_errors() {
    assert!(Data::from_answer(&web("any"), b"{}").is_err());
    assert!(Data::from_answer(&Dependency::CaRoots, b"not json").is_err());
}
