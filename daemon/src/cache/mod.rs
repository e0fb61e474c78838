//! The agent's cache, for clients that ask for it with `?cached`.
//!
//! Two kinds of entries: those of blocking reads keep themselves fresh with a read of their own and answer at once;
//! those of plain reads are fetched on demand, and callers say how old an answer they take. Entries are bounded in
//! number and forgotten when nobody asks for them.
//!
//! Nothing here knows what is cached: fetching comes in as a [`Source`] or a future, and `reads` ties it to requests.

mod control;
mod entry;
mod pace;
mod reads;

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

pub use control::CacheControl;
pub use entry::Source;
pub use pace::Pace;
pub use reads::{Cacheable, Caching};

use crate::rpc::{CacheInfo, ReadMeta, RpcError, Token};
use entry::Entry;

/// How long an entry lives that nobody asks for.
const IDLE_MAX: Duration = Duration::from_secs(3 * 24 * 3600);
/// More different questions than an agent's local clients have; beyond, the least recently asked is forgotten.
const ENTRIES_MAX: usize = 1024;

/// What was asked, by whom and of whom: answers to different callers never mix.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Which kind of request.
    pub kind: &'static str,
    /// The request, spelled out.
    pub request: String,
    pub datacenter: String,
    pub token: Token,
    pub stale: bool,
}

/// An answer with its freshness. Its type is known to whoever made the key.
#[derive(Clone)]
pub struct Fetched {
    pub meta: ReadMeta,
    pub value: Arc<dyn Any + Send + Sync>,
}

pub struct Cache {
    entries: Mutex<HashMap<Key, Slot>>,
    pace: Mutex<Pace>,
}

struct Slot {
    entry: Arc<Entry>,
    used: Instant,
}

impl Cache {
    /// `pace` bounds how often one entry is fetched anew by itself.
    pub fn new(pace: Pace) -> Self {
        Self { entries: Mutex::default(), pace: Mutex::new(pace) }
    }

    /// Changes the pace of entries that are yet to come.
    pub fn set_pace(&self, pace: Pace) {
        *self.pace.lock() = pace;
    }

    /// The answer of an entry that keeps itself fresh. Waits until its index passes `min_index`, at most `max_wait`.
    pub async fn watched(
        &self,
        key: Key,
        source: impl FnOnce() -> Box<dyn Source>,
        min_index: u64,
        max_wait: Duration,
    ) -> Result<Fetched, RpcError> {
        let entry = self.entry(&key, || Entry::watched(source(), *self.pace.lock()));
        let answer = entry.wait(min_index, max_wait).await;
        if answer.is_err() {
            self.forget(&key, &entry);
        }
        answer
    }

    /// The answer of an entry that is fetched when it is missing or older than `control` allows.
    pub async fn fetched(
        &self,
        key: Key,
        control: CacheControl,
        fetch: impl Future<Output = Result<Fetched, RpcError>>,
    ) -> Result<Fetched, RpcError> {
        let entry = self.entry(&key, Entry::plain);
        let answer = entry.fetch(control, fetch).await;
        if !entry.has_answer() {
            self.forget(&key, &entry);
        }
        answer
    }

    fn entry(&self, key: &Key, new: impl FnOnce() -> Entry) -> Arc<Entry> {
        let now = Instant::now();
        let mut entries = self.entries.lock();
        if let Some(slot) = entries.get_mut(key) {
            slot.used = now;
            return slot.entry.clone();
        }
        make_room(&mut entries, now);
        let entry = Arc::new(new());
        entries.insert(key.clone(), Slot { entry: entry.clone(), used: now });
        entry
    }

    fn forget(&self, key: &Key, entry: &Arc<Entry>) {
        let mut entries = self.entries.lock();
        if entries.get(key).is_some_and(|slot| Arc::ptr_eq(&slot.entry, entry)) {
            entries.remove(key);
        }
    }
}

