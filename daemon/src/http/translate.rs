//! Addresses of other datacenters as they can be reached from here.
//!
//! With `translate_wan_addrs`, the WAN addresses and ports of what lies in another datacenter take the place of its
//! own. What other datacenters say is not kept here, except by the cache: so entries are changed in copies.

use std::sync::Arc;

use consul_api::types::catalog::{Node, NodeService};
use consul_dns::address::{self, Family, Vantage};
use consul_state::catalog::Instance;

use crate::agent::Agent;

/// Whether what a datacenter says is translated. An empty name stands for the agent's own.
pub fn applies(agent: &Agent, datacenter: &str) -> bool {
    agent.http.load().translate_wan_addrs
        && !datacenter.is_empty()
        && !datacenter.eq_ignore_ascii_case(&agent.identity.datacenter)
}

pub fn node(node: &mut Arc<Node>) {
    let translated = address::of_node(node, Family::Any, Vantage::Wan);
    if translated != node.address {
        let address = translated.to_owned();
        Arc::make_mut(node).address = address;
    }
}

pub fn service(service: &mut Arc<NodeService>) {
    let translated = address::of_service(service, Family::Any, Vantage::Wan);
    let wan = service.tagged_addresses.as_ref().and_then(|tagged| tagged.get("wan"));
    let port = wan.map(|wan| wan.port).filter(|port| *port > 0).unwrap_or(service.port);
    if translated != service.address || port != service.port {
        let address = translated.to_owned();
        let service = Arc::make_mut(service);
        service.address = address;
        service.port = port;
    }
}

/// Translates instances, if they are in a datacenter whose addresses are.
pub fn instances(agent: &Agent, datacenter: &str, rows: &mut [Instance]) {
    if !applies(agent, datacenter) {
        return;
    }
    for row in rows {
        node(&mut row.node);
        service(&mut row.service);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use consul_api::types::catalog::ServiceAddress;

    #[test]
    fn wan_addresses_take_the_place_of_local_ones() {
        let tagged = [("wan", "30.1.1.1"), ("wan_ipv4", "31.1.1.1"), ("lan", "10.0.0.1")];
        let tagged = tagged.map(|(tag, address)| (tag.to_owned(), address.to_owned()));
        let mut far = Arc::new(Node {
            address: "10.0.0.1".into(),
            tagged_addresses: Some(tagged.into()),
            ..Node::default()
        });
        let kept = far.clone();
        node(&mut far);
        assert_eq!((far.address.as_str(), kept.address.as_str()), ("31.1.1.1", "10.0.0.1"));
        let wan = ServiceAddress { address: "40.1.1.1".into(), port: 7 };
        let mut web = Arc::new(NodeService {
            port: 80,
            tagged_addresses: Some([("wan".to_owned(), wan)].into()),
            ..NodeService::default()
        });
        service(&mut web);
        assert_eq!((web.address.as_str(), web.port), ("40.1.1.1", 7));
    }

    #[test]
    fn what_has_no_wan_address_stays_as_it_is() {
        let mut plain = Arc::new(NodeService { address: "10.0.0.1".into(), port: 80, ..Default::default() });
        let before = plain.clone();
        service(&mut plain);
        assert!(Arc::ptr_eq(&plain, &before));
    }
}
