//! Free loopback ports.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Mutex;

use rand::Rng;

static TAKEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// A port that is free for TCP and UDP and was not handed out before in this process. Taken from below the range of
/// outgoing connections, so that none of those sits on it when the agent comes to bind it.
pub fn free() -> u16 {
    let mut guard = TAKEN.lock().expect("no holder of this lock panics");
    let taken = guard.get_or_insert_default();
    loop {
        let port = rand::rng().random_range(12_000..31_999);
        let is_free = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
            && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if is_free && taken.insert(port) {
            return port;
        }
    }
}

/// The ports of one agent.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub http: u16,
    pub dns: u16,
    pub server: u16,
    pub serf_lan: u16,
    pub serf_wan: u16,
}

impl Ports {
    /// What an agent uses if nobody says otherwise.
    pub fn standard() -> Self {
        Self { http: 8500, dns: 8600, server: 8300, serf_lan: 8301, serf_wan: 8302 }
    }

    pub fn free() -> Self {
        Self { http: free(), dns: free(), server: free(), serf_lan: free(), serf_wan: free() }
    }
}
