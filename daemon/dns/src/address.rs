//! Which of a node's or an instance's addresses an answer gives.
//!
//! Tagged addresses come into play twice: an address of the asked family may stand beside the main one, and for
//! another datacenter, if the configuration says so, the WAN addresses replace the local ones.

use consul_api::types::catalog::{Node, NodeService};
use hickory_proto::rr::RecordType;

/// The family a question can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
    Any,
}

impl From<RecordType> for Family {
    fn from(asked: RecordType) -> Self {
        match asked {
            RecordType::A => Self::V4,
            RecordType::AAAA => Self::V6,
            _ => Self::Any,
        }
    }
}

/// From where the client will connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vantage {
    Local,
    /// Another datacenter, with translation of addresses configured.
    Wan,
}

/// The node's address for `family`. May be of another family if the node has none.
pub fn of_node(node: &Node, family: Family, vantage: Vantage) -> &str {
    let tagged = |key: &str| node.tagged_addresses.as_ref()?.get(key).map(String::as_str);
    choose(&node.address, family, vantage, tagged)
}

/// The instance's own address for `family`; empty if it has none and its node's counts.
pub fn of_service(service: &NodeService, family: Family, vantage: Vantage) -> &str {
    let tagged = |key: &str| service.tagged_addresses.as_ref()?.get(key).map(|entry| entry.address.as_str());
    choose(&service.address, family, vantage, tagged)
}

/// The instance's port.
pub fn port(service: &NodeService, vantage: Vantage) -> u16 {
    let wan = match vantage {
        Vantage::Local => None,
        Vantage::Wan => service.tagged_addresses.as_ref().and_then(|tagged| tagged.get("wan")),
    };
    let port = wan.map(|entry| entry.port).filter(|port| *port > 0).unwrap_or_else(|| service.default_port());
    u16::try_from(port).unwrap_or(0)
}

/// A tagged address of the family beats the main one; where both families will do, version 6 is first.
fn choose<'a>(
    main: &'a str,
    family: Family,
    vantage: Vantage,
    tagged: impl Fn(&str) -> Option<&'a str>,
) -> &'a str {
    let (any, v4, v6) = match vantage {
        Vantage::Local => (None, "lan_ipv4", "lan_ipv6"),
        Vantage::Wan => (tagged("wan"), "wan_ipv4", "wan_ipv6"),
    };
    let of_family = match family {
        Family::V4 => tagged(v4),
        Family::V6 => tagged(v6),
        Family::Any => tagged(v6).filter(|address| !address.is_empty()).or_else(|| tagged(v4)),
    };
    [of_family, any].into_iter().flatten().find(|address| !address.is_empty()).unwrap_or(main)
}

#[cfg(test)]
mod tests {
    use super::*;
    use consul_api::types::catalog::ServiceAddress;

    fn service(address: &str, tagged: &[(&str, &str, i64)]) -> NodeService {
        NodeService {
            address: address.into(),
            port: 80,
            tagged_addresses: Some(
                tagged
                    .iter()
                    .map(|(tag, address, port)| {
                        ((*tag).to_owned(), ServiceAddress { address: (*address).to_owned(), port: *port })
                    })
                    .collect(),
            ),
            ..NodeService::default()
        }
    }

    #[test]
    fn wan_family_address_beats_wan_but_the_port_is_that_of_wan() {
        let own = service("10.9.9.9", &[("wan", "20.9.9.9", 8282), ("wan_ipv4", "10.9.9.9", 80)]);
        assert_eq!(of_service(&own, Family::V4, Vantage::Wan), "10.9.9.9");
        assert_eq!(port(&own, Vantage::Wan), 8282);
        assert_eq!(port(&own, Vantage::Local), 80);
        let without = service("", &[("wan", "20.9.9.9", 8282)]);
        assert_eq!(of_service(&without, Family::Any, Vantage::Wan), "20.9.9.9");
        assert_eq!(of_service(&without, Family::Any, Vantage::Local), "");
    }

    #[test]
    fn second_family_of_a_node_is_found_under_its_tag() {
        let node = Node {
            address: "10.0.0.1".into(),
            tagged_addresses: Some([("lan_ipv6".to_owned(), "2001:db8::1".to_owned())].into()),
            ..Node::default()
        };
        assert_eq!(of_node(&node, Family::V6, Vantage::Local), "2001:db8::1");
        assert_eq!(of_node(&node, Family::V4, Vantage::Local), "10.0.0.1");
        assert_eq!(of_node(&node, Family::Any, Vantage::Local), "2001:db8::1");
        assert_eq!(of_node(&node, Family::V6, Vantage::Wan), "10.0.0.1");
    }

    #[test]
    fn ports_out_of_range_are_zero() {
        let mut odd = service("", &[]);
        odd.port = 70_000;
        assert_eq!(port(&odd, Vantage::Local), 0);
    }
}
