//! Operator requests: the servers of the cluster, autopilot's configuration, counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use consul_acl::{Access, Authorizer, Resource};
use consul_api::types::operator::AutopilotConfig;
use consul_state::autopilot::AutopilotCommand;
use consul_state::{Command, Outcome, Reply, Version, WatchSet};

use super::RpcError;
use super::read::Read;
use super::write::{LeaderView, Step, Write, require};

/// Names of nodes by their ids: the log knows servers by id only.
pub struct NodeNames {
    pub ids: Vec<String>,
}

impl Read for NodeNames {
    type Reply = BTreeMap<String, String>;

    fn evaluate(&self, version: &Version, _: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let name = |id: &String| Some((id.clone(), version.node_by_id(id)?.node.node.clone()));
        Ok((1, self.ids.iter().filter_map(name).collect()))
    }

    fn restrict(&self, authorizer: &Authorizer, _: &mut Self::Reply) -> Result<bool, RpcError> {
        require(authorizer.allows(Resource::Operator, Access::Read))?;
        Ok(false)
    }
}

/// How autopilot is configured. `None` before the first leader wrote it down.
pub struct AutopilotGet;

impl Read for AutopilotGet {
    type Reply = Option<Arc<AutopilotConfig>>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (index, config) = version.autopilot(seen);
        Ok((index, config.cloned()))
    }

    fn restrict(&self, authorizer: &Authorizer, _: &mut Self::Reply) -> Result<bool, RpcError> {
        require(authorizer.allows(Resource::Operator, Access::Read))?;
        Ok(false)
    }
}

/// Replaces autopilot's configuration. The answer tells whether it happened.
#[derive(Clone)]
pub struct AutopilotSet {
    pub config: AutopilotConfig,
    /// Only if the present one has this modify index.
    pub cas: Option<u64>,
}

impl Write for AutopilotSet {
    type Reply = bool;

    fn authorize(&self, authorizer: &Authorizer) -> Result<(), RpcError> {
        require(authorizer.allows(Resource::Operator, Access::Write))
    }

    fn prepare(self, _: &LeaderView<'_>) -> Result<Step<bool>, RpcError> {
        Ok(Step::Propose(Command::Autopilot(AutopilotCommand { config: self.config, cas: self.cas })))
    }

    fn conclude(outcome: Outcome) -> Result<bool, RpcError> {
        match outcome.reply? {
            Reply::Applied(happened) => Ok(happened),
            _ => Ok(true),
        }
    }
}

/// Numbers of services and instances in a datacenter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub nodes: usize,
    pub services: usize,
    pub instances: usize,
    /// Instances that speak the mesh's protocol themselves.
    pub connect_native: usize,
    /// Instances by their kind, ordinary ones left out.
    pub kinds: BTreeMap<String, usize>,
}

pub struct UsageGet;

impl Read for UsageGet {
    type Reply = Usage;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Usage), RpcError> {
        let (nodes, services, instances) = version.catalog_counts();
        let mut usage = Usage { nodes, services, instances, ..Usage::default() };
        let (index, rows) = version.all_instances(seen);
        for row in rows {
            usage.connect_native += usize::from(row.service.connect.native);
            if !row.service.kind.is_empty() {
                *usage.kinds.entry(row.service.kind.clone()).or_default() += 1;
            }
        }
        Ok((index, usage))
    }

    fn restrict(&self, authorizer: &Authorizer, _: &mut Usage) -> Result<bool, RpcError> {
        require(authorizer.allows(Resource::Operator, Access::Read))?;
        Ok(false)
    }
}
