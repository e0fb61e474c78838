//! Consensus: pace, snapshots and the housekeeping of servers.

use super::Context;
use crate::section::Section;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaftConfig {
    /// Raft protocol version.
    pub protocol: u8,
    /// What the base times below were multiplied by.
    pub multiplier: u32,
    pub heartbeat_timeout: Duration,
    pub election_timeout: Duration,
    pub leader_lease_timeout: Duration,
    /// How often to look whether a snapshot is due.
    pub snapshot_interval: Duration,
    /// Log entries after which it is.
    pub snapshot_threshold: u64,
    /// Log entries kept behind a snapshot for followers that lag.
    pub trailing_logs: u64,
    /// How long a request is held while there is no leader.
    pub rpc_hold_timeout: Duration,
    /// How long a leaving server goes on answering.
    pub leave_drain_time: Duration,
}

const MULTIPLIERS: std::ops::RangeInclusive<i64> = 1..=10;
const BASE_TIMEOUT: Duration = Duration::from_secs(1);
const BASE_LEASE: Duration = Duration::from_millis(500);

impl Default for RaftConfig {
    fn default() -> Self {
        Self {
            protocol: 3,
            multiplier: 5,
            heartbeat_timeout: BASE_TIMEOUT * 5,
            election_timeout: BASE_TIMEOUT * 5,
            leader_lease_timeout: BASE_LEASE * 5,
            snapshot_interval: Duration::from_secs(30),
            snapshot_threshold: 16384,
            trailing_logs: 10000,
            rpc_hold_timeout: Duration::from_secs(7),
            leave_drain_time: Duration::from_secs(5),
        }
    }
}

impl RaftConfig {
    pub(super) fn read(root: &Section<'_>, cx: &mut Context<'_>) -> Self {
        let d = Self::default();
        let performance = root.block("performance");
        let multiplier = multiplier(&performance, d.multiplier);
        let mut config = Self {
            protocol: protocol(root, d.protocol, cx),
            multiplier,
            heartbeat_timeout: BASE_TIMEOUT * multiplier,
            election_timeout: BASE_TIMEOUT * multiplier,
            leader_lease_timeout: BASE_LEASE * multiplier,
            snapshot_interval: root.duration("raft_snapshot_interval").unwrap_or(d.snapshot_interval),
            snapshot_threshold: root.count("raft_snapshot_threshold").unwrap_or(d.snapshot_threshold),
            trailing_logs: root.count("raft_trailing_logs").unwrap_or(d.trailing_logs),
            rpc_hold_timeout: performance.duration("rpc_hold_timeout").unwrap_or(d.rpc_hold_timeout),
            leave_drain_time: performance.duration("leave_drain_time").unwrap_or(d.leave_drain_time),
        };
        if cx.dev {
            // Nobody waits for a lone server on a loopback address.
            config.heartbeat_timeout = Duration::from_millis(35);
            config.election_timeout = Duration::from_millis(52);
            config.leader_lease_timeout = Duration::from_millis(20);
        }
        config
    }
}

fn multiplier(section: &Section<'_>, default: u32) -> u32 {
    let Some(number) = section.int("raft_multiplier") else { return default };
    if !MULTIPLIERS.contains(&number) {
        let message = format!(
            "performance.raft_multiplier cannot be {number}. Must be between 1 and {}",
            MULTIPLIERS.end()
        );
        section.report("raft_multiplier", message);
        return default;
    }
    u32::try_from(number).unwrap_or(default)
}

fn protocol(root: &Section<'_>, default: u8, cx: &mut Context<'_>) -> u8 {
    match root.int("raft_protocol") {
        None | Some(0 | 3) => {}
        Some(number @ (1 | 2)) => {
            let message =
                format!("raft_protocol version {number} is no longer spoken; version 3 is used instead");
            cx.warnings.push(message, root.pos("raft_protocol"));
        }
        Some(number) => {
            let message =
                format!("raft_protocol version {number} is not supported by this version of Consul");
            root.report("raft_protocol", message);
        }
    }
    default
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutopilotConfig {
    pub cleanup_dead_servers: bool,
    /// Silence after which a server counts as unhealthy.
    pub last_contact_threshold: Duration,
    /// Log entries a healthy server may lag behind.
    pub max_trailing_logs: u64,
    /// Dead servers are kept if removing them would leave fewer.
    pub min_quorum: u32,
    /// Health a new server must show before it votes.
    pub server_stabilization_time: Duration,
    /// The following three are stored and returned, nothing more.
    pub redundancy_zone_tag: String,
    pub disable_upgrade_migration: bool,
    pub upgrade_version_tag: String,
}

impl Default for AutopilotConfig {
    fn default() -> Self {
        Self {
            cleanup_dead_servers: true,
            last_contact_threshold: Duration::from_millis(200),
            max_trailing_logs: 250,
            min_quorum: 0,
            server_stabilization_time: Duration::from_secs(10),
            redundancy_zone_tag: String::new(),
            disable_upgrade_migration: false,
            upgrade_version_tag: String::new(),
        }
    }
}

impl AutopilotConfig {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let d = Self::default();
        Self {
            cleanup_dead_servers: section.flag("cleanup_dead_servers").unwrap_or(d.cleanup_dead_servers),
            last_contact_threshold: section
                .duration("last_contact_threshold")
                .unwrap_or(d.last_contact_threshold),
            max_trailing_logs: section.count("max_trailing_logs").unwrap_or(d.max_trailing_logs),
            min_quorum: section.count("min_quorum").unwrap_or(d.min_quorum),
            server_stabilization_time: section
                .duration("server_stabilization_time")
                .unwrap_or(d.server_stabilization_time),
            redundancy_zone_tag: section.text_or_empty("redundancy_zone_tag"),
            disable_upgrade_migration: section
                .flag("disable_upgrade_migration")
                .unwrap_or(d.disable_upgrade_migration),
            upgrade_version_tag: section.text_or_empty("upgrade_version_tag"),
        }
    }
}
