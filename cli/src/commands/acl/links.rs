//! What tokens and roles carry: links to policies and roles, and identities.

use consul_api::types::acl::{AclLink, NodeIdentity, ServiceIdentity};

use super::resolve::{self, Kind};
use crate::agent::Agent;
use crate::failure::Failure;
use crate::flags::{Flag, Parsed};

pub const POLICY_ID: Flag =
    Flag::list("policy-id", "Policy to link, by id or a unique start of it.").shown_as("id");
pub const POLICY_NAME: Flag = Flag::list("policy-name", "Policy to link, by name.").shown_as("name");
pub const ROLE_ID: Flag =
    Flag::list("role-id", "Role to link, by id or a unique start of it.").shown_as("id");
pub const ROLE_NAME: Flag = Flag::list("role-name", "Role to link, by name.").shown_as("name");
pub const SERVICE_IDENTITY: Flag = Flag::list(
    "service-identity",
    "Service whose own rights to grant: its name, or name:datacenter,datacenter to limit where.",
)
.shown_as("name[:datacenters]");
pub const NODE_IDENTITY: Flag =
    Flag::list("node-identity", "Agent whose own rights to grant, in one datacenter.")
        .shown_as("node:datacenter");

/// The links of one kind that the flags ask for, ids first.
pub fn links(
    agent: &Agent,
    kind: Kind,
    flags: &Parsed,
    id_flag: &str,
    name_flag: &str,
) -> Result<Vec<AclLink>, Failure> {
    let mut links = Vec::new();
    for name in flags.list(name_flag) {
        links.push(AclLink { name, ..AclLink::default() });
    }
    for given in flags.list(id_flag) {
        let resolving = Failure::of(format!("Error resolving {} ID {given}: ", word(kind)));
        links
            .push(AclLink { id: resolve::id(agent, kind, &given).map_err(resolving)?, ..AclLink::default() });
    }
    Ok(links)
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Role => "role",
        _ => "policy",
    }
}

/// Adds the links that are not there yet.
pub fn add(links: &mut Vec<AclLink>, more: Vec<AclLink>) {
    for link in more {
        let known = links.iter().any(|have| {
            (!link.id.is_empty() && have.id == link.id) || (!link.name.is_empty() && have.name == link.name)
        });
        if !known {
            links.push(link);
        }
    }
}

pub fn service_identities(flags: &Parsed) -> Result<Vec<ServiceIdentity>, Failure> {
    flags.list("service-identity").iter().map(|text| service_identity(text)).collect()
}

fn service_identity(text: &str) -> Result<ServiceIdentity, Failure> {
    let malformed = || Failure::new(format!("Malformed -service-identity argument: {text:?}"));
    match text.split_once(':') {
        None => Ok(ServiceIdentity { service_name: text.to_owned(), datacenters: None }),
        Some((name, datacenters)) if !datacenters.contains(':') => Ok(ServiceIdentity {
            service_name: name.to_owned(),
            datacenters: Some(datacenters.split(',').map(str::to_owned).collect()),
        }),
        Some(_) => Err(malformed()),
    }
}

pub fn node_identities(flags: &Parsed) -> Result<Vec<NodeIdentity>, Failure> {
    let identity = |text: &String| match text.split_once(':') {
        Some((node, datacenter)) if !datacenter.contains(':') => {
            Ok(NodeIdentity { node_name: node.to_owned(), datacenter: datacenter.to_owned() })
        }
        _ => Err(Failure::new(format!("Malformed -node-identity argument: {text:?}"))),
    };
    flags.list("node-identity").iter().map(identity).collect()
}

/// Adds the identities that are not there yet.
pub fn add_services(have: &mut Vec<ServiceIdentity>, more: Vec<ServiceIdentity>) {
    for identity in more {
        if !have.contains(&identity) {
            have.push(identity);
        }
    }
}

pub fn add_nodes(have: &mut Vec<NodeIdentity>, more: Vec<NodeIdentity>) {
    for identity in more {
        if !have.contains(&identity) {
            have.push(identity);
        }
    }
}

/// An empty list is left out of requests.
pub fn present<T>(list: Vec<T>) -> Option<Vec<T>> {
    if list.is_empty() { None } else { Some(list) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_name_their_datacenters() {
        let all = service_identity("api").ok().unwrap();
        assert_eq!((all.service_name.as_str(), all.datacenters), ("api", None));
        let some = service_identity("api:dc1,dc2").ok().unwrap();
        assert_eq!(some.datacenters.unwrap(), ["dc1", "dc2"]);
        assert!(service_identity("a:b:c").is_err());
    }

    #[test]
    fn a_link_is_added_once() {
        let link = |id: &str, name: &str| AclLink { id: id.to_owned(), name: name.to_owned() };
        let mut links = vec![link("1", "a")];
        add(&mut links, vec![link("", "a"), link("1", ""), link("", "b"), link("", "b")]);
        assert_eq!(links, [link("1", "a"), link("", "b")]);
    }
}
