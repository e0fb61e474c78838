//! `KVS.*`.

use std::sync::Arc;

use consul_api::types::bytes::Key;
use consul_api::types::kv::{KvPair, KvVerb};
use consul_rpc::messages::encode;
use consul_rpc::messages::kv::{Entries, KeyListRequest, KeyRequest, Keys, KvsRequest};

use super::common::{answer, query_options, whole, write_request};
use super::{RemoteRead, RemoteWrite};
use crate::rpc::kv::{KvGet, KvKeys, KvList, KvWrite};
use crate::rpc::{ReadMeta, ReadOptions, RpcError, WriteOptions};

impl RemoteRead for KvGet {
    fn method(&self) -> &'static str {
        "KVS.Get"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let own = KeyRequest { datacenter: options.datacenter.clone(), key: Key(self.key.clone()) };
        encode(&own, &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, mut found) = answer::<Entries<Vec<Arc<KvPair>>>>(body)?;
        Ok((meta, found.entries.pop()))
    }
}

impl RemoteRead for KvList {
    fn method(&self) -> &'static str {
        "KVS.List"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let own = KeyRequest { datacenter: options.datacenter.clone(), key: Key(self.prefix.clone()) };
        encode(&own, &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, found) = answer::<Entries<Vec<Arc<KvPair>>>>(body)?;
        Ok((meta, found.entries))
    }
}

impl RemoteRead for KvKeys {
    fn method(&self) -> &'static str {
        "KVS.ListKeys"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let own = KeyListRequest {
            datacenter: options.datacenter.clone(),
            prefix: Key(self.prefix.clone()),
            separator: Key(self.separator.clone()),
        };
        encode(&own, &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, found) = answer::<Keys<Vec<Key>>>(body)?;
        let nothing = found.keys.is_empty() && !self.prefix.is_empty();
        Ok((meta, (!nothing).then_some(found.keys)))
    }
}

impl RemoteWrite for KvWrite {
    fn method(&self) -> &'static str {
        "KVS.Apply"
    }

    fn arguments(&self, options: &WriteOptions) -> Vec<u8> {
        let own = KvsRequest {
            datacenter: options.datacenter.clone(),
            op: self.verb.as_str().to_owned(),
            dir_ent: &self.entry,
        };
        encode(&own, &write_request(options))
    }

    fn reply(&self, body: &[u8]) -> Result<bool, RpcError> {
        let happened: bool = whole(body)?;
        Ok(happened || !is_conditional(self.verb))
    }
}

/// Writes that may not happen. The others are answered with `false` although they did.
pub fn is_conditional(verb: KvVerb) -> bool {
    matches!(verb, KvVerb::Cas | KvVerb::DeleteCas | KvVerb::Lock | KvVerb::Unlock)
}
