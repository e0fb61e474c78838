//! From a command line to a running agent, and from there to its end.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use consul_api::types::operator::Member;
use consul_config::{AgentFlags, FlagError, RuntimeConfig, Sources, node_id};
use consul_dns::server::{Listeners, ServerLimits};
use consul_raft::{Bootstrap, Config as RaftConfig, Peer, RaftHandle, Storage, Timing};
use consul_state::Store;
use consul_telemetry::log::Logs;
use consul_telemetry::metrics;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::agent::{Agent, Identity, Parts};
use crate::auto_reload::{self, FileWatch};
use crate::banner;
use crate::cluster::gossip::Gossip;
use crate::cluster::membership::GossipMembers;
use crate::cluster::{Router, Servers, entry, figures, flood, rebalance, routes, whereabouts};
use crate::dns::DnsBackend;
use crate::gauges;
use crate::http::server::HttpServer;
use crate::leader::{Leader, bootstrap, duties};
use crate::limits::RequestLimits;
use crate::listeners::{HttpListeners, SocketFile};
use crate::local::persist::Persistence;
use crate::members::{LocalMember, STATUS_ALIVE};
use crate::process::{self, PidFile};
use crate::reload::Reloader;
use crate::rpc::door::RpcDoor;
use crate::server::Server;
use crate::server::coordinates::{self, Coordinates};
use crate::server::machine::Machine;
use crate::server::transport::RaftCalls;
use crate::server::{rejoin, watchdog};
use crate::services::alias::CatalogChecks;
use crate::services::{Services, reap, sync};
use crate::settings;
use crate::signals::{self, Ending};

/// File descriptors kept free of client connections, for the log, checks and the database.
const RESERVED_FILES: usize = 256;
/// How long the parts may take to end.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);
/// A server's raft data, below the data directory.
pub(crate) const RAFT_DIRECTORY: &str = "raft";

/// Runs `consul agent` with these arguments until it ends.
pub fn run(args: Vec<String>) -> ExitCode {
    match prepare(args) {
        Ok(prepared) => start(prepared),
        Err(Refusal::Help) => {
            print!("{}", consul_config::usage());
            ExitCode::SUCCESS
        }
        Err(Refusal::Usage(text)) => {
            eprintln!("{text}\n{}", consul_config::usage());
            ExitCode::FAILURE
        }
        Err(Refusal::Start(text)) => {
            eprintln!("==> {text}");
            ExitCode::FAILURE
        }
    }
}

/// Why nothing was started.
enum Refusal {
    Help,
    Usage(String),
    Start(String),
}

/// Everything that can be known before a socket is opened.
struct Prepared {
    flags: AgentFlags,
    config: RuntimeConfig,
    warnings: Vec<String>,
    node_id: String,
    dns: Arc<consul_dns::settings::Settings>,
    logs: Logs,
}

fn prepare(args: Vec<String>) -> Result<Prepared, Refusal> {
    let flags = AgentFlags::parse(args).map_err(|error| match error {
        FlagError::Help => Refusal::Help,
        FlagError::ExtraArguments(_) => Refusal::Start(error.to_string()),
        other => Refusal::Usage(other.to_string()),
    })?;
    let refuse = |error: &dyn std::fmt::Display| Refusal::Start(error.to_string());
    let sources = Sources::read(flags.clone()).map_err(|error| refuse(&error))?;
    let hostname = sources.host.name.clone();
    let loaded = consul_config::load(&sources).map_err(|error| refuse(&error))?;
    let config = loaded.config;
    settings::refuse_unsafe(&config).map_err(Refusal::Start)?;
    let log = settings::log(&config).map_err(Refusal::Start)?;
    let metrics_config = settings::metrics(&config, &hostname).map_err(Refusal::Start)?;
    let dns = settings::dns(&config).map_err(Refusal::Start)?;
    if !config.telemetry.retry_failed_connection {
        metrics_config.check_reachable().map_err(|error| refuse(&error))?;
    }
    if let Some(data_dir) = &config.node.data_dir {
        consul_config::check_data_dir(data_dir, config.server).map_err(Refusal::Start)?;
    }
    let host_id = if config.node.disable_host_node_id { None } else { node_id::host_uuid() };
    let id = node_id::establish(config.node.id.as_ref(), config.node.data_dir.as_deref(), host_id.as_deref())
        .map_err(|error| refuse(&error))?;
    let logs = Logs::install().map_err(|error| refuse(&error))?;
    if !config.log.json {
        print!("{}", banner::text(&config, id.as_str()));
    }
    logs.start(&log).map_err(|error| refuse(&error))?;
    metrics::global().configure(metrics_config);
    let warnings = loaded.warnings.iter().map(ToString::to_string).chain(loaded.unserved).collect();
    Ok(Prepared { flags, config, warnings, node_id: id.to_string(), dns, logs })
}

