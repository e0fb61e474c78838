//! `Status.*`.

use consul_rpc::messages::{Nothing, value};
use consul_rpc::server::CallError;

use super::Answer;
use super::call::{Call, failed};
use crate::rpc::RpcError;
use crate::rpc::operation::status::{LeaderAddress, PeerAddresses, raft_stats};

/// Callers of these need not say which datacenter they mean.
pub async fn call(call: Call<'_>, name: &str) -> Answer {
    match name {
        "Ping" => Ok(value(&Nothing {})),
        "Leader" => {
            let found = call.agent.operate(&LeaderAddress, &call.options_here()?).await;
            Ok(value(&found.map_err(failed)?.1))
        }
        "Peers" => {
            let found = call.agent.operate(&PeerAddresses, &call.options_here()?).await;
            Ok(value(&found.map_err(failed)?.1))
        }
        "RaftStats" => {
            let server = call.agent.server.as_ref().ok_or_else(|| failed(RpcError::NoServers))?;
            Ok(value(&raft_stats(server)))
        }
        _ => Err(CallError::UnknownMethod),
    }
}
