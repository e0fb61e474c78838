//! Snapshots: what other servers wrote is understood, what is written is read back the same, damage is refused.

use consul_api::msgpack;
use consul_api::snapshot::records::{RecordReader, RecordType, RecordWriter, StateHeader};
use consul_api::types::acl::{AclPolicy, AclToken};
use consul_api::types::bytes::Blob;
use consul_api::types::kv::{KvPair, KvVerb};
use consul_api::types::request::RegisterRequest;
use consul_state::acl::{AclCommand, policy_hash, role_hash, token_hash};
use consul_state::command::KvCommand;
use consul_state::{Command, Lookup, SnapshotError, Store, Table, Version, WatchSet, intention};
use proptest::prelude::*;
use serde::Serialize;

use crate::support::{
    apply, check, deregister, kv, lock, node, register, service, session, set, uuid, with_check, with_service,
};

/// State of a HashiCorp server, version 1.8.7, with one or two objects of every kind.
const REFERENCE: &[u8] = include_bytes!("../data/consul-1.8.7.state.bin");

fn watch() -> WatchSet {
    WatchSet::new()
}

fn bytes_of(version: &Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    Store::write_snapshot(version, &mut bytes).unwrap();
    bytes
}

fn read(mut bytes: &[u8]) -> Result<consul_state::Restored, SnapshotError> {
    Store::read_snapshot(&mut bytes)
}

fn restored(bytes: &[u8]) -> Store {
    let store = Store::new();
    store.recover(read(bytes).unwrap());
    store
}

fn records(write: impl FnOnce(&mut RecordWriter<Vec<u8>>)) -> Vec<u8> {
    let mut writer = RecordWriter::new(Vec::new(), StateHeader { last_index: 50 }).unwrap();
    write(&mut writer);
    writer.into_inner()
}

fn one_record<T: Serialize>(kind: u8, value: &T) -> Vec<u8> {
    records(|writer| writer.record(RecordType(kind), value).unwrap())
}

#[test]
fn the_catalog_of_another_server_is_understood() {
    let store = restored(REFERENCE);
    let version = store.version();
    let names: Vec<String> = version.nodes(&mut watch()).1.map(|node| node.node.clone()).collect();
    assert_eq!(names, ["ext1", "ext2", "srv1"]);
    let (index, found) = version.check_service_nodes("db", Lookup::Service, &mut watch());
    let instance = found.iter().next().unwrap();
    assert_eq!((instance.service.service.as_str(), instance.service.port), ("DB", 5432));
    assert_eq!(instance.node.meta.as_ref().unwrap()["external-node"], "true");
    let checks: Vec<&str> = instance.checks.iter().map(|check| check.check_id.as_str()).collect();
    assert_eq!(checks, ["db tcp", "own"]);
    assert_eq!(instance.checks[0].definition.tcp, "10.1.1.1:5432");
    assert!(index >= instance.service.modify_index && index <= version.index());
    let (_, mesh) = version.check_service_nodes("DB", Lookup::Connect, &mut watch());
    let proxy = &mesh.iter().next().unwrap().service.proxy;
    assert_eq!(proxy.upstreams.as_ref().unwrap()[0].destination_name, "web");
    assert_eq!(proxy.config.as_ref().unwrap()["deep"], serde_json::json!({ "y": ["a"] }));
    assert!(version.node_by_id("22222222-2222-2222-2222-222222222222").is_some());
}

#[test]
fn keys_locks_and_tombstones_of_another_server_are_understood() {
    let store = restored(REFERENCE);
    let version = store.version();
    let entry = |key: &str| version.kv_get(key.as_bytes(), &mut watch()).1.unwrap();
    assert_eq!((entry("foo/bar").value.as_slice(), entry("foo/bar").flags), (&b"hello"[..], 42));
    assert!(entry("empty").value.is_empty());
    assert_eq!(entry("bin").value.as_slice(), (0..=255).collect::<Vec<u8>>());
    let (_, mut sessions) = version.sessions(&mut watch());
    let session = sessions.next().unwrap();
    assert_eq!((session.name.as_str(), session.lock_delay.0), ("my-lock", 5_000_000_000));
    assert_eq!(entry("locked").session, session.id);
    assert_eq!(version.kv_held(&session.id), [b"locked"]);
    assert!(version.kv_list(b"tree/", &mut watch()).0 > entry("foo/bar").modify_index);
    apply(&store, Command::SessionDestroy { id: session.id.clone() });
    assert!(store.version().kv_get(b"locked", &mut watch()).1.is_none(), "the session deletes its keys");
}

