//! What a configuration needs to know of the machine: its name and its network interfaces.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Facts about the machine, gathered before a configuration is made so that making it needs no system calls.
#[derive(Clone, Debug, Default)]
pub struct Host {
    pub name: String,
    pub interfaces: Vec<Interface>,
    /// File descriptors the process may have at most; absent if not limited or not known.
    pub open_files_max: Option<u64>,
    /// `CONSUL_INTRO_TOKEN`; a secret.
    pub intro_token: Option<Secret>,
}

/// A text that must not be printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { "\"***\"" })
    }
}

impl Secret {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text itself, for use, never for output.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// One address of one network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    pub address: IpAddr,
    /// Length of the network prefix in bits.
    pub prefix_len: u8,
    pub up: bool,
    pub loopback: bool,
    pub broadcast: bool,
    pub multicast: bool,
    pub point_to_point: bool,
    /// True if the host's default route leaves through this interface.
    pub default_route: bool,
}

impl Host {
    /// Asks the system. What cannot be learned stays empty.
    pub fn detect() -> Self {
        let name =
            nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
        let intro_token = std::env::var("CONSUL_INTRO_TOKEN").ok().filter(|t| !t.is_empty()).map(Secret);
        Self { name, interfaces: interfaces(), open_files_max: open_files_max(), intro_token }
    }
}

fn interfaces() -> Vec<Interface> {
    use nix::net::if_::InterfaceFlags as Flags;
    let default_route = default_route_interface();
    let Ok(listed) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let mut found = Vec::new();
    // The system lists addresses by family; people expect them by interface.
    let mut order: Vec<String> = Vec::new();
    for entry in listed {
        if !order.contains(&entry.interface_name) {
            order.push(entry.interface_name.clone());
        }
        let Some(address) = entry.address.as_ref().and_then(ip_of) else { continue };
        let mask = entry.netmask.as_ref().and_then(ip_of);
        found.push(Interface {
            prefix_len: mask.map_or(0, prefix_len),
            address,
            up: entry.flags.contains(Flags::IFF_UP),
            loopback: entry.flags.contains(Flags::IFF_LOOPBACK),
            broadcast: entry.flags.contains(Flags::IFF_BROADCAST),
            multicast: entry.flags.contains(Flags::IFF_MULTICAST),
            point_to_point: entry.flags.contains(Flags::IFF_POINTOPOINT),
            default_route: default_route.as_deref() == Some(entry.interface_name.as_str()),
            name: entry.interface_name,
        });
    }
    found.sort_by_key(|interface| order.iter().position(|name| *name == interface.name));
    found
}

fn ip_of(address: &nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(IpAddr::V4(v4.ip()));
    }
    address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()))
}

fn prefix_len(mask: IpAddr) -> u8 {
    let ones = match mask {
        IpAddr::V4(mask) => Ipv4Addr::to_bits(mask).count_ones(),
        IpAddr::V6(mask) => Ipv6Addr::to_bits(mask).count_ones(),
    };
    u8::try_from(ones).unwrap_or(u8::MAX)
}

/// The interface of the IPv4 default route, from the kernel's routing table.
fn default_route_interface() -> Option<String> {
    let table = fs::read_to_string("/proc/net/route").ok()?;
    let routes = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let default = |route: &Vec<&str>| route.get(1) == Some(&"00000000") && route.get(7) == Some(&"00000000");
    routes.filter(default).filter_map(|route| route.first().map(|name| (*name).to_owned())).next()
}

/// The hard limit, to which a process may raise its own.
fn open_files_max() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
