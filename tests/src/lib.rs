//! Drives the real `consul` and `consul-template` binaries from outside: processes, sockets, command lines.
//!
//! Nothing here links the agent: what these tests see is what a user sees. Every agent gets free loopback ports and a
//! directory of its own, is waited for by condition, shows its log when a test fails and is killed by its process id
//! when it goes out of scope.

pub mod agent;
pub mod background;
pub mod binary;
pub mod cli;
pub mod cluster;
pub mod dig;
pub mod http;
pub mod linearizability;
pub mod noise;
pub mod place;
pub mod ports;
pub mod process;
pub mod raw;
pub mod shell;
pub mod sockets;
pub mod stub;
pub mod syslog;
pub mod template;
pub mod tools;
pub mod wait;

pub use agent::{Agent, Setup};
pub use background::Background;
pub use http::Reply;
pub use template::Templates;
pub use wait::{SOON, eventually};
