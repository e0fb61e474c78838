//! What is to be spread: each message rides on packets until it was sent often enough to have reached everybody.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;

/// Room in one packet.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Bytes that each message costs on top of its length.
    pub overhead: usize,
    /// Bytes for all messages together, overhead included.
    pub bytes: usize,
    /// How often a message is to be sent in a pool of the present size.
    pub retransmit_limit: u32,
}

/// Names a message in a [`BroadcastQueue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Broadcast(u64);

/// Rarely sent first; among those the largest, which fits worst later; among those the newest.
type Rank = (u32, Reverse<usize>, Reverse<u64>);

#[derive(Debug)]
struct Entry {
    key: Option<Arc<str>>,
    message: Bytes,
}

/// Messages waiting to be spread, ordered by how often they were sent. Bounded: when it is full the message that was
/// sent most often makes room.
#[derive(Debug)]
pub struct BroadcastQueue {
    by_rank: BTreeMap<Rank, Entry>,
    by_key: HashMap<Arc<str>, Rank>,
    by_id: HashMap<u64, Rank>,
    next_id: u64,
    len_max: usize,
}

impl BroadcastQueue {
    /// A queue of at most `len_max` messages.
    pub fn new(len_max: usize) -> Self {
        Self { by_rank: BTreeMap::new(), by_key: HashMap::new(), by_id: HashMap::new(), next_id: 0, len_max }
    }

    pub fn len(&self) -> usize {
        self.by_rank.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_rank.is_empty()
    }

    /// Adds a message. One with a key replaces the message of the same key, which is thereby out of date.
    pub fn push(&mut self, key: Option<Arc<str>>, message: Bytes) -> Broadcast {
        if let Some(rank) = key.as_ref().and_then(|key| self.by_key.get(key).copied()) {
            self.remove(rank);
        }
        while self.by_rank.len() >= self.len_max.max(1) {
            self.drop_last();
        }
        let id = self.next_id;
        self.next_id += 1;
        self.insert((0, Reverse(message.len()), Reverse(id)), Entry { key, message });
        Broadcast(id)
    }

    /// Whether a message still waits for transmissions. It does not after its last one, nor after being replaced.
    pub fn contains(&self, broadcast: Broadcast) -> bool {
        self.by_id.contains_key(&broadcast.0)
    }

    /// Drops the messages that were sent most often until at most `len` are left. Returns how many were dropped.
    pub fn prune(&mut self, len: usize) -> usize {
        let excess = self.by_rank.len().saturating_sub(len);
        for _ in 0..excess {
            self.drop_last();
        }
        excess
    }

    /// Chooses messages for one packet, at most `count_max`, and counts the transmission.
    pub fn take(&mut self, budget: &Budget, count_max: usize) -> Vec<Bytes> {
        let mut taken = Vec::new();
        let mut resent = Vec::new();
        let mut room = budget.bytes;
        let mut tier = 0;
        while taken.len() < count_max
            && let Some(rank) = self.next_fitting(tier, room.saturating_sub(budget.overhead))
            && room > budget.overhead
        {
            tier = rank.0;
            let Some(entry) = self.remove(rank) else { break };
            room = room.saturating_sub(budget.overhead + entry.message.len());
            taken.push(entry.message.clone());
            if rank.0 + 1 < budget.retransmit_limit {
                resent.push(((rank.0 + 1, rank.1, rank.2), entry));
            }
        }
        // Only now, so that one packet does not carry a message twice.
        for (rank, entry) in resent {
            self.insert(rank, entry);
        }
        taken
    }

    /// The first message of at most `room` bytes that was sent at least `tier` times.
    fn next_fitting(&self, mut tier: u32, room: usize) -> Option<Rank> {
        loop {
            let from: Rank = (tier, Reverse(room), Reverse(u64::MAX));
            let (rank, _) = self.by_rank.range(from..).next()?;
            if rank.0 == tier {
                return Some(*rank);
            }
            tier = rank.0;
        }
    }

    fn insert(&mut self, rank: Rank, entry: Entry) {
        if let Some(key) = &entry.key {
            self.by_key.insert(Arc::clone(key), rank);
        }
        self.by_id.insert(rank.2.0, rank);
        self.by_rank.insert(rank, entry);
    }

    fn remove(&mut self, rank: Rank) -> Option<Entry> {
        let entry = self.by_rank.remove(&rank)?;
        self.by_id.remove(&rank.2.0);
        if let Some(key) = &entry.key {
            self.by_key.remove(key);
        }
        Some(entry)
    }

    fn drop_last(&mut self) {
        if let Some(rank) = self.by_rank.last_key_value().map(|(rank, _)| *rank) {
            self.remove(rank);
        }
    }
}

/// How often a message is sent in a pool of `members`, so that with high probability everybody has it.
pub fn retransmit_limit(mult: u32, members: usize) -> u32 {
    let scale = ((members as f64) + 1.0).log10().ceil();
    mult.saturating_mul(scale as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(bytes: usize) -> Budget {
        Budget { overhead: 2, bytes, retransmit_limit: 3 }
    }

    fn message(len: usize) -> Bytes {
        vec![len as u8; len].into()
    }

    fn taken(queue: &mut BroadcastQueue, bytes: usize) -> Vec<usize> {
        queue.take(&budget(bytes), 127).iter().map(Bytes::len).collect()
    }

    #[test]
    fn the_rarely_sent_go_first_and_among_them_the_large() {
        let mut queue = BroadcastQueue::new(10);
        queue.push(None, message(10));
        queue.push(None, message(20));
        assert_eq!(taken(&mut queue, 22), [20]);
        queue.push(None, message(5));
        assert_eq!(taken(&mut queue, 19), [10, 5]);
        assert_eq!(taken(&mut queue, 100), [20, 10, 5]);
    }

    #[test]
    fn a_message_goes_after_its_last_transmission() {
        let mut queue = BroadcastQueue::new(10);
        let broadcast = queue.push(None, message(10));
        for _ in 0..3 {
            assert!(queue.contains(broadcast));
            assert_eq!(taken(&mut queue, 100), [10]);
        }
        assert!(!queue.contains(broadcast));
        assert!(queue.is_empty());
    }

    #[test]
    fn news_of_the_same_replaces_what_is_out_of_date() {
        let mut queue = BroadcastQueue::new(10);
        let old = queue.push(Some("x".into()), message(10));
        taken(&mut queue, 100);
        let new = queue.push(Some("x".into()), message(11));
        assert_eq!((queue.contains(old), queue.contains(new), queue.len()), (false, true, 1));
    }

    #[test]
    fn a_full_queue_drops_what_was_sent_most() {
        let mut queue = BroadcastQueue::new(2);
        let sent = queue.push(None, message(30));
        taken(&mut queue, 100);
        let kept = queue.push(None, message(20));
        queue.push(None, message(10));
        assert_eq!((queue.contains(sent), queue.contains(kept), queue.len()), (false, true, 2));
    }

    #[test]
    fn a_packet_holds_only_so_many_messages_and_bytes() {
        let mut queue = BroadcastQueue::new(1000);
        for _ in 0..300 {
            queue.push(None, message(1));
        }
        assert_eq!(queue.take(&budget(1400), 127).len(), 127);
        assert_eq!(queue.take(&budget(30), 127).len(), 10);
        assert_eq!(queue.take(&budget(2), 127).len(), 0);
    }

    #[test]
    fn limits_grow_with_the_digits_of_the_pool() {
        let limits = [1, 9, 10, 99, 100, 9999].map(|members| retransmit_limit(4, members));
        assert_eq!(limits, [4, 4, 8, 8, 12, 16]);
    }
}