fn start(prepared: Prepared) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(target: "agent", %error, "Error starting agent");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(live(prepared));
    runtime.shutdown_timeout(SHUTDOWN_LIMIT);
    info!(target: "agent", code, "Exit code");
    ExitCode::from(code)
}

async fn live(prepared: Prepared) -> u8 {
    for warning in &prepared.warnings {
        warn!(target: "agent", "{warning}");
    }
    let json_log = prepared.config.log.json;
    let running = match Running::start(prepared).await {
        Ok(running) => running,
        Err(error) => {
            error!(target: "agent", %error, "Error starting agent");
            return 1;
        }
    };
    if !json_log {
        println!("==> Consul agent running!");
    }
    process::notify_supervisor("READY=1");
    let ending = signals::wait(&running.agent).await;
    process::notify_supervisor("STOPPING=1");
    tokio::select! {
        code = running.end(ending) => code,
        () = signals::again() => 1,
    }
}

/// A running agent and what must be undone at its end.
struct Running {
    agent: Arc<Agent>,
    http: Arc<HttpServer>,
    dns: consul_dns::server::Server,
    /// Answers other agents; servers only.
    rpc: Option<tokio::task::JoinHandle<()>>,
    tasks: TaskTracker,
    metrics_stop: tokio::sync::watch::Sender<bool>,
    _pid_file: Option<PidFile>,
    _socket_files: Vec<SocketFile>,
}

impl Running {
    async fn start(prepared: Prepared) -> Result<Self, String> {
        let Prepared { flags, config, node_id, dns, logs, warnings: _ } = prepared;
        let file_watch = file_watch(&config, &flags)?;
        let open_files = process::raise_open_files_limit();
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let member = local_member(&config, &node_id);
        let (gossip, heard) = Gossip::start(&config, &member).await?;
        let rpc_listener =
            if config.server { Some(listen_rpc(config.network.rpc_bind).await?) } else { None };
        let routes = Arc::new(Servers::new(
            Router::new(config.node.datacenter.as_str()),
            consul_rpc::client::Pool::new(Default::default(), None),
        ));
        let server = if config.server { Some(open_server(&config, &node_id, &routes).await?) } else { None };

        let catalog = CatalogChecks::default();
        let persistence = Persistence::new(config.node.data_dir.clone());
        let services = Services::new(
            settings::services(&config),
            persistence,
            settings::checks(&config)?,
            catalog.clone(),
        );
        services.set_discard_output(config.checks.discard_output);
        let definitions = services
            .plan_files(&config.service_definitions, &config.check_definitions)
            .map_err(|error| error.to_string())?;
        services.apply_files(definitions).map_err(|error| error.to_string())?;
        services.restore_saved();

        let watches = crate::watches::parse(&config).map_err(|error| error.to_string())?;

        let pid_file = config.process.pid_file.as_deref().map(create_pid_file).transpose()?;
        let http_listeners = HttpListeners::bind(&config.network.http, &config.network.unix_sockets).await?;
        let dns_listeners = Listeners::bind(&config.network.dns)
            .await
            .map_err(|error| format!("1 error occurred:\n\t* {error}\n\n"))?;

        let agent = Agent::new(Parts {
            identity: Identity {
                node_name: config.node.name.clone(),
                node_id,
                datacenter: config.node.datacenter.clone(),
                advertise: config.network.advertise_lan,
                data_dir: config.node.data_dir.clone(),
            },
            http: settings::http(&config),
            config: Arc::new(config),
            server: server.clone(),
            services,
            dns,
            member: member.clone(),
            logs,
            reload: Reloader::new(flags),
            stop: stop.clone(),
            leave: CancellationToken::new(),
            gossip: Some(gossip.clone()),
            servers: routes.clone(),
        });
        catalog.set(&agent);
        let (mut rpc, mut port) = (None, None);
        if let Some(listener) = rpc_listener {
            let door = Arc::new(RpcDoor(Arc::downgrade(&agent)));
            let answering =
                Arc::new(consul_rpc::server::Server::new(door, settings::rpc_limits(&agent.config.load())));
            port = Some(answering.counters().clone());
            rpc = Some(tokio::spawn(answering.serve(listener, stop.clone())));
        }
        heard.spawn(&agent, &tasks);
        tasks.spawn(routes::run(gossip.clone(), routes.clone(), stop.clone()));
        tasks.spawn(figures::run(gossip.clone(), port, stop.clone()));
        if !agent.config.load().gossip.disable_coordinates {
            tasks.spawn(whereabouts::run(agent.clone(), gossip.clone(), stop.clone()));
        }
        if let Some(server) = server {
            let members = Arc::new(GossipMembers::new(gossip.clone(), routes.clone(), agent.node_name()));
            let period = settings::coordinate_period(&agent.config.load());
            tasks.spawn(coordinates::run(server.clone(), period, stop.clone()));
            tasks.spawn(watchdog::run(server.clone(), stop.clone()));
            tasks.spawn(figures::follow_roles(server.clone(), stop.clone()));
            if let Some(data_dir) = lasting_data_dir(&agent.config.load()) {
                tasks.spawn(rejoin::run(data_dir.into(), stop.clone()));
            }
            tasks.spawn(duties::run(server, members, stop.clone()));
            tasks.spawn(flood::run(gossip.clone(), agent.identity.datacenter.clone(), stop.clone()));
        } else {
            tasks.spawn(rebalance::run(gossip.clone(), routes.clone(), stop.clone()));
        }
        if let Some(watch) = file_watch {
            tasks.spawn(auto_reload::run(agent.clone(), watch));
        }
        tasks.spawn(gauges::run(agent.clone(), stop.clone()));
        tasks.spawn(crate::memory::run(stop.clone()));
        tasks.spawn(sync::run(agent.clone(), stop.clone()));
        tasks.spawn(reap::run(agent.clone(), stop.clone()));
        agent.watches.replace(&agent, watches);
        let (metrics_stop, metrics_stopped) = tokio::sync::watch::channel(false);
        tasks.spawn(metrics::run(metrics::global().clone(), metrics_stopped));

        let http =
            HttpServer::new(agent.clone(), open_files.saturating_sub(RESERVED_FILES).max(16), stop.clone());
        let socket_files = http_listeners.serve(&http);
        let dns = dns_listeners.serve(Arc::new(DnsBackend(agent.clone())), ServerLimits::default());
        let running = Self {
            agent,
            http,
            dns,
            rpc,
            tasks,
            metrics_stop,
            _pid_file: pid_file,
            _socket_files: socket_files,
        };
        match entry::enter(&running.agent, &running.tasks).await {
            Ok(()) => Ok(running),
            Err(reason) => {
                running.end(Ending::Stop).await;
                Err(reason)
            }
        }
    }

