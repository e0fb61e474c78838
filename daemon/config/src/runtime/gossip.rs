//! Membership: pace, encryption and who may take part.

use super::Context;
use crate::section::Section;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use std::fmt;
use std::time::Duration;

/// Pace of one gossip pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GossipTiming {
    /// Pause between gossip messages.
    pub gossip_interval: Duration,
    /// Members each message goes to.
    pub gossip_nodes: u32,
    /// Pause between probes. Low: packets. High: slow detection.
    pub probe_interval: Duration,
    /// Wait for an ack. Below the usual round trip it makes healthy members flap.
    pub probe_timeout: Duration,
    /// Multiplier of the number of retransmissions.
    pub retransmit_mult: u32,
    /// Multiplier of the time a suspect has to refute.
    pub suspicion_mult: u32,
}

impl GossipTiming {
    /// Within a datacenter.
    pub fn lan() -> Self {
        Self {
            gossip_interval: Duration::from_millis(200),
            gossip_nodes: 3,
            probe_interval: Duration::from_secs(1),
            probe_timeout: Duration::from_millis(500),
            retransmit_mult: 4,
            suspicion_mult: 4,
        }
    }

    /// Between datacenters.
    pub fn wan() -> Self {
        Self {
            gossip_interval: Duration::from_millis(500),
            gossip_nodes: 3,
            probe_interval: Duration::from_secs(5),
            probe_timeout: Duration::from_secs(3),
            retransmit_mult: 4,
            suspicion_mult: 6,
        }
    }

    fn read(section: &Section<'_>, defaults: Self) -> Self {
        Self {
            gossip_interval: section.duration("gossip_interval").unwrap_or(defaults.gossip_interval),
            gossip_nodes: section.count("gossip_nodes").unwrap_or(defaults.gossip_nodes),
            probe_interval: section.duration("probe_interval").unwrap_or(defaults.probe_interval),
            probe_timeout: section.duration("probe_timeout").unwrap_or(defaults.probe_timeout),
            retransmit_mult: section.count("retransmit_mult").unwrap_or(defaults.retransmit_mult),
            suspicion_mult: section.count("suspicion_mult").unwrap_or(defaults.suspicion_mult),
        }
    }
}

/// A gossip encryption key of 16, 24 or 32 bytes. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptKey(Vec<u8>);

