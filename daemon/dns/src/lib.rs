//! The DNS door of the agent.
//!
//! A packet is read ([`request`]), its name understood ([`name`]), the catalog asked ([`backend`]), the records put
//! together ([`answer`]) and cut to what the client takes ([`reply`]); names that are not ours go to the recursors
//! ([`recursor`]). Everything but the sockets in [`server`] and [`recursor`] is free of I/O.
//!
//! hickory-proto supplies the wire format. hickory-server is not used: its request loop spawns a task and decodes the
//! whole message for every packet, where most answers here are ready at once, and it decides on truncation and EDNS
//! itself, where clients of the catalog rely on rules of their own.

pub mod address;
pub mod answer;
pub mod backend;
pub mod name;
pub mod records;
pub mod recursor;
pub mod reply;
pub mod request;
pub mod resolver;
pub mod server;
pub mod settings;
pub mod throttle;

/// Module name in log lines.
pub(crate) const LOG: &str = "agent.dns";
