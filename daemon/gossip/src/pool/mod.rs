//! A pool as the agent uses it: join, leave, members, events, queries, keys.
//!
//! [`Pool`] is a handle to a member that runs in a task of its own. Looking at members costs nothing and waits for
//! nobody; everything else is a message to that task.

mod attached;
mod events;
mod keys;
mod memory;
mod query;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{debug, info, warn};

pub use events::Events;
pub use keys::{KeyFailure, Keys};
pub use query::Query;

use crate::coordinate::Coordinate;
use crate::keyring::Keyring;
use crate::lamport::LamportTime;
use crate::serf::snapshot::SnapshotFile;
use crate::serf::{
    self, Hooks, IncomingQuery, Member, OperationResult, QueryError, QueryOptions, RespondError, Serf, Stats,
    Tags, TagsTooLong, UserEventError,
};
use crate::shell::{Handle, Sockets, Stopped};
use crate::swim::{self, JoinError};
use crate::{member, shell};
use attached::{Attached, Published};
use memory::Life;

/// How a pool is to be taken part in.
#[derive(Debug)]
pub struct Settings {
    /// Name, address and timing. Port 0 in the address: the one that is bound.
    pub swim: swim::Config,
    /// Tags and limits.
    pub serf: serf::Config,
    /// Who may join, and what else the owner decides.
    pub hooks: Hooks,
    /// None: nothing is encrypted.
    pub keyring: Option<Keyring>,
    /// Where to listen.
    pub bind: SocketAddr,
    /// Where known members are remembered over a restart; none: nowhere.
    pub snapshot: Option<PathBuf>,
    /// Whether to go back by itself to a pool that was left on purpose.
    pub rejoin_after_leave: bool,
}