    /// Goes on answering for a while, unless nobody else is there: clients that have not heard yet that this server
    /// leaves still ask it.
    async fn drain(&self) {
        let is_other = |member: &Member| {
            member.status == STATUS_ALIVE && !member.name.eq_ignore_ascii_case(self.agent.node_name())
        };
        if !self.agent.lan_members().iter().any(is_other) {
            return;
        }
        let drain_time = self.agent.config.load().raft.leave_drain_time;
        info!(target: "agent.server", ?drain_time, "Waiting to drain RPC traffic");
        tokio::select! {
            () = tokio::time::sleep(drain_time) => {}
            () = self.agent.stop.cancelled() => {}
        }
    }

    /// Ends everything in order; returns the exit code.
    async fn end(self, ending: Ending) -> u8 {
        let started = Instant::now();
        if ending == Ending::Leave {
            info!(target: "agent", "Gracefully shutting down agent...");
            self.agent.leave_cluster().await;
            if self.agent.server.is_some() {
                self.drain().await;
            }
        } else {
            self.agent.stop_leading().await;
        }
        info!(target: "agent", "Requesting shutdown");
        if ending == Ending::Stop {
            warn!(target: "agent.serf.lan", "serf: Shutdown without a Leave");
        }
        self.agent.services.stop_checks();
        self.agent.logs.close_monitors();
        self.agent.stop.cancel();
        let doors = async {
            tokio::join!(self.http.drained(), self.dns.stop());
        };
        if tokio::time::timeout(SHUTDOWN_LIMIT, doors).await.is_err() {
            warn!(target: "agent", "some connections did not end in time");
        }
        info!(target: "agent", "Endpoints down");
        // Nobody listens any more if the task has ended already.
        let _ = self.metrics_stop.send(true);
        // Whoever follows the pools ends with them.
        self.agent.end_gossip().await;
        self.tasks.close();
        let tasks = async {
            tokio::join!(self.tasks.wait(), self.agent.watches.stop(), self.agent.exec.drained());
        };
        if tokio::time::timeout(SHUTDOWN_LIMIT, tasks).await.is_err() {
            warn!(target: "agent", "some tasks did not end in time");
        }
        if let Some(rpc) = self.rpc
            && rpc.await.is_err()
        {
            warn!(target: "agent.server", "the server port did not end well");
        }
        if let Some(server) = &self.agent.server {
            server.raft.shutdown().await;
            info!(target: "agent.server", "shutdown complete");
        }
        info!(target: "agent", took = ?started.elapsed(), "Graceful exit completed");
        ending.exit_code()
    }
}

