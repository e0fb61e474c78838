//! How many connections there are, in all and for each client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// Who is counted together: an address, or everybody on Unix sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    Ip(IpAddr),
    Unix,
}

/// Counts open connections. Shared by all listeners.
#[derive(Debug)]
pub struct Connections {
    counts: Mutex<Counts>,
    total_max: usize,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_source: HashMap<Source, usize>,
}

/// Why a connection is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    TooManyFromSource,
    TooManyInAll,
}

/// One open connection; dropping it makes room.
#[derive(Debug)]
pub struct Admission {
    connections: Arc<Connections>,
    source: Source,
}

impl Connections {
    pub fn new(total_max: usize) -> Arc<Self> {
        Arc::new(Self { counts: Mutex::default(), total_max })
    }

    /// Admits a connection unless `source` has `source_max` already (0: no limit) or all together have too many.
    pub fn admit(self: &Arc<Self>, source: Source, source_max: usize) -> Result<Admission, Refusal> {
        let mut counts = self.counts.lock();
        if counts.total >= self.total_max {
            return Err(Refusal::TooManyInAll);
        }
        let of_source = counts.by_source.entry(source).or_insert(0);
        if source_max > 0 && *of_source >= source_max {
            return Err(Refusal::TooManyFromSource);
        }
        *of_source += 1;
        counts.total += 1;
        drop(counts);
        Ok(Admission { connections: self.clone(), source })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut counts = self.connections.counts.lock();
        counts.total = counts.total.saturating_sub(1);
        if let Some(count) = counts.by_source.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                counts.by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_has_its_own_limit_and_room_comes_back() {
        let connections = Connections::new(3);
        let a = Source::Ip([127, 0, 0, 1].into());
        let first = connections.admit(a, 2).unwrap();
        let _second = connections.admit(a, 2).unwrap();
        assert_eq!(connections.admit(a, 2).unwrap_err(), Refusal::TooManyFromSource);
        let _unix = connections.admit(Source::Unix, 2).unwrap();
        assert_eq!(connections.admit(Source::Unix, 2).unwrap_err(), Refusal::TooManyInAll);
        drop(first);
        assert!(connections.admit(a, 2).is_ok());
    }
}
