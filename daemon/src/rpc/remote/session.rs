//! `Session.*`.

use std::sync::Arc;

use consul_api::types::session::Session;
use consul_rpc::messages::encode;
use consul_rpc::messages::session::{SessionSpecificRequest, Sessions};

use super::RemoteRead;
use super::catalog::{one_node, whole_datacenter};
use super::common::{answer, query_options};
use crate::rpc::session::SessionList;
use crate::rpc::{ReadMeta, ReadOptions, RpcError};

impl RemoteRead for SessionList {
    fn method(&self) -> &'static str {
        match self {
            Self::All => "Session.List",
            Self::Node(_) => "Session.NodeSessions",
            Self::Id(_) => "Session.Get",
        }
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        match self {
            Self::All => whole_datacenter(options),
            Self::Node(node) => one_node(node, options),
            Self::Id(id) => {
                let own = SessionSpecificRequest::of(options.datacenter.clone(), id.clone());
                encode(&own, &query_options(options))
            }
        }
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, found) = answer::<Sessions<Vec<Arc<Session>>>>(body)?;
        Ok((meta, found.sessions))
    }
}