/// Why a pool cannot be taken part in.
#[derive(Debug, Error)]
pub enum SpawnError {
    #[error("could not listen for gossip on {addr}")]
    Bind { addr: SocketAddr, source: io::Error },
    #[error("could not open the file of known members {}", path.display())]
    Snapshot { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Tags(#[from] TagsTooLong),
}

/// Why something could not be done.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PoolError<E: std::error::Error + 'static> {
    #[error(transparent)]
    Stopped(Stopped),
    #[error(transparent)]
    Refused(E),
}

impl<E: std::error::Error + 'static> From<Stopped> for PoolError<E> {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

/// Leaving is not known to have reached everybody.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum LeaveError {
    #[error("timeout while waiting for graceful leave")]
    Timeout,
    #[error(transparent)]
    InProgress(#[from] serf::LeaveError),
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// A node's part in one pool. Cheap to clone; all clones are the same part.
#[derive(Clone, Debug)]
pub struct Pool {
    handle: Handle<Attached>,
    published: Published,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: Arc<str>,
    addr: SocketAddr,
    leave_patience: Duration,
    life: watch::Sender<Life>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Pool {
    /// Listens and begins to take part, alone at first. If members are remembered from before, they are joined in
    /// the background.
    ///
    /// # Errors
    /// The address is taken, the file of known members cannot be used, or the tags are too long.
    pub async fn spawn(settings: Settings) -> Result<(Self, Events), SpawnError> {
        let Settings { mut swim, mut serf, hooks, keyring, bind, snapshot, rejoin_after_leave } = settings;
        let memory = snapshot.map(|path| open_memory(path, rejoin_after_leave)).transpose()?;
        if let Some(memory) = &memory {
            serf.heard_before = Some(memory.remembered().clocks);
        }
        let sockets = Sockets::bind(bind).await.map_err(|source| SpawnError::Bind { addr: bind, source })?;
        if swim.addr.port() == 0 {
            swim.addr.set_port(sockets.local_addr().port());
        }
        let (name, addr) = (Arc::clone(&swim.name), swim.addr);
        let leave_patience = serf.broadcast_timeout * 2 + serf.leave_propagate_delay + Duration::from_secs(1);
        let (sender, events) = events::channel(serf.events_queue_max);
        let rng = <StdRng as rand::SeedableRng>::from_os_rng();
        let (swim, serf) = Serf::build(Default::default(), swim, serf, hooks, keyring, rng)?;
        let (attached, published) = Attached::new(serf, sender);
        let (handle, owner) = shell::spawn(sockets, |now| member::Member::new(now, swim, attached));
        let inner = Inner {
            name,
            addr,
            leave_patience,
            life: watch::Sender::new(Life::Running),
            tasks: Mutex::new(vec![owner]),
        };
        let pool = Self { handle, published, inner: Arc::new(inner) };
        if let Some(memory) = memory {
            pool.remember(memory);
        }
        Ok((pool, events))
    }

    fn remember(&self, memory: SnapshotFile) {
        let acquaintances = memory::acquaintances(&memory, &self.inner.name);
        let (name, published) = (Arc::clone(&self.inner.name), self.published.clone());
        let keeping = tokio::spawn(memory::keep(memory, name, published, self.inner.life.subscribe()));
        let rejoining = tokio::spawn(rejoin(self.handle.clone(), acquaintances, self.inner.life.subscribe()));
        self.lock_tasks().extend([keeping, rejoining]);
    }

    fn lock_tasks(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Name of the own node.
    pub fn name(&self) -> &Arc<str> {
        &self.inner.name
    }

    /// Where others reach the own node.
    pub fn addr(&self) -> SocketAddr {
        self.inner.addr
    }

    /// All members, whatever became of them, in order of their names.
    pub fn members(&self) -> Arc<[Member]> {
        Arc::clone(&self.published.members.borrow())
    }

    /// Tells of every change of the members.
    pub fn watch_members(&self) -> watch::Receiver<Arc<[Member]>> {
        self.published.members.clone()
    }

    /// One member.
    pub fn member(&self, name: &str) -> Option<Member> {
        let members = self.published.members.borrow();
        let index = members.binary_search_by(|member| (*member.name).cmp(name)).ok()?;
        members.get(index).cloned()
    }

    /// The own node.
    pub fn local(&self) -> Option<Member> {
        self.member(&self.inner.name)
    }

    /// Exchanges members with all addresses; one result for each. With `ignore_old_events`, events that were sent
    /// before are not delivered.
    ///
    /// # Errors
    /// The pool has been shut down.
    pub async fn join(
        &self,
        addrs: &[SocketAddr],
        ignore_old_events: bool,
    ) -> Result<Vec<(SocketAddr, Result<(), JoinError>)>, Stopped> {
        let (handle, addrs) = (self.handle.clone(), addrs.to_vec());
        // In a task of its own, so that a caller who gives up does not leave it half done.
        let joining = tokio::spawn(async move { join(&handle, &addrs, ignore_old_events).await });
        joining.await.map_err(|_| Stopped)?
    }

    /// Leaves: tells everybody, waits until they know, and stays silent from then on. To be followed by
    /// [`Pool::shutdown`].
    ///
    /// # Errors
    /// Not everybody may know. The node has left all the same, or is leaving.
    pub async fn leave(&self) -> Result<(), LeaveError> {
        let mut has_left = self.published.has_left.clone();
        // First on disk, so that a node that is killed while leaving does not come back.
        self.inner.life.send_if_modified(|life| {
            let runs = *life == Life::Running;
            if runs {
                *life = Life::Leaving;
            }
            runs
        });
        self.handle.with(|now, _, attached| attached.serf.leave(now)).await??;
        match timeout(self.inner.leave_patience, has_left.wait_for(|left| *left)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(LeaveError::Stopped(Stopped)),
            Err(_) => Err(LeaveError::Timeout),
        }
    }

    /// Makes a failed member count as left; with `prune` it is forgotten altogether. Waits until the pool was told.
    ///
    /// # Errors
    /// The pool has been shut down.
    pub async fn force_leave(&self, name: &str, prune: bool) -> Result<OperationResult, Stopped> {
        let name = name.to_owned();
        let told = self
            .handle
            .with(move |now, _, attached| {
                let operation = attached.serf.force_leave(now, &name, prune);
                operation.map(|operation| attached.watch(operation))
            })
            .await?;
        match told {
            Some(told) => told.await.map_err(|_| Stopped),
            None => Ok(OperationResult::Spread),
        }
    }

    /// Sends an event to all members, this one included. Answers its time.
    ///
    /// # Errors
    /// It is too large, or the pool has been shut down.
    pub async fn user_event(
        &self,
        name: &str,
        payload: &[u8],
        coalesce: bool,
    ) -> Result<LamportTime, PoolError<UserEventError>> {
        let (name, payload) = (name.to_owned(), payload.to_vec());
        self.handle
            .with(move |_, _, attached| attached.serf.user_event(&name, &payload, coalesce))
            .await?
            .map_err(PoolError::Refused)
    }

    /// Asks the pool, this node included.
    ///
    /// # Errors
    /// The question is too large or its name is reserved, or the pool has been shut down.
    pub async fn query(
        &self,
        name: &str,
        payload: &[u8],
        options: QueryOptions,
    ) -> Result<Query, PoolError<QueryError>> {
        let (name, payload) = (name.to_owned(), payload.to_vec());
        let (id, replies) = self
            .handle
            .with(move |now, swim, attached| {
                let id = attached.serf.query(now, swim, &name, &payload, &options)?;
                Ok((id, attached.listen(id)))
            })
            .await?
            .map_err(PoolError::Refused)?;
        Ok(Query::new(id, replies))
    }

    /// Answers a query that came as an event.
    ///
    /// # Errors
    /// The answer is too large or too late, or the pool has been shut down.
    pub async fn respond(
        &self,
        query: &IncomingQuery,
        payload: &[u8],
    ) -> Result<(), PoolError<RespondError>> {
        let (query, payload) = (query.clone(), payload.to_vec());
        self.handle
            .with(move |now, _, attached| attached.serf.respond(now, &query, &payload))
            .await?
            .map_err(PoolError::Refused)
    }

    /// The keys of the whole pool.
    pub fn keys(&self) -> Keys<'_> {
        Keys::new(&self.handle)
    }

    /// The own keys; none: nothing is encrypted.
    ///
    /// # Errors
    /// The pool has been shut down.
    pub async fn keyring(&self) -> Result<Option<Keyring>, Stopped> {
        self.handle.with(|_, swim, _| swim.keyring().cloned()).await
    }

    /// Changes what the own node says about itself.
    ///
    /// # Errors
    /// The tags are too long, or the pool has been shut down.
    pub async fn set_tags(&self, tags: Tags) -> Result<(), PoolError<TagsTooLong>> {
        self.handle
            .with(move |_, swim, attached| attached.serf.set_tags(swim, tags))
            .await?
            .map_err(PoolError::Refused)
    }

    /// The own network coordinate.
    ///
    /// # Errors
    /// The pool has been shut down.
    pub async fn coordinate(&self) -> Result<Coordinate, Stopped> {
        self.handle.with(|_, _, attached| attached.serf.coordinate().clone()).await
    }

    /// The coordinate that a member last told us.
    ///
    /// # Errors
    /// The pool has been shut down.
    pub async fn coordinate_of(&self, name: &str) -> Result<Option<Coordinate>, Stopped> {
        let name = name.to_owned();
        self.handle.with(move |_, _, attached| attached.serf.coordinate_of(&name).cloned()).await
    }

    /// All coordinates known, by name, the own one included.
    ///
    /// # Errors
    /// The pool has been shut down.
    pub async fn coordinates(&self) -> Result<Vec<(String, Coordinate)>, Stopped> {
        self.handle
            .with(|_, _, attached| {
                let all = attached.serf.all_coordinates();
                all.map(|(name, coordinate)| (name.to_owned(), coordinate.clone())).collect()
            })
            .await
    }

    /// How the pool looks from here.
    ///
    /// # Errors
    /// The pool has been shut down.
    pub async fn stats(&self) -> Result<Stats, Stopped> {
        self.handle.with(|_, swim, attached| attached.serf.stats(swim)).await
    }

    /// Totals of what went by and what was thrown away.
    ///
    /// # Errors
    /// The pool has been shut down.
    pub async fn counters(&self) -> Result<swim::Counters, Stopped> {
        self.handle.with(|_, swim, _| swim.counters().clone()).await
    }

    /// Ends the part in the pool without a word to others. Returns when all is closed and written.
    pub async fn shutdown(&self) {
        self.inner.life.send_if_modified(|life| std::mem::replace(life, Life::Ending) != Life::Ending);
        let tasks = std::mem::take(&mut *self.lock_tasks());
        self.handle.shutdown().await;
        for task in tasks {
            if let Err(error) = task.await {
                warn!(%error, "a gossip task did not end well");
            }
        }
    }
}

fn open_memory(path: PathBuf, rejoin_after_leave: bool) -> Result<SnapshotFile, SpawnError> {
    SnapshotFile::open(&path, rejoin_after_leave).map_err(|source| SpawnError::Snapshot { path, source })
}

async fn join(
    handle: &Handle<Attached>,
    addrs: &[SocketAddr],
    ignore_old_events: bool,
) -> Result<Vec<(SocketAddr, Result<(), JoinError>)>, Stopped> {
    handle.with(move |_, _, attached| attached.serf.join_begins(ignore_old_events)).await?;
    let results = handle.join(addrs).await?;
    let reached = results.iter().filter(|(_, result)| result.is_ok()).count();
    handle.with(move |now, _, attached| attached.serf.join_ended(now, ignore_old_events, reached)).await?;
    Ok(results)
}

/// Members that are enough to come back by. One alone may have lost the others as well.
const ENOUGH: usize = 3;

/// Tries those who were alive before, one after the other, until enough have answered.
async fn rejoin(
    handle: Handle<Attached>,
    acquaintances: Vec<(String, SocketAddr)>,
    mut life: watch::Receiver<Life>,
) {
    let mut reached = 0;
    for (name, addr) in &acquaintances {
        info!("serf: Attempting re-join to previously known node: {name}: {addr}");
        let alone = [*addr];
        let results = tokio::select! {
            results = join(&handle, &alone, false) => results,
            _ = life.wait_for(|life| *life != Life::Running) => return,
        };
        match results {
            Ok(results) if results.iter().any(|(_, result)| result.is_ok()) => {
                info!("serf: Re-joined to previously known node: {name}: {addr}");
                reached += 1;
            }
            Ok(_) => debug!(%addr, "nobody there"),
            Err(Stopped) => return,
        }
        if reached >= ENOUGH {
            return;
        }
    }
    if reached == 0 && !acquaintances.is_empty() {
        warn!("serf: Failed to re-join any previously known node");
    }
}
