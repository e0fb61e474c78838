//! What the log replicates: the interface to the state that commands act on.
//!
//! The log knows nothing of what a command means. It promises the state machine that committed
//! commands arrive once per process run, in log order, the same on every server.

use std::io::{Read, Write};
use std::sync::Arc;

use bytes::Bytes;

use crate::error::SnapshotError;

/// The replicated state. Shared with readers, hence `&self`: one writer applies, many read.
pub trait StateMachine: Send + Sync + 'static {
    /// What a command answers to its proposer. Never leaves the process.
    type Outcome: Send + 'static;

    /// A state parsed from a snapshot, whole and valid, but not yet visible.
    type Restored: Send + 'static;

    /// Applies commands in order and publishes them at once; one outcome for each.
    ///
    /// Must depend on nothing but the commands and the state. A command that cannot be decoded has
    /// an outcome that says so: it must not panic, for it would do so on every server.
    fn apply(&self, commands: &[Bytes]) -> Vec<Self::Outcome>;

    /// Holds the present version for writing out later. Cheap: called on the path of writes.
    fn snapshot(&self) -> Arc<dyn SnapshotSource>;

    /// Parses and validates a state, all of it, touching nothing.
    fn parse(&self, input: &mut dyn Read) -> Result<Self::Restored, SnapshotError>;

    /// Makes a parsed state the present one.
    fn install(&self, restored: Self::Restored, mode: RestoreMode);
}

/// A version of the state that stays as it is while later commands are applied.
pub trait SnapshotSource: Send + Sync {
    /// The state's own index, which the archive's description names.
    fn index(&self) -> u64;

    /// Streams the state. Runs on a thread that may block.
    fn write(&self, out: &mut dyn Write) -> std::io::Result<()>;
}

/// Why a state is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreMode {
    /// The snapshot is of this very log: the state, indexes included, becomes what it holds.
    Recover,
    /// An operator's restore, one more change of this log: indexes continue above the present ones.
    Supersede,
}
