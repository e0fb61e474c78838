//! Listing and changing the keys of the gossip pools.

use std::sync::Arc;

use consul_acl::{Access, Authorizer, Resource};
use consul_rpc::messages::encode;
use consul_rpc::messages::internal::{KeyringRequest, KeyringResponse, KeyringResponses};

use super::here;
use crate::agent::Agent;
use crate::cluster::{KeyringChange, Pool};
use crate::rpc::path::{Need, Repeat};
use crate::rpc::remote::{Operation, answer, query_options};
use crate::rpc::{ReadMeta, ReadOptions, RpcError};
use crate::server::Server;

/// In all pools of all datacenters, or in the asked server's LAN pool alone.
pub struct KeyringEverywhere {
    pub change: KeyringChange,
    /// Members that pass on each answer.
    pub relay_factor: u8,
    pub local_only: bool,
}

/// In the LAN pool of one datacenter.
pub struct KeyringOfLan {
    pub change: KeyringChange,
    pub relay_factor: u8,
}

fn authorize(change: &KeyringChange, authorizer: &Authorizer) -> Result<(), RpcError> {
    let reads = *change == KeyringChange::List;
    let access = if reads { Access::Read } else { Access::Write };
    if authorizer.allows(Resource::Keyring, access) {
        return Ok(());
    }
    Err(RpcError::refused(match access {
        Access::Read => "Reading keyring denied by ACLs",
        _ => "Modifying keyring denied due to ACLs",
    }))
}

fn repeat(change: &KeyringChange) -> Repeat {
    if *change == KeyringChange::List { Repeat::Always } else { Repeat::IfNotSent }
}

fn request(change: &KeyringChange, options: &ReadOptions) -> KeyringRequest {
    KeyringRequest {
        operation: change.verb().to_owned(),
        key: change.key().to_owned(),
        datacenter: options.datacenter.clone(),
        ..KeyringRequest::default()
    }
}

impl Operation for KeyringEverywhere {
    type Reply = Vec<KeyringResponse>;

    fn need(&self, _: &ReadOptions) -> Need {
        Need::AnyServer
    }

    fn repeat(&self) -> Repeat {
        repeat(&self.change)
    }

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        _: &Arc<Server>,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let Self { change, relay_factor, local_only } = self;
        authorize(change, &agent.authorize(&options.token)?)?;
        if *local_only && *change != KeyringChange::List {
            return Err(RpcError::refused("argument error: LocalOnly can only be used for List operations"));
        }
        let cluster = agent.cluster();
        let mut responses = Vec::new();
        if !local_only {
            responses.push(cluster.keyring(agent, Pool::Wan, change, *relay_factor).await);
        }
        responses.push(cluster.keyring(agent, Pool::Lan, change, *relay_factor).await);
        if *local_only {
            return Ok((here(), responses));
        }
        let there = KeyringOfLan { change: change.clone(), relay_factor: *relay_factor };
        for datacenter in
            agent.datacenters().await.into_iter().filter(|name| *name != agent.identity.datacenter)
        {
            let elsewhere = ReadOptions { datacenter: datacenter.clone(), ..options.clone() };
            match agent.operate(&there, &elsewhere).await {
                Ok((_, theirs)) => responses.extend(theirs),
                Err(error) => responses.push(KeyringResponse {
                    datacenter,
                    error: error.to_string(),
                    ..KeyringResponse::default()
                }),
            }
        }
        Ok((here(), responses))
    }

    fn method(&self) -> &'static str {
        "Internal.KeyringOperation"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let (relay_factor, local_only) = (self.relay_factor, self.local_only);
        let own = KeyringRequest { relay_factor, local_only, ..request(&self.change, options) };
        encode(&own, &unforwarded(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        answer::<KeyringResponses>(body).map(|(meta, answer)| (meta, answer.responses))
    }
}

/// The request has a flag of that name itself, with another meaning; no server passes these on within a datacenter.
fn unforwarded(options: &ReadOptions) -> consul_rpc::messages::QueryOptions {
    query_options(&ReadOptions { forwarded: false, ..options.clone() })
}

impl Operation for KeyringOfLan {
    type Reply = Vec<KeyringResponse>;

    fn need(&self, _: &ReadOptions) -> Need {
        Need::AnyServer
    }

    fn repeat(&self) -> Repeat {
        repeat(&self.change)
    }

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        _: &Arc<Server>,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, Self::Reply), RpcError> {
        authorize(&self.change, &agent.authorize(&options.token)?)?;
        let lan = agent.cluster().keyring(agent, Pool::Lan, &self.change, self.relay_factor).await;
        Ok((here(), vec![lan]))
    }

    fn method(&self) -> &'static str {
        "Internal.KeyringOperation"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let relay_factor = self.relay_factor;
        let own = KeyringRequest { forwarded: true, relay_factor, ..request(&self.change, options) };
        encode(&own, &unforwarded(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        answer::<KeyringResponses>(body).map(|(meta, answer)| (meta, answer.responses))
    }
}
