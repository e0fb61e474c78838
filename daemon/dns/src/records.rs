//! Builds single records and the names in them.

use std::net::IpAddr;

use consul_api::types::StringMap;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, PTR, SOA, SRV, TXT};
use hickory_proto::rr::{Name, RData, Record};

use crate::settings::{SoaTimes, Zone};

/// Longest string a TXT record can hold; longer texts are continued in the record's next string.
const TXT_STRING_MAX: usize = 255;
/// Longest text a record is made of: RDLENGTH has 16 bits, of which strings spend one byte in 256.
const TXT_MAX: usize = 65_000;

/// Where an instance or a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Ip(IpAddr),
    /// A host name that others resolve.
    Host(Name),
}

impl Place {
    /// Reads an address of the catalog; `None` if DNS cannot express it.
    pub fn parse(address: &str) -> Option<Self> {
        match address.parse() {
            Ok(ip) => Some(Self::Ip(ip)),
            Err(_) => host_name(address).map(Self::Host),
        }
    }
}

fn host_name(text: &str) -> Option<Name> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() {
        return None;
    }
    Name::from_labels(text.split('.').map(str::as_bytes)).ok()
}

/// `<node>.node.<dc>.<zone>`, in the node name's spelling; `None` if the name does not fit a DNS name.
pub fn node_name(node: &str, datacenter: &str, zone: &Zone) -> Option<Name> {
    zone_name(node.split('.').chain(["node", datacenter]), zone)
}

/// `<service>.service.<dc>.<zone>`.
pub fn service_name(service: &str, datacenter: &str, zone: &Zone) -> Option<Name> {
    zone_name([service, "service", datacenter].into_iter(), zone)
}

/// `<hexadecimal address>.addr.<dc>.<zone>`.
pub fn addr_name(ip: IpAddr, datacenter: &str, zone: &Zone) -> Option<Name> {
    let hex = match ip {
        IpAddr::V4(ip) => format!("{:08x}", u32::from(ip)),
        IpAddr::V6(ip) => format!("{:032x}", u128::from(ip)),
    };
    zone_name([hex.as_str(), "addr", datacenter].into_iter(), zone)
}

fn zone_name<'a>(labels: impl Iterator<Item = &'a str>, zone: &Zone) -> Option<Name> {
    let mut name = Name::new();
    for label in labels {
        name = name.append_label(label.as_bytes()).ok()?;
    }
    name.append_domain(zone.name()).ok()
}

pub fn ip(owner: Name, ttl: u32, ip: IpAddr) -> Record {
    let data = match ip {
        IpAddr::V4(ip) => RData::A(A(ip)),
        IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
    };
    Record::from_rdata(owner, ttl, data)
}

pub fn cname(owner: Name, ttl: u32, target: Name) -> Record {
    Record::from_rdata(owner, ttl, RData::CNAME(CNAME(target)))
}

pub fn ns(zone: &Zone, ttl: u32, target: Name) -> Record {
    Record::from_rdata(zone.name().clone(), ttl, RData::NS(NS(target)))
}

/// Reverse records are never remembered: addresses move.
pub fn ptr(owner: Name, target: Name) -> Record {
    Record::from_rdata(owner, 0, RData::PTR(PTR(target)))
}

/// Priority is always 1: preference is expressed by weight alone.
pub fn srv(owner: Name, ttl: u32, weight: u16, port: u16, target: Name) -> Record {
    Record::from_rdata(owner, ttl, RData::SRV(SRV::new(1, weight, port, target)))
}

/// The zone's SOA with the second `now` as serial, or `None` if the zone is too long to put labels before.
pub fn soa(zone: &Zone, times: SoaTimes, now: u32) -> Option<Record> {
    let within = |label: &str| zone_name([label].into_iter(), zone);
    let signed = |secs: u32| i32::try_from(secs).unwrap_or(i32::MAX);
    let data = SOA::new(
        within("ns")?,
        within("hostmaster")?,
        now,
        signed(times.refresh),
        signed(times.retry),
        signed(times.expire),
        times.min_ttl,
    );
    Some(Record::from_rdata(zone.name().clone(), times.min_ttl, RData::SOA(data)))
}

