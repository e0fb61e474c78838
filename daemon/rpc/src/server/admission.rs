//! Who may come in.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::Limits;

#[derive(Debug)]
pub(super) struct Admission {
    per_address_max: usize,
    per_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    connections: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    calls_max: usize,
    calls: Semaphore,
    snapshots_max: usize,
    snapshots: Semaphore,
}

/// A connection's place.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    address: IpAddr,
    per_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    _one_of_all: OwnedSemaphorePermit,
}

impl Admission {
    pub fn new(limits: &Limits) -> Self {
        let semaphore = |permits: usize| Semaphore::new(permits.min(Semaphore::MAX_PERMITS));
        Self {
            per_address_max: limits.connections_per_address,
            per_address: Arc::default(),
            connections: Arc::new(semaphore(limits.connections_max)),
            streams: Arc::new(semaphore(limits.streams_max)),
            calls_max: limits.calls_max.min(Semaphore::MAX_PERMITS),
            calls: semaphore(limits.calls_max),
            snapshots_max: limits.snapshots_max.min(Semaphore::MAX_PERMITS),
            snapshots: semaphore(limits.snapshots_max),
        }
    }

    pub fn connection(&self, address: IpAddr) -> Option<ConnectionPermit> {
        let one_of_all = Arc::clone(&self.connections).try_acquire_owned().ok()?;
        let mut per_address = self.per_address.lock();
        let count = per_address.entry(address).or_insert(0);
        if *count >= self.per_address_max {
            return None;
        }
        *count += 1;
        drop(per_address);
        let per_address = Arc::clone(&self.per_address);
        Some(ConnectionPermit { address, per_address, _one_of_all: one_of_all })
    }

    pub fn stream(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.streams).try_acquire_owned().ok()
    }

    pub fn call(&self) -> Option<SemaphorePermit<'_>> {
        self.calls.try_acquire().ok()
    }

    pub fn snapshot(&self) -> Option<SemaphorePermit<'_>> {
        self.snapshots.try_acquire().ok()
    }

    pub fn calls_in_flight(&self) -> usize {
        self.calls_max.saturating_sub(self.calls.available_permits())
    }

    pub fn is_busy(&self) -> bool {
        self.calls_in_flight() > 0 || self.snapshots.available_permits() < self.snapshots_max
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut per_address = self.per_address.lock();
        if let Entry::Occupied(mut count) = per_address.entry(self.address) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}
