//! How much there is in a datacenter.

use std::collections::BTreeMap;
use std::sync::Arc;

use consul_rpc::messages::encode;
use consul_rpc::messages::operator::{ServiceUsage, UsageRequest, Usages};

use crate::agent::Agent;
use crate::rpc::catalog::ServiceInstances;
use crate::rpc::operator::{Usage, UsageGet};
use crate::rpc::remote::{Operation, answer, query_options};
use crate::rpc::{ReadMeta, ReadOptions, RpcError};
use crate::server::Server;

/// The kinds that are counted, present or not.
const CONNECT_KINDS: [&str; 4] = ["connect-proxy", "ingress-gateway", "mesh-gateway", "terminating-gateway"];
/// The service that servers are, which nobody is billed for.
const SERVERS: &str = "consul";

/// Counts of the asked datacenter, under its name.
pub struct UsageOf;

impl Operation for UsageOf {
    type Reply = BTreeMap<String, ServiceUsage>;

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        server: &Arc<Server>,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let authorizer = agent.authorize(&options.token)?;
        let (meta, usage) = server.read(&UsageGet, options, &authorizer).await?;
        let at_once = options.clone().at_once();
        let (_, servers) = server.read(&ServiceInstances::named(SERVERS), &at_once, &authorizer).await?;
        let own = agent.identity.datacenter.clone();
        Ok((meta, BTreeMap::from([(own, counted(&usage, servers.len()))])))
    }

    fn method(&self) -> &'static str {
        "Operator.Usage"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let own = UsageRequest { datacenter: options.datacenter.clone(), global: false };
        encode(&own, &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        answer::<Usages>(body).map(|(meta, answer)| (meta, answer.usage))
    }
}

fn counted(usage: &Usage, servers: usize) -> ServiceUsage {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let kind = |name: &str| (name.to_owned(), number(usage.kinds.get(name).copied().unwrap_or(0)));
    let mut connect: BTreeMap<String, u64> = CONNECT_KINDS.into_iter().map(kind).collect();
    connect.insert("connect-native".to_owned(), number(usage.connect_native));
    let special: usize = usage.kinds.values().sum();
    ServiceUsage {
        nodes: number(usage.nodes),
        services: number(usage.services),
        service_instances: number(usage.instances),
        connect_service_instances: connect,
        billable_service_instances: number(usage.instances.saturating_sub(special + servers)),
    }
}
