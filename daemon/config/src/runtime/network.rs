//! Addresses and ports: what to listen on and what to tell others.

use super::Context;
use crate::addr_template::{self, ranges};
use crate::host::Interface;
use crate::section::Section;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Where a client listener is bound: an address or a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenHost {
    Ip(IpAddr),
    Unix(PathBuf),
}

/// A complete place to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenAddr {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// A pool of ports; both ends absent if it is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    pub min: Option<u16>,
    pub max: Option<u16>,
}

/// Port numbers; an absent one is switched off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    pub dns: Option<u16>,
    pub http: Option<u16>,
    pub https: Option<u16>,
    pub grpc: Option<u16>,
    pub grpc_tls: Option<u16>,
    pub server: u16,
    pub serf_lan: u16,
    /// Absent: no federation.
    pub serf_wan: Option<u16>,
    pub sidecar: PortRange,
    pub expose: PortRange,
    pub proxy: PortRange,
}

impl Default for Ports {
    fn default() -> Self {
        let range = |min, max| PortRange { min: Some(min), max: Some(max) };
        Self {
            dns: Some(8600),
            http: Some(8500),
            https: None,
            grpc: None,
            grpc_tls: None,
            server: 8300,
            serf_lan: 8301,
            serf_wan: Some(8302),
            sidecar: range(21000, 21255),
            expose: range(21500, 21755),
            proxy: range(20000, 20255),
        }
    }
}

impl Ports {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let defaults = Self::default();
        let optional = |key, default| port(section, key).unwrap_or(default);
        let required = |key, default| match port(section, key) {
            Some(Some(port)) => port,
            Some(None) => {
                section.fail(key, "this port cannot be switched off");
                default
            }
            None => default,
        };
        let range = |name: &'static str, min, max, default: PortRange| {
            let range = PortRange { min: optional(min, default.min), max: optional(max, default.max) };
            if range.min.unwrap_or(0) > range.max.unwrap_or(0) {
                let message = format!(
                    "{name}_min_port must be less than {name}_max_port. To disable, set both to zero."
                );
                section.report(min, message);
            }
            range
        };
        Self {
            dns: optional("dns", defaults.dns),
            http: optional("http", defaults.http),
            https: optional("https", defaults.https),
            grpc: optional("grpc", defaults.grpc),
            grpc_tls: optional("grpc_tls", defaults.grpc_tls),
            server: required("server", defaults.server),
            serf_lan: required("serf_lan", defaults.serf_lan),
            serf_wan: optional("serf_wan", defaults.serf_wan),
            sidecar: range("sidecar", "sidecar_min_port", "sidecar_max_port", defaults.sidecar),
            expose: range("expose", "expose_min_port", "expose_max_port", defaults.expose),
            proxy: range("proxy", "proxy_min_port", "proxy_max_port", defaults.proxy),
        }
    }
}

/// Zero and less switch a port off.
fn port(section: &Section<'_>, key: &str) -> Option<Option<u16>> {
    let number = section.int(key)?;
    if number <= 0 {
        return Some(None);
    }
    match u16::try_from(number) {
        Ok(port) => Some(Some(port)),
        Err(_) => {
            section.fail(key, format!("invalid port: {number}"));
            None
        }
    }
}

/// Ownership and permissions of socket files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnixSockets {
    /// Name or number.
    pub user: Option<String>,
    /// Number.
    pub group: Option<String>,
    /// Permission bits.
    pub mode: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    pub bind_addr: IpAddr,
    pub client_addrs: Vec<ListenHost>,
    pub advertise_lan: IpAddr,
    pub advertise_wan: IpAddr,
    pub serf_bind_lan: SocketAddr,
    /// Absent on clients and where federation is off.
    pub serf_bind_wan: Option<SocketAddr>,
    pub serf_advertise_lan: SocketAddr,
    pub serf_advertise_wan: Option<SocketAddr>,
    pub rpc_bind: SocketAddr,
    pub rpc_advertise: SocketAddr,
    pub dns: Vec<SocketAddr>,
    pub http: Vec<ListenAddr>,
    pub https: Vec<ListenAddr>,
    pub grpc: Vec<ListenAddr>,
    pub grpc_tls: Vec<ListenAddr>,
    /// Always holds `lan` and `wan` and the same by address family.
    pub tagged_addresses: BTreeMap<String, String>,
    pub unix_sockets: UnixSockets,
    /// Answer queries from other datacenters with WAN addresses.
    pub translate_wan_addrs: bool,
}

