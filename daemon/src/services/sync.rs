//! Anti-entropy: brings the catalog in line with this host's book, at once on change and in full from time to time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use consul_api::types::catalog::{Node, NodeService};
use consul_api::types::health::{HealthCheck, SERF_HEALTH};
use consul_api::types::request::{DeregisterRequest, RegisterRequest};
use rand::Rng as _;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::agent::Agent;
use crate::local::entry::Sync;
use crate::local::plan::{self, CatalogView, Kept, Strangers};
use crate::rpc::catalog::{Deregister, NodeServicesOf, Register};
use crate::rpc::health::{CheckList, ChecksOf};
use crate::rpc::{ReadOptions, RpcError, Token, WriteOptions};

/// Pause between full comparisons in a small cluster.
const INTERVAL: Duration = Duration::from_secs(60);
/// Pause after a failed one.
const RETRY: Duration = Duration::from_secs(15);
/// How soon a comparison that found no leader is tried again: a new server elects itself within moments.
const RETRY_NO_LEADER: Duration = Duration::from_millis(200);
/// How often outputs that wait are looked at.
const OUTPUT_TICK: Duration = Duration::from_secs(1);
/// Nodes up to which the interval is not stretched.
const SCALE_THRESHOLD: usize = 128;
/// Id of the service by which servers register themselves.
const SERVER_SERVICE: &str = "consul";

/// What the synchronisation remembers between rounds.
#[derive(Default)]
pub struct SyncState {
    /// One round at a time: two that overlap would write everything twice.
    round: tokio::sync::Mutex<()>,
    node_in_sync: AtomicBool,
    paused: AtomicBool,
}

impl SyncState {
    /// The node's own data changed.
    pub fn node_changed(&self) {
        self.node_in_sync.store(false, Ordering::Relaxed);
    }

    /// Begins no more rounds, and waits for the one under way.
    pub async fn end(&self) {
        self.pause(true);
        drop(self.round.lock().await);
    }

    /// Stops rounds while the book is being rebuilt.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }
}

/// Runs until `stop`.
pub async fn run(agent: Arc<Agent>, stop: CancellationToken) {
    debug!(target: "agent", "started state syncer");
    let mut full_at = Instant::now();
    loop {
        if Instant::now() >= full_at && !agent.sync.paused.load(Ordering::Relaxed) {
            full_at = Instant::now() + full_round(&agent).await;
        }
        let wake = full_at.min(Instant::now() + OUTPUT_TICK);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep_until(wake.into()) => {
                if agent.services.book.settle(|state| state.release_outputs(Instant::now())) {
                    full_at = full_at.min(push_or_retry(&agent).await);
                }
            }
            () = agent.services.book.dirty() => full_at = full_at.min(push_or_retry(&agent).await),
        }
    }
}

/// Writes what has changed; returns when to compare at the latest: soon if something could not be written.
async fn push_or_retry(agent: &Arc<Agent>) -> Instant {
    Instant::now() + if push(agent).await { INTERVAL * scale(node_count(agent)) * 2 } else { jittered(RETRY) }
}

/// One comparison; returns the pause until the next.
async fn full_round(agent: &Arc<Agent>) -> Duration {
    match compare_and_write(agent).await {
        Ok(()) => jittered(INTERVAL * scale(node_count(agent))),
        Err(RpcError::NoLeader | RpcError::NoServers) => RETRY_NO_LEADER,
        Err(failure) => {
            error!(target: "agent.anti_entropy", error = %failure, "failed to sync remote state");
            jittered(RETRY)
        }
    }
}

fn node_count(agent: &Agent) -> usize {
    match (&agent.server, &agent.gossip) {
        (Some(server), _) => server.store.version().catalog_counts().0,
        (None, Some(gossip)) => gossip.lan.members().len(),
        (None, None) => 1,
    }
}

/// Stretches the interval in large clusters: once more for each doubling beyond the threshold.
fn scale(nodes: usize) -> u32 {
    if nodes <= SCALE_THRESHOLD {
        return 1;
    }
    let ratio = nodes as f64 / SCALE_THRESHOLD as f64;
    ratio.log2().ceil() as u32 + 1
}

fn jittered(pause: Duration) -> Duration {
    pause + pause.mul_f64(rand::rng().random::<f64>() / 4.0)
}

