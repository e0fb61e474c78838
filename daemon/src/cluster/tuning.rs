//! The gossip pools as the configuration wants them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use consul_api::types::duration::GoDuration;
use consul_config::RuntimeConfig;
use consul_gossip::serf::{self, Admission, Hooks, Member, MemberStatus};
use consul_gossip::{Keyring, swim};

use super::keyring_file::{KeyringFile, KeyringFileError};
use super::vetting::{LanRules, Newcomer, refuse_wan};
use crate::members::{LocalMember, RECONNECT_TAG};

/// Below the data directory.
const LAN_KEYS: &str = "serf/local.keyring";
const WAN_KEYS: &str = "serf/remote.keyring";
const LAN_SNAPSHOT: &str = "serf/local.snapshot";
const WAN_SNAPSHOT: &str = "serf/remote.snapshot";

/// Everything that starting one pool takes.
pub struct PoolSetup {
    /// `LAN` or `WAN`, for log lines.
    pub label: &'static str,
    pub bind: SocketAddr,
    pub swim: swim::Config,
    pub serf: serf::Config,
    pub hooks: Hooks,
    pub keyring: Option<Keyring>,
    /// Where known members are written down, for coming back after a restart.
    pub snapshot: Option<std::path::PathBuf>,
    pub rejoin_after_leave: bool,
}

/// The pool of this datacenter.
pub fn lan(config: &RuntimeConfig, me: &LocalMember) -> Result<PoolSetup, KeyringFileError> {
    let network = &config.network;
    let member = me.lan(config.server);
    let swim = swim::Config::lan(member.name.as_str(), network.serf_advertise_lan);
    let mut swim = paced(swim, &config.gossip.lan, config);
    swim.allowed_networks = networks(&config.gossip.allowed_cidrs_lan);
    let rules = LanRules {
        own_name: me.node_name.clone(),
        own_id: me.node_id.clone(),
        datacenter: me.datacenter.clone(),
        server: config.server,
    };
    let mut setup = PoolSetup {
        label: "LAN",
        bind: network.serf_bind_lan,
        swim,
        serf: serf::Config {
            tags: member.tags,
            reconnect_timeout: config.gossip.reconnect_timeout,
            coordinates: !config.gossip.disable_coordinates,
            resolve_name_conflicts: true,
            ..serf::Config::default()
        },
        hooks: Hooks {
            admission: Some(Arc::new(LanAdmission(rules))),
            reconnect_timeout: Some(Arc::new(own_wish)),
            save_keyring: None,
        },
        keyring: None,
        snapshot: path(config, LAN_SNAPSHOT),
        rejoin_after_leave: config.join.rejoin_after_leave,
    };
    add_keys(&mut setup, config, LAN_KEYS)?;
    Ok(setup)
}

/// The pool of all servers; `None` on clients and where federation is off.
pub fn wan(config: &RuntimeConfig, me: &LocalMember) -> Result<Option<PoolSetup>, KeyringFileError> {
    let network = &config.network;
    let (Some(member), Some(bind), Some(advertise)) =
        (me.wan(), network.serf_bind_wan, network.serf_advertise_wan)
    else {
        return Ok(None);
    };
    let swim = swim::Config::wan(member.name.as_str(), advertise);
    let mut swim = paced(swim, &config.gossip.wan, config);
    swim.allowed_networks = networks(&config.gossip.allowed_cidrs_wan);
    let mut setup = PoolSetup {
        label: "WAN",
        bind,
        swim,
        serf: serf::Config {
            tags: member.tags,
            reconnect_timeout: config.gossip.reconnect_timeout_wan,
            coordinates: !config.gossip.disable_coordinates,
            resolve_name_conflicts: true,
            ..serf::Config::default()
        },
        hooks: Hooks { admission: Some(Arc::new(WanAdmission)), ..Hooks::default() },
        keyring: None,
        snapshot: path(config, WAN_SNAPSHOT),
        rejoin_after_leave: config.join.rejoin_after_leave,
    };
    add_keys(&mut setup, config, WAN_KEYS)?;
    Ok(Some(setup))
}

