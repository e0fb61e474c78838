use std::time::Duration;

use super::server::Server;
use super::store::Store;
use crate::client::Client;
use crate::client::lock::{Held, LOCK_FLAGS, Lock, LockError, LockOptions};
use crate::client::semaphore::{SEMAPHORE_FLAGS, Semaphore};
use crate::types::kv::KvPair;

const LIMIT: Duration = Duration::from_secs(20);

async fn agent() -> (Store, Server, Client) {
    let store = Store::new();
    let answering = store.clone();
    let server = Server::start(move |request| answering.clone().answer(request)).await;
    let client = server.client();
    (store, server, client)
}

fn options() -> LockOptions {
    LockOptions {
        wait: Duration::from_millis(200),
        monitor_retry_pause: Duration::from_millis(5),
        ..LockOptions::default()
    }
}

fn brief() -> LockOptions {
    LockOptions { timeout: Some(Duration::from_millis(50)), ..options() }
}

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, work).await.expect("should have ended")
}

async fn lost(held: &mut Held) {
    in_time(held.lost()).await;
}

#[tokio::test]
async fn a_lock_is_taken_marked_released_and_cleaned_up() {
    let (store, server, client) = agent().await;
    let mut lock = Lock::new(client, "p/.lock", options());
    let held = in_time(lock.acquire()).await.unwrap().expect("free");
    let pair = store.pair("p/.lock").unwrap();
    assert_eq!((pair.flags, pair.session.as_str()), (3_304_740_253_564_472_344, held.session_id()));
    assert_eq!(pair.flags, LOCK_FLAGS);
    assert!(matches!(lock.cleanup().await, Err(LockError::InUse)));
    lock.release(held).await.unwrap();
    assert_eq!((store.pair("p/.lock").unwrap().session.as_str(), store.sessions()), ("", 0));
    lock.cleanup().await.unwrap();
    assert!(store.keys().is_empty());
    let create = server.seen().into_iter().find(|seen| seen.path() == "/v1/session/create").unwrap();
    assert_eq!(
        create.body,
        r#"{"Name":"Consul API Lock","LockDelay":"15s","Behavior":"release","TTL":"15s"}"#
    );
}

#[tokio::test]
async fn the_second_waits_for_the_first() {
    let (store, _server, client) = agent().await;
    let mut first = Lock::new(client.clone(), "p/.lock", options());
    let held = in_time(first.acquire()).await.unwrap().expect("free");
    let mut second = Lock::new(client.clone(), "p/.lock", options());
    let waiting = tokio::spawn(async move { second.acquire().await });
    assert!(in_time(Lock::new(client, "p/.lock", brief()).acquire()).await.unwrap().is_none());
    assert!(!waiting.is_finished());
    first.release(held).await.unwrap();
    let second = in_time(waiting).await.unwrap().unwrap().expect("released");
    assert_eq!(store.pair("p/.lock").unwrap().session, second.session_id());
}

#[tokio::test]
async fn a_timeout_leaves_no_session_behind() {
    let (store, _server, client) = agent().await;
    let held = in_time(Lock::new(client.clone(), "k", options()).acquire()).await.unwrap().expect("free");
    assert!(in_time(Lock::new(client, "k", brief()).acquire()).await.unwrap().is_none());
    assert_eq!(store.sessions(), 1);
    drop(held);
}

#[tokio::test]
async fn a_key_that_is_no_lock_is_left_alone() {
    let (store, _server, client) = agent().await;
    store.put("k", KvPair { flags: 42, ..KvPair::default() });
    let error = in_time(Lock::new(client.clone(), "k", options()).acquire()).await.err().unwrap();
    assert_eq!(error.to_string(), "Existing key does not match lock use");
    store.put("s/.lock", KvPair { flags: LOCK_FLAGS, ..KvPair::default() });
    let error = in_time(Semaphore::new(client, "s", 2, options()).acquire()).await.err().unwrap();
    assert_eq!(error.to_string(), "Existing key does not match semaphore use");
    assert_eq!(store.sessions(), 0);
}

