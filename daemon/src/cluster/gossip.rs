//! The gossip pools that this agent takes part in, and what it makes of what happens there.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consul_api::types::coordinate::Coordinate;
use consul_api::types::operator::Member as ApiMember;
use consul_config::RuntimeConfig;
use consul_gossip::keyring::Key;
use consul_gossip::pool::{Events, KeyFailure, Pool, Settings, SpawnError};
use consul_gossip::serf::keys::KeyReport;
use consul_gossip::serf::{Event, Member, UserEvent};
use consul_rpc::messages::internal::KeyringResponse;
use futures::future::BoxFuture;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};

use super::distance::Place;
use super::event;
use super::join::Joins;
use super::pools::{Cluster, KeyringChange, Pool as Which};
use super::server_info::ServerInfo;
use super::tuning::{self, PoolSetup};
use crate::agent::Agent;
use crate::members::LocalMember;
use crate::startup::chain;

/// The pools of one agent.
pub struct Gossip {
    pub lan: Pool,
    /// Servers only, where federation is on.
    pub wan: Option<Pool>,
}

/// A member as the API shows it.
pub fn api_member(member: &Member) -> ApiMember {
    let versions = member.versions;
    ApiMember {
        name: member.name.to_string(),
        addr: member.addr.ip().to_string(),
        port: member.addr.port(),
        tags: (*member.tags).clone(),
        status: i64::from(member.status.number()),
        protocol_min: versions.min,
        protocol_max: versions.max,
        protocol_cur: versions.current,
        delegate_min: versions.delegate_min,
        delegate_max: versions.delegate_max,
        delegate_cur: versions.delegate_current,
    }
}

/// The servers among the members.
pub fn servers(pool: &Pool) -> Vec<ServerInfo> {
    pool.members().iter().filter_map(|member| ServerInfo::of(&api_member(member))).collect()
}

/// Why a pool cannot be taken part in, in the words that users know where a port is taken.
fn reason(error: &SpawnError) -> String {
    match error {
        SpawnError::Bind { addr, source } => {
            format!("listen tcp {addr}: bind: {}", crate::listeners::os_text(source))
        }
        other => chain(other),
    }
}

/// Begins to take part in a pool.
async fn spawn(setup: PoolSetup) -> Result<(Pool, Events), SpawnError> {
    let PoolSetup { label: _, bind, swim, serf, hooks, keyring, snapshot, rejoin_after_leave } = setup;
    Pool::spawn(Settings { swim, serf, hooks, keyring, bind, snapshot, rejoin_after_leave }).await
}

/// What happens in the pools, until somebody follows it.
pub struct Heard {
    lan: Events,
    wan: Option<Events>,
}

impl Heard {
    /// Follows the pools as long as they are.
    pub fn spawn(self, agent: &Arc<Agent>, tasks: &TaskTracker) {
        tasks.spawn(follow(agent.clone(), Which::Lan, self.lan));
        if let Some(wan) = self.wan {
            tasks.spawn(follow(agent.clone(), Which::Wan, wan));
        }
    }
}

impl Gossip {
    /// Begins to take part in the pools that the configuration names.
    pub async fn start(config: &RuntimeConfig, me: &LocalMember) -> Result<(Arc<Self>, Heard), String> {
        let role = if config.server { "server" } else { "client" };
        let refused = |pool: &str, reason: String| {
            format!("Failed to start Consul {role}: Failed to start {pool} serf: {reason}")
        };
        let lan = tuning::lan(config, me).map_err(|error| refused("lan", error.to_string()))?;
        let wan = tuning::wan(config, me).map_err(|error| refused("wan", error.to_string()))?;
        let (lan, lan_events) = spawn(lan).await.map_err(|error| refused("lan", reason(&error)))?;
        let (wan, wan_events) = match wan {
            Some(setup) => {
                let (pool, events) = spawn(setup).await.map_err(|error| refused("wan", reason(&error)))?;
                (Some(pool), Some(events))
            }
            None => (None, None),
        };
        Ok((Arc::new(Self { lan, wan }), Heard { lan: lan_events, wan: wan_events }))
    }

    pub fn lan_members(&self) -> Vec<ApiMember> {
        self.lan.members().iter().map(api_member).collect()
    }

    pub fn wan_members(&self) -> Vec<ApiMember> {
        self.wan.iter().flat_map(|wan| wan.members().iter().map(api_member).collect::<Vec<_>>()).collect()
    }

    /// This server's own place in the WAN, and those of all servers there that have not left.
    pub async fn places(&self) -> (Coordinate, Vec<Place>) {
        let Some(wan) = &self.wan else { return Default::default() };
        // A pool that has ended knows no places.
        let known: HashMap<String, Coordinate> =
            wan.coordinates().await.unwrap_or_default().into_iter().collect();
        let place = |member: &Member| {
            let server = ServerInfo::of(&api_member(member)).filter(|server| !server.left)?;
            let coordinate = known.get(&*member.name).cloned();
            Some(Place { datacenter: server.datacenter, node: server.name, coordinate })
        };
        let places = wan.members().iter().filter_map(place).collect();
        (known.get(&**wan.name()).cloned().unwrap_or_default(), places)
    }

    fn pool(&self, which: Which) -> Option<&Pool> {
        match which {
            Which::Lan => Some(&self.lan),
            Which::Wan => self.wan.as_ref(),
        }
    }
}

/// A pool to join, without events of the time before.
pub struct Joining(pub Pool);

