//! Definitions of prepared queries.

use std::sync::Arc;

use consul_api::types::query::PreparedQuery;
use consul_rpc::messages::encode;
use consul_rpc::messages::query::{PreparedQuerySpecificRequest, Queries};

use super::RemoteRead;
use super::catalog::whole_datacenter;
use super::common::{answer, query_options};
use crate::rpc::query::QueryList;
use crate::rpc::{ReadMeta, ReadOptions, RpcError};

impl RemoteRead for QueryList {
    fn method(&self) -> &'static str {
        match self {
            Self::All => "PreparedQuery.List",
            Self::Id(_) => "PreparedQuery.Get",
        }
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        match self {
            Self::All => whole_datacenter(options),
            Self::Id(id) => {
                let (datacenter, query_id) = (options.datacenter.clone(), id.clone());
                encode(&PreparedQuerySpecificRequest { datacenter, query_id }, &query_options(options))
            }
        }
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, found) = answer::<Queries<Vec<Arc<PreparedQuery>>>>(body)?;
        Ok((meta, found.queries))
    }
}
