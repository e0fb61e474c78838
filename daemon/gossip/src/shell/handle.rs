//! Calls into the task that owns a member.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::swim::{JoinError, Swim};
use crate::time::Time;

/// The member does not run any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("gossip has been shut down")]
pub struct Stopped;

/// Why leaving is not known to be complete. It goes on in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaveError {
    #[error("timeout waiting for leave broadcast")]
    Timeout,
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

pub(super) type Act<D> = Box<dyn FnOnce(Time, &mut Swim, &mut D) + Send>;
pub(super) type JoinResults = Vec<(SocketAddr, Result<(), JoinError>)>;

pub(super) enum Command<D> {
    With(Act<D>),
    Join { addrs: Vec<SocketAddr>, reply: oneshot::Sender<JoinResults> },
    Leave { reply: oneshot::Sender<()> },
    Shutdown { reply: oneshot::Sender<()> },
}

/// Reaches a running member from any task. The member stops when it is shut down or the last handle is dropped.
pub struct Handle<D> {
    commands: mpsc::Sender<Command<D>>,
}

impl<D> Clone for Handle<D> {
    fn clone(&self) -> Self {
        Self { commands: self.commands.clone() }
    }
}

impl<D> std::fmt::Debug for Handle<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl<D: Send + 'static> Handle<D> {
    pub(super) fn new(commands: mpsc::Sender<Command<D>>) -> Self {
        Self { commands }
    }

    /// Acts on the member between two inputs. `act` holds up everything else: it must be short and never wait.
    pub async fn with<R: Send + 'static>(
        &self,
        act: impl FnOnce(Time, &mut Swim, &mut D) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        let (reply, result) = oneshot::channel();
        let act: Act<D> = Box::new(move |now, swim, delegate| {
            // Nobody waits for it any more: it was done all the same.
            let _ = reply.send(act(now, swim, delegate));
        });
        self.commands.send(Command::With(act)).await.map_err(|_| Stopped)?;
        result.await.map_err(|_| Stopped)
    }

    /// Exchanges members with all addresses at once; one result for each, in order.
    pub async fn join(
        &self,
        addrs: &[SocketAddr],
    ) -> Result<Vec<(SocketAddr, Result<(), JoinError>)>, Stopped> {
        let (reply, results) = oneshot::channel();
        let command = Command::Join { addrs: addrs.to_vec(), reply };
        self.commands.send(command).await.map_err(|_| Stopped)?;
        results.await.map_err(|_| Stopped)
    }

    /// Tells everybody that this node leaves, and waits until that was done.
    pub async fn leave(&self, patience: Duration) -> Result<(), LeaveError> {
        let (reply, left) = oneshot::channel();
        self.commands.send(Command::Leave { reply }).await.map_err(|_| Stopped)?;
        match timeout(patience, left).await {
            Ok(left) => left.map_err(|_| LeaveError::Stopped(Stopped)),
            Err(_) => Err(LeaveError::Timeout),
        }
    }

    /// Stops the member without a word to others. Returns when its sockets are closed; also if it was stopped before.
    pub async fn shutdown(&self) {
        let (reply, done) = oneshot::channel();
        if self.commands.send(Command::Shutdown { reply }).await.is_ok() {
            let _ = done.await;
        }
    }
}
