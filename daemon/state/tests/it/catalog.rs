//! Registration, deregistration and the reads and indexes that follow from them.

use std::collections::BTreeMap;

use consul_api::types::catalog::{NodeService, ProxyConfig, Weights};
use consul_api::types::coordinate::{Coordinate, NodeCoordinate};
use consul_api::types::request::RegisterRequest;
use consul_state::{Command, Lookup, Store, Table, WatchSet};

use crate::support::{
    apply, check, deregister, node, register, service, set, uuid, with_check, with_service,
};

fn service_index(store: &Store, name: &str) -> u64 {
    store.version().check_service_nodes(name, Lookup::Service, &mut WatchSet::new()).0
}

fn table(store: &Store, table: Table) -> u64 {
    store.version().table_index(table, &mut WatchSet::new())
}

fn node_index(store: &Store, name: &str) -> u64 {
    store.version().node_services(name, &mut WatchSet::new()).0
}

/// `node/service: check check` for each instance.
fn instances(store: &Store, name: &str, lookup: Lookup) -> Vec<String> {
    let version = store.version();
    let (_, instances) = version.check_service_nodes(name, lookup, &mut WatchSet::new());
    let line = |instance: &consul_state::Instance| {
        let checks: Vec<&str> = instance.checks.iter().map(|check| check.check_id.as_str()).collect();
        format!("{}/{}: {}", instance.node.node, instance.service.id, checks.join(" "))
    };
    instances.iter().map(line).collect()
}

fn refusal(store: &Store, request: RegisterRequest) -> String {
    register(store, request).unwrap_err().to_string()
}

#[test]
fn an_instance_comes_with_checks_of_its_node_first() {
    let store = Store::new();
    register(&store, with_service("B", service("web1", "web"))).unwrap();
    register(&store, with_service("a", service("web2", "Web"))).unwrap();
    register(&store, with_check("b", check("z-node", "", "passing"))).unwrap();
    register(&store, with_check("b", check("a-own", "web1", "passing"))).unwrap();
    register(&store, with_check("b", check("m-node", "", "passing"))).unwrap();
    assert_eq!(instances(&store, "WEB", Lookup::Service), ["a/web2: ", "b/web1: m-node z-node a-own"]);
    assert_eq!(instances(&store, "unknown", Lookup::Service), Vec::<String>::new());
}

#[test]
fn an_equal_registration_moves_nothing() {
    let store = Store::new();
    let request = || RegisterRequest {
        service: Some(service("web", "web")),
        check: Some(check("c", "web", "passing")),
        ..node("n")
    };
    let first = register(&store, request()).unwrap();
    register(&store, request()).unwrap();
    for moved in [Table::Nodes, Table::Services, Table::Checks] {
        assert_eq!(table(&store, moved), first, "{moved:?}");
    }
    assert_eq!((service_index(&store, "web"), node_index(&store, "n")), (first, first));
}

#[test]
fn a_service_moves_its_own_index_and_its_node_only() {
    let store = Store::new();
    let first = register(&store, with_service("n", service("web", "web"))).unwrap();
    let second = register(&store, with_service("m", service("db", "db"))).unwrap();
    assert_eq!((service_index(&store, "web"), service_index(&store, "db")), (first, second));
    assert_eq!((node_index(&store, "n"), node_index(&store, "m")), (first, second));
    let third =
        register(&store, with_service("n", NodeService { port: 81, ..service("web", "web") })).unwrap();
    assert_eq!((table(&store, Table::Nodes), table(&store, Table::Services)), (second, third));
    assert_eq!(service_index(&store, "db"), second);
    set(&store, "k", "v");
    assert_eq!(service_index(&store, "web"), third);
}

