//! Who is let into a gossip pool.

use std::collections::BTreeMap;

/// What a newcomer says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Newcomer<'a> {
    pub name: &'a str,
    pub tags: &'a BTreeMap<String, String>,
}

impl Newcomer<'_> {
    fn tag(&self, name: &str) -> &str {
        self.tags.get(name).map_or("", String::as_str)
    }

    fn is_server(&self) -> bool {
        self.tag("role") == "consul"
    }
}

/// The rules of the pool of one datacenter.
#[derive(Clone, Debug)]
pub struct LanRules {
    pub own_name: String,
    pub own_id: String,
    pub datacenter: String,
    /// This agent is a server, so that servers which replicate in another way must stay out.
    pub server: bool,
}

impl LanRules {
    /// Why the newcomer must stay out. `members` are names and ids of those who are in and have not left.
    pub fn refuse<'m>(
        &self,
        newcomer: Newcomer<'_>,
        members: impl IntoIterator<Item = (&'m str, &'m str)>,
    ) -> Option<String> {
        let name = newcomer.name;
        let datacenter = newcomer.tag("dc");
        if datacenter != self.datacenter {
            return Some(format!(
                "Member '{name}' part of wrong datacenter '{datacenter}': this agent is in '{}'; correct 'datacenter', \
                 or join servers of other datacenters with '-join-wan'",
                self.datacenter
            ));
        }
        let segment = newcomer.tag("segment");
        if !segment.is_empty() {
            return Some(format!("Member '{name}' part of wrong segment '{segment}' (expected '')"));
        }
        if self.server && newcomer.is_server() && !newcomer.tags.contains_key(super::server_info::OWN_TAG) {
            return Some(format!(
                "Member '{name}' is a server {FOREIGN}: servers of both kinds cannot share the datacenter \
                 '{datacenter}'; move the data over with a snapshot, or federate two datacenters"
            ));
        }
        let id = newcomer.tag("id");
        if id.is_empty() {
            return None;
        }
        if id == self.own_id && name != self.own_name {
            return Some(format!(
                "Member '{name}' has conflicting node ID '{id}' {WITH_OURS}: one data directory was copied from the \
                 other; empty that of the copy, or remove its 'node-id' if it is a client"
            ));
        }
        let twin = members.into_iter().find(|(other, other_id)| *other_id == id && *other != name);
        twin.map(|(other, _)| format!("Member '{name}' has conflicting node ID '{id}' with member '{other}'"))
    }
}

const FOREIGN: &str = "that replicates in another way";
const WITH_OURS: &str = "with this agent's ID";

/// Whether a server that was refused so, on its own attempt to join, must not go on: its log or its vote would harm
/// the cluster that is there.
pub fn is_final_for_servers(refusal: &str) -> bool {
    refusal.contains(WITH_OURS) || refusal.contains(FOREIGN)
}

/// The rule of the pool of all datacenters.
pub fn refuse_wan(newcomer: Newcomer<'_>) -> Option<String> {
    (!newcomer.is_server()).then(|| format!("Member '{}' is not a server", newcomer.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn refusal(name: &str, pairs: &[(&str, &str)]) -> Option<String> {
        let rules = LanRules {
            own_name: "me".into(),
            own_id: "id-me".into(),
            datacenter: "dc1".into(),
            server: true,
        };
        rules.refuse(Newcomer { name, tags: &tags(pairs) }, [("b", "id-b")])
    }

    #[test]
    fn strangers_are_refused_with_the_reason() {
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[("dc", "dc2")], "Member 'n' part of wrong datacenter 'dc2': this agent is in 'dc1'"),
            (&[("dc", "dc1"), ("segment", "s")], "Member 'n' part of wrong segment 's' (expected '')"),
            (
                &[("dc", "dc1"), ("id", "id-me")],
                "Member 'n' has conflicting node ID 'id-me' with this agent's ID",
            ),
            (&[("dc", "dc1"), ("id", "id-b")], "Member 'n' has conflicting node ID 'id-b' with member 'b'"),
        ];
        for (pairs, expected) in cases {
            let refusal = refusal("n", pairs).unwrap();
            assert!(refusal.starts_with(expected), "{refusal}");
            assert_eq!(is_final_for_servers(&refusal), refusal.contains("this agent's ID"), "{refusal}");
        }
        let server = refusal("n", &[("dc", "dc1"), ("role", "consul")]).unwrap();
        assert!(server.contains("cannot share the datacenter"), "{server}");
        assert!(is_final_for_servers(&server));
    }

    #[test]
    fn members_of_the_datacenter_are_let_in() {
        assert_eq!(refusal("n", &[("dc", "dc1"), ("role", "node"), ("id", "id-n")]), None);
        assert_eq!(refusal("b", &[("dc", "dc1"), ("id", "id-b")]), None, "a member that comes back");
        assert_eq!(refusal("me", &[("dc", "dc1"), ("id", "id-me")]), None);
        assert_eq!(refusal("s", &[("dc", "dc1"), ("role", "consul"), ("rs", "0.1.0")]), None);
    }

    #[test]
    fn only_servers_are_in_the_wan() {
        let client = tags(&[("role", "node")]);
        assert!(refuse_wan(Newcomer { name: "c", tags: &client }).unwrap().contains("is not a server"));
        let server = tags(&[("role", "consul")]);
        assert_eq!(refuse_wan(Newcomer { name: "s.dc2", tags: &server }), None);
    }
}
