//! The calling side: one multiplexed connection per server, one stream per call.

mod call;
mod connection;
mod dial;
mod error;
mod pool;
mod snapshot;
mod target;

pub use dial::TlsConnector;
pub use error::{DialError, RpcCallError, Sent, SnapshotError};
pub use pool::{Pool, PoolConfig};
pub use snapshot::{RestoredSnapshot, SavedSnapshot};
pub use target::{Encryption, Target};
