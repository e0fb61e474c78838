//! Rules of the key/value store and its locks.

use consul_api::types::bytes::Key;
use consul_api::types::duration::Nanoseconds;
use consul_api::types::kv::{KvPair, KvVerb};
use consul_api::types::session::Session;
use consul_state::command::{KvCommand, LockDelay};
use consul_state::{ApplyError, Command, Store, WatchSet};

use crate::support::{apply, kv, lock, node, register, session, set, unlock, uuid};

fn get(store: &Store, key: &str) -> Option<KvPair> {
    store.version().kv_get(key.as_bytes(), &mut WatchSet::new()).1.map(|entry| KvPair::clone(entry))
}

fn index(store: &Store, key: &str) -> u64 {
    store.version().kv_get(key.as_bytes(), &mut WatchSet::new()).0
}

fn prefix_index(store: &Store, prefix: &str) -> u64 {
    store.version().kv_list(prefix.as_bytes(), &mut WatchSet::new()).0
}

fn keys(store: &Store, prefix: &str, separator: &str) -> Vec<String> {
    let version = store.version();
    let (_, keys) = version.kv_keys(prefix.as_bytes(), separator.as_bytes(), &mut WatchSet::new());
    keys.into_iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
}

fn store_with_session(number: u32, tune: impl FnOnce(&mut Session)) -> Store {
    let store = Store::new();
    register(&store, node("n")).unwrap();
    let mut session = session(number, "n");
    tune(&mut session);
    apply(&store, Command::SessionCreate(session)).reply.unwrap();
    store
}

#[test]
fn an_equal_write_moves_no_index() {
    let store = Store::new();
    let first = set(&store, "a", "1");
    set(&store, "a", "1");
    assert_eq!(get(&store, "a").unwrap().modify_index, first);
    let flagged = KvCommand { flags: 7, ..KvCommand::set("a", "1") };
    kv(&store, flagged).unwrap();
    let entry = get(&store, "a").unwrap();
    assert_eq!((entry.create_index, entry.modify_index, entry.flags), (first, 3, 7));
    set(&store, "a", "1");
    assert_eq!(get(&store, "a").unwrap().flags, 0, "a write without flags resets them");
}

#[test]
fn compare_and_set_needs_the_exact_index() {
    let store = Store::new();
    let cas =
        |index, value: &str| KvCommand { index, value: value.into(), ..KvCommand::new(KvVerb::Cas, "a") };
    assert_eq!(kv(&store, cas(5, "x")), Ok(false), "absent");
    assert_eq!(kv(&store, cas(0, "x")), Ok(true));
    assert_eq!(kv(&store, cas(0, "y")), Ok(false), "exists");
    let at = get(&store, "a").unwrap().modify_index;
    assert_eq!(kv(&store, cas(at + 1, "y")), Ok(false));
    assert_eq!(kv(&store, cas(at, "y")), Ok(true));
    assert_eq!(get(&store, "a").unwrap().value, "y".into());
}

#[test]
fn conditional_delete_accepts_an_absent_key() {
    let store = Store::new();
    let delete = |index| KvCommand { index, ..KvCommand::new(KvVerb::DeleteCas, "a") };
    assert_eq!(kv(&store, delete(9)), Ok(true));
    let at = set(&store, "a", "1");
    assert_eq!(kv(&store, delete(0)), Ok(false));
    assert_eq!(kv(&store, delete(at + 1)), Ok(false));
    assert_eq!(kv(&store, delete(at)), Ok(true));
    assert_eq!(get(&store, "a"), None);
}

#[test]
fn an_empty_key_is_refused_except_for_recursive_delete() {
    let store = Store::new();
    assert_eq!(kv(&store, KvCommand::set("", "x")), Err(ApplyError::MissingKey));
    set(&store, "a", "1");
    assert_eq!(kv(&store, KvCommand::new(KvVerb::DeleteTree, "")), Ok(true));
    assert_eq!(store.version().kv_count(), 0);
    assert_eq!(
        kv(&store, KvCommand::new(KvVerb::Get, "a")).unwrap_err().to_string(),
        "Invalid KVS operation 'get'"
    );
}

#[test]
fn lists_are_in_byte_order_and_prefixes_are_strings() {
    let store = Store::new();
    for key in ["web/", "web/a", "web/b", "web/sub/c", "web/sub/d", "web/subx", "weba", "B"] {
        set(&store, key, "v");
    }
    assert_eq!(keys(&store, "web/", "/"), ["web/", "web/a", "web/b", "web/sub/", "web/subx"]);
    assert_eq!(keys(&store, "web", "/"), ["web/", "weba"]);
    assert_eq!(keys(&store, "web/s", "/"), ["web/sub/", "web/subx"]);
    assert_eq!(keys(&store, "", "").first().unwrap(), "B");
    assert_eq!(keys(&store, "nothing", ""), Vec::<String>::new());
}

#[test]
fn a_missing_key_has_the_index_of_the_table() {
    let store = Store::new();
    assert_eq!(index(&store, "missing"), 1, "never zero");
    let written = set(&store, "other", "1");
    assert_eq!(index(&store, "missing"), written);
    kv(&store, KvCommand::new(KvVerb::Delete, "other")).unwrap();
    assert_eq!(index(&store, "missing"), written + 1);
    kv(&store, KvCommand::new(KvVerb::Delete, "other")).unwrap();
    assert_eq!(index(&store, "missing"), written + 1, "deleting what is absent changes nothing");
}