#[test]
fn digests_of_another_server_are_reproduced() {
    let store = restored(REFERENCE);
    let version = store.version();
    let tokens: Vec<_> = version.acl_tokens(&mut watch()).1.collect();
    assert_eq!(tokens.len(), 3);
    tokens.iter().for_each(|token| assert_eq!(token.hash, token_hash(token)));
    version.acl_policies(&mut watch()).1.for_each(|policy| assert_eq!(policy.hash, policy_hash(policy)));
    version.acl_roles(&mut watch()).1.for_each(|role| assert_eq!(role.hash, role_hash(role)));
    let (_, intentions) = version.intentions(&mut watch());
    let precedences: Vec<i64> = intentions.iter().map(|intention| intention.precedence).collect();
    assert_eq!(precedences, [9, 8]);
    for found in intentions {
        assert_eq!((&found.hash, found.precedence), (&intention::hash(found), intention::precedence(found)));
    }
    assert!(version.acl_bootstrap_index().is_some());
    let (_, method) = version.acl_auth_method("JWT2", &mut watch());
    assert_eq!(
        method.unwrap().config.as_ref().unwrap()["ClaimMappings"],
        serde_json::json!({ "sub": "user" })
    );
    assert_eq!(version.acl_binding_rules(&mut watch()).1.next().unwrap().bind_name, "x-${value.user}");
}

#[test]
fn queries_and_documents_of_another_server_are_understood() {
    let store = restored(REFERENCE);
    let version = store.version();
    let found = version.resolve_query("geo-orders").unwrap();
    let rendered = found.template.unwrap().render("geo-orders", "").unwrap();
    assert_eq!(rendered.service.service, "api-orders");
    assert!(version.resolve_query("Q1").unwrap().template.is_none());
    let (_, resolver) = version.config_entry("service-resolver", "web", &mut watch());
    assert_eq!(resolver.unwrap().fields["ConnectTimeout"], "15s");
    let (_, proxies) = version.config_entry("proxy-defaults", "global", &mut watch());
    assert_eq!(proxies.unwrap().fields["Config"]["f"], 1.5);
    assert!(version.autopilot(&mut watch()).1.unwrap().cleanup_dead_servers);
}

#[test]
fn a_snapshot_read_back_is_the_same_snapshot() {
    let store = restored(REFERENCE);
    let once = bytes_of(&store.version());
    assert_eq!(bytes_of(&restored(&once).version()), once);
    let kinds = |bytes: &[u8]| {
        let mut reader = RecordReader::new(bytes).unwrap();
        let mut kinds = Vec::new();
        while let Some(record) = reader.next_record().unwrap() {
            kinds.push(record.kind.0);
        }
        kinds.retain(|kind| *kind != RecordType::INDEX.0);
        kinds
    };
    assert_eq!(kinds(&once), kinds(REFERENCE), "same records in the same order");
}

/// A state with something in every table that commands can fill.
fn busy_store() -> Store {
    let store = Store::new();
    let request = RegisterRequest {
        id: uuid(7),
        service: Some(service("web1", "Web")),
        checks: Some(vec![check("up", "", "passing"), check("own", "web1", "warning")]),
        ..node("N1")
    };
    register(&store, request).unwrap();
    register(&store, with_service("n2", service("db", "db"))).unwrap();
    register(&store, with_service("n2", service("old", "old"))).unwrap();
    deregister(&store, "n2", "old", "");
    register(&store, with_check("n2", check("up", "", "critical"))).unwrap();
    apply(&store, Command::SessionCreate(session(1, "n1"))).reply.unwrap();
    kv(&store, lock("locked", &uuid(1))).unwrap();
    set(&store, "a/b", "1");
    set(&store, "a/c", "2");
    kv(&store, KvCommand::new(KvVerb::DeleteTree, "a/")).unwrap();
    let token = AclToken { accessor_id: uuid(2), secret_id: uuid(3), ..AclToken::default() };
    apply(&store, Command::Acl(AclCommand::Bootstrap { token: Box::new(token), reset_index: 0 }))
        .reply
        .unwrap();
    store
}

