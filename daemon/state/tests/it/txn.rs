//! Transactions: every verb, every refusal, all or nothing.

use consul_api::types::catalog::Node;
use consul_api::types::kv::KvPair;
use consul_api::types::session::Session;
use consul_api::types::txn::{
    TxnCheckOp, TxnKvOp, TxnNodeOp, TxnOp, TxnResponse, TxnResult, TxnServiceOp, TxnSessionOp,
};
use consul_state::txn::{TxnCommand, is_read_only};
use consul_state::{Command, Reply, Store, WatchSet};

use crate::support::{apply, check, node, register, service, session, set, uuid};

fn run(store: &Store, ops: Vec<TxnOp>) -> TxnResponse {
    match apply(store, Command::Txn(TxnCommand { ops, lock_delayed: Vec::new() })).reply {
        Ok(Reply::Txn(response)) => response,
        other => panic!("a transaction answered {other:?}"),
    }
}

fn refusals(store: &Store, ops: Vec<TxnOp>) -> Vec<(usize, String)> {
    let response = run(store, ops);
    assert_eq!(response.results, None);
    response.errors.unwrap().into_iter().map(|error| (error.op_index, error.what)).collect()
}

fn refusal(store: &Store, op: TxnOp) -> String {
    refusals(store, vec![op]).remove(0).1
}

fn kv_op(verb: &str, key: &str) -> TxnKvOp {
    TxnKvOp { verb: verb.to_owned(), key: key.into(), ..TxnKvOp::default() }
}

fn kv(verb: &str, key: &str, tune: impl FnOnce(&mut TxnKvOp)) -> TxnOp {
    let mut op = kv_op(verb, key);
    tune(&mut op);
    TxnOp { kv: Some(op), ..TxnOp::default() }
}

fn node_op(verb: &str, name: &str, modify_index: u64) -> TxnOp {
    let node =
        Node { node: name.to_owned(), address: "10.0.0.9".to_owned(), modify_index, ..Node::default() };
    TxnOp { node: Some(TxnNodeOp { verb: verb.to_owned(), node }), ..TxnOp::default() }
}

fn service_op(verb: &str, node: &str, id: &str, modify_index: u64) -> TxnOp {
    let mut service = service(id, "db");
    service.modify_index = modify_index;
    let op = TxnServiceOp { verb: verb.to_owned(), node: node.to_owned(), service };
    TxnOp { service: Some(op), ..TxnOp::default() }
}

fn check_op(verb: &str, node: &str, id: &str, modify_index: u64) -> TxnOp {
    let mut check = check(id, "", "passing");
    (check.node, check.modify_index) = (node.to_owned(), modify_index);
    TxnOp { check: Some(TxnCheckOp { verb: verb.to_owned(), check }), ..TxnOp::default() }
}

fn entries(response: TxnResponse) -> Vec<KvPair> {
    let entry = |result| match result {
        TxnResult::Kv(entry) => entry,
        other => panic!("not a KV result: {other:?}"),
    };
    response.results.unwrap().into_iter().map(entry).collect()
}

#[test]
fn later_operations_see_earlier_ones_and_share_an_index() {
    let store = Store::new();
    let ops = vec![
        kv("set", "t/a", |op| op.value = "one".into()),
        kv("set", "t/b", |op| op.value = "two".into()),
        kv("get", "t/a", |_| {}),
        kv("get-tree", "t/", |_| {}),
        kv("delete", "t/b", |_| {}),
        kv("check-not-exists", "t/b", |_| {}),
        kv("get-or-empty", "t/c", |_| {}),
    ];
    let entries = entries(run(&store, ops));
    let seen: Vec<(String, usize)> = entries.iter().map(|e| (e.key.to_string(), e.value.len())).collect();
    let expected = [("t/a", 0), ("t/b", 0), ("t/a", 3), ("t/a", 3), ("t/b", 3), ("t/c", 0)];
    assert_eq!(seen, expected.map(|(key, len)| (key.to_owned(), len)));
    assert!(entries[..5].iter().all(|entry| entry.modify_index == 1));
    assert_eq!(store.version().kv_count(), 1);
}

