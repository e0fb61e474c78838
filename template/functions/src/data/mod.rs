//! What dependencies yield.
//!
//! Data is made from the answers of the HTTP API, sorted and filtered once, and kept in the form in which
//! templates look at it. It can be serialised, so that one instance of a program can fetch it for others.

mod catalog;
mod health;
mod kv;
mod mesh;
mod parts;
mod rows;

use std::sync::Arc;

use consul_api::json::{self, DecodeError, Unknown};
use consul_api::types::{catalog as api, health as api_health, kv as api_kv};
use consul_template_language::{List, Record, Value};
use serde::{Deserialize, Serialize};

pub use catalog::{Node, NodeIfAny, NodeService, NodeServices, ServiceName};
pub use health::{
    Address, Addresses, Definition, Headers, HealthCheck, HealthService, Weights, aggregated_status,
};
pub use kv::KeyPair;
pub use mesh::{CaLeaf, CaRoot, Peering, Remote, StreamStatus};
pub use parts::{Bytes, Nanoseconds, Str, Strings, Tags};
pub use rows::{Row, Rows};

pub(crate) use parts::ToValue;

use crate::dependency::Dependency;

/// The value of a dependency; cloning copies a pointer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Data {
    /// Of [`Dependency::Service`].
    Instances(Rows<HealthService>),
    /// Of [`Dependency::Services`].
    Services(Rows<ServiceName>),
    /// Of [`Dependency::Nodes`].
    Nodes(Rows<Node>),
    /// Of [`Dependency::Node`].
    Node(Arc<NodeServices>),
    /// Of [`Dependency::Datacenters`].
    Names(Tags),
    /// Of [`Dependency::Key`] and [`Dependency::File`].
    Text(Bytes),
    /// Of [`Dependency::KeyIfAny`].
    TextIfAny(Option<Bytes>),
    /// Of [`Dependency::Keys`].
    Pairs(Rows<KeyPair>),
    /// Of [`Dependency::CaRoots`].
    CaRoots(Rows<CaRoot>),
    /// Of [`Dependency::CaLeaf`].
    CaLeaf(Arc<CaLeaf>),
    /// Of [`Dependency::Peerings`].
    Peerings(Rows<Peering>),
    /// Of [`Dependency::Partitions`], [`Dependency::ExportedServices`] and [`Dependency::ImportedServices`]:
    /// objects with the fields of the HTTP API.
    Objects(Arc<Vec<serde_json::Value>>),
}

impl Data {
    /// The contents of a file.
    pub fn file(contents: &[u8]) -> Data {
        Data::Text(Bytes(contents.into()))
    }

    /// Instances the server returned, filtered and sorted as the query wants it.
    pub fn instances(entries: Vec<api_health::CheckServiceNode>, query: &crate::ServiceQuery) -> Data {
        Data::Instances(health::select(entries, query))
    }

    /// All services.
    pub fn services(services: api::Services) -> Data {
        Data::Services(catalog::services(services))
    }

    /// Nodes, sorted by name unless the server sorted them by distance.
    pub fn nodes(nodes: Vec<api::Node>, by_distance: bool) -> Data {
        Data::Nodes(catalog::nodes(nodes, by_distance))
    }

    /// A node, `None` if there is none of the name asked for.
    pub fn node(node: Option<api::NodeServices>) -> Data {
        Data::Node(Arc::new(node.into()))
    }

    /// Names of datacenters.
    pub fn datacenters(names: Vec<String>) -> Data {
        Data::Names(Tags::sorted(Some(names)))
    }

    /// Pairs whose keys begin with `prefix`.
    pub fn pairs(pairs: Vec<api_kv::KvPair>, prefix: &str) -> Data {
        Data::Pairs(kv::pairs(pairs, prefix))
    }

    /// What an answer of the HTTP API with the status 200 says about `dependency`. A file's contents are not an
    /// answer of the API: see [`Data::file`].
    ///
    /// # Errors
    /// If the body is not what the endpoint of `dependency` answers.
    pub fn from_answer(dependency: &Dependency, body: &[u8]) -> Result<Data, DecodeError> {
        fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
            json::from_slice(body, Unknown::Ignore)
        }
        let value = |body| {
            let pairs: Option<Vec<api_kv::KvPair>> = read(body)?;
            let pair = pairs.and_then(|pairs| pairs.into_iter().next());
            Ok(pair.map(|pair| Bytes(pair.value.as_slice().into())))
        };
        Ok(match dependency {
            Dependency::Service(query) => {
                Data::instances(read::<Option<_>>(body)?.unwrap_or_default(), query)
            }
            Dependency::Services(_) => Data::services(read::<Option<_>>(body)?.unwrap_or_default()),
            Dependency::Nodes { near, .. } => {
                Data::nodes(read::<Option<_>>(body)?.unwrap_or_default(), near.is_some())
            }
            Dependency::Node { .. } => Data::node(read(body)?),
            Dependency::Datacenters { .. } => Data::datacenters(read(body)?),
            Dependency::Key { .. } => Data::Text(value(body)?.unwrap_or_default()),
            Dependency::KeyIfAny { .. } => Data::TextIfAny(value(body)?),
            Dependency::Keys { prefix, .. } => {
                Data::pairs(read::<Option<_>>(body)?.unwrap_or_default(), prefix)
            }
            Dependency::CaRoots => Data::CaRoots(read::<mesh::CaRoots>(body)?.roots.into_iter().collect()),
            Dependency::CaLeaf { .. } => Data::CaLeaf(Arc::new(read(body)?)),
            Dependency::File { .. } => Data::file(body),
            Dependency::Peerings { .. } => {
                let mut peerings: Vec<Peering> = read(body)?;
                peerings.sort_by(|a, b| {
                    (&a.state, &a.partition, &a.name).cmp(&(&b.state, &b.partition, &b.name))
                });
                Data::Peerings(peerings.into_iter().collect())
            }
            Dependency::Partitions
            | Dependency::ExportedServices { .. }
            | Dependency::ImportedServices { .. } => Data::Objects(Arc::new(read(body)?)),
        })
    }

    /// What an answer with the status 404 says about `dependency`: for keys, that there are none. `None` where it
    /// is not an answer but an error, or where the template has to wait for what it asked for.
    pub fn absent(dependency: &Dependency) -> Option<Data> {
        match dependency {
            Dependency::KeyIfAny { .. } => Some(Data::TextIfAny(None)),
            Dependency::Keys { .. } => Some(Data::Pairs(Rows::default())),
            _ => None,
        }
    }

    /// The data as a value of the template language: nil for a key that is not there.
    pub fn to_value(&self) -> Value {
        match self {
            Data::Instances(rows) => rows.to_value(),
            Data::Services(rows) => rows.to_value(),
            Data::Nodes(rows) => rows.to_value(),
            Data::Node(node) => Value::Record(Arc::clone(node) as Arc<dyn Record>),
            Data::Names(names) => names.to_value(),
            Data::Text(text) => text.to_value(),
            Data::TextIfAny(text) => text.as_ref().map(Bytes::to_value).unwrap_or_default(),
            Data::Pairs(rows) => rows.to_value(),
            Data::CaRoots(rows) => rows.to_value(),
            Data::CaLeaf(leaf) => Value::Record(Arc::clone(leaf) as Arc<dyn Record>),
            Data::Peerings(rows) => rows.to_value(),
            Data::Objects(objects) => {
                List::any(objects.iter().map(crate::encode::json::to_value).collect()).into()
            }
        }
    }
}

/// An empty list of records.
pub(crate) fn none<T: Row>() -> Value {
    Value::List(List::new(T::list_type(), Vec::new()))
}
