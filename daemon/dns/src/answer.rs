//! Turns what the catalog holds into the records of an answer.
//!
//! Pure: the data, the question and the settings come in, the sections of the reply go out. Whoever calls has already
//! chosen and shuffled the instances and has resolved the host names that [`Hosts`] lists, since both need the
//! outside world. Cutting an answer down to what the client can take is [`crate::reply`]'s business.

use std::collections::{HashMap, HashSet};

use consul_api::types::catalog::Node;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::address::{self, Family, Vantage};
use crate::backend::{Health, Holder, Instance};
use crate::records::{self, Place};
use crate::settings::{Settings, Zone};

/// Name servers in an answer: as many as the root zone's convention for a small answer allows.
const NAME_SERVERS_MAX: usize = 3;

/// The sections of a reply.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sections {
    pub code: Code,
    pub answers: Vec<Record>,
    pub authority: Vec<Record>,
    pub additional: Vec<Record>,
}

/// How a question about our zones ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Code {
    #[default]
    Success,
    /// There is no such name.
    NoName,
    Failed,
    NotImplemented,
}

impl From<Code> for ResponseCode {
    fn from(code: Code) -> Self {
        match code {
            Code::Success => Self::NoError,
            Code::NoName => Self::NXDomain,
            Code::Failed => Self::ServFail,
            Code::NotImplemented => Self::NotImp,
        }
    }
}

impl Sections {
    pub fn code(code: Code) -> Self {
        Self { code, ..Self::default() }
    }
}

/// One question about our zones.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub settings: &'a Settings,
    pub zone: &'a Zone,
    /// The name in the client's spelling: owner of the answers.
    pub name: &'a Name,
    pub asked: RecordType,
    /// The current second, serial of the SOA.
    pub now: u32,
    /// More answers than this cannot be sent, whatever their size.
    pub answers_max: usize,
}

/// The records that host names of the catalog resolve to.
pub type Hosts = HashMap<Name, Vec<Record>>;

impl<'a> Question<'a> {
    fn vantage(&self, datacenter: &str) -> Vantage {
        let foreign = !datacenter.eq_ignore_ascii_case(&self.settings.datacenter);
        if foreign && self.settings.translate_wan_addrs { Vantage::Wan } else { Vantage::Local }
    }

    fn soa_record(&self) -> Option<Record> {
        records::soa(self.zone, self.settings.soa, self.now)
    }

    /// There is no such name.
    pub fn no_name(&self) -> Sections {
        Sections {
            code: Code::NoName,
            authority: self.soa_record().into_iter().collect(),
            ..Sections::default()
        }
    }

    /// The name exists, but has no record of the asked type.
    fn no_data(&self) -> Sections {
        Sections { authority: self.soa_record().into_iter().collect(), ..Sections::default() }
    }

    /// An address that the name itself spells.
    pub fn literal(&self, ip: std::net::IpAddr) -> Sections {
        let mut sections = Sections::default();
        let record = records::ip(self.name.to_lowercase(), self.settings.node_ttl_secs(), ip);
        if self.asked == RecordType::ANY || self.asked == record.record_type() {
            sections.answers.push(record);
        } else {
            sections.additional.push(record);
        }
        sections
    }

    /// The host name that must be resolved before [`Self::node`] can answer.
    pub fn node_host(&self, node: &Node, datacenter: &str) -> Option<Name> {
        if !matches!(self.asked, RecordType::A | RecordType::AAAA | RecordType::ANY) {
            return None;
        }
        match Place::parse(address::of_node(node, self.asked.into(), self.vantage(datacenter)))? {
            Place::Host(name) => Some(name),
            Place::Ip(_) => None,
        }
    }

    /// The records of a node, well or not: a failed node still has an address.
    pub fn node(&self, node: &Node, datacenter: &str, hosts: &Hosts) -> Sections {
        let ttl = self.settings.node_ttl_secs();
        let wants = |kinds: &[RecordType]| kinds.contains(&self.asked);
        let mut sections = Sections::default();
        if wants(&[RecordType::A, RecordType::AAAA, RecordType::ANY]) {
            let place = Place::parse(address::of_node(node, self.asked.into(), self.vantage(datacenter)));
            match place {
                Some(Place::Ip(ip)) => {
                    let record = records::ip(self.name.clone(), ttl, ip);
                    if wants(&[record.record_type(), RecordType::ANY]) {
                        sections.answers.push(record);
                    }
                }
                Some(Place::Host(host)) => {
                    sections.answers.push(records::cname(self.name.clone(), ttl, host.clone()));
                    sections.answers.extend(hosts.get(&host).into_iter().flatten().cloned());
                }
                None => {}
            }
        }
        let meta = || records::node_meta(self.name, ttl, node.meta.as_ref());
        if wants(&[RecordType::TXT, RecordType::ANY]) {
            sections.answers.extend(meta());
        } else if wants(&[RecordType::A, RecordType::AAAA]) && self.settings.node_meta_txt {
            sections.additional.extend(meta());
        }
        sections
    }

