//! Keeps the router in line with the gossip pools.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::gossip::{Gossip, servers};
use super::{ServerInfo, Servers};

/// Runs until `stop`.
pub async fn run(gossip: Arc<Gossip>, routes: Arc<Servers>, stop: CancellationToken) {
    let mut lan = gossip.lan.watch_members();
    let mut wan = gossip.wan.as_ref().map(|wan| wan.watch_members());
    let mut reachable = Vec::new();
    loop {
        lan.mark_unchanged();
        routes.router.set_local(servers(&gossip.lan));
        if let (Some(pool), Some(watch)) = (&gossip.wan, &mut wan) {
            watch.mark_unchanged();
            let remote = servers(pool);
            let now = remote.iter().filter(|server| server.alive && is_foreign(&routes, server));
            let now: Vec<ServerInfo> = now.cloned().collect();
            routes.router.set_remote(remote);
            for lost in lost(&reachable, &now) {
                routes.hang_up(lost);
            }
            reachable = now;
        }
        let wan_changed = async {
            match &mut wan {
                Some(watch) => watch.changed().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        let goes_on = tokio::select! {
            () = stop.cancelled() => false,
            changed = lan.changed() => changed.is_ok(),
            goes_on = wan_changed => goes_on,
        };
        if !goes_on {
            return;
        }
    }
}

fn is_foreign(routes: &Servers, server: &ServerInfo) -> bool {
    server.datacenter != routes.router.datacenter()
}

/// Servers that were reachable and are not any more.
fn lost<'a>(before: &'a [ServerInfo], now: &'a [ServerInfo]) -> impl Iterator<Item = &'a ServerInfo> {
    let same = |a: &ServerInfo, b: &ServerInfo| {
        (&a.datacenter, &a.name, a.address) == (&b.datacenter, &b.name, b.address)
    };
    before.iter().filter(move |known| !now.iter().any(|server| same(known, server)))
}