/// Watches what the configuration was read from, if that is wanted.
fn file_watch(config: &RuntimeConfig, flags: &AgentFlags) -> Result<Option<FileWatch>, String> {
    if !config.process.auto_reload || flags.config_paths.is_empty() {
        return Ok(None);
    }
    let watch = FileWatch::new(&flags.config_paths);
    watch.map(Some).map_err(|error| format!("cannot watch the configuration files: {error}"))
}

/// Where a server keeps what must survive a restart.
fn lasting_data_dir(config: &RuntimeConfig) -> Option<&Path> {
    config.node.data_dir.as_deref().filter(|_| !config.dev_mode)
}

fn create_pid_file(path: &Path) -> Result<PidFile, String> {
    PidFile::create(path).map_err(|error| {
        format!("Could not open pid file: open {}: {}", path.display(), crate::listeners::os_text(&error))
    })
}

pub(crate) fn local_member(config: &RuntimeConfig, node_id: &str) -> LocalMember {
    LocalMember {
        node_name: config.node.name.clone(),
        node_id: node_id.to_owned(),
        datacenter: config.node.datacenter.clone(),
        address: config.network.advertise_lan,
        server_port: config.ports.server,
        serf_lan_port: config.ports.serf_lan,
        serf_wan_port: config.ports.serf_wan.filter(|_| config.server),
        bootstrap: config.bootstrap.is_alone(),
        expect: config.bootstrap.expect,
        acls_enabled: config.acl.enabled,
        remembered_for: Some(config.gossip.advertise_reconnect_timeout).filter(|time| !time.is_zero()),
    }
}

/// Opens the port where other agents call this server.
async fn listen_rpc(address: std::net::SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| {
        let reason = crate::listeners::os_text(&error);
        format!(
            "Failed to start Consul server: Failed to start RPC layer: listen tcp {address}: bind: {reason}"
        )
    })
}

/// Opens the replicated log and recovers the state.
pub(crate) async fn open_server(
    config: &RuntimeConfig,
    node_id: &str,
    routes: &Arc<Servers>,
) -> Result<Arc<Server>, String> {
    let me = Peer {
        id: node_id.parse().map_err(|error: consul_raft::ParseServerIdError| error.to_string())?,
        address: config.network.rpc_advertise.to_string(),
    };
    if let Some(data_dir) = lasting_data_dir(config) {
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        rejoin::check(data_dir, config.node.server_rejoin_age_max, now)?;
    }
    let bootstrap_entries = bootstrap::entries(config)?;
    let storage = match &config.node.data_dir {
        Some(dir) if !config.dev_mode => Storage::Disk(dir.join(RAFT_DIRECTORY)),
        _ => Storage::Memory,
    };
    let alone = entry::waits(config).is_none();
    let mut raft = RaftConfig::single(me, storage);
    if !alone {
        raft.bootstrap = Bootstrap::Join;
    }
    raft.timing = Timing::for_multiplier(config.raft.multiplier);
    raft.snapshots = settings::snapshots(config);
    let store = Arc::new(Store::new());
    let leader = Arc::new(Leader::default());
    let machine = Arc::new(Machine::new(store.clone(), leader.clone()));
    let may_speak = watch::Sender::default();
    let calls = Arc::new(RaftCalls::new(routes.clone(), may_speak.subscribe()));
    let raft = RaftHandle::open(raft, machine, calls).await.map_err(|error| chain(&error))?;
    Ok(Arc::new(Server {
        store,
        raft,
        leader,
        datacenter: config.node.datacenter.clone(),
        address: config.network.rpc_advertise.to_string(),
        session_ttl_min: config.queries.session_ttl_min,
        coordinates: Coordinates::default(),
        autopilot: settings::autopilot(config),
        bootstrap_entries: ArcSwap::from_pointee(bootstrap_entries),
        limits: RequestLimits::new(&config.limits, Instant::now()),
        blocking: Default::default(),
        may_speak,
    }))
}

/// An error with all its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
