//! Faults of the original agent that are not copied, one test each.
//!
//! These tests hold for our binary only: where the original hangs, crashes, forgets or stays silent, ours must answer.

mod agent_api;
mod checks;
mod dns;
mod http;
mod reload;
mod state;