fn make_room(entries: &mut HashMap<Key, Slot>, now: Instant) {
    entries.retain(|_, slot| now.saturating_duration_since(slot.used) < IDLE_MAX);
    while entries.len() >= ENTRIES_MAX {
        let oldest = entries.iter().min_by_key(|(_, slot)| slot.used).map(|(key, _)| key.clone());
        let Some(oldest) = oldest else { return };
        entries.remove(&oldest);
    }
}

/// `fetched`, with word of how the cache took part.
fn noted(fetched: &Fetched, hit: bool, age: Duration) -> Fetched {
    let cache = Some(CacheInfo { hit, age });
    Fetched { meta: ReadMeta { cache, ..fetched.meta.clone() }, value: fetched.value.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(request: &str) -> Key {
        Key {
            kind: "test",
            request: request.to_owned(),
            datacenter: String::new(),
            token: Token::default(),
            stale: false,
        }
    }

    fn answer(number: u32) -> Result<Fetched, RpcError> {
        Ok(Fetched { meta: ReadMeta::default(), value: Arc::new(number) })
    }

    fn number(fetched: &Fetched) -> u32 {
        *fetched.value.downcast_ref().unwrap()
    }

    fn hit(fetched: &Fetched) -> bool {
        fetched.meta.cache.unwrap().hit
    }

    #[tokio::test]
    async fn a_plain_entry_is_fetched_once_and_again_when_the_caller_insists() {
        let cache = Cache::new(Pace::unlimited());
        let any = CacheControl::default();
        let first = cache.fetched(key("a"), any, async { answer(1) }).await.unwrap();
        assert_eq!((number(&first), hit(&first)), (1, false));
        let second = cache.fetched(key("a"), any, async { answer(2) }).await.unwrap();
        assert_eq!((number(&second), hit(&second)), (1, true));
        let insisting = CacheControl { must_revalidate: true, ..any };
        let third = cache.fetched(key("a"), insisting, async { answer(3) }).await.unwrap();
        assert_eq!((number(&third), hit(&third)), (3, false));
        let other = cache.fetched(key("b"), any, async { answer(4) }).await.unwrap();
        assert_eq!((number(&other), hit(&other)), (4, false));
    }

    #[tokio::test]
    async fn an_old_answer_stands_in_for_a_failed_fetch_only_if_allowed() {
        let cache = Cache::new(Pace::unlimited());
        let insisting = CacheControl { must_revalidate: true, ..CacheControl::default() };
        let failed = cache.fetched(key("a"), insisting, async { Err(RpcError::NoLeader) }).await;
        assert_eq!(failed.err(), Some(RpcError::NoLeader));
        assert!(cache.entries.lock().is_empty());
        cache.fetched(key("a"), insisting, async { answer(1) }).await.unwrap();
        let failed = cache.fetched(key("a"), insisting, async { Err(RpcError::NoLeader) }).await;
        assert_eq!(failed.err(), Some(RpcError::NoLeader));
        let tolerant = CacheControl { stale_if_error: Some(Duration::from_secs(60)), ..insisting };
        let stale = cache.fetched(key("a"), tolerant, async { Err(RpcError::NoLeader) }).await.unwrap();
        assert_eq!((number(&stale), hit(&stale)), (1, true));
    }

    #[tokio::test]
    async fn the_least_recently_used_entry_makes_room() {
        let cache = Cache::new(Pace::unlimited());
        for number in 0..ENTRIES_MAX {
            cache
                .fetched(key(&number.to_string()), CacheControl::default(), async { answer(0) })
                .await
                .unwrap();
        }
        cache.fetched(key("0"), CacheControl::default(), async { answer(1) }).await.unwrap();
        cache.fetched(key("new"), CacheControl::default(), async { answer(0) }).await.unwrap();
        let entries = cache.entries.lock();
        assert_eq!(entries.len(), ENTRIES_MAX);
        assert!(entries.contains_key(&key("0")) && !entries.contains_key(&key("1")));
    }
}