#[test]
fn every_failure_is_reported_and_nothing_happens() {
    let store = Store::new();
    set(&store, "keep", "before");
    let before = store.version().kv_get(b"other", &mut WatchSet::new()).0;
    let ops = vec![
        kv("set", "keep", |op| op.value = "after".into()),
        kv("cas", "keep", |op| op.index = 99),
        kv("get", "missing", |_| {}),
    ];
    let expected = [(1, "failed to set key \"keep\", index is stale"), (2, "key \"missing\" doesn't exist")];
    assert_eq!(refusals(&store, ops), expected.map(|(at, what)| (at, what.to_owned())));
    let version = store.version();
    assert_eq!(version.kv_get(b"keep", &mut WatchSet::new()).1.unwrap().value, "before".into());
    assert_eq!(version.kv_get(b"other", &mut WatchSet::new()).0, before);
}

#[test]
fn kv_refusals_have_the_known_texts() {
    let store = Store::new();
    register(&store, node("n")).unwrap();
    for number in [1, 2] {
        apply(&store, Command::SessionCreate(session(number, "n"))).reply.unwrap();
    }
    let at = set(&store, "k", "v");
    let text = |verb: &str, key: &str, tune: &dyn Fn(&mut TxnKvOp)| refusal(&store, kv(verb, key, tune));
    assert_eq!(text("lock", "k", &|_| {}), "missing session");
    assert_eq!(
        text("lock", "k", &|op| op.session = "abc".into()),
        "failed session lookup: index error: UUID must be 36 characters"
    );
    assert_eq!(text("lock", "k", &|op| op.session = uuid(9)), format!("invalid session \"{}\"", uuid(9)));
    assert_eq!(
        text("unlock", "k", &|op| op.session = uuid(1)),
        "failed to unlock key \"k\", lock isn't held, or is held by another session"
    );
    assert_eq!(
        text("check-index", "k", &|op| op.index = 1),
        format!("failed index check for key \"k\", current modify index {at} != 1")
    );
    assert_eq!(text("check-index", "x", &|_| {}), "failed to check index, key \"x\" doesn't exist");
    assert_eq!(
        text("check-session", "k", &|op| op.session = "abc".into()),
        "failed session check for key \"k\", current session \"\" != \"abc\""
    );
    assert_eq!(text("check-session", "x", &|_| {}), "failed to check session, key \"x\" doesn't exist");
    assert_eq!(text("check-not-exists", "k", &|_| {}), "key \"k\" exists");
    assert_eq!(text("delete-cas", "k", &|_| {}), "failed to delete key \"k\", index is stale");
    assert_eq!(text("SET", "k", &|_| {}), "unknown KV verb \"SET\"");
    assert_eq!(text("set", "", &|_| {}), "Must provide key");
    let response = run(&store, vec![kv("lock", "k", |op| op.session = uuid(1))]);
    assert_eq!(entries(response)[0].session, uuid(1));
    assert_eq!(
        text("lock", "k", &|op| op.session = uuid(2)),
        "failed to lock key \"k\", lock is already held"
    );
    assert_eq!(run(&store, vec![kv("delete-tree", "", |_| {})]).results, Some(Vec::new()));
    assert_eq!(store.version().kv_count(), 0);
}

#[test]
fn a_lock_within_its_delay_fails() {
    let store = Store::new();
    let command = TxnCommand { ops: vec![kv("lock", "k", |op| op.session = uuid(1))], lock_delayed: vec![0] };
    let Ok(Reply::Txn(response)) = apply(&store, Command::Txn(command)).reply else {
        panic!("not a transaction")
    };
    assert_eq!(response.errors.unwrap()[0].what, "failed to lock key \"k\" due to lock delay");
}

