//! When sessions may start and what ends them.

use consul_api::types::duration::GoDuration;
use consul_api::types::request::RegisterRequest;
use consul_api::types::session::{ServiceCheck, Session};
use consul_state::session::validate;
use consul_state::{ApplyError, Command, Store, WatchSet};

use crate::support::{
    apply, check, deregister, kv, lock, node, register, service, session, uuid, with_check,
};

fn create(store: &Store, session: Session) -> Result<(), ApplyError> {
    apply(store, Command::SessionCreate(session)).reply.map(drop)
}

fn ids(store: &Store) -> Vec<String> {
    store.version().sessions(&mut WatchSet::new()).1.map(|session| session.id.clone()).collect()
}

fn checked(number: u32, checks: &[&str]) -> Session {
    let checks = checks.iter().map(|id| (*id).to_owned()).collect();
    Session { node_checks: Some(checks), ..session(number, "n") }
}

fn store_with_checks() -> Store {
    let store = Store::new();
    let request = RegisterRequest {
        service: Some(service("web", "web")),
        checks: Some(vec![check("serfHealth", "", "passing"), check("own", "web", "passing")]),
        ..node("n")
    };
    register(&store, request).unwrap();
    store
}

#[test]
fn settings_are_checked_before_they_are_proposed() {
    let refused = |tune: &dyn Fn(&mut Session)| {
        let mut session = session(1, "n");
        tune(&mut session);
        validate(&mut session, GoDuration::from_secs(10)).unwrap_err().to_string()
    };
    assert_eq!(refused(&|s| s.behavior = "explode".into()), "Invalid Behavior setting 'explode'");
    assert_eq!(
        refused(&|s| s.ttl = "1s".into()),
        "Invalid Session TTL '1000000000', must be between [10s=24h0m0s]"
    );
    assert_eq!(
        refused(&|s| s.ttl = "25h".into()),
        "Invalid Session TTL '90000000000000', must be between [10s=24h0m0s]"
    );
    assert_eq!(
        refused(&|s| s.ttl = "abc".into()),
        "Session TTL 'abc' invalid: time: invalid duration \"abc\""
    );
    let mut fine = Session { ttl: "0s".to_owned(), ..session(1, "n") };
    validate(&mut fine, GoDuration::from_secs(10)).unwrap();
    assert_eq!(fine.behavior, "release");
}

#[test]
fn a_session_needs_its_node_and_healthy_checks() {
    let store = store_with_checks();
    let text = |session| create(&store, session).unwrap_err().to_string();
    assert_eq!(text(session(1, "nope")), "Missing node registration");
    assert_eq!(text(checked(1, &["nope"])), "Missing check 'nope' registration");
    register(&store, with_check("n", check("bad", "", "critical"))).unwrap();
    assert_eq!(text(checked(1, &["serfHealth", "bad"])), "Check 'bad' is in critical state");
    create(&store, checked(2, &["serfHealth", "own"])).unwrap();
    create(&store, Session { node: "N".to_owned(), ..session(1, "n") }).unwrap();
    assert_eq!(ids(&store), [uuid(1), uuid(2)]);
    let version = store.version();
    assert_eq!(version.node_sessions("n", &mut WatchSet::new()).1.len(), 2);
    assert_eq!(version.node_sessions("other", &mut WatchSet::new()).1.len(), 0);
    assert!(version.session(&uuid(1).to_uppercase(), &mut WatchSet::new()).unwrap().1.is_some());
    assert_eq!(
        version.session("abc", &mut WatchSet::new()).unwrap_err().to_string(),
        "failed session lookup: index error: UUID must be 36 characters"
    );
}

#[test]
fn a_critical_or_removed_check_ends_the_sessions_tied_to_it() {
    let store = store_with_checks();
    let by_service = ServiceCheck { id: "own".to_owned(), ..ServiceCheck::default() };
    create(&store, Session { service_checks: Some(vec![by_service]), ..session(1, "n") }).unwrap();
    create(&store, checked(2, &["serfHealth"])).unwrap();
    create(&store, Session { checks: Some(vec!["own".to_owned()]), ..session(3, "n") }).unwrap();
    register(&store, with_check("n", check("own", "web", "warning"))).unwrap();
    assert_eq!(ids(&store).len(), 3, "a warning ends nothing");
    register(&store, with_check("n", check("own", "web", "critical"))).unwrap();
    assert_eq!(ids(&store), [uuid(2)]);
    deregister(&store, "n", "", "serfHealth");
    assert!(ids(&store).is_empty());
}

#[test]
fn sessions_end_with_their_node_and_their_service() {
    let store = store_with_checks();
    create(&store, session(1, "n")).unwrap();
    create(&store, checked(2, &["own"])).unwrap();
    kv(&store, lock("k", &uuid(1))).unwrap();
    deregister(&store, "n", "web", "");
    assert_eq!(ids(&store), [uuid(1)]);
    deregister(&store, "n", "", "");
    assert!(ids(&store).is_empty());
    assert!(store.version().kv_get(b"k", &mut WatchSet::new()).1.unwrap().session.is_empty());
}

#[test]
fn creating_and_ending_moves_the_index_of_all_sessions() {
    let store = store_with_checks();
    let index = || store.version().sessions(&mut WatchSet::new()).0;
    assert_eq!(index(), 1);
    let created = apply(&store, Command::SessionCreate(session(1, "n"))).index;
    assert_eq!(index(), created);
    apply(&store, Command::SessionDestroy { id: uuid(9) });
    assert_eq!(index(), created);
    let ended = apply(&store, Command::SessionDestroy { id: uuid(1) }).index;
    assert_eq!(index(), ended);
}
