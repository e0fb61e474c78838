//! Writes what a job has to tell into the KV store, held by the caller's session: the keys go when the caller does.

use std::sync::Arc;
use std::time::Duration;

use consul_api::remote_exec::Call;
use consul_api::types::bytes::Blob;
use consul_api::types::kv::{KvPair, KvVerb};
use tracing::warn;

use crate::agent::Agent;
use crate::rpc::WriteOptions;
use crate::rpc::kv::KvWrite;

/// Tries of one write, and the pause between them: enough for a new leader to be elected.
const TRIES: u32 = 4;
const RETRY: Duration = Duration::from_millis(500);

/// The caller's session is gone or nothing can be written: nobody hears of the job any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

pub struct Uploader<'a> {
    agent: &'a Arc<Agent>,
    call: &'a Call,
    chunks: u32,
    lost: bool,
}

impl<'a> Uploader<'a> {
    pub fn new(agent: &'a Arc<Agent>, call: &'a Call) -> Self {
        Self { agent, call, chunks: 0, lost: false }
    }

    pub fn is_lost(&self) -> bool {
        self.lost
    }

    pub async fn ack(&mut self) -> Result<(), Lost> {
        self.write(self.call.ack_key(self.agent.node_name()), &[]).await
    }

    /// The next part of the output; an empty one is a sign of life.
    pub async fn output(&mut self, part: &[u8]) -> Result<(), Lost> {
        let key = self.call.output_key(self.agent.node_name(), self.chunks);
        self.chunks = self.chunks.saturating_add(1);
        self.write(key, part).await
    }

    pub async fn exit(&mut self, code: i32) -> Result<(), Lost> {
        self.write(self.call.exit_key(self.agent.node_name()), code.to_string().as_bytes()).await
    }

    async fn write(&mut self, key: String, value: &[u8]) -> Result<(), Lost> {
        if self.lost {
            return Err(Lost);
        }
        for left in (0..TRIES).rev() {
            let entry = KvPair {
                key: key.clone().into_bytes().into(),
                value: Blob::from(value),
                session: self.call.session.clone(),
                ..KvPair::default()
            };
            let options = WriteOptions { token: self.agent.own_token(), ..WriteOptions::default() };
            match self.agent.write(KvWrite { verb: KvVerb::Lock, entry }, &options).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    warn!(target: "agent", %key, "failed to write key: the session does not hold it");
                    break;
                }
                Err(error) => {
                    warn!(target: "agent", %key, %error, "failed to write key");
                    if left > 0 {
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
        }
        self.lost = true;
        Err(Lost)
    }
}
