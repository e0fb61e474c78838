//! How an agent enters its cluster at the start, and how it leaves it at the end.

use std::sync::Arc;
use std::time::Duration;

use consul_config::{JoinPool, RuntimeConfig};
use consul_gossip::pool::Pool;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use super::forming::{Forming, Waits};
use super::gossip::{Gossip, Joining};
use super::join::{self, Joined};
use super::vetting::is_final_for_servers;
use crate::agent::Agent;
use crate::rpc::ReadOptions;
use crate::rpc::operation::raft::RaftServers;
use crate::server::{Server, identity};

/// A leave that takes longer is given up.
const LEAVE_LIMIT: Duration = Duration::from_secs(15);
/// How long a leader that stops tries to have another lead.
const HANDOVER_LIMIT: Duration = Duration::from_secs(2);
/// How long a server that leaves waits until the leader has taken it out of the quorum.
const REMOVAL_LIMIT: Duration = Duration::from_secs(5);
const REMOVAL_POLL: Duration = Duration::from_millis(50);

/// What a server without data waits for; `None` if it forms a cluster of its own at once.
pub fn waits(config: &RuntimeConfig) -> Option<Waits> {
    let joins = !config.join.lan.start.is_empty() || !config.join.lan.retry.is_empty();
    match config.bootstrap.expect {
        _ if config.dev_mode && joins => Some(Waits::ForCompany),
        _ if config.dev_mode || config.bootstrap.is_alone() => None,
        0 => Some(Waits::ForLeader),
        expect => Some(Waits::ForServers(expect)),
    }
}

/// Joins what must be joined before the agent counts as started, and leaves the rest to the background.
pub async fn enter(agent: &Arc<Agent>, tasks: &TaskTracker) -> Result<(), String> {
    let Some(gossip) = agent.gossip.clone() else { return Ok(()) };
    if let Some(server) = &agent.server {
        tasks.spawn(identity::establish(server.clone(), gossip.lan.clone(), agent.stop.clone()));
    }
    let config = agent.config.load_full();
    let pools = [
        ("LAN", Some(gossip.lan.clone()), &config.join.lan, config.network.serf_advertise_lan.port()),
        (
            "WAN",
            gossip.wan.clone(),
            &config.join.wan,
            config.network.serf_advertise_wan.map_or(0, |address| address.port()),
        ),
    ];
    for (label, pool, settings, port) in pools {
        let Some(pool) = pool else { continue };
        join_at_start(label, &pool, settings, port, config.log.json).await?;
        if !settings.retry.is_empty() {
            tasks.spawn(keep_joining(agent.clone(), label, pool, settings.clone(), port));
        }
    }
    if let (Some(server), Some(waits)) = (&agent.server, waits(&config)) {
        let company_is_sought = waits == Waits::ForCompany && !config.join.lan.retry.is_empty();
        if !company_is_sought {
            form(agent, &gossip, server, waits, tasks);
        }
    }
    Ok(())
}

fn form(agent: &Arc<Agent>, gossip: &Arc<Gossip>, server: &Arc<Server>, waits: Waits, tasks: &TaskTracker) {
    let forming =
        Forming { server: server.clone(), gossip: gossip.clone(), routes: agent.servers.clone(), waits };
    tasks.spawn(forming.run(agent.stop.clone()));
}

async fn join_at_start(
    label: &str,
    pool: &Pool,
    settings: &JoinPool,
    port: u16,
    quiet: bool,
) -> Result<(), String> {
    if settings.start.is_empty() {
        return Ok(());
    }
    if !quiet {
        println!("==> Joining cluster...");
    }
    info!(target: "agent", "({label}) joining: lan_addresses=[{}]", settings.start.join(" "));
    let joined = join::join(&Joining(pool.clone()), &settings.start, port).await;
    if joined.count == 0 {
        let failure = joined.failure();
        error!(target: "agent", number_of_nodes = 0, error = %failure, "({label}) couldn't join");
        return Err(failure);
    }
    log_misses(label, &joined);
    info!(target: "agent", number_of_nodes = joined.count, "({label}) joined");
    info!(target: "agent", agent_count = joined.count, "Join completed. Initial agents synced with");
    Ok(())
}

fn log_misses(label: &str, joined: &Joined) {
    for failure in &joined.failures {
        warn!(target: "agent", "({label}) {failure}");
    }
}

async fn keep_joining(agent: Arc<Agent>, label: &'static str, pool: Pool, settings: JoinPool, port: u16) {
    let is_lan = label == "LAN";
    let joining = Arc::new(Joining(pool));
    if is_lan && let (Some(server), Some(gossip)) = (&agent.server, &agent.gossip) {
        let config = agent.config.load_full();
        if waits(&config) == Some(Waits::ForCompany) {
            // One attempt decides whether this agent is the first.
            join::join(&*joining, &settings.retry, port).await;
            let forming = Forming {
                server: server.clone(),
                gossip: gossip.clone(),
                routes: agent.servers.clone(),
                waits: Waits::ForCompany,
            };
            tokio::spawn(forming.run(agent.stop.clone()));
        }
    }
    let is_final = if is_lan && agent.server.is_some() { is_final_for_servers } else { |_: &str| false };
    let outcome = join::keep_joining(joining, label, settings, port, is_final, agent.stop.clone()).await;
    if let Err(given_up) = outcome {
        error!(target: "agent", error = %given_up, "Retry join failed");
        agent.stop.cancel();
    }
}

