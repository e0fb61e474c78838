//! The agent: composes state, log, checks, configuration and doors into one process.
//!
//! [`run`] is what the command line needs, [`flag_rows`] what shells complete, and [`offline`] looks at a server's log
//! while no agent runs. Inside, `startup` builds an [`agent::Agent`] and what serves it;
//! requests come in through `http` and `dns`, become typed in `rpc`, and are answered by `server`; `leader` does what
//! must happen once; `services` keeps what runs on this host.

pub mod agent;
mod agent_tls;
mod auto_reload;
mod banner;
pub mod cache;
mod child;
pub mod cluster;
pub mod config_entries;
mod dns;
pub mod events;
mod gauges;
mod heap;
pub mod host;
pub mod http;
pub mod leader;
pub mod limits;
mod listeners;
pub mod local;
pub mod members;
mod memory;
mod node;
pub mod offline;
mod process;
pub mod profile;
mod reload;
pub mod rexec;
pub mod rpc;
pub mod server;
pub mod services;
mod settings;
mod signals;
mod startup;
mod stats;
pub mod version;
pub mod watches;

pub use consul_config::{FlagRow, flag_rows};
pub use startup::run;
