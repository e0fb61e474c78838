//! What expressions mean, on objects as the API lists them.

use std::collections::BTreeMap;

use consul_api::types::agent::AgentService;
use consul_api::types::catalog::{Node, NodeService, ServiceAddress, ServiceNode, Upstream, Weights};
use consul_api::types::health::{CheckServiceNode, HealthCheck, NodeInfo};
use consul_filter::{HealthRow, Schema, ServiceRow, Subject, filter};

fn holds(schema: Schema, text: &str, subject: &dyn Subject) -> bool {
    match filter(text, schema) {
        Ok(filter) => filter.expect("the text is not empty").matches(subject),
        Err(err) => panic!("{text}: {err}"),
    }
}

fn check(schema: Schema, subject: &dyn Subject, yes: &[&str], no: &[&str]) {
    for text in yes {
        assert!(holds(schema, text, subject), "should hold: {text}");
    }
    for text in no {
        assert!(!holds(schema, text, subject), "should not hold: {text}");
    }
}

fn map(pairs: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
    Some(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
}

fn node() -> Node {
    Node {
        node: "n1".to_owned(),
        address: "10.1.0.1".to_owned(),
        datacenter: "dc1".to_owned(),
        meta: map(&[("zone", "east"), ("a b", "é"), ("nothing", "")]),
        ..Node::default()
    }
}

fn service() -> NodeService {
    NodeService {
        id: "web1".to_owned(),
        service: "web".to_owned(),
        tags: Some(vec!["a".to_owned(), "b".to_owned()]),
        tagged_addresses: Some(BTreeMap::from([(
            "lan".to_owned(),
            ServiceAddress { address: "1.2.3.4".to_owned(), port: 9 },
        )])),
        port: 80,
        meta: map(&[("version", "v2")]),
        weights: Some(Weights { passing: 5, warning: 1 }),
        ..NodeService::default()
    }
}

fn check_of(id: &str, status: &str) -> HealthCheck {
    HealthCheck { check_id: id.to_owned(), status: status.to_owned(), ..HealthCheck::default() }
}

#[test]
fn texts() {
    check(
        Schema::Node,
        &node(),
        &[
            "Node == n1",
            "Node==\"n1\"",
            "Node != N1",
            "n in Node",
            "Node contains `1`",
            "x not in Node",
            "Node not contains x",
            "Node matches \"^n[02]?1$\"",
            "Node matches 1",
            "Node not matches `^1`",
            "ID == ``",
            "\"\" in ID",
            r#"Meta["a b"] == "\u00e9""#,
        ],
        &["Node == N1", "Node != n1", "Node matches `^1`", "x in Node", "Node not contains n"],
    );
}

#[test]
fn maps_and_their_missing_keys() {
    check(
        Schema::Node,
        &node(),
        &[
            "Meta.zone == east",
            r#"Meta[ "zone" ] == east"#,
            "zone in Meta",
            "Meta contains zone",
            "west not in Meta",
            "Meta is not empty",
            "TaggedAddresses is empty",
            "lan not in TaggedAddresses",
            "Meta.nothing == ``",
            "Meta.nope != x",
            "Meta.nope not matches x",
            "x not in Meta.nope",
            "TaggedAddresses.lan != x",
        ],
        &[
            "Meta.nope == ``",
            "Meta.nope matches `.*`",
            "`` in Meta.nope",
            "Meta is empty",
            "TaggedAddresses.lan == ``",
        ],
    );
}

#[test]
fn precedence_is_not_then_and_then_or() {
    check(
        Schema::Node,
        &node(),
        &[
            "Node == n1 or Node == x and Node == y",
            "not Node == x and Node == n1",
            "not (Node == x or Node == y)",
            "(Node == n1 or Node == x) and (Datacenter == dc1)",
            "not not Node == n1",
        ],
        &[
            "(Node == n1 or Node == x) and Node == y",
            "not (Node == n1 and Datacenter == dc1)",
            "not Node == n1 or Node == x",
        ],
    );
}

#[test]
fn services() {
    let yes = &[
        "Service == web and ID == web1 and Kind == ``",
        "a in Tags",
        "Tags contains b",
        "c not in Tags",
        "Tags is not empty",
        "Port == 80",
        "Port == \"80\"",
        "Port == \"0x50\"",
        "Port != 81",
        "EnableTagOverride == false",
        "EnableTagOverride != t",
        "Weights.Passing == 5",
        "TaggedAddresses.lan.Port == 9",
        "TaggedAddresses.lan.Address matches `^1`",
        "TaggedAddresses.wan.Port != 9",
        "lan in TaggedAddresses",
        "TaggedAddresses is not empty",
        "Connect.Native == false",
        "Proxy.Upstreams is empty",
        "Proxy.MeshGateway.Mode == ``",
        "not Proxy.Upstreams.LocalBindPort != 1",
        "not Proxy.Expose.Paths.Path == x",
    ];
    let no = &[
        "`` in Tags",
        "Port == -80",
        "TaggedAddresses.wan.Port == 9",
        "TaggedAddresses.wan.Port == 0",
        "wan in TaggedAddresses",
        "Proxy.Upstreams.LocalBindPort == 0",
    ];
    let service = service();
    check(Schema::NodeService, &service, yes, no);
    let local = AgentService {
        id: service.id.clone(),
        service: service.service.clone(),
        tags: service.tags.clone().expect("has tags"),
        tagged_addresses: service.tagged_addresses.clone(),
        port: service.port,
        weights: Weights { passing: 5, warning: 1 },
        ..AgentService::default()
    };
    check(Schema::NodeService, &local, yes, no);
}

#[test]
fn any_element_of_a_list_satisfies() {
    let mut service = service();
    let upstream = |name: &str, port| Upstream {
        destination_name: name.to_owned(),
        local_bind_port: port,
        ..Upstream::default()
    };
    service.proxy.upstreams = Some(vec![upstream("db", 1), upstream("cache", 2)]);
    check(
        Schema::NodeService,
        &service,
        &[
            "Proxy.Upstreams.DestinationName == db",
            "Proxy.Upstreams.DestinationName != db",
            "Proxy.Upstreams.LocalBindPort == 2",
        ],
        &[
            "Proxy.Upstreams.DestinationName == web",
            "Proxy.Upstreams is empty",
            "not Proxy.Upstreams.DestinationName == db",
        ],
    );
}

#[test]
fn health_rows() {
    let whole = CheckServiceNode {
        node: node(),
        service: service(),
        checks: vec![check_of("serfHealth", "passing"), check_of("web", "critical")],
    };
    let row = HealthRow {
        node: &whole.node,
        service: &whole.service,
        checks: whole.checks.iter().collect::<Vec<_>>(),
    };
    for subject in [&whole as &dyn Subject, &row] {
        check(
            Schema::CheckServiceNode,
            subject,
            &[
                "Node.Node == n1 and Service.Tags contains a and Checks.Status == passing",
                "Checks.Status != passing",
                "Checks is not empty",
                "Checks.ServiceTags is empty",
                "Service.Meta.version == v2",
            ],
            &["not Checks.Status == passing", "Checks.Status == warning", "Checks is empty"],
        );
    }
    let bare = CheckServiceNode::default();
    check(Schema::CheckServiceNode, &bare, &["Checks is empty"], &["Checks.Status != passing"]);
}

#[test]
fn flat_service_rows_read_like_the_object_they_stand_for() {
    let (node, mut service) = (node(), service());
    for with_weights in [true, false] {
        if !with_weights {
            service.weights = None;
        }
        let flat = ServiceNode::new(&node, &service);
        let row = ServiceRow { node: &node, service: &service };
        for text in [
            "ID == ``",
            "Node == n1",
            "Address == `10.1.0.1`",
            "Datacenter == dc1",
            "TaggedAddresses is empty",
            "NodeMeta.zone == east",
            "ServiceKind == ``",
            "ServiceID == web1",
            "ServiceName == web",
            "b in ServiceTags",
            "ServiceAddress == ``",
            "ServiceTaggedAddresses.lan.Port == 9",
            "ServiceWeights.Passing == 5",
            "ServiceWeights.Warning == 1",
            "ServiceMeta.version == v2",
            "ServicePort == 80",
            "ServiceEnableTagOverride == false",
            "ServiceProxy.LocalServicePort == 0",
            "ServiceConnect.Native == false",
            "ServiceName == other",
            "ServiceWeights.Passing == 1",
        ] {
            let expected = holds(Schema::ServiceNode, text, &flat);
            assert_eq!(holds(Schema::ServiceNode, text, &row), expected, "{text}");
            let is_other = text == "ServiceName == other";
            let is_weight = text.starts_with("ServiceWeights.Passing");
            assert!(is_weight || expected != is_other, "{text}");
        }
    }
}

#[test]
fn ui_nodes() {
    let node = NodeInfo {
        node: "n1".to_owned(),
        meta: map(&[("zone", "east")]),
        services: vec![service()],
        checks: vec![check_of("c", "warning")],
        ..NodeInfo::default()
    };
    check(
        Schema::UiNode,
        &node,
        &["Services.Port == 80", "Checks.Status == warning", "Meta.zone == east", "a in Services.Tags"],
        &["Services is empty", "Checks.Status == passing"],
    );
}

#[test]
fn bare_words_and_keywords_as_values_and_names() {
    check(
        Schema::Node,
        &node(),
        &["not in Meta or Node == n1", "not not in Meta", "Node != Meta[`a b`].c", "Node != or"],
        &["not in Meta", "Node == or"],
    );
}
