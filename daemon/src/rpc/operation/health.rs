//! What the leader knows of its servers' health.

use std::sync::Arc;
use std::time::SystemTime;

use consul_acl::{Access, Resource};
use consul_api::types::duration::GoDuration;
use consul_api::types::operator::{AutopilotHealth, ServerHealth};
use consul_api::types::time::GoTime;
use consul_raft::autopilot::{Report, ServerHealth as Assessed};
use consul_rpc::messages::operator::{
    AutopilotServer, AutopilotServerState, AutopilotStability, AutopilotState, AutopilotStats,
    OperatorHealth, ServerHealth as Sent,
};

use super::here;
use crate::agent::Agent;
use crate::rpc::path::Need;
use crate::rpc::remote::{Operation, whole, whole_datacenter};
use crate::rpc::write::require;
use crate::rpc::{ReadMeta, ReadOptions, RpcError};
use crate::server::Server;

/// Health of all servers.
pub struct ServersHealth;

impl Operation for ServersHealth {
    type Reply = AutopilotHealth;

    fn need(&self, _: &ReadOptions) -> Need {
        Need::Leader
    }

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        server: &Arc<Server>,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, AutopilotHealth), RpcError> {
        require(agent.authorize(&options.token)?.allows(Resource::Operator, Access::Read))?;
        let report = server.leader.health.report();
        Ok((here(), report.map_or_else(AutopilotHealth::default, |report| health(&report))))
    }

    fn method(&self) -> &'static str {
        "Operator.ServerHealth"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        whole_datacenter(options)
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, AutopilotHealth), RpcError> {
        let OperatorHealth { healthy, failure_tolerance, servers } = whole(body)?;
        let servers = servers.map(|servers| servers.into_iter().map(received).collect());
        Ok((here(), AutopilotHealth { healthy, failure_tolerance, servers }))
    }
}

/// The time since the last contact with a server that could not be asked.
const NEVER: GoDuration = GoDuration(-1);
/// The version of raft's messages that clients expect of servers which have ids.
const RAFT_VERSION: i64 = 3;
/// The one kind of server that there is: each gets a vote.
const VOTING: &str = "voter";

/// Member states, numbered on the way.
const STATES: [&str; 5] = ["none", "alive", "leaving", "left", "failed"];

/// As it travels.
pub fn sent(health: AutopilotHealth) -> OperatorHealth {
    let AutopilotHealth { healthy, failure_tolerance, servers } = health;
    let number = |name: &str| STATES.iter().position(|state| *state == name).unwrap_or(0);
    let servers = servers.map(|servers| {
        let sent = |server: ServerHealth| Sent {
            serf_status: i64::try_from(number(&server.serf_status)).unwrap_or(0),
            id: server.id,
            name: server.name,
            address: server.address,
            version: server.version,
            leader: server.leader,
            last_contact: server.last_contact,
            last_term: server.last_term,
            last_index: server.last_index,
            healthy: server.healthy,
            voter: server.voter,
            stable_since: server.stable_since,
        };
        servers.into_iter().map(sent).collect()
    });
    OperatorHealth { healthy, failure_tolerance, servers }
}

fn received(server: Sent) -> ServerHealth {
    let state = usize::try_from(server.serf_status).ok().and_then(|number| STATES.get(number));
    ServerHealth {
        serf_status: (*state.unwrap_or(&"none")).to_owned(),
        id: server.id,
        name: server.name,
        address: server.address,
        version: server.version,
        leader: server.leader,
        last_contact: server.last_contact,
        last_term: server.last_term,
        last_index: server.last_index,
        healthy: server.healthy,
        voter: server.voter,
        stable_since: server.stable_since,
    }
}

/// As the API shows it.
fn health(report: &Report) -> AutopilotHealth {
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    AutopilotHealth {
        healthy: report.healthy,
        failure_tolerance: count(report.failure_tolerance),
        servers: Some(report.servers.iter().map(server_health).collect()),
    }
}

