//! What the DNS door sees of the agent.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use consul_acl::{Access, Authorizer, Resource};
use consul_api::types::catalog::Node;
use consul_api::types::duration::GoDuration;
use consul_dns::backend::{
    Backend, BackendError, Consistency as DnsConsistency, Event, Health, Holder, Instance, Instances,
    NodeAsk, QueryAnswer, QueryAsk, Read as DnsRead, Reply, ServiceAsk, ServiceView,
};
use consul_dns::settings::Settings;
use consul_state::catalog::Lookup;
use consul_state::{Version, WatchSet};
use consul_telemetry::metrics::{self, Counter, Sample};

use crate::agent::Agent;
use crate::rpc::catalog::{
    Answering, NodeList, NodeServicesOf, ServiceInstances, ServicesAt, has_tags, is_at,
};
use crate::rpc::gateway::ExposingGateways;
use crate::rpc::query::{QueryExecute, QuerySource};
use crate::rpc::read::Read;
use crate::rpc::remote::RemoteRead;
use crate::rpc::{Consistency, ReadMeta, ReadOptions, RpcError};

/// The agent behind the DNS door.
pub struct DnsBackend(pub Arc<Agent>);

impl DnsBackend {
    async fn ask<R: RemoteRead>(
        &self,
        request: &R,
        datacenter: &str,
        read: DnsRead,
    ) -> Result<(ReadMeta, R::Reply), BackendError> {
        let options = read_options(datacenter, read);
        let answer = async { self.0.read(request, &options).await.map_err(BackendError::from) };
        in_time(&self.0, datacenter, answer).await
    }
}

/// Another datacenter that takes longer counts as not answering: a client gives up after five seconds, and should
/// hear of a failure rather than nothing.
const FOREIGN_LIMIT: Duration = Duration::from_secs(4);

async fn in_time<T>(
    agent: &Agent,
    datacenter: &str,
    answer: impl Future<Output = Result<T, BackendError>>,
) -> Result<T, BackendError> {
    if datacenter.is_empty() || datacenter.eq_ignore_ascii_case(&agent.identity.datacenter) {
        return answer.await;
    }
    let in_time = tokio::time::timeout(FOREIGN_LIMIT, answer).await;
    in_time.unwrap_or_else(|_| Err(BackendError::Other(format!("no answer from datacenter {datacenter}"))))
}

fn read_options(datacenter: &str, read: DnsRead) -> ReadOptions {
    ReadOptions {
        datacenter: datacenter.to_owned(),
        consistency: match read.consistency {
            DnsConsistency::Stale => Consistency::Stale { max: None },
            DnsConsistency::Default => Consistency::Default,
        },
        ..ReadOptions::default()
    }
}

fn dns_instance(row: &consul_state::Instance) -> Instance {
    Instance {
        node: row.node.clone(),
        service: row.service.clone(),
        health: Health::of(row.checks.iter().map(|check| &**check)),
    }
}

impl From<RpcError> for BackendError {
    fn from(error: RpcError) -> Self {
        match error {
            RpcError::NoLeader => Self::NoLeader,
            RpcError::NoServers => Self::NoServers,
            RpcError::NoPathToDatacenter => Self::UnknownDatacenter,
            RpcError::QueryNotFound => Self::NotFound,
            RpcError::PermissionDenied | RpcError::AclNotFound => Self::Denied,
            other => Self::Other(other.to_string()),
        }
    }
}

#[async_trait]
impl Backend for DnsBackend {
    fn settings(&self) -> Arc<Settings> {
        self.0.dns.load_full()
    }

    async fn service_nodes(&self, ask: ServiceAsk<'_>) -> Result<Reply<Instances>, BackendError> {
        let lookup = match ask.view {
            ServiceView::Plain => Lookup::Service,
            ServiceView::Connect => Lookup::Connect,
            ServiceView::Ingress => {
                let tags = ask.tag.map(str::to_owned).into_iter().collect();
                let instances = ServiceInstances { tags, ..ServiceInstances::named(ask.service) };
                let (meta, rows) =
                    self.ask(&ExposingGateways { instances }, ask.datacenter, ask.read).await?;
                let value: Vec<_> = rows.iter().map(dns_instance).collect();
                return Ok(Reply { value: value.into(), last_contact: meta.last_contact });
            }
        };
        let request = DnsInstances { service: ask.service, tag: ask.tag, lookup };
        let (meta, rows) = self.ask(&request, ask.datacenter, ask.read).await?;
        Ok(Reply { value: rows.into(), last_contact: meta.last_contact })
    }

    async fn node(&self, ask: NodeAsk<'_>) -> Result<Reply<Option<Arc<Node>>>, BackendError> {
        let (meta, node) = self.ask(&DnsNode(ask.node), ask.datacenter, ask.read).await?;
        Ok(Reply { value: node, last_contact: meta.last_contact })
    }

    async fn prepared_query(&self, ask: QueryAsk<'_>) -> Result<Reply<QueryAnswer>, BackendError> {
        let datacenter = ask.datacenter;
        in_time(&self.0, datacenter, self.0.dns_query(ask)).await
    }

    async fn reverse(&self, ip: IpAddr, read: DnsRead) -> Result<Reply<Option<Holder>>, BackendError> {
        let datacenter = self.0.identity.datacenter.clone();
        let (meta, node) = self.ask(&DnsNodeAt(ip), "", read).await?;
        if let Some(name) = node {
            let value = Some(Holder::Node { name, datacenter });
            return Ok(Reply { value, last_contact: meta.last_contact });
        }
        let (meta, services) = self.ask(&ServicesAt { address: ip }, "", read).await?;
        let service = services.into_iter().next();
        let value = service.map(|row| Holder::Service { name: row.service_name, datacenter });
        Ok(Reply { value, last_contact: meta.last_contact })
    }