impl Network {
    pub(super) fn read(root: &Section<'_>, ports: &Ports, cx: &mut Context<'_>) -> Self {
        let hosts = Hosts { interfaces: &cx.host.interfaces };
        let bind_addr = hosts.bind(root);
        let advertise_lan = hosts.advertise(root, bind_addr);
        let advertise_wan = hosts.advertise_wan(root).unwrap_or(advertise_lan);
        let serf_lan = hosts.one(root, "serf_lan").unwrap_or(bind_addr);
        let serf_wan = hosts.one(root, "serf_wan").unwrap_or(bind_addr);
        let wan_port = ports.serf_wan.filter(|_| cx.server);
        let client_addrs = hosts.clients(root, cx);

        let hosts = Hosts { interfaces: &cx.host.interfaces };
        let addresses = root.block("addresses");
        let listen = |key, port: Option<u16>| -> Vec<ListenAddr> {
            // Read even where the port is off: a bad address is a mistake either way.
            let places = hosts.many(&addresses, key).unwrap_or_else(|| client_addrs.clone());
            let Some(port) = port else { return Vec::new() };
            places.into_iter().map(|place| complete(place, port)).collect()
        };
        let mut dns = Vec::new();
        for place in listen("dns", ports.dns) {
            match place {
                ListenAddr::Tcp(address) => dns.push(address),
                ListenAddr::Unix(_) => addresses.report("dns", "DNS address cannot be a unix socket"),
            }
        }
        Self {
            serf_bind_lan: SocketAddr::new(serf_lan, ports.serf_lan),
            serf_bind_wan: wan_port.map(|port| SocketAddr::new(serf_wan, port)),
            serf_advertise_lan: SocketAddr::new(advertise_lan, ports.serf_lan),
            serf_advertise_wan: wan_port.map(|port| SocketAddr::new(advertise_wan, port)),
            rpc_bind: SocketAddr::new(bind_addr, ports.server),
            rpc_advertise: SocketAddr::new(advertise_lan, ports.server),
            dns,
            http: listen("http", ports.http),
            https: listen("https", ports.https),
            grpc: listen("grpc", ports.grpc),
            grpc_tls: listen("grpc_tls", ports.grpc_tls),
            tagged_addresses: hosts.tagged(root, advertise_lan, advertise_wan),
            unix_sockets: unix_sockets(&root.block("unix_sockets")),
            translate_wan_addrs: root.flag("translate_wan_addrs").unwrap_or(false),
            bind_addr,
            client_addrs,
            advertise_lan,
            advertise_wan,
        }
    }
}

fn complete(place: ListenHost, port: u16) -> ListenAddr {
    match place {
        ListenHost::Ip(ip) => ListenAddr::Tcp(SocketAddr::new(ip, port)),
        ListenHost::Unix(path) => ListenAddr::Unix(path),
    }
}

fn unix_sockets(section: &Section<'_>) -> UnixSockets {
    let set = |key| section.text(key).filter(|text| !text.is_empty());
    let mode = set("mode").and_then(|text| match u32::from_str_radix(&text, 8) {
        Ok(mode) if mode <= 0o7777 => Some(mode),
        _ => {
            section.fail("mode", format!("invalid file mode: {text:?}"));
            None
        }
    });
    UnixSockets { user: set("user"), group: set("group"), mode }
}

/// Turns the text of an address key into addresses.
struct Hosts<'a> {
    interfaces: &'a [Interface],
}

