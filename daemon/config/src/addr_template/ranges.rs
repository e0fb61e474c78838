//! Address ranges with a meaning of their own, by the RFC that defines them.

use ipnet::IpNet;
use std::net::IpAddr;

/// Ranges that no router passes on.
const NOT_FORWARDED: &[&str] = &[
    "0.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "::1/128",
    "::/128",
    "::ffff:0:0/96",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "fe80::/10",
    "ff00::/8",
];

const RFCS: &[(u32, &[&str])] = &[
    (919, &["255.255.255.255/32"]),
    (1112, &["224.0.0.0/4"]),
    (1122, &["0.0.0.0/8", "127.0.0.0/8"]),
    (1918, &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]),
    (2544, &["198.18.0.0/15"]),
    (3927, &["169.254.0.0/16"]),
    (4193, &["fc00::/7"]),
    (4291, &["::/128", "::1/128", "fe80::/10", "fec0::/10", "ff00::/8"]),
    (5737, &["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"]),
    (6598, &["100.64.0.0/10"]),
    (
        6890,
        &[
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "240.0.0.0/4",
            "255.255.255.255/32",
            "::1/128",
            "::/128",
            "64:ff9b::/96",
            "::ffff:0:0/96",
            "100::/64",
            "2001::/23",
            "2001:db8::/32",
            "2002::/16",
            "fc00::/7",
            "fe80::/10",
        ],
    ),
];

fn contains(nets: &[&str], address: IpAddr) -> bool {
    nets.iter().filter_map(|net| net.parse::<IpNet>().ok()).any(|net| net.contains(&address))
}

/// True for an address that other hosts can reach through a router.
pub(crate) fn is_forwardable(address: IpAddr) -> bool {
    !contains(NOT_FORWARDED, address)
}

/// Whether the address lies in a range of that RFC; nothing if the RFC is not known here.
pub(crate) fn in_rfc(number: u32, address: IpAddr) -> Option<bool> {
    let (_, nets) = RFCS.iter().find(|(rfc, _)| *rfc == number)?;
    Some(contains(nets, address))
}

/// True for an address of the ranges set aside for special purposes, private networks above all.
pub(crate) fn is_special_purpose(address: IpAddr) -> bool {
    in_rfc(6890, address) == Some(true)
}
