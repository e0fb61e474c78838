//! What the rest of the server holds of its log.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openraft::error::{CheckIsLeaderError, InitializeError, RaftError};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::applier::{Applier, Progress};
use crate::config::{Bootstrap, Config, SnapshotPolicy, Storage, Timing};
use crate::contact::Contact;
use crate::elector::Elector;
use crate::error::{OpenError, ProposeError, ReadError};
use crate::lease::Lease;
use crate::log::Log;
use crate::machine::StateMachine;
use crate::metrics::{Metrics, ServerMetrics};
use crate::monitor::{Leadership, Monitor, Role, not_leader};
use crate::network::Network;
use crate::offline;
use crate::proposer::Proposer;
use crate::rpc::{ServeError, Server};
use crate::snapshot::SnapshotStore;
use crate::transport::{Method, Transport};
use crate::types::{OpenRaft, Peer, ServerId};

/// How long a lone voter may take to become leader: it needs nothing but its disk.
const ALONE_LIMIT: Duration = Duration::from_secs(30);

/// One server of a cluster. Clones are the same server; call [`RaftHandle::shutdown`] at the end.
pub struct RaftHandle<S: StateMachine> {
    pub(crate) inner: Arc<Inner<S>>,
}

impl<S: StateMachine> Clone for RaftHandle<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

