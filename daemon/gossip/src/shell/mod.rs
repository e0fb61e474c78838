//! Runs a member on tokio: sockets, the clock, and calls from other tasks. It decides nothing.
//!
//! One task owns the member, so nothing is locked; each stream has a small task of its own that moves bytes. Streams
//! are anything that can be read and written, and packets pass one place each way, so that a pool over another
//! transport needs a sibling of [`Sockets`] and nothing else.

mod handle;
mod run;
mod sockets;
mod stream;

pub use handle::{Handle, LeaveError, Stopped};
pub use run::spawn;
pub use sockets::Sockets;
