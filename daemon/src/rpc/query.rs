//! Prepared queries: their definitions, and what running one takes.

use std::sync::Arc;

use consul_acl::{Access, Authorizer, Resource};
use consul_api::types::health::HealthCheck;
use consul_api::types::query::{PreparedQuery, QueryDns, QueryFailover, ServiceQuery};
use consul_state::catalog::{Instance, Lookup};
use consul_state::query::QueryCommand;
use consul_state::query::validate::{self, REDACTED_TOKEN};
use consul_state::{Command, Outcome, Reply, Version, WatchSet};
use rand::seq::SliceRandom;

use super::RpcError;
use super::catalog::{Answering, has_meta};
use super::near;
use super::read::Read;
use super::write::{LeaderView, Step, Write, require};

/// Definitions: all, or the one with an id.
pub enum QueryList {
    All,
    Id(String),
}

impl Read for QueryList {
    type Reply = Vec<Arc<PreparedQuery>>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        match self {
            Self::All => {
                let (index, queries) = version.queries(seen);
                Ok((index, queries.cloned().collect()))
            }
            Self::Id(id) => {
                let (index, query) = version.query(id, seen)?;
                Ok((index, vec![query.ok_or(RpcError::QueryNotFound)?.clone()]))
            }
        }
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        if manages(authorizer) {
            return Ok(false);
        }
        if let Self::Id(_) = self {
            require(reply.iter().all(|query| may_see(query, authorizer)))?;
        }
        let before = reply.len();
        // Whoever lists may learn of nameless queries only by their ids.
        reply.retain(|query| {
            matches!(self, Self::Id(_)) || (!query.name.is_empty() && may_see(query, authorizer))
        });
        reply.iter_mut().for_each(redact);
        Ok(reply.len() < before)
    }
}

fn manages(authorizer: &Authorizer) -> bool {
    authorizer.allows(Resource::Acl, Access::Write)
}

/// A query without a name is open to everybody who knows its id.
fn may_see(query: &PreparedQuery, authorizer: &Authorizer) -> bool {
    query.name.is_empty() || authorizer.allows(Resource::Query(&query.name), Access::Read)
}

fn redact(query: &mut Arc<PreparedQuery>) {
    if !query.token.is_empty() {
        REDACTED_TOKEN.clone_into(&mut Arc::make_mut(query).token);
    }
}

/// A change of the definitions.
#[derive(Clone)]
pub enum QueryChange {
    Create(PreparedQuery),
    /// Replaces the query that has the id in the definition.
    Update(PreparedQuery),
    Delete {
        id: String,
    },
}

#[derive(Clone)]
pub struct QueryWrite {
    pub change: QueryChange,
    /// Name of the query that is replaced or deleted, for the permission.
    pub present: Option<String>,
}

impl QueryChange {
    /// The id that must exist, if one must.
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::Create(_) => None,
            Self::Update(query) => Some(&query.id),
            Self::Delete { id } => Some(id),
        }
    }
}

impl Write for QueryWrite {
    type Reply = String;

    fn authorize(&self, authorizer: &Authorizer) -> Result<(), RpcError> {
        let new = match &self.change {
            QueryChange::Create(query) | QueryChange::Update(query) => Some(&query.name),
            QueryChange::Delete { .. } => None,
        };
        let mut names = new.into_iter().chain(&self.present).filter(|name| !name.is_empty());
        require(names.all(|name| authorizer.allows(Resource::Query(name), Access::Write)))
    }

    fn prepare(self, leader: &LeaderView<'_>) -> Result<Step<String>, RpcError> {
        if let Some(id) = self.change.target() {
            let found = leader.version.query(id, &mut WatchSet::new());
            let (_, query) =
                found.map_err(|error| RpcError::refused(format!("Prepared Query lookup failed: {error}")))?;
            if query.is_none() {
                return Err(RpcError::refused(format!("Cannot modify non-existent prepared query: '{id}'")));
            }
        }
        let query = match self.change {
            QueryChange::Delete { id } => {
                return Ok(Step::Propose(Command::PreparedQuery(QueryCommand::Delete { id })));
            }
            QueryChange::Create(query) if !query.id.is_empty() => {
                return Err(RpcError::refused("ID must be empty when creating a new prepared query"));
            }
            QueryChange::Create(query) => PreparedQuery { id: uuid::Uuid::new_v4().to_string(), ..query },
            QueryChange::Update(query) => query,
        };
        validate::definition(&query).map_err(|error| RpcError::refused(error.to_string()))?;
        Ok(Step::Propose(Command::PreparedQuery(QueryCommand::Set(Box::new(query)))))
    }

