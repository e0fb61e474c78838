//! Figures that are looked up steadily instead of being counted: memory, tasks, the size of the state, the host.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use consul_telemetry::metrics::{Gauge, gauge, gauge_with};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::agent::Agent;
use crate::host::cpu::{CpuTimes, Load};
use crate::host::disk::Disk;
use crate::host::memory::{Memory, Resident};
use crate::host::system;
use crate::server::Server;

/// Twice within each interval of the metrics.
const PERIOD: Duration = Duration::from_secs(5);

/// Sets all gauges again and again, until `stop`.
pub async fn run(agent: Arc<Agent>, stop: CancellationToken) {
    let config = agent.config.load_full();
    let process = Process::new();
    let state = agent.server.as_ref().map(|_| State::new(&agent.identity.datacenter));
    let data_dir = config.node.data_dir.clone();
    let mut host = config.telemetry.enable_host_metrics.then(|| Host::new(data_dir));
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        process.look();
        if let (Some(state), Some(server)) = (&state, &agent.server) {
            state.look(server, &agent);
        }
        if let Some(host) = &mut host {
            host.look();
        }
    }
}

/// This process. Without a garbage collector what counts as allocated is what the system keeps for this process alone.
struct Process {
    alloc: Gauge,
    sys: Gauge,
    tasks: Gauge,
}

impl Process {
    fn new() -> Self {
        Self {
            alloc: gauge("runtime.alloc_bytes"),
            sys: gauge("runtime.sys_bytes"),
            // The name that dashboards know; tasks are what this runtime has in the place of goroutines.
            tasks: gauge("runtime.num_goroutines"),
        }
    }

    fn look(&self) {
        let resident = Resident::read();
        self.alloc.set(resident.total.saturating_sub(resident.shared) as f64);
        self.sys.set(resident.total as f64);
        self.tasks.set(tokio::runtime::Handle::current().metrics().num_alive_tasks() as f64);
    }
}

/// A server's state and log.
struct State {
    nodes: Gauge,
    services: Gauge,
    instances: Gauge,
    kv_entries: Gauge,
    servers: Gauge,
    clients: Gauge,
    applied_index: Gauge,
    last_index: Gauge,
    sessions: Gauge,
    blocking: Gauge,
}

impl State {
    fn new(datacenter: &str) -> Self {
        let of = |name: &str| gauge_with(name, &[("datacenter", datacenter)]);
        Self {
            nodes: of("state.nodes"),
            services: of("state.services"),
            instances: of("state.service_instances"),
            kv_entries: of("state.kv_entries"),
            servers: of("members.servers"),
            clients: of("members.clients"),
            applied_index: gauge("raft.applied_index"),
            last_index: gauge("raft.last_index"),
            sessions: gauge("session_ttl.active"),
            blocking: gauge("rpc.queries_blocking"),
        }
    }

    fn look(&self, server: &Server, agent: &Agent) {
        let version = server.store.version();
        let (nodes, services, instances) = version.catalog_counts();
        self.nodes.set(nodes as f64);
        self.services.set(services as f64);
        self.instances.set(instances as f64);
        self.kv_entries.set(version.kv_count() as f64);
        let members = agent.lan_members();
        let is_server = |role: Option<&String>| role.is_some_and(|role| role == "consul");
        let servers = members.iter().filter(|member| is_server(member.tags.get("role"))).count();
        self.servers.set(servers as f64);
        self.clients.set((members.len() - servers) as f64);
        let log = server.raft.metrics();
        self.applied_index.set(log.applied_index as f64);
        self.last_index.set(log.last_log_index as f64);
        self.sessions.set(server.leader.session_count() as f64);
        self.blocking.set(server.blocking_reads() as f64);
    }
}

/// The machine, for operators who collect nothing but the agent's metrics.
struct Host {
    data_dir: PathBuf,
    memory: [Gauge; 4],
    uptime: Gauge,
    /// Of all processors together.
    cpu: [Gauge; 5],
    disk: [Gauge; 5],
    times: CpuTimes,
}

impl Host {
    fn new(data_dir: Option<PathBuf>) -> Self {
        let data_dir = data_dir.unwrap_or_else(|| Path::new("/").to_owned());
        let path = data_dir.display().to_string();
        let memory = ["total", "available", "used", "used_percent"];
        let cpu = ["total", "user", "idle", "iowait", "system"];
        let disk = ["size", "used", "available", "used_percent", "inodes_percent"];
        Self {
            memory: memory.map(|name| gauge(&format!("host.memory.{name}"))),
            uptime: gauge("host.uptime"),
            cpu: cpu.map(|name| gauge_with(&format!("host.cpu.{name}"), &[("cpu", "cpu-total")])),
            disk: disk.map(|name| gauge_with(&format!("host.disk.{name}"), &[("path", &path)])),
            times: CpuTimes::read(),
            data_dir,
        }
    }

    fn look(&mut self) {
        let memory = Memory::read();
        let figures = [memory.total as f64, memory.available as f64, memory.used as f64, memory.used_percent];
        set(&self.memory, figures);
        self.uptime.set(system::uptime() as f64);
        let times = CpuTimes::read();
        if let Some(Load { busy, user, idle, iowait, system }) = times.since(&self.times) {
            set(&self.cpu, [busy, user, idle, iowait, system]);
        }
        self.times = times;
        if let Ok(disk) = Disk::read(&self.data_dir) {
            let [size, used, free] = [disk.total, disk.used, disk.free].map(|bytes| bytes as f64);
            set(&self.disk, [size, used, free, disk.used_percent, disk.inodes_used_percent]);
        }
    }
}

fn set<const N: usize>(gauges: &[Gauge; N], values: [f64; N]) {
    for (gauge, value) in gauges.iter().zip(values) {
        gauge.set(value);
    }
}