#[test]
fn checks_of_a_node_move_every_service_on_it() {
    let store = Store::new();
    register(&store, with_service("n", service("web", "web"))).unwrap();
    register(&store, with_service("n", service("db", "db"))).unwrap();
    let elsewhere = register(&store, with_service("m", service("api", "api"))).unwrap();
    let checked = register(&store, with_check("n", check("up", "", "passing"))).unwrap();
    assert_eq!((service_index(&store, "web"), service_index(&store, "db")), (checked, checked));
    assert_eq!(service_index(&store, "api"), elsewhere);
    assert_eq!(table(&store, Table::Checks), checked);
    let own = register(&store, with_check("n", check("own", "web", "passing"))).unwrap();
    assert_eq!((service_index(&store, "web"), service_index(&store, "db")), (own, checked));
    let gone = deregister(&store, "n", "", "up");
    assert_eq!((service_index(&store, "web"), service_index(&store, "db")), (gone, gone));
    assert_eq!(node_index(&store, "n"), 2, "checks are not part of the node's services");
}

#[test]
fn a_change_of_the_node_moves_its_services() {
    let store = Store::new();
    register(&store, with_service("n", service("web", "web"))).unwrap();
    let moved = register(&store, RegisterRequest { address: "10.0.0.2".to_owned(), ..node("n") }).unwrap();
    assert_eq!((service_index(&store, "web"), table(&store, Table::Nodes)), (moved, moved));
    let version = store.version();
    let (_, found) = version.check_service_nodes("web", Lookup::Service, &mut WatchSet::new());
    assert_eq!(found.iter().next().unwrap().node.address, "10.0.0.2");
}

#[test]
fn the_last_instance_leaves_an_extinction_behind() {
    let store = Store::new();
    let first = register(&store, with_service("n", service("web", "web"))).unwrap();
    assert_eq!(service_index(&store, "unknown"), first, "before any extinction: the services table");
    register(&store, with_service("m", service("web", "web"))).unwrap();
    let one_left = deregister(&store, "m", "web", "");
    assert_eq!((service_index(&store, "web"), service_index(&store, "unknown")), (one_left, one_left));
    let gone = deregister(&store, "n", "web", "ignored");
    assert_eq!((service_index(&store, "web"), service_index(&store, "unknown")), (gone, gone));
    register(&store, with_service("m", service("db", "db"))).unwrap();
    assert_eq!(service_index(&store, "unknown"), gone, "an arrival is no extinction");
}

#[test]
fn deregistering_what_is_absent_changes_nothing() {
    let store = Store::new();
    let first = register(&store, with_service("n", service("web", "web"))).unwrap();
    deregister(&store, "n", "nope", "");
    deregister(&store, "n", "", "nope");
    deregister(&store, "nope", "", "");
    for table_kept in [Table::Nodes, Table::Services] {
        assert_eq!(table(&store, table_kept), first);
    }
    assert_eq!(table(&store, Table::Checks), 1);
}

#[test]
fn a_node_goes_with_everything_on_it() {
    let store = Store::new();
    let request = RegisterRequest {
        id: uuid(1),
        service: Some(service("web", "web")),
        checks: Some(vec![check("up", "", "passing"), check("own", "web", "passing")]),
        ..node("n")
    };
    register(&store, request).unwrap();
    let at = NodeCoordinate {
        node: "n".to_owned(),
        coord: Some(Coordinate::default()),
        ..NodeCoordinate::default()
    };
    apply(&store, Command::Coordinates(vec![at]));
    let gone = deregister(&store, "N", "", "");
    for moved in [Table::Nodes, Table::Services, Table::Checks, Table::Coordinates, Table::ServiceExtinction]
    {
        assert_eq!(table(&store, moved), gone, "{moved:?}");
    }
    assert_eq!(node_index(&store, "n"), 1);
    assert!(store.version().node_by_id(&uuid(1)).is_none());
    assert_eq!(store.version().checks_in_state("any", &mut WatchSet::new()).1.count(), 0);
    assert_eq!(store.version().catalog_counts(), (0, 0, 0));
}

