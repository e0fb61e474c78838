//! Digests by which datacenters compare their access-control objects.

use blake2::Blake2b;
use blake2::digest::Digest;
use blake2::digest::consts::U32;
use consul_api::types::acl::{AclLink, AclPolicy, AclRole, AclToken, NodeIdentity, ServiceIdentity};
use consul_api::types::bytes::Blob;

struct Hasher(Blake2b<U32>);

impl Hasher {
    fn new() -> Self {
        Self(Blake2b::new())
    }

    fn text(&mut self, text: &str) {
        self.0.update(text.as_bytes());
    }

    fn links(&mut self, links: Option<&Vec<AclLink>>) {
        links.into_iter().flatten().for_each(|link| self.text(&link.id));
    }

    fn identities(&mut self, services: Option<&Vec<ServiceIdentity>>, nodes: Option<&Vec<NodeIdentity>>) {
        for service in services.into_iter().flatten() {
            self.text(&service.service_name);
            service.datacenters.iter().flatten().for_each(|datacenter| self.text(datacenter));
        }
        for node in nodes.into_iter().flatten() {
            self.text(&node.node_name);
            self.text(&node.datacenter);
        }
    }

    fn finish(self) -> Blob {
        Blob::from(self.0.finalize().as_slice())
    }
}

pub fn token_hash(token: &AclToken) -> Blob {
    let mut hasher = Hasher::new();
    for text in [&token.description, &token.r#type, &token.rules] {
        hasher.text(text);
    }
    hasher.text(if token.local { "local" } else { "global" });
    hasher.links(token.policies.as_ref());
    hasher.links(token.roles.as_ref());
    hasher.identities(token.service_identities.as_ref(), token.node_identities.as_ref());
    hasher.finish()
}

pub fn policy_hash(policy: &AclPolicy) -> Blob {
    let mut hasher = Hasher::new();
    for text in [&policy.name, &policy.description, &policy.rules] {
        hasher.text(text);
    }
    policy.datacenters.iter().flatten().for_each(|datacenter| hasher.text(datacenter));
    hasher.finish()
}

pub fn role_hash(role: &AclRole) -> Blob {
    let mut hasher = Hasher::new();
    for text in [&role.name, &role.description] {
        hasher.text(text);
    }
    hasher.links(role.policies.as_ref());
    hasher.identities(role.service_identities.as_ref(), role.node_identities.as_ref());
    hasher.finish()
}
