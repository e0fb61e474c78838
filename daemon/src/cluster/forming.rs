//! A server without data, until it has a cluster: it forms one with the others when all are there, or is taken in.

use std::sync::Arc;
use std::time::Duration;

use consul_raft::Peer;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::bootstrap::{self, Outlook, Verdict};
use super::gossip::{Gossip, servers};
use super::{ServerInfo, Servers};
use crate::server::Server;

/// How often the members are looked at, beside every change of them.
const PERIOD: Duration = Duration::from_secs(5);
/// Pause before servers that did not answer are asked again.
const RETRY: Duration = Duration::from_secs(1);

/// What a server without data waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// So many servers that form a cluster together.
    ForServers(u32),
    /// A leader that takes it in.
    ForLeader,
    /// The end of the first attempt to join: if nobody is there, it forms a cluster of its own.
    ForCompany,
}

/// Everything that forming takes.
pub struct Forming {
    pub server: Arc<Server>,
    pub gossip: Arc<Gossip>,
    pub routes: Arc<Servers>,
    pub waits: Waits,
}

impl Forming {
    /// Runs until this server has a cluster, or `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut changed = self.gossip.lan.watch_members();
        let mut told = String::new();
        loop {
            changed.mark_unchanged();
            if !matches!(self.server.raft.is_initialized().await, Ok(false)) {
                return;
            }
            let pause = match self.waits {
                Waits::ForServers(expect) => self.look(expect, &mut told).await,
                Waits::ForLeader => PERIOD,
                Waits::ForCompany => {
                    self.settle_alone().await;
                    PERIOD
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                changed = changed.changed() => if changed.is_err() { return },
            }
        }
    }

    fn known(&self) -> Vec<ServerInfo> {
        let known = servers(&self.gossip.lan).into_iter();
        known.filter(|info| info.datacenter == self.server.datacenter).collect()
    }

    async fn look(&self, expect: u32, told: &mut String) -> Duration {
        match bootstrap::look(expect, &self.known()) {
            Outlook::Waiting { seen } => {
                let text = format!("waiting for {expect} servers, {seen} are there");
                if *told != text {
                    info!(target: "agent.server", "{text}");
                    *told = text;
                }
                PERIOD
            }
            Outlook::Conflict(text) => {
                if *told != text {
                    error!(target: "agent.server", "no cluster can be formed: {text}");
                    *told = text;
                }
                PERIOD
            }
            Outlook::Complete { servers, writer } => {
                if writer.parse() == Ok::<_, consul_raft::ParseServerIdError>(self.server.raft.me()) {
                    self.form(&servers).await
                } else {
                    PERIOD
                }
            }
        }
    }

    async fn form(&self, servers: &[ServerInfo]) -> Duration {
        let me = self.server.raft.me();
        let mut peers = Vec::new();
        for info in servers {
            match info.id.parse() {
                Ok(id) => peers.push(Peer { id, address: info.address.to_string() }),
                Err(error) => {
                    error!(target: "agent.server", server = %info.name, %error, "a server has no valid node id");
                    return PERIOD;
                }
            }
        }
        let mut answers = bootstrap::Answers::new();
        for (info, _) in servers.iter().zip(&peers).filter(|(_, peer)| peer.id != me) {
            answers.push((info.address, self.routes.peers_of(info).await));
        }
        match bootstrap::judge(&answers) {
            Verdict::Join { at } => {
                info!(target: "agent.server", server = %at, "a cluster exists already; waiting for its leader to take this server in");
                return PERIOD;
            }
            Verdict::AskAgain { silent, reason } => {
                warn!(target: "agent.server", server = %silent, %reason, "a server does not say whether it has data, asking again");
                return RETRY;
            }
            Verdict::Form => {}
        }
        let addresses: Vec<&str> = peers.iter().map(|peer| peer.address.as_str()).collect();
        info!(target: "agent.server", peers = %addresses.join(","), "Found expected number of peers, attempting bootstrap");
        if let Err(error) = self.server.raft.bootstrap(&peers).await {
            error!(target: "agent.server", %error, "could not form the cluster");
        }
        RETRY
    }

    async fn settle_alone(&self) {
        let me = self.server.raft.me();
        let company =
            self.known().into_iter().find(|info| info.alive && info.kin && info.id != me.to_string());
        if company.is_some() {
            return;
        }
        let peer = Peer { id: me, address: self.server.address.clone() };
        if let Err(error) = self.server.raft.bootstrap(&[peer]).await {
            error!(target: "agent.server", %error, "could not form a cluster of one");
        }
    }
}
