//! What a member's tags say of it as a server: where its RPC port is, what it counts for.

use std::net::{IpAddr, SocketAddr};

use consul_api::types::operator::Member;

use super::census::{STATUS_LEAVING, STATUS_LEFT};
use crate::members::STATUS_ALIVE;

/// Tag that our own servers carry beside those of the protocol. Servers that replicate differently lack it.
pub const OWN_TAG: &str = "rs";

/// A member that is a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// The node's name, without the datacenter that the WAN pool adds.
    pub name: String,
    pub id: String,
    pub datacenter: String,
    /// Where it takes RPC.
    pub address: SocketAddr,
    /// Its port in the WAN pool, if it is there.
    pub wan_port: Option<u16>,
    /// It forms a cluster by itself.
    pub bootstrap: bool,
    /// How many servers it waits for before they form a cluster; 0 if it does not.
    pub expect: u32,
    /// It takes part in elections.
    pub voter: bool,
    /// It replicates as this agent does, so both can serve one cluster.
    pub kin: bool,
    /// The three numbers at the front of its build tag.
    pub build: String,
    pub alive: bool,
    /// It said goodbye; it may still finish what it was asked before.
    pub left: bool,
}

impl ServerInfo {
    /// `None` if the member is no server, or one whose tags make no sense.
    pub fn of(member: &Member) -> Option<Self> {
        let tag = |name: &str| member.tags.get(name).map(String::as_str);
        if tag("role") != Some("consul") {
            return None;
        }
        let ip: IpAddr = member.addr.parse().ok()?;
        let port: u16 = tag("port")?.parse().ok()?;
        let datacenter = tag("dc")?.to_owned();
        let number = |name: &str| tag(name).map(str::parse::<u32>).transpose().ok();
        // Peers ignore a server whose numbers do not parse, so that all see the same servers.
        number("vsn")??;
        number("raft_vsn")?;
        let expect = number("expect")?.unwrap_or(0);
        let wan_port = number("wan_join_port")?.map(u16::try_from).transpose().ok()?;
        let suffix = format!(".{datacenter}");
        let name = member.name.strip_suffix(&suffix).unwrap_or(&member.name).to_owned();
        Some(Self {
            name,
            id: tag("id").unwrap_or_default().to_owned(),
            datacenter,
            address: SocketAddr::new(ip, port),
            wan_port,
            bootstrap: tag("bootstrap") == Some("1"),
            expect,
            voter: tag("nonvoter").is_none() && tag("read_replica").is_none(),
            kin: tag(OWN_TAG).is_some(),
            build: build_number(tag("build")?)?,
            alive: member.status == STATUS_ALIVE,
            left: matches!(member.status, STATUS_LEAVING | STATUS_LEFT),
        })
    }
}

/// `1.8.7` of `1.8.7:abc`.
fn build_number(build: &str) -> Option<String> {
    let end = build.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(build.len());
    let mut parts = build.get(..end)?.split('.');
    let mut numbers = Vec::with_capacity(3);
    for _ in 0..3 {
        let part = parts.next().filter(|part| !part.is_empty())?;
        numbers.push(part);
    }
    Some(numbers.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(tags: &[(&str, &str)]) -> Member {
        let base = [
            ("role", "consul"),
            ("dc", "dc1"),
            ("port", "8300"),
            ("vsn", "2"),
            ("build", "1.8.7:abcdef"),
            ("id", "one"),
        ];
        let tags = base.iter().chain(tags).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Member { name: "s1.dc1".into(), addr: "10.0.0.1".into(), status: 1, tags, ..Member::default() }
    }

    #[test]
    fn a_servers_tags_are_read() {
        let info = ServerInfo::of(&member(&[("expect", "3"), ("wan_join_port", "8302")])).unwrap();
        assert_eq!((info.name.as_str(), info.build.as_str(), info.expect), ("s1", "1.8.7", 3));
        assert_eq!((info.address.to_string().as_str(), info.wan_port), ("10.0.0.1:8300", Some(8302)));
        assert!(info.alive && info.voter && !info.kin && !info.bootstrap);
        assert!(ServerInfo::of(&member(&[("rs", "0.1.0")])).unwrap().kin);
        assert!(!ServerInfo::of(&member(&[("nonvoter", "1")])).unwrap().voter);
    }

    #[test]
    fn members_whose_tags_make_no_sense_are_no_servers() {
        for (tag, value) in [
            ("role", "node"),
            ("port", "x"),
            ("port", "70000"),
            ("vsn", ""),
            ("expect", "many"),
            ("wan_join_port", "99999"),
            ("build", "1.8"),
            ("build", "v1"),
        ] {
            assert_eq!(ServerInfo::of(&member(&[(tag, value)])), None, "{tag}={value}");
        }
    }
}
