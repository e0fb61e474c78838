//! Who waits for what.
//!
//! A read records topics (a key, a prefix, a service, a node, a table) in a [`WatchSet`]; a write publishes the topics
//! it touched. The registry in between holds only topics that somebody waits for, so that a write costs by the length
//! of its key and the number of things it touched, never by the number of waiters elsewhere.
//!
//! A topic is a 64-bit hash. Two topics that collide wake each other's waiters needlessly, which costs one more
//! evaluation and loses nothing; the seed differs per process, so nobody can arrange collisions.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use consul_api::types::kv::KvPair;
use event_listener::{Event, EventListener};
use parking_lot::Mutex;

use crate::table::Table;

/// One thing to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Topic {
    id: u64,
    /// Length of a watched key prefix; `NO_PREFIX` for all other topics.
    prefix_len: u32,
}

const NO_PREFIX: u32 = u32::MAX;

#[derive(Clone, Copy)]
enum Kind {
    Key = 1,
    Prefix,
    Table,
    Service,
    Connect,
    Node,
}

/// FNV-1a, one byte at a time, so that the hashes of all prefixes of a key come out of one pass.
#[derive(Clone, Copy)]
struct TopicHash(u64);

impl TopicHash {
    fn new(kind: Kind) -> Self {
        static SEED: OnceLock<u64> = OnceLock::new();
        let seed = *SEED.get_or_init(|| RandomState::new().build_hasher().finish());
        Self((seed ^ kind as u64).wrapping_mul(0x0000_0100_0000_01b3))
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        bytes.iter().for_each(|byte| self.byte(*byte));
        self
    }

    /// Spreads the state over all bits: the map below takes it as it is.
    fn finish(self) -> u64 {
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Topic {
    fn whole(kind: Kind, name: &[u8]) -> Self {
        Self { id: TopicHash::new(kind).bytes(name).finish(), prefix_len: NO_PREFIX }
    }

    pub fn key(key: &[u8]) -> Self {
        Self::whole(Kind::Key, key)
    }

    pub fn prefix(prefix: &[u8]) -> Self {
        let prefix_len = u32::try_from(prefix.len()).unwrap_or(NO_PREFIX - 1);
        Self { id: TopicHash::new(Kind::Prefix).bytes(prefix).finish(), prefix_len }
    }

    pub fn table(table: Table) -> Self {
        Self::whole(Kind::Table, &[table as u8])
    }

    /// A service by its lower-case name.
    pub fn service(lower: &str) -> Self {
        Self::whole(Kind::Service, lower.as_bytes())
    }

    /// The mesh-capable instances of a service by its lower-case name.
    pub fn connect(lower: &str) -> Self {
        Self::whole(Kind::Connect, lower.as_bytes())
    }

    /// A node by its lower-case name.
    pub fn node(lower: &str) -> Self {
        Self::whole(Kind::Node, lower.as_bytes())
    }
}

/// What a read depended on. Reads add to it; an empty set never wakes except by a restore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchSet {
    topics: Vec<Topic>,
}

impl WatchSet {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn clear(&mut self) {
        self.topics.clear();
    }

    pub(crate) fn add(&mut self, topic: Topic) {
        if !self.topics.contains(&topic) {
            self.topics.push(topic);
        }
    }

    pub(crate) fn table(&mut self, table: Table) {
        self.add(Topic::table(table));
    }
}

/// What a batch of commands touched.
#[derive(Default)]
pub(crate) struct Changes {
    tables: u32,
    keys: Vec<Arc<KvPair>>,
    /// Services and nodes.
    topics: Vec<Topic>,
}

/// A point to which a failed command's changes are taken back.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    tables: u32,
    keys: usize,
    topics: usize,
}

impl Changes {
    pub fn table(&mut self, table: Table) {
        self.tables |= 1 << table as u8;
    }

    /// An entry that was written or deleted.
    pub fn key(&mut self, entry: Arc<KvPair>) {
        self.keys.push(entry);
    }

    pub fn topic(&mut self, topic: Topic) {
        self.topics.push(topic);
    }

    pub fn is_empty(&self) -> bool {
        self.tables == 0 && self.keys.is_empty() && self.topics.is_empty()
    }

    pub fn mark(&self) -> Mark {
        Mark { tables: self.tables, keys: self.keys.len(), topics: self.topics.len() }
    }

    pub fn rewind(&mut self, mark: Mark) {
        self.tables = mark.tables;
        self.keys.truncate(mark.keys);
        self.topics.truncate(mark.topics);
    }
}

/// The hash is the key already.
#[derive(Default)]
struct TakeAsIs(u64);

impl Hasher for TakeAsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }
}

struct Interest {
    event: Event,
    watchers: usize,
}

#[derive(Default)]
struct Interests {
    by_topic: HashMap<u64, Interest, BuildHasherDefault<TakeAsIs>>,
    /// How many topics watch a prefix of each length: a write looks up only these lengths of its key.
    prefix_lens: BTreeMap<u32, usize>,
}

/// All topics that somebody waits for.
#[derive(Default)]
pub(crate) struct Registry {
    interests: Mutex<Interests>,
}

impl Registry {
    pub fn watch(self: &Arc<Self>, set: &WatchSet) -> Watcher {
        let mut interests = self.interests.lock();
        let waits = set.topics.iter().map(|topic| Wait { topic: *topic, listener: interests.listen(*topic) });
        let waits = waits.collect();
        drop(interests);
        Watcher { registry: Arc::clone(self), waits, woken: false }
    }