    fn conclude(outcome: Outcome) -> Result<String, RpcError> {
        match outcome.reply? {
            Reply::Id(id) => Ok(id),
            _ => Ok(String::new()),
        }
    }
}

/// Finds a query by id or name and renders it if it is a template.
pub struct QueryResolve<'a> {
    pub id_or_name: &'a str,
    /// Who asks must be allowed to see the definition, not only to run it.
    pub shown: bool,
}

impl Read for QueryResolve<'_> {
    type Reply = Arc<PreparedQuery>;

    fn evaluate(&self, version: &Version, _: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let found = version.resolve_query(self.id_or_name).ok_or(RpcError::QueryNotFound)?;
        let query = match found.template {
            None => found.query.clone(),
            Some(template) => {
                let rendered = template.render(self.id_or_name, "");
                let rendered = rendered.map_err(|error| RpcError::refused(error.to_string()))?;
                let PreparedQuery { create_index, modify_index, .. } = **found.query;
                Arc::new(PreparedQuery { create_index, modify_index, ..rendered })
            }
        };
        Ok((1, query))
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        if self.shown && !manages(authorizer) {
            require(may_see(reply, authorizer))?;
            redact(reply);
        }
        Ok(false)
    }
}

/// From where a query measures distances.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct QuerySource {
    /// Name of the node whose agent was asked.
    pub agent_node: String,
    /// Address of the client, where it is known.
    pub ip: Option<std::net::IpAddr>,
    /// In place of what the query says; empty: as the query says. `_agent` and `_ip` have their meaning here too.
    pub near: String,
}

/// A query to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct QueryExecute {
    pub id_or_name: String,
    pub source: QuerySource,
    /// Look for mesh-capable instances whatever the query says.
    pub connect: bool,
    /// At most so many instances; `None` for all.
    pub limit: Option<usize>,
}

/// What running a query found.
#[derive(Clone, Debug)]
pub struct QueryAnswer {
    /// Name of the service that was looked for.
    pub service: String,
    pub instances: Vec<Instance>,
    pub dns: QueryDns,
    /// The datacenter that answered last.
    pub datacenter: String,
    /// How many other datacenters were asked.
    pub failovers: i64,
}

/// The instances that a rendered query selects, in the order to use them in.
pub struct QueryInstances<'a> {
    pub service: &'a ServiceQuery,
    pub source: &'a QuerySource,
    pub connect: bool,
}

/// How far down a sorted list the source's own node is looked for. It cannot be further if distances are right.
const OWN_NODE_DEPTH: usize = 10;

impl Read for QueryInstances<'_> {
    type Reply = Vec<Instance>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let lookup = if self.connect || self.service.connect { Lookup::Connect } else { Lookup::Service };
        let (_, instances) = Answering::find(version, &self.service.service, lookup, seen);
        let mut rows: Vec<Instance> =
            instances.iter().filter(|row| selects(self.service, row)).cloned().collect();
        rows.shuffle(&mut rand::rng());
        if let Some(node) = self.near_node(version) {
            near::sort(version, &node, &mut rows, |row| &row.node.node);
            let own =
                rows.iter().take(OWN_NODE_DEPTH).position(|row| row.node.node.eq_ignore_ascii_case(&node));
            if let Some(position) = own {
                rows.swap(0, position);
            }
        }
        Ok((1, rows))
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let before = reply.len();
        reply.retain(|row| {
            authorizer.allows(Resource::Node(&row.node.node), Access::Read)
                && authorizer.allows(Resource::Service(&row.service.service), Access::Read)
        });
        Ok(reply.len() < before)
    }
}

impl QueryInstances<'_> {
    /// The node from which distances count, if any.
    fn near_node(&self, version: &Version) -> Option<String> {
        let asked = &self.source.near;
        match if asked.is_empty() { self.service.near.as_str() } else { asked } {
            "" => None,
            "_agent" => Some(self.source.agent_node.clone()),
            "_ip" => {
                let ip = self.source.ip?.to_string();
                let (_, mut nodes) = version.nodes(&mut WatchSet::new());
                nodes.find(|node| node.address == ip).map(|node| node.node.clone())
            }
            node => Some(node.to_owned()),
        }
    }
}

