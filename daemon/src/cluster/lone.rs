//! An agent that is in no pool: events reach itself, and there are no keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consul_rpc::messages::internal::KeyringResponse;

use super::event;
use super::pools::{Cluster, KeyringChange, Pool};
use crate::agent::Agent;

pub struct Lone;

#[async_trait]
impl Cluster for Lone {
    async fn fire_event(&self, agent: &Arc<Agent>, _: &str, payload: &[u8]) -> Result<(), String> {
        let decoded = event::decode(payload, agent.events.next_ltime());
        agent.deliver(decoded.map_err(|error| format!("failed to decode event: {error}"))?);
        Ok(())
    }

    async fn keyring(
        &self,
        agent: &Arc<Agent>,
        pool: Pool,
        change: &KeyringChange,
        _: u8,
    ) -> KeyringResponse {
        let datacenter = agent.identity.datacenter.clone();
        let member = match pool {
            Pool::Lan => agent.node_name().to_owned(),
            Pool::Wan => format!("{}.{datacenter}", agent.node_name()),
        };
        let failed = |error: String, messages| KeyringResponse {
            wan: pool == Pool::Wan,
            datacenter: datacenter.clone(),
            error,
            messages,
            ..KeyringResponse::default()
        };
        let reason = match change {
            KeyringChange::List => "Keyring is empty",
            KeyringChange::Install(key) | KeyringChange::Use(key) | KeyringChange::Remove(key) => {
                if STANDARD.decode(key).is_err() {
                    return failed(illegal_base64(key), None);
                }
                "No keyring to modify"
            }
        };
        let messages = BTreeMap::from([(member, format!("{reason} (encryption not enabled)"))]);
        failed("1/1 nodes reported failure".to_owned(), Some(messages))
    }
}

/// What is wrong with a key that is no base64.
pub fn illegal_base64(text: &str) -> String {
    format!("illegal base64 data at input byte {}", bad_base64_at(text))
}

/// Where base64 text stops making sense: at the first foreign character, else where its last group begins.
fn bad_base64_at(text: &str) -> usize {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    text.bytes().position(|byte| !known(byte)).unwrap_or(text.len() / 4 * 4)
}
