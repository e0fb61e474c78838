//! Every key an agent's configuration may hold, once.
//!
//! Reading, merging, the refusal of unknown keys and the notices about old ones all follow these tables.

mod definitions;
mod network;
mod security;
mod top;

pub(crate) use definitions::{CHECK, SERVICE};
pub(crate) use top::AGENT;

/// Why keys of the service mesh do nothing.
const MESH: &str = "This agent has no service mesh.";