#[test]
fn nothing_that_reads_show_is_lost() {
    let before = busy_store();
    let after = restored(&bytes_of(&before.version()));
    let (one, other) = (before.version(), after.version());
    assert_eq!(one.index(), other.index());
    for table in Table::ALL {
        assert_eq!(one.table_index(table, &mut watch()), other.table_index(table, &mut watch()), "{table:?}");
    }
    for name in ["web", "db", "old"] {
        let (index, found) = one.check_service_nodes(name, Lookup::Service, &mut watch());
        let (other_index, other_found) = other.check_service_nodes(name, Lookup::Service, &mut watch());
        assert_eq!(index, other_index, "{name}");
        assert!(found.iter().eq(other_found.iter()), "{name}");
    }
    for name in ["n1", "n2", "gone"] {
        assert_eq!(
            one.node_services(name, &mut watch()).0,
            other.node_services(name, &mut watch()).0,
            "{name}"
        );
    }
    assert_eq!(one.kv_list(b"", &mut watch()), other.kv_list(b"", &mut watch()));
    assert_eq!(one.kv_list(b"a/", &mut watch()), other.kv_list(b"a/", &mut watch()));
    assert_eq!(one.kv_held(&uuid(1)), other.kv_held(&uuid(1)));
    assert_eq!(one.acl_bootstrap_index(), other.acl_bootstrap_index());
}

#[test]
fn restoring_wakes_everyone_and_never_turns_the_index_back() {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Waker};
    let store = Store::new();
    for number in 0..100 {
        set(&store, "k", &number.to_string());
    }
    let mut seen = watch();
    store.version().kv_get(b"k", &mut seen);
    let mut watcher = store.watch(&seen);
    let small = busy_store();
    store.restore(read(&bytes_of(&small.version())).unwrap());
    assert!(Pin::new(&mut watcher).poll(&mut Context::from_waker(Waker::noop())).is_ready());
    assert_eq!((store.version().index(), store.version().epoch()), (101, 1));
    assert!(store.version().kv_get(b"k", &mut watch()).1.is_none());
    store.recover(read(&bytes_of(&small.version())).unwrap());
    assert_eq!(
        store.version().index(),
        small.version().index(),
        "the log's own snapshot has the log's own index"
    );
}

#[test]
fn an_empty_state_makes_a_snapshot_too() {
    let store = restored(&bytes_of(&Store::new().version()));
    assert_eq!((store.version().index(), store.version().catalog_counts()), (0, (0, 0, 0)));
}

#[test]
fn records_without_indexes_get_the_last_one() {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Register<'a> {
        node: &'a str,
        address: &'a str,
    }
    let store = restored(&one_record(0, &Register { node: "n", address: "a" }));
    let version = store.version();
    let node = &version.node("n").unwrap().node;
    assert_eq!((node.create_index, node.modify_index), (50, 50));
    assert_eq!(version.table_index(Table::Nodes, &mut watch()), 50);
}

