//! One agent: what its doors and loops share.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use arc_swap::ArcSwap;
use consul_acl::Authorizer;
use consul_api::types::event::UserEvent;
use consul_config::RuntimeConfig;
use consul_telemetry::log::Logs;
use consul_telemetry::metrics::{Counter, counter};
use tokio_util::sync::CancellationToken;

use crate::cache::Cache;
use crate::cluster::gossip::Gossip;
use crate::cluster::lone::Lone;
use crate::cluster::{Cluster, Servers};
use crate::events::Events;
use crate::http::options::WaitLimits;
use crate::http::server::SharedSettings;
use crate::limits::RateLimiter;
use crate::members::LocalMember;
use crate::rpc::{RpcError, Token};
use crate::server::Server;
use crate::services::Services;

/// What this agent asks of servers.
struct ClientMetrics {
    requests: Counter,
    exceeded: Counter,
}

static CLIENT: LazyLock<ClientMetrics> = LazyLock::new(|| ClientMetrics {
    requests: counter("client.rpc"),
    exceeded: counter("client.rpc.exceeded"),
});

/// Who this agent is; fixed for the life of the process.
#[derive(Clone, Debug)]
pub struct Identity {
    pub node_name: String,
    pub node_id: String,
    pub datacenter: String,
    /// Where other agents reach this one.
    pub advertise: std::net::IpAddr,
    pub data_dir: Option<PathBuf>,
}

pub struct Agent {
    pub identity: Identity,
    /// Replaced as a whole by a reload.
    pub config: ArcSwap<RuntimeConfig>,
    pub http: SharedSettings,
    pub server: Option<Arc<Server>>,
    pub services: Services,
    pub events: Events,
    pub sync: crate::services::sync::SyncState,
    pub dns: ArcSwap<consul_dns::settings::Settings>,
    pub member: LocalMember,
    pub logs: Logs,
    pub reload: crate::reload::Reloader,
    pub watches: crate::watches::Watches,
    pub exec: crate::rexec::RemoteExec,
    pub started: Instant,
    /// Ends the process once cancelled.
    pub stop: CancellationToken,
    /// Asks for a graceful leave.
    pub leave: CancellationToken,
    pub cache: Cache,
    /// Bounds what this agent asks of servers. Reloadable.
    pub rpc_limit: RateLimiter,
    /// The agents around this one; none in a test of a part.
    pub gossip: Option<Arc<Gossip>>,
    /// Whom to ask for what this agent cannot answer.
    pub servers: Arc<Servers>,
    authorizer: Authorizer,
}

/// Bounds on request bodies, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    pub kv_max_value_size: usize,
    pub txn_max_req_len: usize,
}

/// What an agent is made of.
pub struct Parts {
    pub identity: Identity,
    pub config: Arc<RuntimeConfig>,
    pub http: crate::http::settings::HttpSettings,
    pub server: Option<Arc<Server>>,
    pub services: Services,
    pub dns: Arc<consul_dns::settings::Settings>,
    pub member: LocalMember,
    pub logs: Logs,
    pub reload: crate::reload::Reloader,
    pub stop: CancellationToken,
    pub leave: CancellationToken,
    pub gossip: Option<Arc<Gossip>>,
    pub servers: Arc<Servers>,
}

impl Agent {
    pub fn new(parts: Parts) -> Arc<Self> {
        let rpc_limit = RateLimiter::default();
        crate::settings::set_rpc_limit(&rpc_limit, &parts.config);
        let cache = Cache::new(crate::settings::cache_pace(&parts.config));
        Arc::new(Self {
            cache,
            rpc_limit,
            identity: parts.identity,
            config: ArcSwap::new(parts.config),
            http: ArcSwap::from_pointee(parts.http),
            server: parts.server,
            services: parts.services,
            events: Events::default(),
            sync: Default::default(),
            dns: ArcSwap::new(parts.dns),
            member: parts.member,
            logs: parts.logs,
            reload: parts.reload,
            watches: Default::default(),
            exec: Default::default(),
            started: Instant::now(),
            stop: parts.stop,
            leave: parts.leave,
            gossip: parts.gossip,
            servers: parts.servers,
            authorizer: Authorizer::allow_all(),
        })
    }

    pub fn node_name(&self) -> &str {
        &self.identity.node_name
    }

    pub fn wait_limits(&self) -> WaitLimits {
        self.http.load().wait
    }

    pub fn limits(&self) -> BodyLimits {
        let limits = &self.config.load().limits;
        let kv_max_value_size = usize::try_from(limits.kv_max_value_size).unwrap_or(usize::MAX);
        let txn_max_req_len =
            usize::try_from(limits.txn_max_req_len).unwrap_or(usize::MAX).max(kv_max_value_size);
        BodyLimits { kv_max_value_size, txn_max_req_len }
    }

    /// What the holder of `token` may do.
    pub fn authorize(&self, _token: &Token) -> Result<Authorizer, RpcError> {
        Ok(self.authorizer.clone())
    }

    /// Counts one request to servers, unless this agent sends more than it may.
    pub fn admit_request(&self) -> Result<(), RpcError> {
        CLIENT.requests.incr();
        if self.rpc_limit.admits(Instant::now) {
            return Ok(());
        }
        CLIENT.exceeded.incr();
        Err(RpcError::TooManyRequests)
    }

    /// The gossip pools that this agent is in.
    pub fn cluster(&self) -> &dyn Cluster {
        self.gossip.as_ref().map_or(&Lone, |gossip| &**gossip as &dyn Cluster)
    }

    /// Takes in an event that arrived, if its filters name this node and one of its services. Names with an underscore
    /// first are for agents themselves.
    pub fn deliver(self: &Arc<Self>, event: UserEvent) {
        if !self.is_addressed(&event) {
            return;
        }
        if event.name == crate::rexec::EVENT {
            self.exec.accept(self, &event);
        } else if !event.name.starts_with('_') {
            tracing::debug!(target: "agent", event_name = %event.name, event_id = %event.id, "new event");
            self.events.push(event);
        }
    }

    fn is_addressed(&self, event: &UserEvent) -> bool {
        let matches =
            |pattern: &str, text: &str| regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(text));
        if !event.node_filter.is_empty() && !matches(&event.node_filter, self.node_name()) {
            return false;
        }
        if event.service_filter.is_empty() {
            return true;
        }
        self.services.any(|service| {
            matches(&event.service_filter, &service.service)
                && (event.tag_filter.is_empty()
                    || service.tags.iter().flatten().any(|tag| matches(&event.tag_filter, tag)))
        })
    }
}