#[test]
fn nodes_are_found_by_name_id_and_part_of_an_id() {
    let store = Store::new();
    for (name, id) in
        [("one", "aaaaaaaa-0000-0000-0000-000000000001"), ("two", "aaaabbbb-0000-0000-0000-000000000002")]
    {
        register(&store, RegisterRequest { id: id.to_owned(), ..node(name) }).unwrap();
    }
    let version = store.version();
    let find =
        |text: &str| version.node_services(text, &mut WatchSet::new()).1.map(|entry| entry.node.node.clone());
    assert_eq!(find("ONE").as_deref(), Some("one"));
    assert_eq!(find("AAAABBBB-0000-0000-0000-000000000002").as_deref(), Some("two"));
    assert_eq!(find("aaaabb").as_deref(), Some("two"));
    assert_eq!(find("aaaaaaaa-00").as_deref(), Some("one"));
    assert_eq!(find("aaaa"), None, "two nodes");
    assert_eq!(find("aaa"), None, "too short");
}

#[test]
fn tags_are_united_by_service() {
    let store = Store::new();
    let tagged = |id: &str, tags: &[&str]| NodeService {
        tags: Some(tags.iter().map(|tag| (*tag).to_owned()).collect()),
        ..service(id, "web")
    };
    register(&store, with_service("n", tagged("1", &["b", "a"]))).unwrap();
    register(&store, with_service("n", tagged("2", &["c", "a"]))).unwrap();
    register(&store, with_service("n", service("db", "db"))).unwrap();
    let version = store.version();
    let (_, services) = version.services(&mut WatchSet::new());
    let web = ["a", "b", "c"].map(str::to_owned);
    let expected: BTreeMap<&str, &[String]> = [("db", &[][..]), ("web", &web[..])].into();
    assert_eq!(services, expected);
    deregister(&store, "n", "2", "");
    let version = store.version();
    assert_eq!(version.services(&mut WatchSet::new()).1["web"], ["a", "b"]);
}

#[test]
fn proxies_and_native_instances_answer_for_the_mesh() {
    let store = Store::new();
    let proxy = NodeService {
        kind: "connect-proxy".to_owned(),
        proxy: ProxyConfig { destination_service_name: "Web".to_owned(), ..ProxyConfig::default() },
        ..service("p", "web-proxy")
    };
    register(&store, with_service("n", proxy.clone())).unwrap();
    register(&store, with_service("n", service("web", "web"))).unwrap();
    assert_eq!(instances(&store, "web", Lookup::Connect), ["n/p: "]);
    let mut native = service("web", "web");
    native.connect.native = true;
    register(&store, with_service("n", native)).unwrap();
    assert_eq!(instances(&store, "web", Lookup::Connect), ["n/p: ", "n/web: "]);
    register(&store, with_service("n", service("web", "web"))).unwrap();
    let mut other = proxy;
    other.proxy.destination_service_name = "db".to_owned();
    let moved = register(&store, with_service("n", other)).unwrap();
    let version = store.version();
    let (index, none) = version.check_service_nodes("web", Lookup::Connect, &mut WatchSet::new());
    assert!(none.is_empty());
    assert_eq!(index, moved);
    assert_eq!(instances(&store, "db", Lookup::Connect), ["n/p: "]);
}

#[test]
fn an_instance_that_changes_its_name_moves() {
    let store = Store::new();
    register(&store, with_service("n", service("x", "old"))).unwrap();
    let renamed = register(&store, with_service("n", service("x", "new"))).unwrap();
    assert!(instances(&store, "old", Lookup::Service).is_empty());
    assert_eq!(instances(&store, "new", Lookup::Service), ["n/x: "]);
    assert_eq!((service_index(&store, "old"), service_index(&store, "new")), (renamed, renamed));
}

#[test]
fn unusable_weights_count_as_not_given() {
    let store = Store::new();
    for (weights, stored) in [
        (None, (1, 1)),
        (Some(Weights { passing: 0, warning: 1 }), (1, 1)),
        (Some(Weights { passing: 1, warning: 70_000 }), (1, 1)),
        (Some(Weights { passing: 10, warning: 0 }), (10, 0)),
    ] {
        register(&store, with_service("n", NodeService { weights, ..service("w", "w") })).unwrap();
        let weights = store.version().node("n").unwrap().service("w").unwrap().weights.unwrap();
        assert_eq!((weights.passing, weights.warning), stored);
    }
}

