//! What the DNS door asks of the agent behind it.
//!
//! The agent resolves the token, routes to a server or another datacenter, and hides what the token may not read;
//! the door only turns names into these questions and the replies into records. Replies are shared references, so
//! that a busy service is not copied for every packet. A reply that is ready at once is answered without leaving the
//! receiving task: an implementation that holds the data locally should not suspend.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use consul_api::types::catalog::{Node, NodeService};
use consul_api::types::health::{CheckServiceNode, HealthCheck};
use thiserror::Error;

use crate::settings::Settings;

/// The catalog as DNS sees it.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The settings in force now.
    fn settings(&self) -> Arc<Settings>;

    /// All instances of a service whatever their health, or none. Names compare without case.
    async fn service_nodes(&self, ask: ServiceAsk<'_>) -> Result<Reply<Instances>, BackendError>;

    /// The node of this name, or whose id starts with it (at least 8 hexadecimal digits). Names compare without case.
    async fn node(&self, ask: NodeAsk<'_>) -> Result<Reply<Option<Arc<Node>>>, BackendError>;

    /// Runs a prepared query, also templates, by name or id. [`BackendError::NotFound`] if there is none.
    async fn prepared_query(&self, ask: QueryAsk<'_>) -> Result<Reply<QueryAnswer>, BackendError>;

    /// Who has this address in the local datacenter: a node if any, else a service.
    async fn reverse(&self, ip: IpAddr, read: Read) -> Result<Reply<Option<Holder>>, BackendError>;

    /// Called after each answered packet, for metrics.
    fn observe(&self, _event: Event) {}
}

/// How fresh a read must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    pub consistency: Consistency,
    pub cache: Cache,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// Any server may answer.
    Stale,
    /// The leader answers.
    Default,
}

/// Whether the agent's cache may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    Bypass,
    /// Use it up to this age; zero is any age.
    MaxAge(Duration),
}

/// Which instances are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceView {
    /// Instances of the service itself.
    Plain,
    /// What a mesh client may connect to: proxies of the service and instances that speak mesh TLS themselves.
    Connect,
    /// Ingress gateways that expose the service.
    Ingress,
}

#[derive(Clone, Copy, Debug)]
pub struct ServiceAsk<'a> {
    pub datacenter: &'a str,
    /// Lower case.
    pub service: &'a str,
    /// Lower case; instances must carry it.
    pub tag: Option<&'a str>,
    pub view: ServiceView,
    pub read: Read,
}

#[derive(Clone, Copy, Debug)]
pub struct NodeAsk<'a> {
    pub datacenter: &'a str,
    /// Lower case.
    pub node: &'a str,
    pub read: Read,
}

#[derive(Clone, Copy, Debug)]
pub struct QueryAsk<'a> {
    pub datacenter: &'a str,
    /// Lower case.
    pub query: &'a str,
    /// Where `near = "_ip"` measures from: the client subnet's address, else the client's.
    pub source_ip: IpAddr,
    pub read: Read,
}

/// A value and how old it may be.
#[derive(Clone, Debug)]
pub struct Reply<T> {
    pub value: T,
    /// Since the answering server last heard from the leader; zero on the leader.
    pub last_contact: Duration,
}

impl<T> Reply<T> {
    /// A value that is not stale.
    pub fn fresh(value: T) -> Self {
        Self { value, last_contact: Duration::ZERO }
    }
}

pub type Instances = Arc<[Instance]>;

/// One service instance.
#[derive(Clone, Debug)]
pub struct Instance {
    pub node: Arc<Node>,
    pub service: Arc<NodeService>,
    pub health: Health,
}

/// The worst of an instance's own checks and its node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    Passing,
    /// Also any state that is none of the known three.
    Warning,
    Critical,
}

impl Health {
    /// The worst state of `checks`; passing if there is none.
    pub fn of<'a>(checks: impl IntoIterator<Item = &'a HealthCheck>) -> Self {
        checks.into_iter().map(|check| Self::of_status(&check.status)).max().unwrap_or(Self::Passing)
    }

    pub fn of_status(status: &str) -> Self {
        match status {
            "passing" => Self::Passing,
            "critical" => Self::Critical,
            _ => Self::Warning,
        }
    }
}

impl From<CheckServiceNode> for Instance {
    fn from(row: CheckServiceNode) -> Self {
        let health = Health::of(&row.checks);
        Self { node: Arc::new(row.node), service: Arc::new(row.service), health }
    }
}

/// The result of a prepared query, already filtered and in the order to answer in.
#[derive(Clone, Debug)]
pub struct QueryAnswer {
    /// The service that was resolved: names the TTL if the query has none of its own.
    pub service: String,
    /// Where the instances are, after failover.
    pub datacenter: String,
    pub instances: Instances,
    pub ttl: Option<Duration>,
}

/// Who has an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    Node { name: String, datacenter: String },
    Service { name: String, datacenter: String },
}

/// Why the agent could not answer. Texts are those operators search their logs for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BackendError {
    #[error("No cluster leader")]
    NoLeader,
    #[error("No known Consul servers")]
    NoServers,
    #[error("No path to datacenter")]
    UnknownDatacenter,
    #[error("Query not found")]
    NotFound,
    #[error("Permission denied")]
    Denied,
    #[error("{0}")]
    Other(String),
}

impl BackendError {
    /// True if to the client the name simply does not exist, false if the server failed.
    pub fn hides_name(&self) -> bool {
        match self {
            Self::UnknownDatacenter | Self::NotFound | Self::Denied => true,
            Self::NoLeader | Self::NoServers | Self::Other(_) => false,
        }
    }
}

/// Something worth counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A question about our zones was answered in this time.
    DomainQuery(Duration),
    /// A reverse question was answered in this time.
    PtrQuery(Duration),
    /// A question was passed on to the recursors, which took this time.
    Recursed(Duration),
    /// An answer was more than five seconds old.
    StaleAnswer,
    /// A packet or a connection was dropped because too many were in the works.
    Overload,
}
