//! The agents around this one: who they are, whom to ask, and what is told to all of them.

pub mod router;
pub mod server_info;

pub use router::{NoRoute, Router};
pub use server_info::ServerInfo;