pub(crate) struct Inner<S: StateMachine> {
    pub me: ServerId,
    pub timing: Timing,
    pub raft: OpenRaft,
    pub machine: Arc<S>,
    pub proposer: Arc<Proposer<S::Outcome>>,
    pub lease: Arc<Lease>,
    pub snapshots: Arc<SnapshotStore>,
    pub transport: Arc<dyn Transport>,
    /// One restore at a time.
    pub restoring: tokio::sync::Mutex<()>,
    pub leadership: watch::Receiver<Leadership>,
    log: Log,
    progress: Arc<Progress>,
    policy: Arc<Mutex<SnapshotPolicy>>,
    pub contact: Arc<Contact>,
    server: Server,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl<S: StateMachine> RaftHandle<S> {
    /// Recovers what is stored, starts or joins as configured, and runs.
    ///
    /// A server that is its cluster's only voter leads when this returns.
    pub async fn open(
        config: Config,
        machine: Arc<S>,
        transport: Arc<dyn Transport>,
    ) -> Result<Self, OpenError> {
        config.validate()?;
        let me = config.me.id;
        let lease = Arc::new(Lease::new(me, config.timing.election_max));
        let (log, snapshots) = open_storage(&config, &lease).await?;
        let snapshots = Arc::new(snapshots);
        lease.on_start(log.last().map(|last| last.index));
        let contact = Arc::new(Contact::new(config.timing.election_max, log.last().map(|last| last.index)));
        let proposer = Arc::new(Proposer::new(config.limits, lease.clone()));
        let progress = Arc::new(Progress::default());
        let policy = Arc::new(Mutex::new(config.snapshots));
        let applier = Applier::open(
            machine.clone(),
            proposer.clone(),
            snapshots.clone(),
            lease.clone(),
            progress.clone(),
            policy.clone(),
        )
        .await?;
        log.observe(proposer.clone());
        let network = Network::new(
            transport.clone(),
            lease.clone(),
            snapshots.container().clone(),
            config.timing.heartbeat,
        );
        let raft = OpenRaft::new(me, Arc::new(core_config(&config)?), network, log.clone(), applier)
            .await
            .map_err(|error| OpenError::Start(error.to_string()))?;
        proposer.attach(raft.clone());

        let (leadership, known) = watch::channel(Leadership::from_metrics(&raft.server_metrics().borrow()));
        let (stop, stopped) = watch::channel(false);
        let monitor = Monitor {
            raft: raft.clone(),
            log: log.clone(),
            lease: lease.clone(),
            proposer: proposer.clone(),
            progress: progress.clone(),
            snapshots: snapshots.clone(),
            policy: policy.clone(),
            leadership,
            contact: contact.clone(),
            announced: None,
            stop: stopped.clone(),
            quorum_check: config.timing.election_max / 2,
        };
        let elector = Elector {
            raft: raft.clone(),
            log: log.clone(),
            lease: lease.clone(),
            contact: contact.clone(),
            transport: transport.clone(),
            timing: config.timing,
            stop: stopped,
        };
        let server =
            Server::new(me, raft.clone(), snapshots.clone(), log.clone(), lease.clone(), contact.clone());
        let handle = Self {
            inner: Arc::new(Inner {
                me,
                timing: config.timing,
                contact,
                server,
                raft,
                machine,
                proposer,
                lease,
                snapshots,
                transport,
                restoring: tokio::sync::Mutex::default(),
                leadership: known,
                log,
                progress,
                policy,
                stop,
                tasks: Mutex::new(vec![tokio::spawn(monitor.run()), tokio::spawn(elector.run())]),
            }),
        };
        match handle.start(&config.bootstrap).await {
            Ok(()) => Ok(handle),
            Err(error) => {
                handle.shutdown().await;
                Err(error)
            }
        }
    }

    async fn start(&self, bootstrap: &Bootstrap) -> Result<(), OpenError> {
        let raft = &self.inner.raft;
        let failed = |error: &dyn std::fmt::Display| OpenError::Start(error.to_string());
        if let Bootstrap::Servers(servers) = bootstrap
            && !raft.is_initialized().await.map_err(|error| failed(&error))?
        {
            self.initialize(servers).await?;
        }
        if !self.inner.lease.is_alone() {
            return Ok(());
        }
        // Nobody else can vote, so there is nothing to wait for.
        raft.trigger().elect().await.map_err(|error| failed(&error))?;
        raft.wait(Some(ALONE_LIMIT))
            .state(openraft::ServerState::Leader, "lone voter")
            .await
            .map_err(|error| failed(&error))?;
        self.inner.proposer.barrier().await.map_err(|error| failed(&error))
    }

    async fn initialize(&self, servers: &[Peer]) -> Result<(), OpenError> {
        let members: std::collections::BTreeMap<_, _> =
            servers.iter().map(|server| (server.id, server.node())).collect();
        match self.inner.raft.initialize(members).await {
            // A server that bootstrapped before us already sent us its log.
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
            Err(error) => Err(OpenError::Start(error.to_string())),
        }
    }

    /// Starts a cluster of these servers, for a server that was opened to join and has no data.
    /// All of them must be given the same list. Does nothing once there is data.
    pub async fn bootstrap(&self, servers: &[Peer]) -> Result<(), OpenError> {
        self.start(&Bootstrap::Servers(servers.to_vec())).await
    }

    /// Whether this server has a log, and with it a cluster it belongs to.
    pub async fn is_initialized(&self) -> Result<bool, ReadError> {
        self.inner.raft.is_initialized().await.map_err(|_| ReadError::Shutdown)
    }

    /// Replicates a command and waits until it is applied here.
    ///
    /// Commands proposed concurrently share log entries and flushes. Dropping the future does not
    /// take the command back. Waits while too much is queued.
    pub async fn propose(&self, command: Bytes) -> Result<S::Outcome, ProposeError> {
        let leadership = &self.inner.leadership;
        self.inner.proposer.propose(command, || not_leader(&leadership.borrow())).await
    }

    /// Waits until everything committed before is applied here. A new leader calls this before it
    /// acts on the state.
    pub async fn barrier(&self) -> Result<(), ProposeError> {
        // Without a quorum each attempt would only leave an entry behind.
        if !self.inner.lease.may_propose() {
            return Err(self.not_leader());
        }
        self.inner.proposer.barrier().await
    }

    /// Whether a read answered right now sees every acknowledged write, by the leader's lease.
    /// Costs a clock reading.
    pub fn check_lease(&self) -> Result<(), ReadError> {
        match self.inner.lease.may_read() {
            true => Ok(()),
            false => Err(read_error(self.not_leader())),
        }
    }

    /// Confirms leadership with a quorum and waits until what was committed is applied: a read
    /// that follows is linearizable without trust in clocks.
    pub async fn ensure_linearizable(&self) -> Result<(), ReadError> {
        if self.inner.lease.is_alone() {
            return self.check_lease();
        }
        match self.inner.raft.ensure_linearizable().await {
            Ok(_) => Ok(()),
            Err(RaftError::Fatal(_)) => Err(ReadError::Shutdown),
            Err(RaftError::APIError(CheckIsLeaderError::QuorumNotEnough(_))) => Err(ReadError::NoLeader),
            Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(_))) => {
                Err(read_error(self.not_leader()))
            }
        }
    }

    /// Whether this server was elected and knows of no later vote.
    pub fn is_leader(&self) -> bool {
        self.inner.lease.is_leader()
    }

    /// The term that this server leads, if it does.
    pub fn led_term(&self) -> Option<u64> {
        self.inner.lease.led_term()
    }

    /// Whether this server is its cluster's only voter.
    pub fn is_alone(&self) -> bool {
        self.inner.lease.is_alone()
    }

    pub fn me(&self) -> ServerId {
        self.inner.me
    }

    /// The pause between a leader's heartbeats.
    pub fn heartbeat(&self) -> Duration {
        self.inner.timing.heartbeat
    }

    /// The leader, as far as this server knows: nobody, once it has not heard from one for some time, or leads itself
    /// without a quorum.
    pub fn leader(&self) -> Option<Peer> {
        self.inner.leadership.borrow().leader.clone()
    }

    /// Whether this server knows of a leader. Costs less than to ask who it is.
    pub fn knows_leader(&self) -> bool {
        self.inner.leadership.borrow().leader.is_some()
    }

    /// Follows who leads. Ends with [`Role::Stopped`], also when storage failed.
    pub fn watch_leadership(&self) -> watch::Receiver<Leadership> {
        self.inner.leadership.clone()
    }

    /// Since the leader was last heard; zero on the leader, `None` if never.
    pub fn last_contact(&self) -> Option<Duration> {
        if self.is_leader() {
            return Some(Duration::ZERO);
        }
        self.inner.contact.last().map(|contact| Instant::now().saturating_duration_since(contact))
    }

    /// Whether this server's state is fit to be shown: it led since its start, or it heard from a leader since its start and
    /// applied all that this leader had committed. Until then a stale read could find nothing where there is
    /// something, and go back behind what this server showed before its restart.
    pub fn has_caught_up(&self) -> bool {
        let Inner { contact, lease, log, progress, .. } = &*self.inner;
        contact.had_caught_up()
            || lease.was_ready()
            || contact.has_caught_up(progress.applied_index(), log.last().map(|last| last.index))
    }

    /// The index of the last applied log entry.
    pub fn applied_index(&self) -> u64 {
        self.inner.progress.applied_index().unwrap_or(0)
    }

    /// Why consensus ended here, if storage or a bug ended it.
    pub fn failure(&self) -> Option<String> {
        match &self.inner.raft.metrics().borrow().running_state {
            Ok(()) | Err(openraft::error::Fatal::Stopped) => None,
            Err(fatal) => Some(fatal.to_string()),
        }
    }

    pub fn metrics(&self) -> Metrics {
        let metrics = self.inner.raft.metrics().borrow().clone();
        let leadership = self.inner.leadership.borrow().clone();
        let membership = metrics.membership_config.membership();
        let voters: std::collections::BTreeSet<_> = membership.voter_ids().collect();
        let servers = membership
            .nodes()
            .map(|(id, node)| ServerMetrics {
                peer: Peer::new(*id, node),
                voter: voters.contains(id),
                leader: metrics.current_leader == Some(*id),
                matched_index: metrics
                    .replication
                    .as_ref()
                    .and_then(|matched| (*matched.get(id)?).map(|log_id| log_id.index)),
            })
            .collect();
        Metrics {
            role: Role::from(metrics.state),
            term: metrics.current_term,
            leader: leadership.leader,
            last_log_index: metrics.last_log_index.unwrap_or(0),
            last_log_term: self.inner.log.last().map_or(0, |last| last.leader_id.term),
            commit_index: self.inner.log.committed_index().unwrap_or(0),
            applied_index: self.applied_index(),
            last_snapshot_index: metrics.snapshot.map_or(0, |last| last.index),
            last_snapshot_term: metrics.snapshot.map_or(0, |last| last.leader_id.term),
            last_contact: self.last_contact(),
            configuration_index: metrics.membership_config.log_id().map_or(0, |log_id| log_id.index),
            servers,
        }
    }

    /// Answers a request that another server's [`Transport`] carried here.
    pub async fn serve(&self, method: Method, body: &[u8]) -> Result<Bytes, ServeError> {
        self.inner.server.serve(method, body).await
    }

    /// When snapshots are started from now on, and what they leave in the log.
    pub fn set_snapshot_policy(&self, policy: SnapshotPolicy) {
        *self.inner.policy.lock() = policy;
    }

    /// Writes a snapshot now, without waiting for it.
    pub async fn trigger_snapshot(&self) -> Result<(), ReadError> {
        self.inner.raft.trigger().snapshot().await.map_err(|_| ReadError::Shutdown)
    }

    /// Ends consensus here and closes the log. Commands in flight are answered with
    /// [`ProposeError::Shutdown`].
    pub async fn shutdown(&self) {
        self.inner.proposer.close();
        if let Err(error) = self.inner.raft.shutdown().await {
            tracing::warn!(%error, "raft did not end cleanly");
        }
        self.inner.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.inner.tasks.lock());
        for task in tasks {
            if let Err(error) = task.await {
                tracing::warn!(%error, "a task of raft did not end cleanly");
            }
        }
        self.inner.snapshots.close().await;
        if let Err(error) = self.inner.log.close().await {
            tracing::warn!(%error, "the raft log was not closed cleanly");
        }
    }

    pub(crate) fn not_leader(&self) -> ProposeError {
        not_leader(&self.inner.leadership.borrow())
    }
}