/// Does the query want this instance? All but the permission is decided here.
fn selects(query: &ServiceQuery, row: &Instance) -> bool {
    let empty = consul_api::types::StringMap::new();
    let node_meta = query.node_meta.as_ref().unwrap_or(&empty);
    let service_meta = query.service_meta.as_ref().unwrap_or(&empty);
    row.checks.iter().all(|check| tolerates(query, check))
        && has_meta(row.node.meta.as_ref(), node_meta)
        && has_meta(row.service.meta.as_ref(), service_meta)
        && fits_tags(query, row)
}

fn tolerates(query: &ServiceQuery, check: &HealthCheck) -> bool {
    if query.ignore_check_ids.iter().flatten().any(|id| *id == check.check_id) {
        return true;
    }
    check.status != "critical" && (!query.only_passing || check.status == "passing")
}

/// Every plain tag must be there and none of those that begin with `!`, in any letter case.
fn fits_tags(query: &ServiceQuery, row: &Instance) -> bool {
    let has = |wanted: &str| {
        let wanted = wanted.to_lowercase();
        row.service.tags.iter().flatten().any(|tag| tag.to_lowercase() == wanted)
    };
    query.tags.iter().flatten().all(|tag| match tag.strip_prefix('!') {
        Some(unwanted) => !has(unwanted),
        None => has(tag),
    })
}

/// Other datacenters in the order to ask them: the nearest few, then those that the query names, each once.
/// `others` are all that are known, nearest first; those that are not known are passed over.
pub fn failover_order<'a>(failover: &'a QueryFailover, others: &'a [String]) -> Vec<&'a str> {
    let nearest = usize::try_from(failover.nearest_n).unwrap_or(0);
    let targets = failover.targets.iter().flatten().map(|target| target.datacenter.as_str());
    let named = failover.datacenters.iter().flatten().map(String::as_str).chain(targets);
    let mut order: Vec<&str> = Vec::new();
    for datacenter in others.iter().take(nearest).map(String::as_str).chain(named) {
        if others.iter().any(|other| other == datacenter) && !order.contains(&datacenter) {
            order.push(datacenter);
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use consul_api::types::catalog::{Node, NodeService};

    fn list(items: &[&str]) -> Option<Vec<String>> {
        Some(items.iter().map(|item| (*item).to_owned()).collect())
    }

    fn instance(tags: &[&str], statuses: &[(&str, &str)]) -> Instance {
        let check = |(id, status): &(&str, &str)| {
            Arc::new(HealthCheck {
                check_id: (*id).to_owned(),
                status: (*status).to_owned(),
                ..HealthCheck::default()
            })
        };
        Instance {
            node: Arc::new(Node::default()),
            service: Arc::new(NodeService { tags: list(tags), ..NodeService::default() }),
            checks: statuses.iter().map(check).collect(),
        }
    }

    #[test]
    fn critical_instances_are_dropped_unless_the_check_is_ignored() {
        let row = instance(&[], &[("a", "critical"), ("b", "warning")]);
        let mut query = ServiceQuery::default();
        assert!(!selects(&query, &row));
        query.ignore_check_ids = list(&["a"]);
        assert!(selects(&query, &row));
        query.only_passing = true;
        assert!(!selects(&query, &row));
        query.ignore_check_ids = list(&["a", "b"]);
        assert!(selects(&query, &row));
    }

    #[test]
    fn tags_are_wanted_or_unwanted_in_any_case() {
        let row = instance(&["Primary", "v2"], &[]);
        for (tags, expected) in [
            (&["primary"][..], true),
            (&["primary", "V2"], true),
            (&["primary", "v3"], false),
            (&["!PRIMARY"], false),
            (&["!v3", "v2"], true),
            (&[], true),
        ] {
            let query = ServiceQuery { tags: list(tags), ..ServiceQuery::default() };
            assert_eq!(selects(&query, &row), expected, "{tags:?}");
        }
    }

    #[test]
    fn failover_asks_the_nearest_then_the_named_each_once_and_known_ones_only() {
        let others: Vec<String> = ["near", "far", "farther"].map(str::to_owned).to_vec();
        let failover = |nearest_n, datacenters: &[&str]| QueryFailover {
            nearest_n,
            datacenters: list(datacenters),
            ..QueryFailover::default()
        };
        assert_eq!(
            failover_order(&failover(2, &["farther", "near", "gone"]), &others),
            ["near", "far", "farther"]
        );
        assert_eq!(failover_order(&failover(0, &["far", "own"]), &others), ["far"]);
        assert!(failover_order(&failover(3, &["far"]), &[]).is_empty());
    }
}