fn paced(base: swim::Config, pace: &consul_config::GossipTiming, config: &RuntimeConfig) -> swim::Config {
    swim::Config {
        gossip_interval: pace.gossip_interval,
        gossip_nodes: pace.gossip_nodes as usize,
        probe_interval: pace.probe_interval,
        probe_timeout: pace.probe_timeout,
        retransmit_mult: pace.retransmit_mult,
        suspicion_mult: pace.suspicion_mult,
        verify_incoming: config.gossip.encrypt_verify_incoming,
        verify_outgoing: config.gossip.encrypt_verify_outgoing,
        ..base
    }
}

fn networks(allowed: &[ipnet::IpNet]) -> Option<Vec<ipnet::IpNet>> {
    (!allowed.is_empty()).then(|| allowed.to_vec())
}

/// A path below the data directory, where this agent keeps anything on disk.
fn path(config: &RuntimeConfig, name: &str) -> Option<std::path::PathBuf> {
    config.node.data_dir.as_ref().filter(|_| !config.dev_mode).map(|dir| dir.join(name))
}

/// The keys in the file win over the configured one, which only begins the file: keys are changed in a running
/// cluster, and the configuration does not hear of it.
fn add_keys(setup: &mut PoolSetup, config: &RuntimeConfig, name: &str) -> Result<(), KeyringFileError> {
    let configured =
        config.gossip.encrypt.as_ref().and_then(|key| consul_gossip::keyring::Key::new(key.bytes()).ok());
    let file = path(config, name).filter(|_| !config.gossip.disable_keyring_file).map(KeyringFile::new);
    let stored = file.as_ref().map(KeyringFile::load).transpose()?.flatten();
    if let (Some(ring), Some(key)) = (&stored, &configured)
        && !ring.contains(key)
    {
        tracing::warn!(
            target: "agent", keyring = setup.label,
            "keyring doesn't include key provided with -encrypt, using keyring"
        );
    }
    setup.keyring = match (stored, configured) {
        (Some(ring), _) => Some(ring),
        (None, Some(key)) => {
            let ring = Keyring::new(key);
            if let Some(file) = &file {
                file.save(&ring)?;
            }
            Some(ring)
        }
        (None, None) => None,
    };
    if let Some(file) = file {
        setup.hooks.save_keyring =
            Some(Arc::new(move |ring| file.save(ring).map_err(|error| error.to_string())));
    }
    Ok(())
}

fn own_wish(member: &Member) -> Option<Duration> {
    let wish: GoDuration = member.tag(RECONNECT_TAG)?.parse().ok()?;
    (wish.0 > 0).then(|| wish.to_std())
}

struct LanAdmission(LanRules);

impl Admission for LanAdmission {
    fn admit(&self, member: &Member) -> Result<(), String> {
        self.check(member, [])
    }

    fn admit_all(&self, members: &[Member]) -> Result<(), String> {
        let mut ids: BTreeMap<&str, &str> = BTreeMap::new();
        for member in members.iter().filter(|member| is_present(member)) {
            let id = member.tag("id").unwrap_or_default();
            let twin = ids.get(id).filter(|_| !id.is_empty()).map(|other| (*other, id));
            self.check(member, twin)?;
            ids.insert(id, &member.name);
        }
        Ok(())
    }

    fn admit_beside(&self, member: &Member, others: &mut dyn Iterator<Item = &Member>) -> Result<(), String> {
        self.check(member, others.map(|other| (&*other.name, other.tag("id").unwrap_or_default())))
    }
}

/// A node that failed may come back under another name.
fn is_present(member: &Member) -> bool {
    !matches!(member.status, MemberStatus::Left | MemberStatus::Failed)
}

impl LanAdmission {
    fn check<'m>(
        &self,
        member: &Member,
        others: impl IntoIterator<Item = (&'m str, &'m str)>,
    ) -> Result<(), String> {
        let newcomer = Newcomer { name: &member.name, tags: &member.tags };
        self.0.refuse(newcomer, others).map_or(Ok(()), Err)
    }
}

struct WanAdmission;

impl Admission for WanAdmission {
    fn admit(&self, member: &Member) -> Result<(), String> {
        refuse_wan(Newcomer { name: &member.name, tags: &member.tags }).map_or(Ok(()), Err)
    }
}
