//! What can be asked of an interface address.

use crate::host::Interface;
use ipnet::IpNet;
use std::net::IpAddr;

/// An attribute as text; nothing if there is none of that name.
pub(super) fn attribute(interface: &Interface, name: &str) -> Option<String> {
    let address = interface.address;
    let net = IpNet::new(address, interface.prefix_len).ok()?;
    let host_bits = net.max_prefix_len() - net.prefix_len();
    Some(match name {
        "address" | "host" => address.to_string(),
        "name" => interface.name.clone(),
        "string" => text_with_prefix(interface),
        "type" => if address.is_ipv4() { "IPv4" } else { "IPv6" }.to_owned(),
        "port" => "0".to_owned(),
        "flags" => flags(interface).join("|"),
        "network" => net.network().to_string(),
        "netmask" => net.netmask().to_string(),
        "mask_bits" => interface.prefix_len.to_string(),
        "broadcast" if address.is_ipv4() => net.broadcast().to_string(),
        "first_usable" => offset(net.network(), i128::from(host_bits > 1 && address.is_ipv4()))?.to_string(),
        "last_usable" => {
            offset(net.broadcast(), -i128::from(host_bits > 1 && address.is_ipv4()))?.to_string()
        }
        "size" => 1_u128.checked_shl(u32::from(host_bits)).map_or_else(
            || "340282366920938463463374607431768211456".to_owned(), // 2^128
            |size| size.to_string(),
        ),
        "octets" => octets(address).iter().map(u8::to_string).collect::<Vec<_>>().join(" "),
        "hex" => octets(address).iter().map(|o| format!("{o:02x}")).collect(),
        "binary" => octets(address).iter().map(|o| format!("{o:08b}")).collect(),
        "uint32" | "uint128" => number(address).to_string(),
        _ => return None,
    })
}

/// The address, with its prefix unless it is a network of one.
pub(super) fn text_with_prefix(interface: &Interface) -> String {
    let whole = if interface.address.is_ipv4() { 32 } else { 128 };
    match interface.prefix_len {
        len if len == whole => interface.address.to_string(),
        len => format!("{}/{len}", interface.address),
    }
}

pub(super) fn flags(interface: &Interface) -> Vec<&'static str> {
    let forwardable = super::ranges::is_forwardable(interface.address);
    let link_local = match interface.address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    [
        ("up", interface.up),
        ("broadcast", interface.broadcast),
        ("loopback", interface.loopback),
        ("pointtopoint", interface.point_to_point),
        ("multicast", interface.multicast),
        ("forwardable", forwardable),
        (
            "global unicast",
            !interface.address.is_loopback() && !interface.address.is_multicast() && !link_local,
        ),
        ("link-local unicast", link_local),
    ]
    .into_iter()
    .filter_map(|(name, set)| set.then_some(name))
    .collect()
}

pub(super) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// The address so many places further; nothing beyond the family's ends.
pub(super) fn offset(address: IpAddr, by: i128) -> Option<IpAddr> {
    let moved = number(address).checked_add_signed(by)?;
    Some(match address {
        IpAddr::V4(_) => IpAddr::V4(u32::try_from(moved).ok()?.into()),
        IpAddr::V6(_) => IpAddr::V6(moved.into()),
    })
}