    /// The host names that must be resolved before [`Self::service`] can answer.
    pub fn service_hosts(&self, instances: &[&Instance], datacenter: &str) -> Vec<Name> {
        let vantage = self.vantage(datacenter);
        let mut hosts: Vec<Name> = Vec::new();
        for instance in instances {
            match Place::parse(instance_address(instance, self.asked.into(), vantage)) {
                Some(Place::Host(host)) if !hosts.contains(&host) => hosts.push(host),
                // Addresses win over host names.
                Some(Place::Ip(_)) if self.asked != RecordType::SRV => return Vec::new(),
                _ => {}
            }
            if hosts.len() >= HOSTS_MAX {
                break;
            }
        }
        if self.asked != RecordType::SRV {
            hosts.truncate(1);
        }
        hosts
    }

    /// The records of a service with at least one instance.
    pub fn service(&self, instances: &[&Instance], datacenter: &str, ttl: u32, hosts: &Hosts) -> Sections {
        let sections = if self.asked == RecordType::SRV {
            self.srv(instances, datacenter, ttl, hosts)
        } else {
            self.addresses(instances, datacenter, ttl, hosts)
        };
        if sections.answers.is_empty() { self.no_data() } else { sections }
    }

    fn addresses(&self, instances: &[&Instance], datacenter: &str, ttl: u32, hosts: &Hosts) -> Sections {
        let vantage = self.vantage(datacenter);
        let limit = match self.settings.a_record_limit {
            0 => self.answers_max,
            limit => limit.min(self.answers_max),
        };
        let mut sections = Sections::default();
        let mut seen = HashSet::new();
        let mut host = None;
        for instance in instances {
            if sections.answers.len() >= limit {
                break;
            }
            match Place::parse(instance_address(instance, self.asked.into(), vantage)) {
                Some(Place::Ip(ip)) if self.takes(ip) && seen.insert(ip) => {
                    sections.answers.push(records::ip(self.name.clone(), ttl, ip));
                }
                Some(Place::Host(name)) => {
                    host.get_or_insert(name);
                }
                _ => {}
            }
        }
        if let (true, Some(host)) = (sections.answers.is_empty(), host) {
            sections.answers = self.alias(host, ttl, hosts);
        }
        sections
    }

    fn alias(&self, host: Name, ttl: u32, hosts: &Hosts) -> Vec<Record> {
        let mut answers = Vec::new();
        if self.asked != RecordType::CNAME {
            answers.extend(hosts.get(&host).into_iter().flatten().cloned().map(|mut record| {
                record.set_ttl(ttl);
                record
            }));
        }
        answers.insert(0, records::cname(self.name.clone(), ttl, host));
        answers
    }

    /// Whether an address answers the question. TXT questions get addresses too: long-standing behaviour.
    fn takes(&self, ip: std::net::IpAddr) -> bool {
        match self.asked {
            RecordType::A => ip.is_ipv4(),
            RecordType::AAAA => ip.is_ipv6(),
            RecordType::ANY | RecordType::TXT => true,
            _ => false,
        }
    }

    fn srv(&self, instances: &[&Instance], datacenter: &str, ttl: u32, hosts: &Hosts) -> Sections {
        let vantage = self.vantage(datacenter);
        let mut sections = Sections::default();
        let mut seen = HashSet::with_capacity(instances.len());
        for instance in instances {
            if sections.answers.len() >= self.answers_max {
                break;
            }
            let port = address::port(&instance.service, vantage);
            let at = instance_address(instance, Family::Any, vantage);
            if seen.insert((instance.node.node.as_str(), at, port)) {
                self.srv_instance(instance, datacenter, ttl, hosts, &mut sections);
            }
        }
        sections
    }

