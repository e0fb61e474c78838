//! One call: its arguments, its options, and the path that its request takes.

use std::sync::Arc;

use consul_api::msgpack;
use consul_filter::{Filter, Schema};
use consul_rpc::messages::{QueryOptions, WriteRequest, encode};
use consul_rpc::server::CallError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Answer;
use crate::agent::Agent;
use crate::rpc::remote::{Operation, RemoteRead, RemoteWrite, query_meta, read_options, write_options};
use crate::rpc::{ReadMeta, ReadOptions, RpcError, WriteOptions};

#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub agent: &'a Arc<Agent>,
    pub body: &'a [u8],
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Where {
    datacenter: String,
}

impl Call<'_> {
    pub fn arguments<A: DeserializeOwned>(&self) -> Result<A, CallError> {
        msgpack::from_slice(self.body).map_err(|error| malformed(&error))
    }

    /// Servers do not guess which datacenter is meant: whoever calls has filled it in.
    fn datacenter(&self) -> Result<String, CallError> {
        let Where { datacenter } = self.arguments()?;
        if datacenter.is_empty() { Err(failed(RpcError::NoPathToDatacenter)) } else { Ok(datacenter) }
    }

    pub fn read_options(&self) -> Result<ReadOptions, CallError> {
        let sent: QueryOptions = self.arguments()?;
        Ok(read_options(&sent, self.datacenter()?, self.agent.wait_limits()))
    }

    /// The options of a method that takes no datacenter: this one is meant.
    pub fn options_here(&self) -> Result<ReadOptions, CallError> {
        let sent: QueryOptions = self.arguments()?;
        let Where { datacenter } = self.arguments()?;
        Ok(read_options(&sent, datacenter, self.agent.wait_limits()))
    }

    pub fn write_options(&self) -> Result<WriteOptions, CallError> {
        let sent: WriteRequest = self.arguments()?;
        Ok(write_options(&sent, self.datacenter()?))
    }

    /// The filter that the caller wants applied.
    pub fn filter(&self, schema: Schema) -> Result<Option<Filter>, CallError> {
        let sent: QueryOptions = self.arguments()?;
        consul_filter::filter(&sent.filter, schema).map_err(|error| CallError::Failed(error.with_prefix()))
    }

    pub async fn read<R: RemoteRead>(&self, request: &R) -> Result<(ReadMeta, R::Reply), CallError> {
        self.agent.read(request, &self.read_options()?).await.map_err(failed)
    }

    pub async fn write<W: RemoteWrite>(&self, request: W) -> Result<W::Reply, CallError> {
        self.agent.write(request, &self.write_options()?).await.map_err(failed)
    }

    /// An operation whose arguments hold the options of a read.
    pub async fn ask<O: Operation>(&self, operation: &O) -> Result<(ReadMeta, O::Reply), CallError> {
        self.agent.operate(operation, &self.read_options()?).await.map_err(failed)
    }

    /// An operation whose arguments hold the options of a write.
    pub async fn change<O: Operation>(&self, operation: &O) -> Result<O::Reply, CallError> {
        let options = (&self.write_options()?).into();
        let (_, reply) = self.agent.operate(operation, &options).await.map_err(failed)?;
        Ok(reply)
    }
}

/// An answer with its freshness.
pub fn answer<A: Serialize>(own: &A, meta: &ReadMeta) -> Answer {
    Ok(encode(own, &query_meta(meta)))
}

/// The refusal that a caller sees.
pub fn failed(error: RpcError) -> CallError {
    CallError::Failed(error.to_string())
}

pub fn refuse<T>(text: impl Into<String>) -> Result<T, CallError> {
    Err(CallError::Failed(text.into()))
}

pub fn malformed(error: &msgpack::DecodeError) -> CallError {
    CallError::Malformed(format!("failed to decode request: {error}"))
}
