//! A server that comes back elsewhere may be a copy of one that still runs.
//!
//! A copied data directory holds the original's name, id, vote and log. Before gossip has told the two apart (see
//! `cluster::vetting`), a copy that spoke to the other servers would be the original to them, and could be a leader
//! beside it. So a server whose address is not the one that its quorum knows says nothing until gossip had time to
//! object.

use std::sync::Arc;
use std::time::Duration;

use consul_gossip::pool::Pool;
use consul_gossip::serf::MemberStatus;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::Server;

/// How long to look for anybody who could object.
const COMPANY_LIMIT: Duration = Duration::from_secs(10);
/// How long members may take to say that the name or the id is another's.
const OBJECTION_LIMIT: Duration = Duration::from_secs(5);
/// Until the configuration that was read from disk shows.
const OWN_ENTRY_LIMIT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(10);

/// Lets the log speak: at once where the quorum knows this server by its address, else when nobody objects. An
/// objection ends the agent, and `stop` this.
pub async fn establish(server: Arc<Server>, lan: Pool, stop: CancellationToken) {
    let known = known_address(&server).await;
    if let Some(known) = known.filter(|known| *known != server.address) {
        info!(
            target: "agent.server", %known, now = %server.address,
            "this server had another address before; making sure that it is no copy of one that still runs"
        );
        let nobody_objects = async {
            // Nobody to ask is no objection.
            let _ = timeout(COMPANY_LIMIT, company(&lan)).await;
            sleep(OBJECTION_LIMIT).await;
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = nobody_objects => {}
        }
    }
    server.may_speak.send_replace(true);
}

/// The address that the stored configuration has for this server; `None` if it is in none.
async fn known_address(server: &Server) -> Option<String> {
    if !matches!(server.raft.is_initialized().await, Ok(true)) {
        return None;
    }
    let me = server.raft.me();
    let found = timeout(OWN_ENTRY_LIMIT, async {
        loop {
            let servers = server.raft.metrics().servers;
            if !servers.is_empty() {
                return servers.into_iter().find(|entry| entry.peer.id == me);
            }
            sleep(POLL).await;
        }
    });
    found.await.ok().flatten().map(|entry| entry.peer.address)
}

async fn company(lan: &Pool) {
    let mut changed = lan.watch_members();
    let me = lan.name();
    while !lan.members().iter().any(|member| member.status == MemberStatus::Alive && member.name != *me) {
        if changed.changed().await.is_err() {
            return;
        }
    }
}
