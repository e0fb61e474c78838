//! A layer above that only remembers what it was told.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use consul_gossip::{Budget, Delegate, Node, Refusal, Seen, Swim, Time};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Joined,
    Updated,
    Left,
    Failed,
}

#[derive(Debug, Default)]
pub struct Recorder {
    pub told: Vec<(Time, What, String)>,
    pub messages: Vec<Vec<u8>>,
    pub conflicts: usize,
    pub pings: Vec<(String, Duration)>,
    /// Sent as state in full exchanges.
    pub state: Vec<u8>,
    pub states: Vec<Vec<u8>>,
    pub unwanted: Option<String>,
}

impl Recorder {
    pub fn was_told(&self, what: What, name: &str) -> bool {
        self.told.iter().any(|(_, told, node)| *told == what && node == name)
    }

    fn note(&mut self, now: Time, what: What, node: &Node) {
        self.told.push((now, what, node.name.to_string()));
    }

    fn judge(&self, node: &Node) -> Result<(), Refusal> {
        match &self.unwanted {
            Some(name) if **name == *node.name => Err(Refusal(format!("Member '{name}' is not wanted"))),
            _ => Ok(()),
        }
    }
}

impl Delegate for Recorder {
    fn user_message(&mut self, _: Time, _: SocketAddr, message: &[u8]) {
        self.messages.push(message.to_vec());
    }

    fn broadcasts(&mut self, _: Time, _: &Budget) -> Vec<Bytes> {
        Vec::new()
    }

    fn local_state(&mut self, _: Time, _: bool) -> Vec<u8> {
        self.state.clone()
    }

    fn merge_state(&mut self, _: Time, state: &[u8], _: bool) {
        self.states.push(state.to_vec());
    }

    fn joined(&mut self, now: Time, node: &Node) {
        self.note(now, What::Joined, node);
    }

    fn updated(&mut self, now: Time, node: &Node) {
        self.note(now, What::Updated, node);
    }

    fn left(&mut self, now: Time, node: &Node) {
        self.note(now, What::Left, node);
    }

    fn failed(&mut self, now: Time, node: &Node) {
        self.note(now, What::Failed, node);
    }

    fn accept(&mut self, node: &Node) -> Result<(), Refusal> {
        self.judge(node)
    }

    fn accept_merge(&mut self, nodes: &[Seen]) -> Result<(), Refusal> {
        nodes.iter().try_for_each(|seen| self.judge(&seen.node))
    }

    fn conflict(&mut self, _: &Node, _: &Node) {
        self.conflicts += 1;
    }

    fn ack_payload(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn ping_completed(&mut self, _: Time, node: &Node, rtt: Duration, _: &[u8]) {
        self.pings.push((node.name.to_string(), rtt));
    }

    fn poll(&mut self, _: Time, _: &mut Swim) -> Option<Time> {
        None
    }
}