#[test]
fn tokens_of_the_oldest_system_are_understood() {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Legacy<'a> {
        #[serde(rename = "ID")]
        id: &'a str,
        name: &'a str,
        r#type: &'a str,
        rules: &'a str,
        modify_index: u64,
    }
    let legacy =
        Legacy { id: "secret", name: "old", r#type: "client", rules: "key \"\" {}", modify_index: 7 };
    let bytes = records(|writer| {
        writer.record(RecordType::ACL, &legacy).unwrap();
        writer.record(RecordType::ACL_BOOTSTRAP, &KvPair { modify_index: 9, ..KvPair::default() }).unwrap();
    });
    let store = restored(&bytes);
    let version = store.version();
    let token = version.acl_token_by_secret("secret").unwrap();
    assert_eq!((token.description.as_str(), token.r#type.as_str()), ("old", "client"));
    assert_eq!(version.acl_bootstrap_index(), Some(9));
}

#[test]
fn records_that_nothing_interprets_are_carried_along_unchanged() {
    let value = msgpack::to_vec(&Blob::from(vec![0xff, 0, 1])).unwrap();
    let bytes = records(|writer| {
        for kind in [13, 30, 31, 35, 42] {
            writer.raw_record(RecordType(kind), &value).unwrap();
        }
    });
    let store = restored(&bytes);
    let kept = |bytes: &[u8]| {
        let mut reader = RecordReader::new(bytes).unwrap();
        let mut kept = Vec::new();
        while let Some(record) = reader.next_record().unwrap() {
            if record.value == value {
                kept.push(record.kind.0);
            }
        }
        kept
    };
    assert_eq!(kept(&bytes_of(&store.version())), [13, 30, 31, 35, 42]);
    let mut older = Vec::new();
    Store::write_snapshot_up_to(&store.version(), RecordType::FEDERATION_STATE, &mut older).unwrap();
    assert_eq!(kept(&older), [13, 30]);
}

#[test]
fn indexes_of_peers_are_dropped_and_local_ones_understood() {
    let index = |key: &str, value: u64| serde_json::json!({ "Key": key, "Value": value });
    let bytes = records(|writer| {
        for (key, value) in [("peer.~:nodes", 40), ("peer.other:services", 41), ("connect-ca-roots", 42)] {
            writer.record(RecordType::INDEX, &index(key, value)).unwrap();
        }
    });
    let store = restored(&bytes);
    let version = store.version();
    assert_eq!(version.table_index(Table::Nodes, &mut watch()), 40);
    assert_eq!(version.table_index(Table::Services, &mut watch()), 1);
    let again = restored(&bytes_of(&version));
    assert_eq!(bytes_of(&again.version()), bytes_of(&version));
}

#[test]
fn unknown_and_enterprise_types_are_refused() {
    let text = |kind| read(&one_record(kind, &0)).err().unwrap().to_string();
    assert_eq!(text(50), "record of unknown type 50 at offset 12");
    assert_eq!(text(1), "record of unknown type 1 at offset 12");
    assert_eq!(text(64), "msg type <64> is a Consul Enterprise log entry. Consul CE cannot restore it");
    assert!(read(&[]).is_err() && read(b"\x02\x80").is_err());
}

#[test]
fn objects_that_cannot_be_are_refused() {
    let nameless = AclPolicy { id: "no uuid".to_owned(), ..AclPolicy::default() };
    for (kind, bytes) in [
        (2, one_record(2, &KvPair::default())),
        (3, one_record(3, &session(1, "n").name)),
        (17, one_record(17, &AclToken::default())),
        (19, one_record(19, &nameless)),
        (0, one_record(0, &serde_json::json!({}))),
    ] {
        assert!(read(&bytes).is_err(), "type {kind}");
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error_or_ends_between_records() {
    let mut reader = RecordReader::new(REFERENCE).unwrap();
    let mut ends = vec![reader.header_len()];
    while let Some(record) = reader.next_record().unwrap() {
        ends.push(record.offset + record.size());
    }
    for len in (0..REFERENCE.len()).step_by(7) {
        let whole = ends.contains(&(len as u64));
        assert_eq!(read(&REFERENCE[..len]).is_ok(), whole, "cut to {len} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_an_error_or_harmless(at in 0..REFERENCE.len(), bit in 0u8..8) {
        let mut bytes = REFERENCE.to_vec();
        bytes[at] ^= 1 << bit;
        if let Ok(restored) = read(&bytes) {
            prop_assert!(!bytes_of(restored.version()).is_empty());
        }
    }

    #[test]
    fn garbage_is_an_error_or_harmless(tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&tail);
        let mut bytes = one_record(2, &KvPair { key: "k".into(), ..KvPair::default() });
        bytes.extend(tail);
        let _ = read(&bytes);
    }
}