impl EncryptKey {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for EncryptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GossipConfig {
    pub lan: GossipTiming,
    pub wan: GossipTiming,
    pub encrypt: Option<EncryptKey>,
    /// Refuse plain messages.
    pub encrypt_verify_incoming: bool,
    /// Send only encrypted messages.
    pub encrypt_verify_outgoing: bool,
    pub disable_keyring_file: bool,
    /// Networks LAN gossip is taken from; empty is all.
    pub allowed_cidrs_lan: Vec<IpNet>,
    pub allowed_cidrs_wan: Vec<IpNet>,
    /// How long a failed member is remembered.
    pub reconnect_timeout: Duration,
    pub reconnect_timeout_wan: Duration,
    /// The same for this client, told to the others; zero leaves it to them.
    pub advertise_reconnect_timeout: Duration,
    pub disable_coordinates: bool,
    /// Gossip protocol version.
    pub protocol: u8,
}

impl Default for GossipConfig {
    fn default() -> Self {
        Self {
            lan: GossipTiming::lan(),
            wan: GossipTiming::wan(),
            encrypt: None,
            encrypt_verify_incoming: true,
            encrypt_verify_outgoing: true,
            disable_keyring_file: false,
            allowed_cidrs_lan: Vec::new(),
            allowed_cidrs_wan: Vec::new(),
            reconnect_timeout: Duration::from_secs(72 * 3600),
            reconnect_timeout_wan: Duration::from_secs(72 * 3600),
            advertise_reconnect_timeout: Duration::ZERO,
            disable_coordinates: false,
            protocol: 2,
        }
    }
}

/// Shorter ones make agents forget members that are merely being repaired.
const RECONNECT_TIMEOUT_ADVISED: Duration = Duration::from_secs(8 * 3600);
const PROTOCOLS: std::ops::RangeInclusive<i64> = 2..=3;

impl GossipConfig {
    pub(super) fn read(root: &Section<'_>, cx: &mut Context<'_>) -> Self {
        let d = Self::default();
        let mut remembered = |key, default| {
            let span = root.duration(key).unwrap_or(default);
            if span < RECONNECT_TIMEOUT_ADVISED {
                cx.warnings.push(format!("{key} is below the recommended minimum of 8h"), root.pos(key));
            }
            span
        };
        Self {
            reconnect_timeout: remembered("reconnect_timeout", d.reconnect_timeout),
            reconnect_timeout_wan: remembered("reconnect_timeout_wan", d.reconnect_timeout_wan),
            lan: GossipTiming::read(&root.block("gossip_lan"), d.lan),
            wan: GossipTiming::read(&root.block("gossip_wan"), d.wan),
            encrypt: encrypt_key(root),
            encrypt_verify_incoming: root
                .flag("encrypt_verify_incoming")
                .unwrap_or(d.encrypt_verify_incoming),
            encrypt_verify_outgoing: root
                .flag("encrypt_verify_outgoing")
                .unwrap_or(d.encrypt_verify_outgoing),
            disable_keyring_file: root.flag("disable_keyring_file").unwrap_or(d.disable_keyring_file),
            allowed_cidrs_lan: cidrs(root, "serf_lan_allowed_cidrs", "serf_lan_allowed_cidrs"),
            allowed_cidrs_wan: cidrs(root, "serf_wan_allowed_cidrs", "serf_wan_allowed_cidrs"),
            advertise_reconnect_timeout: root
                .duration("advertise_reconnect_timeout")
                .unwrap_or(d.advertise_reconnect_timeout),
            disable_coordinates: root.flag("disable_coordinates").unwrap_or(d.disable_coordinates),
            protocol: protocol(root, d.protocol),
        }
    }
}

fn protocol(root: &Section<'_>, default: u8) -> u8 {
    let Some(number) = root.int("protocol").filter(|number| *number != 0) else { return default };
    if PROTOCOLS.contains(&number) {
        return u8::try_from(number).unwrap_or(default);
    }
    let which = if number > *PROTOCOLS.end() { "high" } else { "low" };
    let message = format!(
        "Protocol version '{number}' too {which}. Must be in range: [{}, {}]",
        PROTOCOLS.start(),
        PROTOCOLS.end()
    );
    root.report("protocol", message);
    default
}

fn encrypt_key(root: &Section<'_>) -> Option<EncryptKey> {
    let text = root.text("encrypt").filter(|text| !text.is_empty())?;
    match STANDARD.decode(&text) {
        Ok(bytes) if matches!(bytes.len(), 16 | 24 | 32) => Some(EncryptKey(bytes)),
        Ok(_) => {
            root.report("encrypt", "encrypt has invalid key: key size must be 16, 24 or 32 bytes");
            None
        }
        Err(error) => {
            let at = match error {
                base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => at,
                _ => text.len() / 4 * 4,
            };
            root.report(
                "encrypt",
                format!("encrypt has invalid key: illegal base64 data at input byte {at}"),
            );
            None
        }
    }
}

/// A list of networks in CIDR notation. `label` is how error texts name the key.
pub(super) fn cidrs(section: &Section<'_>, key: &str, label: &str) -> Vec<IpNet> {
    let mut nets = Vec::new();
    for text in section.texts(key) {
        match text.trim().parse::<IpNet>() {
            Ok(net) => nets.push(net.trunc()),
            Err(_) => section.fail_in_words(key, format!("{label}: invalid cidr: {text}")),
        }
    }
    nets
}