    fn srv_instance(&self, instance: &Instance, dc: &str, ttl: u32, hosts: &Hosts, out: &mut Sections) {
        let vantage = self.vantage(dc);
        let Some(place) = Place::parse(instance_address(instance, Family::Any, vantage)) else { return };
        let node = records::node_name(&instance.node.node, dc, self.zone);
        let target = match &place {
            Place::Host(host) => Some(host.clone()),
            Place::Ip(ip) => match &node {
                Some(node) if is_node_address(instance, vantage) => Some(node.clone()),
                _ => records::addr_name(*ip, dc, self.zone),
            },
        };
        let Some(target) = target else { return };
        match place {
            Place::Ip(ip) => out.additional.push(records::ip(target.clone(), ttl, ip)),
            Place::Host(host) => {
                out.additional.extend(hosts.get(&host).into_iter().flatten().cloned().map(|mut record| {
                    record.set_ttl(ttl);
                    record
                }));
            }
        }
        let port = address::port(&instance.service, vantage);
        out.answers.push(records::srv(self.name.clone(), ttl, weight(instance), port, target));
        if let (true, Some(node)) = (self.settings.node_meta_txt, &node) {
            out.additional.extend(records::node_meta(node, ttl, instance.node.meta.as_ref()));
        }
    }

    /// The zone's SOA, with the servers as its name servers.
    pub fn apex_soa(&self, servers: &[&Instance]) -> Sections {
        let (authority, additional) = self.name_servers(servers);
        Sections {
            answers: self.soa_record().into_iter().collect(),
            authority,
            additional,
            ..Sections::default()
        }
    }

    /// The servers as the zone's name servers.
    pub fn apex_ns(&self, servers: &[&Instance]) -> Sections {
        let (answers, additional) = self.name_servers(servers);
        Sections { answers, additional, ..Sections::default() }
    }

    fn name_servers(&self, servers: &[&Instance]) -> (Vec<Record>, Vec<Record>) {
        let ttl = self.settings.node_ttl_secs();
        let dc = self.settings.datacenter.as_str();
        let (mut names, mut glue) = (Vec::new(), Vec::new());
        for server in servers {
            if names.len() >= NAME_SERVERS_MAX {
                break;
            }
            let node = server.node.node.as_str();
            let valid = node.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            let Some(target) =
                records::node_name(&node.to_ascii_lowercase(), dc, self.zone).filter(|_| valid)
            else {
                tracing::warn!(target: crate::LOG, node, "Skipping invalid node for NS records");
                continue;
            };
            names.push(records::ns(self.zone, ttl, target.clone()));
            if let Some(Place::Ip(ip)) = Place::parse(&server.node.address) {
                glue.push(records::ip(target, ttl, ip));
            }
        }
        (names, glue)
    }
}

/// Host names resolved for one SRV answer; instances beyond keep their target but bring no address.
const HOSTS_MAX: usize = 16;

/// The answer to a reverse question, always in the main domain; `None` if the holder's name does not fit.
pub fn reverse(name: &Name, settings: &Settings, holder: &Holder) -> Option<Sections> {
    let target = match holder {
        Holder::Node { name, datacenter } => records::node_name(name, datacenter, &settings.domain),
        Holder::Service { name, datacenter } => records::service_name(name, datacenter, &settings.domain),
    }?;
    Some(Sections { answers: vec![records::ptr(name.clone(), target)], ..Sections::default() })
}

/// The instances healthy enough to be answered.
pub fn healthy(instances: &[Instance], only_passing: bool) -> Vec<&Instance> {
    instances.iter().filter(|instance| is_healthy(instance, only_passing)).collect()
}

pub fn is_healthy(instance: &Instance, only_passing: bool) -> bool {
    instance.health <= if only_passing { Health::Passing } else { Health::Warning }
}

fn instance_address(instance: &Instance, family: Family, vantage: Vantage) -> &str {
    match address::of_service(&instance.service, family, vantage) {
        "" => address::of_node(&instance.node, family, vantage),
        own => own,
    }
}

/// True if the instance is reached at its node's registered address, which the node's own name then leads to.
fn is_node_address(instance: &Instance, vantage: Vantage) -> bool {
    address::of_service(&instance.service, Family::Any, vantage).is_empty()
        && address::of_node(&instance.node, Family::Any, vantage) == instance.node.address
}

fn weight(instance: &Instance) -> u16 {
    let weights = instance.service.weights.unwrap_or_default();
    let weight = match instance.health {
        Health::Passing => weights.passing,
        Health::Warning => weights.warning,
        Health::Critical => 0,
    };
    u16::try_from(weight.max(0)).unwrap_or(u16::MAX)
}

/// Of an upstream's records those that lead to an address.
pub fn leads_to_address(record: &Record) -> bool {
    matches!(record.data(), RData::A(_) | RData::AAAA(_) | RData::CNAME(_))
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
