//! `Operator.*`.

use consul_api::types::operator::AutopilotConfig;
use consul_rpc::messages::operator::{
    AutopilotSetRequest, RaftRemovePeerRequest, TransferLeaderRequest, TransferLeaderResponse, UsageRequest,
    Usages,
};
use consul_rpc::messages::{Nothing, value};
use consul_rpc::server::CallError;

use super::Answer;
use super::call::{Call, answer, failed};
use crate::rpc::ReadOptions;
use crate::rpc::operation::health::{ServersHealth, sent, state};
use crate::rpc::operation::raft::{PeerKey, RaftServers, RemovePeer, TransferLeadership};
use crate::rpc::operation::usage::UsageOf;
use crate::rpc::operator::{AutopilotGet, AutopilotSet};

pub async fn call(call: Call<'_>, name: &str) -> Answer {
    match name {
        "RaftGetConfiguration" => Ok(value(&call.ask(&RaftServers).await?.1)),
        "RaftRemovePeerByAddress" => {
            let RaftRemovePeerRequest { address, .. } = call.arguments()?;
            remove(call, PeerKey::Address(address)).await
        }
        "RaftRemovePeerByID" => {
            let RaftRemovePeerRequest { id, .. } = call.arguments()?;
            remove(call, PeerKey::Id(id)).await
        }
        "AutopilotGetConfiguration" => autopilot_get(call).await,
        "AutopilotSetConfiguration" => autopilot_set(call).await,
        "AutopilotState" => Ok(value(&state(call.ask(&ServersHealth).await?.1))),
        "ServerHealth" => Ok(value(&sent(call.ask(&ServersHealth).await?.1))),
        "TransferLeader" => transfer(call).await,
        "Usage" => usage(call).await,
        _ => Err(CallError::UnknownMethod),
    }
}

async fn remove(call: Call<'_>, peer: PeerKey) -> Answer {
    call.change(&RemovePeer(peer)).await?;
    Ok(value(&Nothing {}))
}

/// The configuration in force: the built-in one before a leader wrote the first.
async fn autopilot_get(call: Call<'_>) -> Answer {
    let (_, config) = call.read(&AutopilotGet).await?;
    match config {
        Some(config) => Ok(value(&config)),
        None => Ok(value(&AutopilotConfig::default())),
    }
}

async fn autopilot_set(call: Call<'_>) -> Answer {
    let AutopilotSetRequest { config, cas, .. } = call.arguments::<AutopilotSetRequest<AutopilotConfig>>()?;
    let cas = cas.then_some(config.modify_index);
    Ok(value(&call.write(AutopilotSet { config, cas }).await?))
}

async fn transfer(call: Call<'_>) -> Answer {
    let TransferLeaderRequest { id, .. } = call.arguments()?;
    call.change(&TransferLeadership { to: (!id.is_empty()).then_some(id) }).await?;
    Ok(value(&TransferLeaderResponse { success: true }))
}

async fn usage(call: Call<'_>) -> Answer {
    let UsageRequest { global, .. } = call.arguments()?;
    let (meta, mut usage) = call.ask(&UsageOf).await?;
    if global {
        let options = call.read_options()?.at_once();
        for datacenter in call.agent.datacenters().await {
            if !usage.contains_key(&datacenter) {
                let there = ReadOptions { datacenter, ..options.clone() };
                usage.extend(call.agent.operate(&UsageOf, &there).await.map_err(failed)?.1);
            }
        }
    }
    answer(&Usages { usage }, &meta)
}
