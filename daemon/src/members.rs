//! Members of the cluster as this agent knows them, and what it says of itself.

use std::collections::BTreeMap;

use consul_api::types::coordinate::Coordinate;
use consul_api::types::duration::GoDuration;
use consul_api::types::operator::Member;

use crate::agent::Agent;
use crate::cluster::gossip::api_member;
use crate::cluster::server_info::OWN_TAG;
use crate::version;

/// Id and name of the service that every server is.
pub const SERVER_SERVICE: &str = "consul";
/// Member states as the API numbers them.
pub const STATUS_ALIVE: i64 = 1;

/// A member's own wish how long it is remembered after it failed.
pub const RECONNECT_TAG: &str = "rc_tm";

/// What this agent tells others of itself.
#[derive(Clone, Debug)]
pub struct LocalMember {
    pub node_name: String,
    pub node_id: String,
    pub datacenter: String,
    pub address: std::net::IpAddr,
    pub server_port: u16,
    pub serf_lan_port: u16,
    pub serf_wan_port: Option<u16>,
    pub bootstrap: bool,
    /// How many servers this one waits for; 0 if it does not.
    pub expect: u32,
    pub acls_enabled: bool,
    /// How long a client wants to be remembered after it failed; the others decide if it does not say.
    pub remembered_for: Option<std::time::Duration>,
}

impl LocalMember {
    /// As the LAN pool shows it.
    pub fn lan(&self, is_server: bool) -> Member {
        Member {
            name: self.node_name.clone(),
            addr: self.address.to_string(),
            port: self.serf_lan_port,
            tags: self.tags(is_server),
            status: STATUS_ALIVE,
            protocol_min: 1,
            protocol_max: 5,
            protocol_cur: 2,
            delegate_min: 2,
            delegate_max: 5,
            delegate_cur: 4,
        }
    }

    /// As the WAN pool shows it. Only servers are there.
    pub fn wan(&self) -> Option<Member> {
        let port = self.serf_wan_port?;
        let name = format!("{}.{}", self.node_name, self.datacenter);
        let mut member = Member { name, port, ..self.lan(true) };
        // It tells members of the LAN how to get here.
        member.tags.remove("wan_join_port");
        Some(member)
    }

    fn tags(&self, is_server: bool) -> BTreeMap<String, String> {
        let mut tags: Vec<(&str, String)> = vec![
            ("dc", self.datacenter.clone()),
            ("id", self.node_id.clone()),
            ("build", format!("{}:{}", version::API_LEVEL, version::METADATA)),
            ("vsn", "2".into()),
            ("vsn_min", "2".into()),
            ("vsn_max", "3".into()),
            ("acls", if self.acls_enabled { "1" } else { "0" }.into()),
            ("segment", String::new()),
        ];
        if is_server {
            tags.push(("role", "consul".into()));
            tags.push(("port", self.server_port.to_string()));
            tags.push(("raft_vsn", "3".into()));
            tags.push(("ft_fs", "1".into()));
            tags.extend(self.serf_wan_port.map(|port| ("wan_join_port", port.to_string())));
            tags.push((OWN_TAG, env!("CARGO_PKG_VERSION").to_owned()));
            if self.bootstrap {
                tags.push(("bootstrap", "1".into()));
            } else if self.expect > 0 {
                tags.push(("expect", self.expect.to_string()));
            }
        } else {
            tags.push(("role", "node".into()));
            let wish = self.remembered_for.map(|time| GoDuration::from(time).to_string());
            tags.extend(wish.map(|wish| (RECONNECT_TAG, wish)));
        }
        tags.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

impl Agent {
    /// Members of this datacenter.
    pub fn lan_members(&self) -> Vec<Member> {
        match &self.gossip {
            Some(gossip) => gossip.lan_members(),
            None => vec![self.member.lan(self.server.is_some())],
        }
    }

    /// This agent as the others see it.
    pub fn own_member(&self) -> Member {
        let seen = self.gossip.as_ref().and_then(|gossip| gossip.lan.local());
        seen.map_or_else(|| self.member.lan(self.server.is_some()), |member| api_member(&member))
    }

    /// Where this agent lies in the network of its datacenter.
    pub async fn coordinate(&self) -> Coordinate {
        match &self.gossip {
            // A pool that has ended knows no place any more.
            Some(gossip) => gossip.lan.coordinate().await.unwrap_or_default(),
            None => Coordinate::default(),
        }
    }

    /// Servers of all datacenters; none as a client knows it.
    pub fn wan_members(&self) -> Vec<Member> {
        match &self.gossip {
            Some(gossip) => gossip.wan_members(),
            None => self.server.as_ref().and_then(|_| self.member.wan()).into_iter().collect(),
        }
    }
}