impl Joins for Joining {
    fn join<'a>(&'a self, addresses: &'a [SocketAddr]) -> BoxFuture<'a, Vec<Result<(), String>>> {
        Box::pin(async move {
            match self.0.join(addresses, true).await {
                Ok(results) => {
                    results.into_iter().map(|(_, result)| result.map_err(|error| error.to_string())).collect()
                }
                Err(stopped) => addresses.iter().map(|_| Err(stopped.to_string())).collect(),
            }
        })
    }

    fn own(&self) -> SocketAddr {
        self.0.addr()
    }
}

/// Follows one pool: logs who comes and goes, and hands on what users sent. Ends with the pool.
pub async fn follow(agent: Arc<Agent>, which: Which, mut events: Events) {
    while let Some(event) = events.next().await {
        match event {
            Event::Joined(members) => log_members(&agent, which, "EventMemberJoin", &members),
            Event::Left(members) => log_members(&agent, which, "EventMemberLeave", &members),
            Event::Failed(members) => log_members(&agent, which, "EventMemberFailed", &members),
            Event::Updated(members) => log_members(&agent, which, "EventMemberUpdate", &members),
            Event::Reaped(members) => log_members(&agent, which, "EventMemberReap", &members),
            Event::User(event) if which == Which::Lan => hear(&agent, event),
            Event::User(event) => {
                debug!(target: "agent.server.serf.wan", name = %event.name, "unexpected event")
            }
            Event::Query(query) => debug!(target: "agent", name = %query.name, "ignoring query"),
            Event::NameLost(other) => {
                error!(
                    target: "agent", name = agent.node_name(), %other,
                    "another member has this node's name and most of the pool knows that one: give this agent another \
                     -node name; shutting down"
                );
                agent.stop.cancel();
            }
        }
    }
}

fn log_members(agent: &Agent, which: Which, what: &str, members: &[Member]) {
    for member in members {
        let (name, ip) = (&member.name, member.addr.ip());
        match (which, agent.server.is_some()) {
            (Which::Lan, true) => info!(target: "agent.server.serf.lan", "serf: {what}: {name} {ip}"),
            (Which::Lan, false) => info!(target: "agent.client.serf.lan", "serf: {what}: {name} {ip}"),
            (Which::Wan, _) => info!(target: "agent.server.serf.wan", "serf: {what}: {name} {ip}"),
        }
    }
}

fn hear(agent: &Arc<Agent>, event: UserEvent) {
    if event.name == event::NEW_LEADER {
        let leader = String::from_utf8_lossy(&event.payload);
        info!(target: "agent", payload = %leader, "New leader elected");
    } else if event.name.starts_with(event::PREFIX) {
        match event::decode(&event.payload, event.ltime.0) {
            Ok(event) => {
                if event.version > event::VERSION {
                    warn!(target: "agent", version = event.version, "user event of a newer version, reading it as far as it is understood");
                }
                agent.deliver(event);
            }
            Err(error) => warn!(target: "agent", name = %event.name, %error, "failed to decode event"),
        }
    } else if event.name.starts_with("consul:") {
        warn!(target: "agent", event = %event.name, "unknown internal event");
    }
}

#[async_trait]
impl Cluster for Gossip {
    async fn fire_event(&self, _: &Arc<Agent>, name: &str, payload: &[u8]) -> Result<(), String> {
        let name = format!("{}{name}", event::PREFIX);
        self.lan.user_event(&name, payload, false).await.map(drop).map_err(|error| error.to_string())
    }

    async fn keyring(
        &self,
        agent: &Arc<Agent>,
        which: Which,
        change: &KeyringChange,
        relay_factor: u8,
    ) -> KeyringResponse {
        let response = KeyringResponse {
            wan: which == Which::Wan,
            datacenter: agent.identity.datacenter.clone(),
            ..KeyringResponse::default()
        };
        let Some(pool) = self.pool(which) else {
            return KeyringResponse { error: "this server is in no WAN pool".to_owned(), ..response };
        };
        match ask(pool, change, relay_factor).await {
            Ok(report) => reported(report, None, response),
            Err(Failure::Key(reason)) => KeyringResponse { error: reason, ..response },
            Err(Failure::Pool(failure)) => match failure {
                KeyFailure::Incomplete { report, reason } => {
                    reported(report, Some(reason.to_string()), response)
                }
                other => KeyringResponse { error: other.to_string(), ..response },
            },
        }
    }
}

enum Failure {
    /// The text that should be a key is none.
    Key(String),
    Pool(KeyFailure),
}

async fn ask(pool: &Pool, change: &KeyringChange, relay_factor: u8) -> Result<KeyReport, Failure> {
    let keys = pool.keys().relay_factor(relay_factor);
    let asked = match change {
        KeyringChange::List => keys.list().await,
        KeyringChange::Install(key) => keys.install(&parse(key)?).await,
        KeyringChange::Use(key) => keys.use_key(&parse(key)?).await,
        KeyringChange::Remove(key) => keys.remove(&parse(key)?).await,
    };
    asked.map_err(Failure::Pool)
}

fn parse(text: &str) -> Result<Key, Failure> {
    let bytes = STANDARD.decode(text).map_err(|_| Failure::Key(super::lone::illegal_base64(text)))?;
    Key::new(&bytes).map_err(|error| Failure::Key(error.to_string()))
}

fn reported(report: KeyReport, error: Option<String>, response: KeyringResponse) -> KeyringResponse {
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let counts = |keys: std::collections::BTreeMap<String, usize>| {
        Some(keys.into_iter().map(|(key, number)| (key, count(number))).collect())
    };
    KeyringResponse {
        messages: Some(report.messages),
        keys: counts(report.keys),
        primary_keys: counts(report.primary_keys),
        num_nodes: count(report.num_nodes),
        error: error.unwrap_or_default(),
        ..response
    }
}