#[test]
fn checks_take_name_and_tags_from_their_service() {
    let store = Store::new();
    let tagged = NodeService { tags: Some(vec!["a".to_owned()]), ..service("web1", "web") };
    let request = RegisterRequest { service: Some(tagged), check: Some(check("c", "web1", "")), ..node("n") };
    register(&store, request).unwrap();
    let version = store.version();
    let stored = version.node("n").unwrap().check("C").unwrap();
    assert_eq!((stored.service_name.as_str(), stored.status.as_str()), ("web", "critical"));
    assert_eq!(stored.service_tags.as_deref(), Some(&["a".to_owned()][..]));
    assert_eq!(version.service_checks("web", &mut WatchSet::new()).1.len(), 1);
    assert_eq!(version.checks_in_state("critical", &mut WatchSet::new()).1.count(), 1);
    assert_eq!(version.checks_in_state("passing", &mut WatchSet::new()).1.count(), 0);
}

#[test]
fn refusals_have_the_known_texts() {
    let store = Store::new();
    let bare = RegisterRequest::default();
    assert_eq!(refusal(&store, bare.clone()), "Must provide node");
    let named = RegisterRequest { node: "n".to_owned(), ..bare };
    assert_eq!(refusal(&store, named), "Must provide address if SkipNodeUpdate is not set");
    let bad_id = RegisterRequest { id: "abc".to_owned(), ..node("n") };
    assert_eq!(refusal(&store, bad_id), "Bad node ID: uuid string is wrong length");
    assert_eq!(
        refusal(&store, with_service("n", NodeService::default())),
        "failed inserting service: failed inserting service: object missing primary index"
    );
    assert_eq!(refusal(&store, with_service("n", service("id", ""))), "Must provide service name with ID");
    let unspecified = NodeService { address: "[::]".to_owned(), ..service("s", "s") };
    assert_eq!(refusal(&store, with_service("n", unspecified)), "Invalid service address");
    assert_eq!(
        refusal(&store, with_check("sk", check("", "", "passing"))),
        "failed inserting check: failed inserting check: object missing primary index on node \"sk\""
    );
    assert_eq!(
        refusal(&store, with_check("sk", check("c", "nope", "passing"))),
        "failed inserting check: Missing service registration on node \"sk\""
    );
    let mut foreign = check("c", "", "passing");
    foreign.node = "other".to_owned();
    assert_eq!(refusal(&store, with_check("sk", foreign)), "check node \"other\" does not match node \"sk\"");
    let mut proxy = service("p", "p");
    (proxy.kind, proxy.port) = ("connect-proxy".to_owned(), 0);
    assert_eq!(
        refusal(&store, with_service("n", proxy)),
        "2 errors occurred:\n\t* Proxy.DestinationServiceName must be non-empty for Connect proxy services\n\
         \t* Port must be set for a Connect proxy\n\n"
    );
    assert_eq!(store.version().catalog_counts(), (0, 0, 0), "a refused registration stores nothing");
}

#[test]
fn service_metadata_is_bounded() {
    let store = Store::new();
    let refused = |key: &str, value: &str| {
        let meta = Some([(key.to_owned(), value.to_owned())].into());
        refusal(&store, with_service("v1", NodeService { meta, ..service("a", "a") }))
    };
    let prefix = "failed inserting service: Invalid Service Meta for node v1 and serviceID a: ";
    assert_eq!(
        refused("", "v"),
        format!("{prefix}Couldn't load metadata pair ('', 'v'): Key cannot be blank")
    );
    assert!(refused("a b", "v").ends_with("Key contains invalid characters"));
    assert!(refused("consul-x", "v").ends_with("Key prefix 'consul-' is reserved for internal use"));
    assert!(refused(&"k".repeat(129), "v").ends_with("Key is too long (limit: 128 characters)"));
    assert!(refused("k", &"v".repeat(513)).ends_with("Value is too long (limit: 512 characters)"));
    let meta = Some((0..65).map(|number| (number.to_string(), String::new())).collect());
    let many = refusal(&store, with_service("v1", NodeService { meta, ..service("a", "a") }));
    assert_eq!(many, format!("{prefix}Node metadata cannot contain more than 64 key/value pairs"));
}