#[test]
fn tombstones_keep_a_prefix_from_going_back_until_reaped() {
    let store = Store::new();
    let first = set(&store, "p/a", "1");
    set(&store, "p/b", "1");
    let elsewhere = set(&store, "q", "1");
    assert_eq!(prefix_index(&store, "p/"), first + 1);
    let outcome = apply(&store, Command::Kv(KvCommand::new(KvVerb::Delete, "p/b")));
    assert!(outcome.effects.unwrap().tombstone);
    assert_eq!(prefix_index(&store, "p/"), outcome.index);
    assert_eq!(prefix_index(&store, "q"), elsewhere);
    assert_eq!(store.version().oldest_tombstone(), Some(outcome.index));
    apply(&store, Command::TombstoneReap { index: outcome.index });
    assert_eq!(prefix_index(&store, "p/"), first);
    assert_eq!(store.version().oldest_tombstone(), None);
}

#[test]
fn a_recursive_delete_leaves_one_tombstone_at_its_prefix() {
    let store = Store::new();
    for key in ["p/a", "p/b/c", "q"] {
        set(&store, key, "1");
    }
    let outcome = apply(&store, Command::Kv(KvCommand::new(KvVerb::DeleteTree, "p/")));
    assert_eq!(prefix_index(&store, "p"), outcome.index);
    let later = set(&store, "r", "1");
    assert_eq!(prefix_index(&store, "p/"), outcome.index);
    assert_eq!(prefix_index(&store, "p/b/"), later, "below the marker only the table knows");
}

#[test]
fn locks_follow_their_holder() {
    let store = store_with_session(1, |_| {});
    apply(&store, Command::SessionCreate(session(2, "n"))).reply.unwrap();
    let (one, two) = (uuid(1), uuid(2));
    assert_eq!(kv(&store, lock("k", &one)), Ok(true));
    assert_eq!(kv(&store, lock("k", &two)), Ok(false));
    assert_eq!(kv(&store, lock("k", &one)), Ok(true));
    assert_eq!(get(&store, "k").unwrap().lock_index, 1);
    set(&store, "k", "plain");
    let entry = get(&store, "k").unwrap();
    assert_eq!((entry.lock_index, entry.session.as_str()), (0, one.as_str()));
    assert_eq!(kv(&store, unlock("k", &two)), Ok(false));
    assert_eq!(kv(&store, unlock("k", "garbage")), Ok(false));
    assert_eq!(kv(&store, unlock("k", &one)), Ok(true));
    assert_eq!(kv(&store, unlock("absent", &one)), Ok(false));
    assert_eq!(kv(&store, lock("k", &two)), Ok(true));
    assert_eq!(get(&store, "k").unwrap().lock_index, 1);
    assert_eq!(store.version().kv_held(&two), [b"k"]);
}

#[test]
fn a_lock_needs_a_live_session() {
    let store = Store::new();
    let text = |session: &str| kv(&store, lock("k", session)).unwrap_err().to_string();
    assert_eq!(text(""), "missing session");
    assert_eq!(text("abc"), "failed session lookup: index error: UUID must be 36 characters");
    assert_eq!(text(&uuid(9)), format!("invalid session \"{}\"", uuid(9)));
    assert_eq!(kv(&store, unlock("k", "")).unwrap_err().to_string(), "missing session");
}

#[test]
fn the_end_of_a_session_releases_its_keys_into_lock_delay() {
    let store = store_with_session(1, |session| session.lock_delay = Nanoseconds(15));
    kv(&store, lock("k", &uuid(1))).unwrap();
    let outcome = apply(&store, Command::SessionDestroy { id: uuid(1) });
    let effects = outcome.effects.unwrap();
    assert_eq!(effects.ended_sessions, [uuid(1)]);
    assert_eq!(effects.lock_delays, [LockDelay { key: Key::from("k"), delay: Nanoseconds(15) }]);
    let entry = get(&store, "k").unwrap();
    assert_eq!((entry.session.as_str(), entry.lock_index, entry.modify_index), ("", 1, outcome.index));
    assert!(store.version().kv_held(&uuid(1)).is_empty());
}

#[test]
fn keys_of_a_deleting_session_go_with_it() {
    let store = store_with_session(1, |session| session.behavior = "delete".to_owned());
    kv(&store, lock("k", &uuid(1))).unwrap();
    let outcome = apply(&store, Command::SessionDestroy { id: uuid(1) });
    assert_eq!(get(&store, "k"), None);
    assert_eq!(prefix_index(&store, "k"), outcome.index);
    assert!(apply(&store, Command::SessionDestroy { id: uuid(1) }).reply.is_ok(), "ending it twice is fine");
}

#[test]
fn a_deleted_key_is_no_longer_held() {
    let store = store_with_session(1, |_| {});
    kv(&store, lock("k", &uuid(1))).unwrap();
    let outcome = apply(&store, Command::Kv(KvCommand::new(KvVerb::Delete, "k")));
    assert!(outcome.effects.unwrap().lock_delays.is_empty());
    assert!(store.version().kv_held(&uuid(1)).is_empty());
    kv(&store, lock("k", &uuid(1))).unwrap();
    assert_eq!(get(&store, "k").unwrap().lock_index, 1);
}

#[test]
fn a_batch_is_published_at_once_and_numbered_one_by_one() {
    let store = Store::new();
    let held = store.version();
    let outcomes =
        store.apply(&[Command::Kv(KvCommand::set("a", "1")), Command::Kv(KvCommand::set("", "1"))]);
    assert_eq!(outcomes.iter().map(|outcome| outcome.index).collect::<Vec<_>>(), [1, 2]);
    assert!(outcomes[0].reply.is_ok() && outcomes[1].reply.is_err());
    assert_eq!(store.version().index(), 2);
    assert_eq!((held.index(), held.kv_count()), (0, 0), "a held version never changes");
}