impl Agent {
    /// Joins addresses because a user asked; `wan` for the pool of all servers.
    pub async fn join(&self, addresses: &[String], wan: bool) -> Result<usize, String> {
        let gossip = self.gossip.as_ref().ok_or("this agent takes part in no pool")?;
        let config = self.config.load();
        let (pool, port) = if wan {
            let pool = gossip.wan.as_ref().ok_or("this agent is not in the WAN pool")?;
            (pool, config.network.serf_advertise_wan.map_or(0, |address| address.port()))
        } else {
            (&gossip.lan, config.network.serf_advertise_lan.port())
        };
        let label = if wan { "WAN" } else { "LAN" };
        info!(target: "agent", "({label}) joining: [{}]", addresses.join(" "));
        let joined = join::join(&Joining(pool.clone()), addresses, port).await;
        if joined.count == 0 {
            return Err(joined.failure());
        }
        info!(target: "agent", number_of_nodes = joined.count, "({label}) joined");
        Ok(joined.count)
    }

    /// Makes a failed member count as left. Answers whether anybody knows it.
    pub async fn force_leave(&self, name: &str, prune: bool, wan_only: bool) -> Result<bool, String> {
        let Some(gossip) = &self.gossip else { return Ok(false) };
        info!(target: "agent", node = name, "Force leaving node");
        let wan_name = format!("{name}.{}", self.identity.datacenter);
        let mut known = false;
        if !wan_only && gossip.lan.member(name).is_some() {
            known = true;
            gossip.lan.force_leave(name, prune).await.map_err(|error| error.to_string())?;
        }
        if let Some(wan) = &gossip.wan {
            for name in [name, wan_name.as_str()] {
                if wan.member(name).is_some() {
                    known = true;
                    wan.force_leave(name, prune).await.map_err(|error| error.to_string())?;
                }
            }
        }
        Ok(known)
    }

    /// Leaves quorum and pools in order, so that nobody takes it for a failure.
    pub async fn leave_cluster(self: &Arc<Self>) {
        // What is written from now on would bring this node back into the catalog.
        self.sync.end().await;
        if timeout(LEAVE_LIMIT, self.leave_in_order()).await.is_err() {
            error!(target: "agent", limit = ?LEAVE_LIMIT, "the leave takes too long and is given up");
        }
    }

    async fn leave_in_order(self: &Arc<Self>) {
        let Some(gossip) = &self.gossip else { return };
        if let Some(server) = &self.server {
            info!(target: "agent.server", "server starting leave");
            hand_over(server).await;
            if let Some(wan) = &gossip.wan
                && let Err(error) = wan.leave().await
            {
                warn!(target: "agent.server", %error, "failed to leave WAN Serf cluster");
            }
        } else {
            info!(target: "agent.client", "client starting leave");
        }
        if let Err(error) = gossip.lan.leave().await {
            warn!(target: "agent", %error, "failed to leave LAN Serf cluster");
        }
        if let Some(server) = &self.server {
            self.wait_for_removal(server).await;
        }
    }

    /// The leader takes a server out of the quorum when it hears that it left. Until then it may need this server's
    /// vote for that, and it does not tell those whom it has taken out: so it is asked.
    async fn wait_for_removal(self: &Arc<Self>, server: &Server) {
        if server.raft.is_alone() {
            return;
        }
        let me = server.raft.me().to_string();
        let options = ReadOptions { token: self.own_token(), ..ReadOptions::default() };
        let removed = async {
            loop {
                let asked = self.operate(&RaftServers, &options).await;
                if asked.is_ok_and(|(_, quorum)| quorum.servers.iter().all(|member| member.id != me)) {
                    return;
                }
                sleep(REMOVAL_POLL).await;
            }
        };
        if timeout(REMOVAL_LIMIT, removed).await.is_err() {
            warn!(target: "agent.server", "failed to leave the quorum in time; remove this server with 'consul operator raft remove-peer' if it does not come back");
        }
    }

    /// A server that stops without leaving stays in the quorum, but need not lead until somebody notices.
    pub async fn stop_leading(&self) {
        if let Some(server) = &self.server
            && timeout(HANDOVER_LIMIT, hand_over(server)).await.is_err()
        {
            warn!(target: "agent.server", limit = ?HANDOVER_LIMIT, "could not hand over the leadership in time");
        }
    }

    /// Ends the part in the pools without a word more.
    pub async fn end_gossip(&self) {
        let Some(gossip) = &self.gossip else { return };
        if let Some(wan) = &gossip.wan {
            wan.shutdown().await;
        }
        gossip.lan.shutdown().await;
    }
}

/// A leader that goes lets another lead, so that nobody has to notice that it is gone.
async fn hand_over(server: &Server) {
    if !server.raft.is_leader() || server.raft.is_alone() {
        return;
    }
    match server.raft.transfer(None).await {
        Ok(()) => info!(target: "agent.server", "handed over the leadership"),
        Err(error) => warn!(target: "agent.server", %error, "could not hand over the leadership"),
    }
}
