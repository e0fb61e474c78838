//! `consul operator`: what concerns the cluster as a whole.

mod autopilot;
mod raft;
mod usage;

use crate::agent::Agent;
use crate::command::{Command, Invocation};
use crate::failure::Failure;

pub static COMMAND: Command = Command::group(
    "operator",
    "Look after the cluster as a whole",
    "Commands for those who run the cluster: the servers that form the raft quorum, the rules by which dead ones \
     are replaced, and how much is in use.",
    &[&autopilot::COMMAND, &raft::COMMAND, &usage::COMMAND],
);

fn connect(invocation: &Invocation) -> Result<Agent, Failure> {
    Agent::connect_or(invocation, "Error initializing client: ")
}