/// Writes what has changed, now. Answers whether that went well; what cannot be written stays dirty for the next full
/// round.
pub async fn push(agent: &Arc<Agent>) -> bool {
    if agent.sync.paused.load(Ordering::Relaxed) {
        return true;
    }
    let _one_at_a_time = agent.sync.round.lock().await;
    let written = write_dirty(agent).await;
    written.inspect_err(log_failure).is_ok()
}

fn log_failure(failure: &RpcError) {
    match failure {
        RpcError::NoLeader | RpcError::NoServers => {
            debug!(target: "agent.anti_entropy", error = %failure, "failed to sync changes")
        }
        _ => error!(target: "agent.anti_entropy", error = %failure, "failed to sync changes"),
    }
}

async fn compare_and_write(agent: &Arc<Agent>) -> Result<(), RpcError> {
    let _one_at_a_time = agent.sync.round.lock().await;
    let catalog = fetch(agent).await?;
    let same_node = catalog.node.as_ref().is_some_and(|node| is_current(agent, node));
    agent.sync.node_in_sync.store(same_node, Ordering::Relaxed);
    let kept = Kept { service_id: agent.server.is_some().then_some(SERVER_SERVICE), check_id: SERF_HEALTH };
    let strangers = agent.services.book.settle(|state| plan::compare(state, &catalog, kept));
    write_dirty(agent).await?;
    remove_strangers(agent, strangers).await
}

async fn fetch(agent: &Arc<Agent>) -> Result<CatalogView, RpcError> {
    let node = agent.node_name().to_owned();
    let options = ReadOptions { token: agent.own_token(), ..ReadOptions::default() };
    let (_, found) = agent.read(&NodeServicesOf { node: node.clone() }, &options).await?;
    let list = CheckList { of: ChecksOf::Node(node), node_meta: Default::default(), near: String::new() };
    let (_, checks) = agent.read(&list, &options).await?;
    let mut view = CatalogView {
        checks: checks.iter().map(|check| (**check).clone()).collect(),
        ..CatalogView::default()
    };
    if let Some(found) = found {
        view.node = Some((*found.node).clone());
        view.services =
            found.services.iter().map(|(id, service)| (id.clone(), (**service).clone())).collect();
    }
    Ok(view)
}

/// Does the catalog show the node as it is?
fn is_current(agent: &Agent, node: &Node) -> bool {
    let ours = agent.node_registration();
    node.id == ours.id
        && node.address == ours.address
        && node.tagged_addresses == ours.tagged_addresses
        && node.meta.clone().unwrap_or_default() == ours.node_meta.unwrap_or_default()
}

async fn write_dirty(agent: &Arc<Agent>) -> Result<(), RpcError> {
    if !agent.sync.node_in_sync.load(Ordering::Relaxed) {
        write(agent, agent.node_registration(), agent.own_token()).await?;
        agent.sync.node_in_sync.store(true, Ordering::Relaxed);
        info!(target: "agent", "Synced node info");
    }
    for (service, checks, token) in dirty_services(agent) {
        write_service(agent, service, checks, token).await?;
    }
    for (check, token) in dirty_checks(agent) {
        write_check(agent, check, token).await?;
    }
    remove_deleted(agent).await
}

type DirtyService = (NodeService, Vec<HealthCheck>, Token);

/// Services to write, each with those of its checks that go under the same token.
fn dirty_services(agent: &Agent) -> Vec<DirtyService> {
    agent.services.book.read(|state| {
        let dirty = state.services().filter(|entry| entry.sync == Sync::Dirty);
        dirty
            .map(|entry| {
                let checks = state.checks_of(&entry.service.id);
                let same_token =
                    checks.filter(|check| check.sync == Sync::Dirty && check.token == entry.token);
                let checks = same_token.map(|check| check.check.clone()).collect();
                (entry.service.clone(), checks, entry.token.clone())
            })
            .collect()
    })
}

fn dirty_checks(agent: &Agent) -> Vec<(HealthCheck, Token)> {
    agent.services.book.read(|state| {
        let dirty = state.checks().filter(|entry| entry.sync == Sync::Dirty);
        dirty.map(|entry| (entry.check.clone(), entry.token.clone())).collect()
    })
}

