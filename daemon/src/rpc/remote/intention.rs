//! `Intention.*`.

use std::sync::Arc;

use consul_api::types::intention::Intention;
use consul_rpc::messages::encode;
use consul_rpc::messages::intention::{
    IntentionMatch, IntentionMatchEntry, IntentionQueryRequest, IntentionRequest, Intentions, Matches,
};
use consul_state::intention::Side;

use super::catalog::whole_datacenter;
use super::common::{answer, query_options, whole, write_request};
use super::{RemoteRead, RemoteWrite};
use crate::rpc::intention::{GuardsOf, IntentionList, IntentionWrite};
use crate::rpc::{ReadMeta, ReadOptions, RpcError, WriteOptions};

/// The namespace of intentions where there are no namespaces.
pub const NAMESPACE: &str = "default";

pub fn side_name(side: Side) -> &'static str {
    match side {
        Side::Source => "source",
        Side::Destination => "destination",
    }
}

/// Older servers cannot look for a pair of names, so the list is searched for it here.
impl RemoteRead for IntentionList {
    fn method(&self) -> &'static str {
        match self {
            Self::All | Self::Exact { .. } => "Intention.List",
            Self::Id(_) => "Intention.Get",
            Self::Matching { .. } => "Intention.Match",
        }
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let rest = IntentionQueryRequest { datacenter: options.datacenter.clone(), ..Default::default() };
        let own = match self {
            Self::All | Self::Exact { .. } => return whole_datacenter(options),
            Self::Id(id) => IntentionQueryRequest { intention_id: id.clone(), ..rest },
            Self::Matching { side, name } => {
                let entry = IntentionMatchEntry { namespace: NAMESPACE.to_owned(), name: name.clone() };
                let r#type = side_name(*side).to_owned();
                let r#match = Some(IntentionMatch { r#type, entries: Some(vec![entry]) });
                IntentionQueryRequest { r#match, ..rest }
            }
        };
        encode(&own, &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        if let Self::Matching { .. } = self {
            let (meta, found) = answer::<Matches<Vec<Vec<Arc<Intention>>>>>(body)?;
            return Ok((meta, found.matches.into_iter().next().unwrap_or_default()));
        }
        let (meta, mut found) = answer::<Intentions<Vec<Arc<Intention>>>>(body)?;
        if let Self::Exact { source, destination } = self {
            found.intentions.retain(|intention| {
                intention.source_name == *source && intention.destination_name == *destination
            });
        }
        Ok((meta, found.intentions))
    }
}

impl RemoteRead for GuardsOf {
    fn method(&self) -> &'static str {
        "Intention.Match"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        self.matching().arguments(options)
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        self.matching().reply(body)
    }
}

impl GuardsOf {
    fn matching(&self) -> IntentionList {
        IntentionList::Matching { side: Side::Destination, name: self.service.clone() }
    }
}

impl RemoteWrite for IntentionWrite {
    fn method(&self) -> &'static str {
        "Intention.Apply"
    }

    fn arguments(&self, options: &WriteOptions) -> Vec<u8> {
        let (op, intention) = match self {
            Self::Create(intention) => ("create", intention.clone()),
            Self::Update(intention) => ("update", intention.clone()),
            Self::Upsert(intention) => ("upsert", intention.clone()),
            Self::Delete { id } => ("delete", Intention { id: id.clone(), ..Intention::default() }),
        };
        let (datacenter, op) = (options.datacenter.clone(), op.to_owned());
        encode(&IntentionRequest { datacenter, op, intention }, &write_request(options))
    }

    fn reply(&self, body: &[u8]) -> Result<String, RpcError> {
        whole(body)
    }
}
