//! Brings all servers of this datacenter into the WAN pool: joining one server there is enough for all to be there.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::gossip::{Gossip, servers};
use super::server_info::ServerInfo;

/// Servers that could not be reached are tried again after this time.
const PERIOD: Duration = Duration::from_secs(60);
/// The usual port of the WAN pool, for servers that do not tell theirs.
const WAN_PORT: u16 = 8302;

/// Where servers of the LAN are that the WAN does not know as alive.
fn missing(datacenter: &str, lan: &[ServerInfo], wan: &[ServerInfo]) -> Vec<SocketAddr> {
    let there: BTreeSet<&str> = wan
        .iter()
        .filter(|server| server.datacenter == datacenter && server.alive)
        .map(|server| server.name.as_str())
        .collect();
    lan.iter()
        .filter(|server| server.alive && !there.contains(server.name.as_str()))
        .map(|server| SocketAddr::new(server.address.ip(), server.wan_port.unwrap_or(WAN_PORT)))
        .collect()
}

/// Runs until `stop`.
pub async fn run(gossip: Arc<Gossip>, datacenter: String, stop: CancellationToken) {
    let Some(wan) = gossip.wan.clone() else { return };
    let mut lan_changed = gossip.lan.watch_members();
    loop {
        lan_changed.mark_unchanged();
        let addresses = missing(&datacenter, &servers(&gossip.lan), &servers(&wan));
        if !addresses.is_empty() {
            let reached = wan.join(&addresses, true).await;
            debug!(target: "agent.server", ?addresses, ?reached, "joined servers of this datacenter in the WAN");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
            changed = lan_changed.changed() => if changed.is_err() { return },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str, host: u8, wan_port: Option<u16>, alive: bool) -> ServerInfo {
        ServerInfo {
            name: name.into(),
            id: String::new(),
            datacenter: "dc1".into(),
            address: ([10, 0, 0, host], 8300).into(),
            wan_port,
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
    fn servers_that_the_wan_does_not_know_are_joined_there() {
        let lan = [
            server("a", 1, Some(9302), true),
            server("b", 2, None, true),
            server("c", 3, None, false),
            server("d", 4, None, true),
        ];
        let wan = [server("a", 1, None, false), server("d", 4, None, true)];
        let found = missing("dc1", &lan, &wan);
        assert_eq!(found, [([10, 0, 0, 1], 9302).into(), ([10, 0, 0, 2], 8302).into()]);
    }
}