async fn write_service(
    agent: &Arc<Agent>,
    service: NodeService,
    checks: Vec<HealthCheck>,
    token: Token,
) -> Result<(), RpcError> {
    let request = RegisterRequest {
        service: Some(service.clone()),
        checks: (!checks.is_empty()).then(|| checks.clone()),
        skip_node_update: true,
        ..agent.node_registration()
    };
    match write(agent, request, agent.token_or_own(token)).await {
        Ok(()) => {
            agent.services.book.settle(|state| {
                state.service_synced(&service.id, &service);
                checks.iter().for_each(|check| state.check_synced(&check.check_id, check));
            });
            info!(target: "agent", service = %service.id, "Synced service");
            Ok(())
        }
        Err(failure) => skip_if_refused(failure, "service", &service.id),
    }
}

async fn write_check(agent: &Arc<Agent>, check: HealthCheck, token: Token) -> Result<(), RpcError> {
    let service =
        agent.services.book.read(|state| state.service(&check.service_id).map(|entry| entry.service.clone()));
    let request = RegisterRequest {
        service,
        check: Some(check.clone()),
        skip_node_update: true,
        ..agent.node_registration()
    };
    match write(agent, request, agent.token_or_own(token)).await {
        Ok(()) => {
            agent.services.book.settle(|state| state.check_synced(&check.check_id, &check));
            info!(target: "agent", check = %check.check_id, "Synced check");
            Ok(())
        }
        Err(failure) => skip_if_refused(failure, "check", &check.check_id),
    }
}

/// A refusal concerns this entry alone and must not keep the others from being written; it stays dirty.
fn skip_if_refused(failure: RpcError, kind: &str, id: &str) -> Result<(), RpcError> {
    match failure {
        refused @ (RpcError::Refused(_) | RpcError::PermissionDenied | RpcError::AclNotFound) => {
            warn!(target: "agent", kind, id, error = %refused, "the catalog refused a registration");
            Ok(())
        }
        unwritten => Err(unwritten),
    }
}

async fn remove_deleted(agent: &Arc<Agent>) -> Result<(), RpcError> {
    let (services, checks) = agent.services.book.read(|state| {
        let services = state.all_services().values().filter(|entry| entry.sync == Sync::Deleted);
        let services: BTreeMap<String, Token> =
            services.map(|entry| (entry.service.id.clone(), entry.token.clone())).collect();
        let checks = state.all_checks().values().filter(|entry| entry.sync == Sync::Deleted);
        let checks: Vec<(String, String, Token)> = checks
            .map(|entry| (entry.check.check_id.clone(), entry.check.service_id.clone(), entry.token.clone()))
            .collect();
        (services, checks)
    });
    for (id, token) in &services {
        remove(agent, id, "", token.clone()).await?;
        agent.services.book.settle(|state| state.forget_deleted(Some(id), None));
        info!(target: "agent", service = %id, "Deregistered service");
    }
    for (id, service_id, token) in checks {
        // Checks of a service go with it.
        if !services.contains_key(&service_id) {
            remove(agent, "", &id, token).await?;
            info!(target: "agent", check = %id, "Deregistered check");
        }
        agent.services.book.settle(|state| state.forget_deleted(None, Some(&id)));
    }
    Ok(())
}

async fn remove_strangers(agent: &Arc<Agent>, strangers: Strangers) -> Result<(), RpcError> {
    for id in strangers.services {
        remove(agent, &id, "", Token::default()).await?;
        info!(target: "agent", service = %id, "Deregistered service");
    }
    for id in strangers.checks {
        remove(agent, "", &id, Token::default()).await?;
        info!(target: "agent", check = %id, "Deregistered check");
    }
    Ok(())
}

async fn write(agent: &Arc<Agent>, request: RegisterRequest, token: Token) -> Result<(), RpcError> {
    agent.write(Register(request), &WriteOptions { token, ..WriteOptions::default() }).await
}

async fn remove(agent: &Arc<Agent>, service_id: &str, check_id: &str, token: Token) -> Result<(), RpcError> {
    let request = DeregisterRequest {
        node: agent.node_name().to_owned(),
        service_id: service_id.to_owned(),
        check_id: check_id.to_owned(),
        ..DeregisterRequest::default()
    };
    let options = WriteOptions { token: agent.token_or_own(token), ..WriteOptions::default() };
    agent.write(Deregister(request), &options).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_grows_with_each_doubling() {
        assert_eq!([1, 128, 129, 256, 257, 512, 1024].map(scale), [1, 1, 2, 2, 3, 3, 4]);
    }
}