impl Hosts<'_> {
    /// The addresses of a key, templates expanded. Nothing if the key is not set; bad ones are reported.
    fn many(&self, section: &Section<'_>, key: &str) -> Option<Vec<ListenHost>> {
        let text = section.text(key)?;
        let expanded = match addr_template::expand(&text, self.interfaces) {
            Ok(expanded) => expanded,
            Err(error) => {
                section.fail(key, format!("error parsing {text:?}: {error}"));
                return None;
            }
        };
        let mut hosts = Vec::new();
        for word in expanded.split_whitespace() {
            match parse_host(word) {
                Some(host) => hosts.push(host),
                None => {
                    section.fail(key, format!("invalid ip address: {word}"));
                    return None;
                }
            }
        }
        Some(hosts)
    }

    /// The single IP of a key. Nothing if it is not set or empty.
    fn one(&self, section: &Section<'_>, key: &str) -> Option<IpAddr> {
        let hosts = self.many(section, key)?;
        match hosts.as_slice() {
            [] => None,
            [ListenHost::Ip(ip)] => Some(*ip),
            [ListenHost::Unix(_)] => {
                section.fail(key, "cannot be a unix socket");
                None
            }
            several => {
                let shown = several.iter().map(|host| match host {
                    ListenHost::Ip(ip) => ip.to_string(),
                    ListenHost::Unix(path) => path.display().to_string(),
                });
                let shown = shown.collect::<Vec<_>>().join(" ");
                section.fail(key, format!("multiple addresses found: {shown}"));
                None
            }
        }
    }

    fn bind(&self, root: &Section<'_>) -> IpAddr {
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let Some(text) = root.text("bind_addr") else { return any };
        let expanded = addr_template::expand(&text, self.interfaces).unwrap_or_default();
        let words: Vec<&str> = expanded.split_whitespace().collect();
        let complaint = match words.as_slice() {
            [word] => match parse_host(word) {
                Some(ListenHost::Ip(ip)) => return ip,
                Some(ListenHost::Unix(_)) => "bind_addr cannot be a unix socket",
                // What a host name gives too: names are not looked up here.
                None => "bind_addr cannot be empty",
            },
            [] => "bind_addr cannot be empty",
            _ => "bind_addr cannot contain multiple addresses. Use 'addresses.{dns,http,https}' instead.",
        };
        root.report("bind_addr", complaint);
        any
    }

    fn advertise(&self, root: &Section<'_>, bind: IpAddr) -> IpAddr {
        if let Some(ip) = self.one(root, "advertise_addr") {
            if ip.is_unspecified() {
                root.report("advertise_addr", "Advertise address cannot be 0.0.0.0, :: or [::]");
            }
            return ip;
        }
        let family = self
            .of_family(root, "advertise_addr_ipv4")
            .or_else(|| self.of_family(root, "advertise_addr_ipv6"));
        if let Some(ip) = family {
            return ip;
        }
        if !bind.is_unspecified() {
            return bind;
        }
        self.detect(root, bind)
    }

    /// The host's only suitable address, for an agent that listens on all of them.
    fn detect(&self, root: &Section<'_>, bind: IpAddr) -> IpAddr {
        let (kind, found): (_, Vec<IpAddr>) = match bind {
            IpAddr::V4(_) => ("private IPv4", self.all().filter(|ip| is_private_v4(*ip)).collect()),
            IpAddr::V6(_) => ("public IPv6", self.all().filter(|ip| is_public_v6(*ip)).collect()),
        };
        match found.as_slice() {
            [ip] => return *ip,
            [] => root.report("bind_addr", format!("No {kind} address found")),
            _ => root.report(
                "bind_addr",
                format!(
                    "Multiple {kind} addresses found. Please configure one with 'bind' and/or 'advertise'."
                ),
            ),
        }
        bind
    }

    fn all(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.interfaces.iter().filter(|interface| !interface.loopback).map(|interface| interface.address)
    }

    fn advertise_wan(&self, root: &Section<'_>) -> Option<IpAddr> {
        let ip = self
            .one(root, "advertise_addr_wan")
            .or_else(|| self.of_family(root, "advertise_addr_wan_ipv4"))
            .or_else(|| self.of_family(root, "advertise_addr_wan_ipv6"))?;
        if ip.is_unspecified() {
            root.report("advertise_addr_wan", "Advertise WAN address cannot be 0.0.0.0, :: or [::]");
        }
        Some(ip)
    }

    /// An address whose key names its family.
    fn of_family(&self, root: &Section<'_>, key: &str) -> Option<IpAddr> {
        let ip = self.one(root, key)?;
        let family = if key.ends_with("ipv4") { "ipv4" } else { "ipv6" };
        if ip.is_ipv4() != (family == "ipv4") {
            root.report(key, format!("{key} must be an {family} address"));
            return None;
        }
        Some(ip)
    }

    fn clients(&self, root: &Section<'_>, cx: &mut Context<'_>) -> Vec<ListenHost> {
        let Some(hosts) = self.many(root, "client_addr") else {
            return vec![ListenHost::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        };
        if hosts.is_empty() {
            let message = "client_addr is empty, client services (DNS, HTTP, HTTPS, GRPC) will not be listening \
                           for connections";
            cx.warnings.push(message, root.pos("client_addr"));
        }
        if hosts.iter().any(|host| matches!(host, ListenHost::Unix(_))) {
            root.report("client_addr", "client_addr cannot be a unix socket");
        }
        hosts
    }

    fn tagged(&self, root: &Section<'_>, lan: IpAddr, wan: IpAddr) -> BTreeMap<String, String> {
        let mut tagged = root.map("tagged_addresses");
        for (name, ip) in [("lan", lan), ("wan", wan)] {
            let family = if ip.is_ipv4() { "ipv4" } else { "ipv6" };
            tagged.insert(name.to_owned(), ip.to_string());
            tagged.insert(format!("{name}_{family}"), ip.to_string());
        }
        for (key, name) in [
            ("advertise_addr_ipv4", "lan_ipv4"),
            ("advertise_addr_ipv6", "lan_ipv6"),
            ("advertise_addr_wan_ipv4", "wan_ipv4"),
            ("advertise_addr_wan_ipv6", "wan_ipv6"),
        ] {
            if let Some(ip) = self.of_family(root, key) {
                tagged.insert(name.to_owned(), ip.to_string());
            }
        }
        tagged
    }
}

/// An IP, with or without brackets, or `unix:///path`.
fn parse_host(word: &str) -> Option<ListenHost> {
    if let Some(path) = word.strip_prefix("unix://") {
        return (!path.is_empty()).then(|| ListenHost::Unix(PathBuf::from(path)));
    }
    let bare = word.strip_prefix('[').and_then(|w| w.strip_suffix(']')).unwrap_or(word);
    bare.parse().ok().map(ListenHost::Ip)
}

/// Documentation ranges count as private too: people do put them on real networks.
fn is_private_v4(ip: IpAddr) -> bool {
    ip.is_ipv4() && ranges::is_special_purpose(ip)
}

fn is_public_v6(ip: IpAddr) -> bool {
    ip.is_ipv6() && !ip.is_multicast() && !ranges::is_special_purpose(ip)
}
