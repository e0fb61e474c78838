//! Who is woken by what, and that nobody sleeps through a change.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use consul_api::types::kv::KvVerb;
use consul_state::command::KvCommand;
use consul_state::{Command, Lookup, Store, Version, WatchSet, Watcher};

use crate::support::{
    apply, check, deregister, kv, lock, node, register, service, session, set, uuid, with_check, with_service,
};

fn woken(watcher: &mut Watcher) -> bool {
    Pin::new(watcher).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

fn watch(store: &Store, read: impl FnOnce(&Version, &mut WatchSet)) -> Watcher {
    let mut set = WatchSet::new();
    read(&store.version(), &mut set);
    store.watch(&set)
}

fn watch_service(store: &Store, name: &str, lookup: Lookup) -> Watcher {
    watch(store, |version, set| {
        version.check_service_nodes(name, lookup, set);
    })
}

#[test]
fn only_the_key_that_was_read_wakes_its_reader() {
    let store = Store::new();
    set(&store, "a", "1");
    set(&store, "ab", "1");
    let mut watcher = watch(&store, |version, set| {
        version.kv_get(b"a", set);
    });
    set(&store, "ab", "2");
    set(&store, "a", "1");
    assert!(!woken(&mut watcher), "another key, and an equal write");
    set(&store, "a", "2");
    assert!(woken(&mut watcher));
}

#[test]
fn a_reader_of_a_missing_key_waits_for_any_write() {
    let store = Store::new();
    let mut watcher = watch(&store, |version, set| {
        version.kv_get(b"missing", set);
    });
    set(&store, "other", "1");
    assert!(woken(&mut watcher));
}

#[test]
fn deletes_wake_keys_and_prefixes() {
    let store = Store::new();
    for key in ["p/a", "p/b", "q"] {
        set(&store, key, "1");
    }
    let on_prefix = |prefix: &'static str| {
        watch(&store, |version, set| {
            version.kv_list(prefix.as_bytes(), set);
        })
    };
    let (mut p, mut q) = (on_prefix("p/"), on_prefix("q"));
    kv(&store, KvCommand::new(KvVerb::DeleteTree, "p/")).unwrap();
    assert!(woken(&mut p) && !woken(&mut q));
}

#[test]
fn the_end_of_a_session_wakes_readers_of_its_keys() {
    let store = Store::new();
    register(&store, node("n")).unwrap();
    apply(&store, Command::SessionCreate(session(1, "n"))).reply.unwrap();
    kv(&store, lock("k", &uuid(1))).unwrap();
    let mut watcher = watch(&store, |version, set| {
        version.kv_get(b"k", set);
    });
    deregister(&store, "n", "", "");
    assert!(woken(&mut watcher));
}

#[test]
fn services_are_woken_by_their_own_instances_only() {
    let store = Store::new();
    register(&store, with_service("n", service("web", "web"))).unwrap();
    register(&store, with_service("m", service("db", "db"))).unwrap();
    let mut web = watch_service(&store, "WEB", Lookup::Service);
    register(&store, with_check("m", check("up", "", "passing"))).unwrap();
    register(&store, with_service("n", service("api", "api"))).unwrap();
    set(&store, "k", "v");
    assert!(!woken(&mut web));
    register(&store, with_check("n", check("up", "", "passing"))).unwrap();
    assert!(woken(&mut web));
    let mut web = watch_service(&store, "web", Lookup::Service);
    deregister(&store, "n", "web", "");
    assert!(woken(&mut web));
}

#[test]
fn a_service_to_come_wakes_those_who_wait_for_it() {
    let store = Store::new();
    register(&store, with_service("n", service("web", "web"))).unwrap();
    deregister(&store, "n", "web", "");
    let mut web = watch_service(&store, "web", Lookup::Service);
    let mut mesh = watch_service(&store, "web", Lookup::Connect);
    register(&store, with_service("n", service("db", "db"))).unwrap();
    assert!(!woken(&mut web) && !woken(&mut mesh));
    let mut native = service("web", "web");
    native.connect.native = true;
    register(&store, with_service("n", native)).unwrap();
    assert!(woken(&mut web) && woken(&mut mesh));
}