#[tokio::test]
async fn losing_the_session_is_losing_the_lock() {
    let (store, _server, client) = agent().await;
    let mut held = in_time(Lock::new(client, "k", options()).acquire()).await.unwrap().expect("free");
    let id = held.session_id().to_owned();
    store.invalidate(&id);
    lost(&mut held).await;
    lost(&mut held).await;
}

#[tokio::test]
async fn an_agent_in_trouble_is_asked_again_before_the_lock_counts_as_lost() {
    let (store, server, client) = agent().await;
    let patient = LockOptions { monitor_retries: 3, ..options() };
    let mut lock = Lock::new(client, "k", patient);
    let mut held = in_time(lock.acquire()).await.unwrap().expect("free");
    store.fail(2);
    let before = server.seen().len();
    // The monitor's read ends within the store's wait; then come two failures and a success.
    in_time(async {
        while server.seen().len() < before + 5 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(tokio::time::timeout(Duration::from_millis(20), held.lost()).await.is_err());
    store.fail(u32::MAX);
    lost(&mut held).await;
}

#[tokio::test]
async fn a_semaphore_lets_in_as_many_as_it_has_slots() {
    let (store, _server, client) = agent().await;
    let semaphore = || Semaphore::new(client.clone(), "s", 2, options());
    let (mut first, mut second, mut third) = (semaphore(), semaphore(), semaphore());
    let one = in_time(first.acquire()).await.unwrap().expect("free");
    let two = in_time(second.acquire()).await.unwrap().expect("free");
    let entry = store.pair("s/.lock").unwrap();
    let expected = format!(
        "{{\"Limit\":2,\"Holders\":{{\"{}\":true,\"{}\":true}}}}",
        one.session_id(),
        two.session_id()
    );
    assert_eq!(String::from_utf8(entry.value.as_slice().to_vec()).unwrap(), expected);
    assert_eq!((entry.flags, entry.session.as_str()), (SEMAPHORE_FLAGS, ""));
    assert_eq!(SEMAPHORE_FLAGS, 16_210_313_421_097_356_768);
    let contender = store.pair(&format!("s/{}", one.session_id())).unwrap();
    assert_eq!((contender.session.as_str(), contender.flags), (one.session_id(), SEMAPHORE_FLAGS));

    let waiting = tokio::spawn(async move { (third.acquire().await, third) });
    assert!(in_time(Semaphore::new(client.clone(), "s", 2, brief()).acquire()).await.unwrap().is_none());
    assert!(!waiting.is_finished());
    first.release(one).await.unwrap();
    let (three, third) = in_time(waiting).await.unwrap();
    let three = three.unwrap().expect("released");
    assert!(matches!(second.cleanup().await, Err(LockError::InUse)));
    second.release(two).await.unwrap();
    third.release(three).await.unwrap();
    third.cleanup().await.unwrap();
    assert_eq!((store.keys(), store.sessions()), (Vec::new(), 0));
}

#[tokio::test]
async fn a_dead_holder_makes_room_and_learns_of_it() {
    let (store, _server, client) = agent().await;
    let semaphore = || Semaphore::new(client.clone(), "s", 1, options());
    let mut dead = in_time(semaphore().acquire()).await.unwrap().expect("free");
    let id = dead.session_id().to_owned();
    store.invalidate(&id);
    let next = in_time(semaphore().acquire()).await.unwrap().expect("its holder is dead");
    assert_ne!(next.session_id(), "");
    lost(&mut dead).await;
}

#[tokio::test]
async fn users_of_a_semaphore_must_agree_on_its_limit() {
    let (_store, _server, client) = agent().await;
    let _held = in_time(Semaphore::new(client.clone(), "s", 2, options()).acquire()).await.unwrap();
    let error = in_time(Semaphore::new(client, "s", 3, options()).acquire()).await.err().unwrap();
    assert_eq!(error.to_string(), "semaphore limit conflict (lock: 2, local: 3)");
}