#[test]
fn skipping_the_node_update_keeps_it_and_creates_a_missing_one() {
    let store = Store::new();
    register(&store, node("n")).unwrap();
    let skipping = |name: &str| RegisterRequest {
        skip_node_update: true,
        address: String::new(),
        service: Some(service("s", "s")),
        ..node(name)
    };
    register(&store, skipping("n")).unwrap();
    register(&store, skipping("fresh")).unwrap();
    let version = store.version();
    assert_eq!(version.node("n").unwrap().node.address, "10.0.0.1");
    assert_eq!(version.node("fresh").unwrap().node.address, "");
}

#[test]
fn the_same_id_under_another_name_is_a_rename() {
    let store = Store::new();
    let created =
        register(&store, RegisterRequest { id: uuid(1), ..with_service("old", service("s", "s")) }).unwrap();
    register(&store, RegisterRequest { id: uuid(1), ..node("new") }).unwrap();
    let version = store.version();
    assert!(version.node("old").is_none());
    assert_eq!(version.node("new").unwrap().node.create_index, created);
    assert!(version.check_service_nodes("s", Lookup::Service, &mut WatchSet::new()).1.is_empty());
    assert_eq!(version.node_by_id(&uuid(1)).unwrap().node.node, "new");
}

#[test]
fn the_name_of_a_living_node_is_reserved() {
    let store = Store::new();
    let alive =
        RegisterRequest { check: Some(check("serfHealth", "", "passing")), id: uuid(1), ..node("c1") };
    register(&store, alive).unwrap();
    let taker = |number| RegisterRequest { id: uuid(number), ..node("C1") };
    assert_eq!(
        refusal(&store, taker(2)),
        format!(
            "failed inserting node: Error while renaming Node ID: \"{}\": Node name C1 is reserved by node {} with \
             name c1 (10.0.0.1)",
            uuid(2),
            uuid(1)
        )
    );
    register(&store, with_check("c1", check("serfHealth", "", "critical"))).unwrap();
    assert_eq!(store.version().node("c1").unwrap().node.id, "", "registering without an id clears it");
    register(&store, taker(2)).unwrap();
    let version = store.version();
    assert_eq!(version.node("c1").unwrap().node.node, "C1", "the last spelling stays");
    assert!(version.node_by_id(&uuid(1)).is_none() && version.node_by_id(&uuid(2)).is_some());
}

#[test]
fn coordinates_of_unknown_nodes_are_dropped() {
    let store = Store::new();
    register(&store, node("n")).unwrap();
    let at = |name: &str, coord| NodeCoordinate { node: name.to_owned(), segment: String::new(), coord };
    let bad = Coordinate { vec: vec![0.0], ..Coordinate::default() };
    let updates = vec![at("n", Some(Coordinate::default())), at("nope", Some(Coordinate::default()))];
    let stored = apply(&store, Command::Coordinates(updates)).index;
    apply(&store, Command::Coordinates(vec![at("n", Some(bad)), at("n", None)]));
    let version = store.version();
    assert_eq!(version.coordinates(&mut WatchSet::new()).1.count(), 1);
    let (index, found) = version.node_coordinates("N", &mut WatchSet::new());
    assert_eq!((index, found.len()), (stored, 1));
}

#[test]
fn a_service_with_very_many_instances_stays_sorted() {
    let store = Store::new();
    for number in (0..150).rev() {
        register(&store, with_service("n", service(&format!("s{number:03}"), "web"))).unwrap();
    }
    let version = store.version();
    let (_, found) = version.check_service_nodes("web", Lookup::Service, &mut WatchSet::new());
    assert_eq!(found.len(), 150);
    assert!(found.iter().is_sorted_by_key(|instance| instance.service.id.clone()));
}