fn read_error(error: ProposeError) -> ReadError {
    match error {
        ProposeError::ForwardTo(leader) => ReadError::ForwardTo(leader),
        ProposeError::Shutdown => ReadError::Shutdown,
        ProposeError::NoLeader | ProposeError::LeadershipLost | ProposeError::TooLarge { .. } => {
            ReadError::NoLeader
        }
    }
}

/// Log and snapshots hold every value and every token: the directory is for this user alone.
pub(crate) fn create_private(directory: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))
}

async fn open_storage(config: &Config, lease: &Arc<Lease>) -> Result<(Log, SnapshotStore), OpenError> {
    let state_bytes = config.limits.state_bytes;
    let directory = match &config.storage {
        Storage::Memory => {
            let log = Log::in_memory(lease.clone());
            return Ok((log.clone(), SnapshotStore::open(None, state_bytes, log).await?));
        }
        Storage::Disk(directory) => directory,
        #[cfg(test)]
        Storage::Simulated(disk) => {
            let log = Log::simulated(disk, config.limits.cache_bytes, lease.clone())
                .await
                .map_err(|source| OpenError::Database { path: Default::default(), source })?;
            return Ok((log.clone(), SnapshotStore::simulated(disk, state_bytes, log).await));
        }
    };
    create_private(directory).map_err(|source| OpenError::Io { path: directory.clone(), source })?;
    if let Some(recovered) = offline::apply_peers_file(directory).await.map_err(Box::new)? {
        tracing::warn!(
            servers = recovered.after.len(),
            backup = %recovered.backup.display(),
            "the raft configuration was replaced by that of {}",
            offline::PEERS_FILE
        );
    }
    let log = Log::open(directory, config.me.id, config.limits.cache_bytes, lease.clone()).await?;
    let snapshots = SnapshotStore::open(Some(directory.join("snapshots")), state_bytes, log.clone()).await?;
    Ok((log, snapshots))
}

fn core_config(config: &Config) -> Result<openraft::Config, OpenError> {
    let Timing { heartbeat, election_min, election_max } = config.timing;
    let millis = |time: Duration| time.as_millis() as u64;
    let core = openraft::Config {
        cluster_name: "consul".to_owned(),
        heartbeat_interval: millis(heartbeat),
        election_timeout_min: millis(election_min),
        election_timeout_max: millis(election_max),
        // Both are decided here, by bytes as well as entries (see `monitor`).
        snapshot_policy: openraft::SnapshotPolicy::Never,
        // See `elector`.
        enable_elect: false,
        max_in_snapshot_log_to_keep: u64::MAX,
        ..openraft::Config::default()
    };
    core.validate().map_err(|error| OpenError::Start(error.to_string()))
}