    /// Wakes everyone whom `changes` concern. Must come after the new version is visible.
    pub fn notify(&self, changes: &Changes) {
        let interests = self.interests.lock();
        if interests.by_topic.is_empty() {
            return;
        }
        for table in Table::ALL {
            if changes.tables & (1 << table as u8) != 0 {
                interests.wake(Topic::table(table).id);
            }
        }
        for entry in &changes.keys {
            interests.wake_key(entry.key.as_slice());
        }
        for topic in &changes.topics {
            interests.wake(topic.id);
        }
    }

    /// Wakes everyone: the state was replaced.
    pub fn notify_all(&self) {
        let interests = self.interests.lock();
        for interest in interests.by_topic.values() {
            interest.event.notify(usize::MAX);
        }
    }

    /// Number of distinct things waited for.
    pub fn topics(&self) -> usize {
        self.interests.lock().by_topic.len()
    }
}

impl Interests {
    fn listen(&mut self, topic: Topic) -> EventListener {
        let prefix_lens = &mut self.prefix_lens;
        let interest = self.by_topic.entry(topic.id).or_insert_with(|| {
            if topic.prefix_len != NO_PREFIX {
                *prefix_lens.entry(topic.prefix_len).or_default() += 1;
            }
            Interest { event: Event::new(), watchers: 0 }
        });
        interest.watchers += 1;
        interest.event.listen()
    }

    fn release(&mut self, topic: Topic) {
        let Some(interest) = self.by_topic.get_mut(&topic.id) else { return };
        interest.watchers -= 1;
        if interest.watchers > 0 {
            return;
        }
        self.by_topic.remove(&topic.id);
        if let Some(count) = self.prefix_lens.get_mut(&topic.prefix_len) {
            *count -= 1;
            if *count == 0 {
                self.prefix_lens.remove(&topic.prefix_len);
            }
        }
    }

    fn wake(&self, id: u64) {
        if let Some(interest) = self.by_topic.get(&id) {
            interest.event.notify(usize::MAX);
        }
    }

    fn wake_key(&self, key: &[u8]) {
        self.wake(Topic::key(key).id);
        let mut hash = TopicHash::new(Kind::Prefix);
        let mut hashed = 0;
        for len in self.prefix_lens.keys() {
            let Some(next) = key.get(hashed..*len as usize) else { return };
            hash = hash.bytes(next);
            hashed = *len as usize;
            self.wake(hash.finish());
        }
    }
}

struct Wait {
    topic: Topic,
    listener: EventListener,
}

/// Resolves once anything in the set it was made from changes, or the store is restored from a snapshot. Dropping it
/// frees everything it holds at once.
#[must_use = "a watcher that is dropped watches nothing"]
pub struct Watcher {
    registry: Arc<Registry>,
    waits: Box<[Wait]>,
    woken: bool,
}

impl Future for Watcher {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if !this.woken {
            this.woken = this.waits.iter_mut().any(|wait| Pin::new(&mut wait.listener).poll(cx).is_ready());
        }
        if this.woken { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let topics: Box<[Topic]> = self.waits.iter().map(|wait| wait.topic).collect();
        // Listeners point into the events that the registry owns jointly; they go first.
        self.waits = Box::default();
        let mut interests = self.registry.interests.lock();
        topics.iter().for_each(|topic| interests.release(*topic));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    fn woken(watcher: &mut Watcher) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(watcher).poll(&mut cx).is_ready()
    }

    fn watch(registry: &Arc<Registry>, topic: Topic) -> Watcher {
        let mut set = WatchSet::new();
        set.add(topic);
        registry.watch(&set)
    }

    fn written(key: &str) -> Changes {
        let mut changes = Changes::default();
        changes.key(Arc::new(KvPair { key: key.into(), ..KvPair::default() }));
        changes
    }

    #[test]
    fn a_write_wakes_its_key_and_the_prefixes_above_it_only() {
        let registry = Arc::new(Registry::default());
        let mut key = watch(&registry, Topic::key(b"a/b"));
        let mut parent = watch(&registry, Topic::prefix(b"a/"));
        let mut same = watch(&registry, Topic::prefix(b"a/b"));
        let mut child = watch(&registry, Topic::prefix(b"a/b/"));
        let mut other = watch(&registry, Topic::prefix(b"b"));
        registry.notify(&written("a/b"));
        assert!(woken(&mut key) && woken(&mut parent) && woken(&mut same));
        assert!(!woken(&mut child) && !woken(&mut other));
        registry.notify_all();
        assert!(woken(&mut child) && woken(&mut other));
    }

    #[test]
    fn dropping_a_watcher_leaves_nothing_behind() {
        let registry = Arc::new(Registry::default());
        let first = watch(&registry, Topic::prefix(b"a"));
        let second = watch(&registry, Topic::prefix(b"a"));
        assert_eq!(registry.topics(), 1);
        drop(first);
        assert_eq!(registry.topics(), 1);
        drop(second);
        assert_eq!(registry.topics(), 0);
        assert!(registry.interests.lock().prefix_lens.is_empty());
    }

    #[test]
    fn rewinding_forgets_later_changes() {
        let registry = Arc::new(Registry::default());
        let mut key = watch(&registry, Topic::key(b"x"));
        let mut table = watch(&registry, Topic::table(Table::Nodes));
        let mut changes = Changes::default();
        let mark = changes.mark();
        changes.table(Table::Nodes);
        changes.key(Arc::new(KvPair { key: "x".into(), ..KvPair::default() }));
        changes.rewind(mark);
        assert!(changes.is_empty());
        registry.notify(&changes);
        assert!(!woken(&mut key) && !woken(&mut table));
    }
}
