//! Runs health checks: scripts, HTTP, TCP, UDP, gRPC, HTTP/2 pings, commands in containers, services of the operating
//! system, TTLs and aliases.
//!
//! A definition becomes a [`CheckSpec`], which a [`CheckMonitor`] keeps running until it is dropped, reporting to a
//! [`CheckSink`]. What checks share is in the [`CheckRuntime`]. The crate knows nothing of the catalog: which checks
//! exist, where results are stored and how they reach the servers is the agent's part.

pub mod alias;
pub mod capture;
mod dial;
mod monitor;
pub mod outcome;
mod process;
pub mod runner;
mod runtime;
pub mod spec;
pub mod threshold;
pub mod tls;
pub mod ttl;

pub use alias::{AliasTarget, AliasView, AliasWatch, AliasWatchError};
pub use monitor::{CheckMonitor, CheckSink, NotTtl};
pub use process::Remains;
pub use runtime::{CheckRuntime, RuntimeOptions};
pub use spec::{CheckKind, CheckSpec, Origin, Probe, ScriptSwitches, SpecError};
pub use tls::AgentTls;
