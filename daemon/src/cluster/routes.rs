//! Keeps the router in line with the gossip pools.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Servers;
use super::gossip::{Gossip, servers};

/// Runs until `stop`.
pub async fn run(gossip: Arc<Gossip>, routes: Arc<Servers>, stop: CancellationToken) {
    let mut lan = gossip.lan.watch_members();
    let mut wan = gossip.wan.as_ref().map(|wan| wan.watch_members());
    loop {
        lan.mark_unchanged();
        routes.set_local(servers(&gossip.lan));
        if let (Some(pool), Some(watch)) = (&gossip.wan, &mut wan) {
            watch.mark_unchanged();
            routes.set_remote(servers(pool));
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
