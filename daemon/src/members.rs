//! Members of the cluster as this agent knows them. Until agents gossip, there is one: itself.

use std::collections::BTreeMap;

use async_trait::async_trait;
use consul_api::types::catalog::NodeService;
use consul_api::types::health::{HealthCheck, SERF_HEALTH};
use consul_api::types::operator::Member;
use consul_api::types::request::{DeregisterRequest, RegisterRequest};
use consul_state::Command;
use tokio::sync::Notify;
use tracing::info;

use crate::agent::Agent;
use crate::leader::members::Members;
use crate::rpc::RpcError;
use crate::server::Server;
use crate::version;

/// Id and name of the service that every server is.
pub const SERVER_SERVICE: &str = "consul";
/// Member states as the API numbers them.
pub const STATUS_ALIVE: i64 = 1;

/// What this agent tells others of itself.
#[derive(Clone, Debug)]
pub struct LocalMember {
    pub node_name: String,
    pub node_id: String,
    pub datacenter: String,
    pub address: std::net::IpAddr,
    pub server_port: u16,
    pub serf_lan_port: u16,
    pub serf_wan_port: Option<u16>,
    pub bootstrap: bool,
    pub acls_enabled: bool,
}

impl LocalMember {
    /// As the LAN pool shows it.
    pub fn lan(&self, is_server: bool) -> Member {
        Member {
            name: self.node_name.clone(),
            addr: self.address.to_string(),
            port: self.serf_lan_port,
            tags: self.tags(is_server),
            status: STATUS_ALIVE,
            protocol_min: 1,
            protocol_max: 5,
            protocol_cur: 2,
            delegate_min: 2,
            delegate_max: 5,
            delegate_cur: 4,
        }
    }

    /// As the WAN pool shows it. Only servers are there.
    pub fn wan(&self) -> Option<Member> {
        let port = self.serf_wan_port?;
        let name = format!("{}.{}", self.node_name, self.datacenter);
        let mut member = Member { name, port, ..self.lan(true) };
        // It tells members of the LAN how to get here.
        member.tags.remove("wan_join_port");
        Some(member)
    }

    fn tags(&self, is_server: bool) -> BTreeMap<String, String> {
        let mut tags: Vec<(&str, String)> = vec![
            ("dc", self.datacenter.clone()),
            ("id", self.node_id.clone()),
            ("build", format!("{}:{}", version::API_LEVEL, version::METADATA)),
            ("vsn", "2".into()),
            ("vsn_min", "2".into()),
            ("vsn_max", "3".into()),
            ("acls", if self.acls_enabled { "1" } else { "0" }.into()),
            ("segment", String::new()),
        ];
        if is_server {
            tags.push(("role", "consul".into()));
            tags.push(("port", self.server_port.to_string()));
            tags.push(("raft_vsn", "3".into()));
            tags.push(("ft_fs", "1".into()));
            tags.extend(self.serf_wan_port.map(|port| ("wan_join_port", port.to_string())));
            if self.bootstrap {
                tags.push(("bootstrap", "1".into()));
            }
        } else {
            tags.push(("role", "node".into()));
        }
        tags.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// Node, `consul` service and health, as the leader registers a live server.
    fn registration(&self) -> RegisterRequest {
        let meta = [
            ("raft_version", "3"),
            ("serf_protocol_current", "2"),
            ("serf_protocol_max", "5"),
            ("serf_protocol_min", "1"),
            ("version", version::HUMAN),
            ("non_voter", "false"),
            ("read_replica", "false"),
        ];
        let meta = meta.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        RegisterRequest {
            datacenter: self.datacenter.clone(),
            id: self.node_id.clone(),
            node: self.node_name.clone(),
            address: self.address.to_string(),
            service: Some(NodeService {
                id: SERVER_SERVICE.into(),
                service: SERVER_SERVICE.into(),
                tags: Some(Vec::new()),
                meta: Some(meta),
                port: i64::from(self.server_port),
                weights: Some(Default::default()),
                ..NodeService::default()
            }),
            check: Some(HealthCheck {
                node: self.node_name.clone(),
                check_id: SERF_HEALTH.into(),
                name: "Serf Health Status".into(),
                status: "passing".into(),
                output: "Agent alive and reachable".into(),
                ..HealthCheck::default()
            }),
            ..RegisterRequest::default()
        }
    }
}

impl Agent {
    /// Members of this datacenter.
    pub fn lan_members(&self) -> Vec<Member> {
        vec![self.member.lan(self.server.is_some())]
    }

    /// Servers of all datacenters; none as a client knows it.
    pub fn wan_members(&self) -> Vec<Member> {
        self.server.as_ref().and_then(|_| self.member.wan()).into_iter().collect()
    }
}

/// The pool of one.
pub struct Alone {
    member: LocalMember,
    changed: Notify,
}

impl Alone {
    pub fn new(member: LocalMember) -> Self {
        Self { member, changed: Notify::new() }
    }
}

#[async_trait]
impl Members for Alone {
    async fn reconcile(&self, server: &Server) -> Result<(), RpcError> {
        self.reap_strangers(server).await?;
        let registration = self.member.registration();
        if is_registered(server, &registration) {
            return Ok(());
        }
        // Tagged addresses and metadata are the node's own agent's to write, perhaps at this very moment.
        let known = server.store.version().node(&registration.node).map(|entry| entry.node.clone());
        let moved =
            known.is_some_and(|node| node.address != registration.address || node.id != registration.id);
        let request = RegisterRequest { skip_node_update: !moved, ..registration };
        server.propose(&Command::Register(Box::new(request))).await?.reply?;
        info!(target: "agent.server", member = %self.member.node_name, "member joined, marking health alive");
        Ok(())
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Alone {
    /// Nodes that were members once (a restored snapshot brings them) and are none now. Nodes that were registered
    /// from outside have no member's health check and stay.
    async fn reap_strangers(&self, server: &Server) -> Result<(), RpcError> {
        let strangers: Vec<String> = {
            let version = server.store.version();
            let mut unwatched = consul_state::WatchSet::new();
            let (_, nodes) = version.node_dump(&mut unwatched);
            let is_stranger = |node: &str| !node.eq_ignore_ascii_case(&self.member.node_name);
            nodes
                .filter(|entry| is_stranger(&entry.node.node) && entry.check(SERF_HEALTH).is_some())
                .map(|entry| entry.node.node.clone())
                .collect()
        };
        for node in strangers {
            info!(target: "agent.server", member = %node, reason = "reaped", "deregistering member");
            let request = DeregisterRequest { node, ..DeregisterRequest::default() };
            server.propose(&Command::Deregister(request)).await?.reply?;
        }
        Ok(())
    }
}

fn is_registered(server: &Server, wanted: &RegisterRequest) -> bool {
    let version = server.store.version();
    let Some(entry) = version.node(&wanted.node) else { return false };
    let same_node = entry.node.address == wanted.address && entry.node.id == wanted.id;
    let healthy = entry.check(SERF_HEALTH).is_some_and(|check| check.status == "passing");
    let service = entry.service(SERVER_SERVICE);
    let same_service = service.is_some_and(|service| {
        wanted.service.as_ref().is_some_and(|ours| ours.port == service.port && ours.meta == service.meta)
    });
    same_node && healthy && same_service
}