fn server_health(server: &Assessed) -> ServerHealth {
    let contact = server.stats.and_then(|stats| stats.last_contact);
    ServerHealth {
        id: server.peer.id.to_string(),
        name: server.name.clone(),
        address: server.peer.address.clone(),
        serf_status: server.status.as_str().to_owned(),
        version: server.version.clone(),
        leader: server.leader,
        last_contact: contact.map_or(NEVER, GoDuration::from),
        last_term: server.stats.map_or(0, |stats| stats.last_term),
        last_index: server.stats.map_or(0, |stats| stats.last_index),
        healthy: server.healthy,
        voter: server.voter,
        stable_since: server.stable_since.map(time).unwrap_or_default(),
    }
}

fn time(at: SystemTime) -> GoTime {
    let since_epoch = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    GoTime::from_unix(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX), since_epoch.subsec_nanos())
}

/// The newer form of the same, as servers send it: by id, and who leads and votes.
pub fn state(health: AutopilotHealth) -> AutopilotState {
    let AutopilotHealth { healthy, failure_tolerance, servers } = health;
    let servers = servers.unwrap_or_default();
    AutopilotState {
        healthy,
        failure_tolerance,
        leader: servers
            .iter()
            .find(|server| server.leader)
            .map_or_else(String::new, |leader| leader.id.clone()),
        voters: servers.iter().filter(|server| server.voter).map(|server| server.id.clone()).collect(),
        servers: servers.into_iter().map(|server| (server.id.clone(), server_state(server))).collect(),
    }
}

/// What part a server has in the quorum.
pub fn part(server: &ServerHealth) -> &'static str {
    match (server.leader, server.voter) {
        (true, _) => "leader",
        (false, true) => "voter",
        (false, false) => "non-voter",
    }
}

fn server_state(server: ServerHealth) -> AutopilotServerState {
    AutopilotServerState {
        state: part(&server).to_owned(),
        stats: AutopilotStats {
            last_contact: server.last_contact,
            last_term: server.last_term,
            last_index: server.last_index,
        },
        health: AutopilotStability { healthy: server.healthy, stable_since: server.stable_since },
        server: AutopilotServer {
            // Members that nobody knows have another word here.
            node_status: if server.serf_status == STATES[0] {
                "unknown".to_owned()
            } else {
                server.serf_status
            },
            id: server.id,
            name: server.name,
            address: server.address,
            version: server.version,
            raft_version: RAFT_VERSION,
            is_leader: server.leader,
            node_type: VOTING.to_owned(),
            ..AutopilotServer::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use consul_raft::autopilot::{Stats, Status};
    use consul_raft::{Peer, ServerId};

    fn assessed(id: u128, stats: Option<Stats>) -> Assessed {
        Assessed {
            peer: Peer { id: ServerId::from_u128(id), address: format!("10.0.0.{id}:8300") },
            name: format!("s{id}"),
            status: if stats.is_some() { Status::Alive } else { Status::Failed },
            version: "1.22.0".into(),
            leader: id == 1,
            voter: id < 3,
            read_replica: false,
            stats,
            healthy: stats.is_some(),
            stable_since: stats.map(|_| SystemTime::UNIX_EPOCH + Duration::from_millis(1500)),
        }
    }

    fn report() -> Report {
        let stats = Some(Stats { last_contact: Some(Duration::ZERO), last_term: 2, last_index: 9 });
        let servers = vec![assessed(1, stats), assessed(2, None), assessed(3, stats)];
        Report { servers, healthy: false, failure_tolerance: 0, action: None, kept_dead: 0 }
    }

    #[test]
    fn a_server_that_could_not_be_asked_has_no_figures() {
        let health = health(&report());
        let servers = health.servers.as_deref().unwrap();
        assert_eq!(servers[0].stable_since, GoTime::from_unix(1, 500_000_000));
        assert_eq!((servers[0].last_contact, servers[0].last_index), (GoDuration::ZERO, 9));
        assert_eq!(servers[1].last_contact.to_string(), "-1ns");
        assert_eq!((servers[1].last_index, servers[1].serf_status.as_str()), (0, "failed"));
        assert!(servers[1].stable_since.is_zero());
    }

    #[test]
    fn the_state_names_leader_and_voters() {
        let state = state(health(&report()));
        let id = |id| ServerId::from_u128(id).to_string();
        assert_eq!((&state.leader, &state.voters), (&id(1), &vec![id(1), id(2)]));
        let parts: Vec<&str> = state.servers.values().map(|server| server.state.as_str()).collect();
        assert_eq!(parts, ["leader", "voter", "non-voter"]);
    }
}