#[test]
fn a_node_is_woken_by_its_own_services_and_a_missing_one_by_new_nodes() {
    let store = Store::new();
    register(&store, node("n")).unwrap();
    let on_node = |name: &'static str| {
        watch(&store, |version, set| {
            version.node_services(name, set);
        })
    };
    let (mut known, mut missing) = (on_node("N"), on_node("m"));
    register(&store, with_service("other", service("s", "s"))).unwrap();
    assert!(!woken(&mut known) && woken(&mut missing));
    register(&store, with_service("n", service("s", "s"))).unwrap();
    assert!(woken(&mut known));
}

#[test]
fn a_refused_transaction_wakes_nobody() {
    let store = Store::new();
    let mut watcher = watch(&store, |version, set| {
        drop(version.nodes(set));
    });
    let mut request = with_check("n", check("c", "no-such-service", "passing"));
    consul_state::catalog::validate::registration(&mut request).unwrap();
    assert!(apply(&store, Command::Register(Box::new(request))).reply.is_err());
    assert!(!woken(&mut watcher));
}

#[test]
fn watchers_leave_nothing_behind() {
    let store = Store::new();
    let watchers: Vec<Watcher> = (0..1000).map(|_| watch_service(&store, "web", Lookup::Service)).collect();
    assert_eq!(store.watched(), 2, "the service, and the table that stands for its absence");
    drop(watchers);
    assert_eq!(store.watched(), 0);
}

#[tokio::test]
async fn a_blocking_read_returns_once_its_index_passed() {
    let store = Arc::new(Store::new());
    let first = set(&store, "k", "1");
    let read = |version: &Arc<Version>, set: &mut WatchSet| {
        let (index, entry) = version.kv_get(b"k", set);
        (index, entry.map(|entry| entry.value.clone()))
    };
    assert_eq!(store.read_blocking(0, read).await.0, first);
    let mut blocked = pin!(store.read_blocking(first, read));
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(blocked.as_mut().poll(cx).is_ready()));
    assert!(!polled.await);
    let second = set(&store, "k", "2");
    let (index, value) = tokio::time::timeout(Duration::from_secs(10), blocked).await.unwrap();
    assert_eq!((index, value), (second, Some("2".into())));
}

/// Writers and blocking readers race; a reader that sleeps through the last write would never return.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_change_is_missed() {
    const WRITES: usize = 400;
    let store = Arc::new(Store::new());
    let noisy = Arc::new(AtomicBool::new(true));
    let noise = {
        let (store, noisy) = (Arc::clone(&store), Arc::clone(&noisy));
        std::thread::spawn(move || {
            let mut number = 0u64;
            while noisy.load(Ordering::Relaxed) {
                set(&store, "noise", &number.to_string());
                number += 1;
            }
        })
    };
    set(&store, "k", "0");
    let readers: Vec<_> = (0..16)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut index = 0;
                loop {
                    let read = |version: &Arc<Version>, set: &mut WatchSet| {
                        let (index, entry) = version.kv_get(b"k", set);
                        (index, entry.map(|entry| entry.value.clone()))
                    };
                    let (next, value) = store.read_blocking(index, read).await;
                    assert!(next > index);
                    index = next;
                    if value == Some(WRITES.to_string().as_str().into()) {
                        return;
                    }
                }
            })
        })
        .collect();
    let writer = {
        let store = Arc::clone(&store);
        tokio::task::spawn_blocking(move || {
            for number in 1..=WRITES {
                set(&store, "k", &number.to_string());
            }
        })
    };
    writer.await.unwrap();
    for reader in readers {
        tokio::time::timeout(Duration::from_secs(30), reader)
            .await
            .expect("a reader slept through a write")
            .unwrap();
    }
    noisy.store(false, Ordering::Relaxed);
    noise.join().unwrap();
}
