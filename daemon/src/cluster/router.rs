//! Which servers there are, and whom to ask next.
//!
//! One rotation for each datacenter: the head is asked, and moves to the end when it fails, so that the next caller
//! asks another. Servers that come in are put at a random place, so that a fleet of agents spreads over them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use rand::Rng as _;
use rand::seq::SliceRandom as _;

use super::server_info::ServerInfo;

#[derive(Debug)]
pub struct Router {
    datacenter: String,
    /// By datacenter, our own among them.
    rotations: Mutex<BTreeMap<String, Rotation>>,
}

#[derive(Debug, Default)]
struct Rotation {
    servers: Vec<Arc<ServerInfo>>,
    /// Servers that are known but do not answer, so that the datacenter is.
    unreachable: usize,
}

/// Why no server of a datacenter can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// Nobody knows a server there.
    UnknownDatacenter,
    /// None of them is alive.
    Unreachable,
}

impl Router {
    pub fn new(datacenter: impl Into<String>) -> Self {
        Self { datacenter: datacenter.into(), rotations: Mutex::default() }
    }

    /// Replaces what is known of our own datacenter, from the LAN pool.
    pub fn set_local(&self, servers: impl IntoIterator<Item = ServerInfo>) {
        let mine = servers.into_iter().filter(|server| server.datacenter == self.datacenter);
        let mut rotations = self.rotations.lock();
        rotations.entry(self.datacenter.clone()).or_default().replace(mine);
    }

    /// Replaces what is known of all other datacenters, from the WAN pool.
    pub fn set_remote(&self, servers: impl IntoIterator<Item = ServerInfo>) {
        let mut by_datacenter: BTreeMap<String, Vec<ServerInfo>> = BTreeMap::new();
        for server in servers {
            // A datacenter whose servers all said goodbye is gone, not out of reach.
            if server.datacenter != self.datacenter && !server.left {
                by_datacenter.entry(server.datacenter.clone()).or_default().push(server);
            }
        }
        let mut rotations = self.rotations.lock();
        rotations.retain(|name, _| *name == self.datacenter || by_datacenter.contains_key(name));
        for (name, servers) in by_datacenter {
            rotations.entry(name).or_default().replace(servers.into_iter());
        }
    }

    /// The server of a datacenter to ask next.
    pub fn next(&self, datacenter: &str) -> Result<Arc<ServerInfo>, NoRoute> {
        let rotations = self.rotations.lock();
        let rotation = rotations.get(datacenter).ok_or(NoRoute::UnknownDatacenter)?;
        rotation.servers.first().cloned().ok_or(match rotation.unreachable {
            0 => NoRoute::UnknownDatacenter,
            _ => NoRoute::Unreachable,
        })
    }

    /// The server with this address did not answer: others come first from now on.
    pub fn failed(&self, datacenter: &str, address: SocketAddr) {
        let mut rotations = self.rotations.lock();
        let Some(rotation) = rotations.get_mut(datacenter) else { return };
        let at = rotation.servers.iter().position(|known| known.address == address);
        if let Some(at) = at.filter(|at| at + 1 < rotation.servers.len()) {
            let failed = rotation.servers.remove(at);
            rotation.servers.push(failed);
        }
    }

    /// Spreads callers anew over the servers of our own datacenter.
    pub fn shuffle_local(&self) {
        if let Some(rotation) = self.rotations.lock().get_mut(&self.datacenter) {
            rotation.servers.shuffle(&mut rand::rng());
        }
    }

    /// Servers of a datacenter that are alive.
    pub fn servers(&self, datacenter: &str) -> Vec<Arc<ServerInfo>> {
        self.rotations.lock().get(datacenter).map_or_else(Vec::new, |rotation| rotation.servers.clone())
    }

    /// The live server of our own datacenter with this node id.
    pub fn find_by_id(&self, id: &str) -> Option<Arc<ServerInfo>> {
        let rotations = self.rotations.lock();
        let rotation = rotations.get(&self.datacenter)?;
        rotation.servers.iter().find(|server| server.id == id).cloned()
    }

    /// Our own datacenter.
    pub fn datacenter(&self) -> &str {
        &self.datacenter
    }

    /// Names of all known datacenters, our own among them, in the order of the alphabet.
    pub fn datacenters(&self) -> Vec<String> {
        let rotations = self.rotations.lock();
        let mut names: Vec<String> = rotations.keys().cloned().collect();
        if !rotations.contains_key(&self.datacenter) {
            names.push(self.datacenter.clone());
            names.sort_unstable();
        }
        names
    }
}

impl Rotation {
    /// Keeps the order of those who stay.
    fn replace(&mut self, servers: impl Iterator<Item = ServerInfo>) {
        let (alive, gone): (Vec<_>, Vec<_>) = servers.partition(|server| server.alive);
        self.unreachable = gone.len();
        let mut fresh: Vec<Arc<ServerInfo>> = alive.into_iter().map(Arc::new).collect();
        let mut kept = Vec::with_capacity(fresh.len());
        for known in &self.servers {
            if let Some(at) = fresh.iter().position(|server| server.address == known.address) {
                kept.push(fresh.swap_remove(at));
            }
        }
        for server in fresh {
            let at = rand::rng().random_range(0..=kept.len());
            kept.insert(at, server);
        }
        self.servers = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(datacenter: &str, number: u8, alive: bool) -> ServerInfo {
        ServerInfo {
            name: format!("s{number}"),
            id: number.to_string(),
            datacenter: datacenter.into(),
            address: ([10, 0, 0, number], 8300).into(),
            wan_port: None,
            bootstrap: false,
            expect: 0,
            voter: true,
            kin: true,
            build: "1.22.0".into(),
            alive,
            left: false,
        }
    }

    #[test]
    fn a_server_that_fails_is_asked_last() {
        let router = Router::new("dc1");
        router.set_local((1..=3).map(|number| server("dc1", number, true)));
        let first = router.next("dc1").unwrap();
        router.failed("dc1", first.address);
        let second = router.next("dc1").unwrap();
        assert_ne!(first, second);
        router.failed("dc1", second.address);
        router.set_local((1..=3).map(|number| server("dc1", number, true)));
        let order = router.servers("dc1");
        assert_eq!(order[1..], [first, second], "the order of those who stay is kept");
    }

    #[test]
    fn the_only_server_is_asked_again() {
        let router = Router::new("dc1");
        router.set_local([server("dc1", 1, true)]);
        router.failed("dc1", router.next("dc1").unwrap().address);
        assert_eq!(router.next("dc1").unwrap().name, "s1");
    }

    #[test]
    fn a_datacenter_is_known_as_long_as_a_member_is() {
        let router = Router::new("dc1");
        assert_eq!(router.next("dc2"), Err(NoRoute::UnknownDatacenter));
        router.set_remote([server("dc1", 1, true), server("dc2", 2, false)]);
        assert_eq!(router.next("dc2"), Err(NoRoute::Unreachable));
        assert_eq!(router.datacenters(), ["dc1", "dc2"]);
        router.set_remote([ServerInfo { left: true, ..server("dc2", 2, false) }]);
        assert_eq!(router.next("dc2"), Err(NoRoute::UnknownDatacenter));
        assert_eq!(router.datacenters(), ["dc1"]);
    }
}