#[test]
fn catalog_verbs_work_together() {
    let store = Store::new();
    let ops = || {
        vec![node_op("set", "ext", 0), service_op("set", "ext", "db1", 0), check_op("set", "ext", "c1", 0)]
    };
    let first = run(&store, ops()).results.unwrap();
    assert!(
        matches!(&first[0], TxnResult::Node(node) if node.address == "10.0.0.9" && node.modify_index == 1)
    );
    assert!(matches!(&first[1], TxnResult::Service(db) if db.weights.unwrap().passing == 1));
    assert!(matches!(&first[2], TxnResult::Check(check) if check.status == "passing"));
    let reads =
        vec![node_op("get", "EXT", 0), service_op("get", "ext", "db1", 0), check_op("get", "ext", "c1", 0)];
    assert!(is_read_only(&reads) && !is_read_only(&ops()));
    let read = store.version().txn_read(&reads);
    assert_eq!(read.results.unwrap().len(), 3);
    let deletes = vec![
        check_op("delete-cas", "ext", "c1", 1),
        service_op("delete", "ext", "db1", 0),
        node_op("delete-cas", "ext", 1),
    ];
    assert_eq!(run(&store, deletes).results, Some(Vec::new()));
    assert_eq!(store.version().catalog_counts(), (0, 0, 0));
}

#[test]
fn catalog_refusals_have_the_known_texts() {
    let store = Store::new();
    register(&store, node("bar")).unwrap();
    for (op, text) in [
        (node_op("get", "zip", 0), "node \"zip\" doesn't exist"),
        (node_op("cas", "bar", 0), "failed to set node \"bar\", index is stale"),
        (node_op("delete-cas", "bar", 9), "failed to delete node \"bar\", index is stale"),
        (node_op("zork", "bar", 0), "unknown Node verb \"zork\""),
        (node_op("set", "", 0), "Must provide node"),
        (service_op("get", "bar", "x", 0), "service \"x\" on node \"bar\" doesn't exist"),
        (service_op("set", "nope", "x", 0), "Missing node registration"),
        (
            service_op("cas", "bar", "web1", 7),
            "failed to set service \"web1\" on node \"bar\", index is stale",
        ),
        (
            service_op("delete-cas", "bar", "x", 7),
            "failed to delete service \"x\" on node \"bar\", index is stale",
        ),
        (service_op("zork", "bar", "x", 0), "unknown Service verb \"zork\""),
        (check_op("get", "bar", "x", 0), "check \"x\" on node \"bar\" doesn't exist"),
        (check_op("set", "nope", "x", 0), "Missing node registration"),
        (check_op("cas", "bar", "c", 7), "failed to set check \"c\" on node \"bar\", index is stale"),
        (
            check_op("delete-cas", "bar", "c", 7),
            "failed to delete check \"c\" on node \"bar\", index is stale",
        ),
        (check_op("zork", "bar", "c", 0), "unknown Check verb \"zork\""),
    ] {
        assert_eq!(refusal(&store, op), text);
    }
    let mut nameless = service_op("delete", "bar", "x", 0);
    nameless.service.as_mut().unwrap().service.service.clear();
    assert_eq!(refusal(&store, nameless), "Must provide service name with ID");
    let mut bad = node_op("set", "bar", 0);
    bad.node.as_mut().unwrap().node.id = "short".to_owned();
    assert_eq!(refusal(&store, bad), "Bad node ID: uuid string is wrong length");
}

#[test]
fn a_session_can_be_ended() {
    let store = Store::new();
    register(&store, node("n")).unwrap();
    apply(&store, Command::SessionCreate(session(1, "n"))).reply.unwrap();
    let delete = |verb: &str, id: &str| {
        let session = Session { id: id.to_owned(), ..Session::default() };
        TxnOp { session: Some(TxnSessionOp { verb: verb.to_owned(), session }), ..TxnOp::default() }
    };
    assert_eq!(refusal(&store, delete("create", &uuid(1))), "unknown Session verb \"create\"");
    assert_eq!(run(&store, vec![delete("delete", &uuid(1))]).results, Some(Vec::new()));
    assert_eq!(refusal(&store, delete("delete", &uuid(1))), format!("invalid session \"{}\"", uuid(1)));
}

#[test]
fn nothing_to_do_is_fine() {
    let store = Store::new();
    assert_eq!(run(&store, Vec::new()).results, Some(Vec::new()));
    assert_eq!(run(&store, vec![TxnOp::default()]).results, Some(Vec::new()));
    assert!(is_read_only(&[kv("explode", "k", |_| {})]));
}