/// One TXT record for each entry of a node's metadata.
pub fn node_meta<'a>(
    owner: &'a Name,
    ttl: u32,
    meta: Option<&'a StringMap>,
) -> impl Iterator<Item = Record> + 'a {
    meta.into_iter().flatten().map(move |(key, value)| {
        let text = meta_text(key, value);
        let strings = match text.as_bytes() {
            [] => vec![&[][..]],
            text => text.chunks(TXT_STRING_MAX).take(TXT_MAX / TXT_STRING_MAX).collect(),
        };
        Record::from_rdata(owner.clone(), ttl, RData::TXT(TXT::from_bytes(strings)))
    })
}

/// `key=value` quoted as RFC 1464 says, or the bare value for keys that ask for it by their prefix.
fn meta_text(key: &str, value: &str) -> String {
    const BARE: &str = "rfc1035-";
    if key.get(..BARE.len()).is_some_and(|start| start.eq_ignore_ascii_case(BARE)) {
        return value.to_owned();
    }
    let inner = key.trim_matches(' ');
    let leading = if inner.is_empty() { key.len() } else { key.len() - key.trim_start_matches(' ').len() };
    let trailing = key.len() - inner.len() - leading;
    let mut text = "` ".repeat(leading);
    for c in inner.chars() {
        if matches!(c, '`' | '=') {
            text.push('`');
        }
        text.push(c);
    }
    text.push_str(&"` ".repeat(trailing));
    text.push('=');
    text.push_str(&value.replace('`', "``"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> Zone {
        Zone::new("consul").unwrap()
    }

    #[test]
    fn meta_is_quoted_as_rfc_1464_says() {
        for (key, value, want) in [
            ("key", "value", "key=value"),
            ("a=b`c", "x`y=z\\", "a`=b``c=x``y=z\\"),
            ("  k ", "v", "` ` k` =v"),
            ("  ", "v", "` ` =v"),
            ("RFC1035-note", "a=`b", "a=`b"),
            ("rfc1035-", "", ""),
        ] {
            assert_eq!(meta_text(key, value), want);
        }
    }

    #[test]
    fn long_meta_is_split_into_strings() {
        let meta = StringMap::from([("k".to_owned(), "v".repeat(600))]);
        let owner = Name::from_ascii("n1.node.consul.").unwrap();
        let records: Vec<_> = node_meta(&owner, 0, Some(&meta)).collect();
        let [record] = records.as_slice() else { panic!() };
        let RData::TXT(txt) = record.data() else { panic!() };
        let lens: Vec<_> = txt.iter().map(|s| s.len()).collect();
        assert_eq!(lens, [255, 255, 92]);
    }

    #[test]
    fn names_of_targets() {
        let zone = zone();
        assert_eq!(node_name("Bad_Node", "dc1", &zone).unwrap().to_ascii(), "Bad_Node.node.dc1.consul.");
        assert_eq!(
            addr_name([10, 0, 0, 2].into(), "dc1", &zone).unwrap().to_ascii(),
            "0a000002.addr.dc1.consul."
        );
        let v6 = "2001:db8::7".parse().unwrap();
        assert_eq!(
            addr_name(v6, "dc1", &zone).unwrap().to_ascii(),
            "20010db8000000000000000000000007.addr.dc1.consul."
        );
        assert_eq!(node_name(&"x".repeat(64), "dc1", &zone), None);
        assert_eq!(node_name("", "dc1", &zone), None);
    }

    #[test]
    fn addresses_are_ips_or_host_names() {
        assert_eq!(Place::parse("::1"), Some(Place::Ip("::1".parse().unwrap())));
        let Some(Place::Host(name)) = Place::parse("www.Example.com") else { panic!() };
        assert_eq!(name.to_ascii(), "www.Example.com.");
        assert!(name.is_fqdn());
        assert_eq!(Place::parse(""), None);
        assert_eq!(Place::parse("a..b"), None);
    }
}