    fn observe(&self, event: Event) {
        static METRICS: LazyLock<DnsMetrics> = LazyLock::new(DnsMetrics::new);
        METRICS.observe(event);
    }
}

/// Handles are looked up once: questions come by the ten thousand.
struct DnsMetrics {
    domain: Sample,
    ptr: Sample,
    recursed: Sample,
    stale: Counter,
    overload: Counter,
}

impl DnsMetrics {
    fn new() -> Self {
        Self {
            domain: metrics::sample("dns.domain_query"),
            ptr: metrics::sample("dns.ptr_query"),
            recursed: metrics::sample("dns.recursor_query"),
            stale: metrics::counter("dns.stale_queries"),
            overload: metrics::counter("dns.overload"),
        }
    }

    fn observe(&self, event: Event) {
        let record = |sample: &Sample, took: Duration| sample.observe_duration(took);
        match event {
            Event::DomainQuery(took) => record(&self.domain, took),
            Event::PtrQuery(took) => record(&self.ptr, took),
            Event::Recursed(took) => record(&self.recursed, took),
            Event::StaleAnswer => self.stale.incr(),
            Event::Overload => self.overload.incr(),
        }
    }
}

/// Instances of a service in the shape that records are made of.
struct DnsInstances<'a> {
    service: &'a str,
    tag: Option<&'a str>,
    lookup: Lookup,
}

impl Read for DnsInstances<'_> {
    type Reply = Vec<Instance>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (index, instances) = Answering::find(version, self.service, self.lookup, seen);
        let tags: Vec<String> = self.tag.iter().map(|tag| (*tag).to_owned()).collect();
        let wanted = instances.iter().filter(|row| tags.is_empty() || has_tags(&row.service, &tags));
        Ok((index, wanted.map(dns_instance).collect()))
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let before = reply.len();
        reply.retain(|row| {
            authorizer.allows(Resource::Service(&row.service.service), Access::Read)
                && authorizer.allows(Resource::Node(&row.node.node), Access::Read)
        });
        Ok(reply.len() < before)
    }
}

struct DnsNode<'a>(&'a str);

impl Read for DnsNode<'_> {
    type Reply = Option<Arc<Node>>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (index, entry) = version.node_services(self.0, seen);
        Ok((index, entry.map(|entry| entry.node.clone())))
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let hidden =
            reply.as_ref().is_some_and(|node| !authorizer.allows(Resource::Node(&node.node), Access::Read));
        if hidden {
            *reply = None;
        }
        Ok(hidden)
    }
}

/// The name of the node at an address.
struct DnsNodeAt(IpAddr);

impl Read for DnsNodeAt {
    type Reply = Option<String>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (index, mut nodes) = version.nodes(seen);
        Ok((index, nodes.find(|node| is_at(&node.address, self.0)).map(|node| node.node.clone())))
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let hidden =
            reply.as_ref().is_some_and(|name| !authorizer.allows(Resource::Node(name), Access::Read));
        if hidden {
            *reply = None;
        }
        Ok(hidden)
    }
}

impl RemoteRead for DnsInstances<'_> {
    fn method(&self) -> &'static str {
        "Health.ServiceNodes"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        self.plain().arguments(options)
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, rows) = self.plain().reply(body)?;
        Ok((meta, rows.iter().map(dns_instance).collect()))
    }
}

impl DnsInstances<'_> {
    /// The same question as other doors ask it.
    fn plain(&self) -> ServiceInstances {
        let tags = self.tag.iter().map(|tag| (*tag).to_owned()).collect();
        ServiceInstances { lookup: self.lookup, tags, ..ServiceInstances::named(self.service) }
    }
}

impl RemoteRead for DnsNode<'_> {
    fn method(&self) -> &'static str {
        "Catalog.NodeServices"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        NodeServicesOf { node: self.0.to_owned() }.arguments(options)
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, found) = NodeServicesOf { node: self.0.to_owned() }.reply(body)?;
        Ok((meta, found.map(|found| found.node)))
    }
}

impl RemoteRead for DnsNodeAt {
    fn method(&self) -> &'static str {
        "Catalog.ListNodes"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        NodeList::default().arguments(options)
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, nodes) = NodeList::default().reply(body)?;
        let found = nodes.iter().find(|node| is_at(&node.address, self.0));
        Ok((meta, found.map(|node| node.node.clone())))
    }
}

impl Agent {
    /// Prepared queries as DNS names.
    async fn dns_query(self: &Arc<Self>, ask: QueryAsk<'_>) -> Result<Reply<QueryAnswer>, BackendError> {
        let request = QueryExecute {
            id_or_name: ask.query.to_owned(),
            source: QuerySource {
                agent_node: self.node_name().to_owned(),
                ip: Some(ask.source_ip),
                near: String::new(),
            },
            ..QueryExecute::default()
        };
        let options = read_options(ask.datacenter, ask.read);
        let (meta, answer) = self.operate(&request, &options).await?;
        let ttl: Option<GoDuration> = answer.dns.ttl.parse().ok();
        let value = QueryAnswer {
            service: answer.service,
            datacenter: answer.datacenter,
            instances: answer.instances.iter().map(dns_instance).collect(),
            ttl: ttl.map(GoDuration::to_std),
        };
        Ok(Reply { value, last_contact: meta.last_contact })
    }
}
