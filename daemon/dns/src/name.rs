//! What a query name asks for.
//!
//! Pure: labels in, a typed [`Target`] out, for any bytes a packet may hold. Labels are read from the right after the
//! zone is cut off; the rightmost keyword (`service`, `node` and so on) splits what remains into subject and locality.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::rr::Name;

use crate::backend::ServiceView;
use crate::settings::{Settings, Zone};

/// Whom a question concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target<'s> {
    /// A name in one of our zones.
    Catalog { zone: &'s Zone, lookup: Lookup },
    /// A name under `arpa.`, with the address it spells if it is a complete one.
    Reverse(Option<IpAddr>),
    /// Somebody else's name.
    Foreign,
}

/// What a name in our zones means. Subjects are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    Node {
        node: String,
        datacenter: Option<String>,
    },
    Service {
        service: String,
        tag: Option<String>,
        view: ServiceView,
        datacenter: Option<String>,
    },
    PreparedQuery {
        query: String,
        datacenter: Option<String>,
    },
    /// The address spelled by the name itself.
    Address(IpAddr),
    /// An `addr` name whose label has the length of no address: it exists and holds nothing.
    EmptyAddress,
    /// A name that nothing can have: the bare zone, a form we do not know.
    Nothing,
}

/// Whether the question is for SRV records, the only ones that may leave `service` out of an RFC 2782 name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Srv,
    Other,
}

/// Reads `name` under the zones of `settings`.
pub fn parse<'s>(name: &Name, form: Form, settings: &'s Settings) -> Target<'s> {
    let text = lower_text(name);
    let labels: Vec<&str> = if text.is_empty() { Vec::new() } else { text.split('.').collect() };
    let zones = [Some(&settings.domain), settings.alt_domain.as_ref()];
    let ours = zones
        .into_iter()
        .flatten()
        .filter_map(|zone| zone.strip(&labels).map(|left| (zone, left)))
        .max_by_key(|(zone, _)| zone.depth());
    if let Some((zone, left)) = ours {
        return Target::Catalog { zone, lookup: lookup(left, form) };
    }
    match labels.as_slice() {
        [left @ .., "arpa"] => Target::Reverse(reverse_address(left)),
        _ => Target::Foreign,
    }
}

/// The name in lower case without the final dot. A byte that cannot be part of a plain name is written as an escape,
/// so that `a\.b` stays one label and never equals `a.b`.
fn lower_text(name: &Name) -> String {
    let mut text = String::with_capacity(name.len() + 8);
    for label in name.iter() {
        if !text.is_empty() {
            text.push('.');
        }
        for byte in label {
            match byte {
                b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' => text.push(char::from(*byte)),
                b'A'..=b'Z' => text.push(char::from(byte.to_ascii_lowercase())),
                b'.' | b'\\' => text.push_str(if *byte == b'.' { "\\046" } else { "\\092" }),
                b'!'..=b'~' => text.push(char::from(*byte)),
                _ => {
                    text.push('\\');
                    for digit in [byte / 100, byte / 10 % 10, byte % 10] {
                        text.push(char::from(b'0' + digit));
                    }
                }
            }
        }
    }
    text
}

fn lookup(labels: &[&str], form: Form) -> Lookup {
    for (at, label) in labels.iter().enumerate().rev() {
        let (subject, rest) = labels.split_at(at);
        let locality = rest.get(1..).unwrap_or_default();
        match *label {
            "service" => return service(subject, locality),
            "connect" => return mesh_service(subject, locality, ServiceView::Connect),
            "ingress" => return mesh_service(subject, locality, ServiceView::Ingress),
            "node" => return node(subject, locality),
            "query" => return prepared_query(subject, locality),
            "addr" => return address(subject),
            // There is no mesh, hence there are no virtual addresses.
            "virtual" => return Lookup::Nothing,
            _ if form == Form::Srv && label.starts_with('_') => {
                return service(labels.get(..=at).unwrap_or_default(), locality);
            }
            _ => {}
        }
    }
    Lookup::Nothing
}

fn service(subject: &[&str], locality: &[&str]) -> Lookup {
    let Some(datacenter) = datacenter(locality) else { return Lookup::Nothing };
    let (service, tag) = match subject {
        [] => return Lookup::Nothing,
        [service, tag] if service.starts_with('_') && tag.starts_with('_') => {
            let tag = tag.get(1..).unwrap_or_default();
            (service.get(1..).unwrap_or_default(), (tag != "tcp" && !tag.is_empty()).then(|| tag.to_owned()))
        }
        [service] => (*service, None),
        [tag @ .., service] => (*service, Some(tag.join("."))),
    };
    Lookup::Service { service: service.to_owned(), tag, view: ServiceView::Plain, datacenter }
}

fn mesh_service(subject: &[&str], locality: &[&str], view: ServiceView) -> Lookup {
    match (subject.last(), datacenter(locality)) {
        (Some(service), Some(datacenter)) => {
            Lookup::Service { service: (*service).to_owned(), tag: None, view, datacenter }
        }
        _ => Lookup::Nothing,
    }
}

fn node(subject: &[&str], locality: &[&str]) -> Lookup {
    match datacenter(locality) {
        Some(datacenter) if !subject.is_empty() => Lookup::Node { node: subject.join("."), datacenter },
        _ => Lookup::Nothing,
    }
}

fn prepared_query(subject: &[&str], locality: &[&str]) -> Lookup {
    let query = match subject {
        [] => return Lookup::Nothing,
        [query, proto] if query.starts_with('_') && proto.starts_with('_') => {
            query.get(1..).unwrap_or_default().to_owned()
        }
        labels => labels.join("."),
    };
    match locality {
        [] => Lookup::PreparedQuery { query, datacenter: None },
        [datacenter] => Lookup::PreparedQuery { query, datacenter: Some((*datacenter).to_owned()) },
        _ => Lookup::Nothing,
    }
}

/// The datacenter a locality names: `Some(None)` for our own, `None` if the locality is no valid one.
fn datacenter(locality: &[&str]) -> Option<Option<String>> {
    match locality {
        [] => Some(None),
        [datacenter] | [datacenter, "dc"] => Some(Some((*datacenter).to_owned())),
        _ => None,
    }
}

fn address(subject: &[&str]) -> Lookup {
    let [hex] = subject else { return Lookup::Nothing };
    // As many bytes as an address has, but half a byte more, is bad hexadecimal and no other length.
    let ip = match hex.len() / 2 {
        4 if hex.len() == 8 => u32::from_str_radix(hex, 16).ok().map(|bits| Ipv4Addr::from(bits).into()),
        16 if hex.len() == 32 => u128::from_str_radix(hex, 16).ok().map(|bits| Ipv6Addr::from(bits).into()),
        4 | 16 => None,
        _ => return Lookup::EmptyAddress,
    };
    match ip {
        Some(ip) if !hex.starts_with('+') => Lookup::Address(ip),
        _ => Lookup::Nothing,
    }
}

/// The address spelled backwards left of `arpa`, if whole and well formed.
fn reverse_address(labels: &[&str]) -> Option<IpAddr> {
    match labels {
        [octets @ .., "in-addr"] if octets.len() == 4 => {
            let mut ip = [0; 4];
            for (octet, label) in ip.iter_mut().rev().zip(octets) {
                *octet = label.parse().ok()?;
            }
            Some(Ipv4Addr::from(ip).into())
        }
        [nibbles @ .., "ip6"] if nibbles.len() == 32 => {
            let mut bits = 0u128;
            for label in nibbles.iter().rev() {
                let mut chars = label.chars();
                let (Some(digit), None) = (chars.next(), chars.next()) else { return None };
                bits = bits << 4 | u128::from(digit.to_digit(16)?);
            }
            Some(Ipv6Addr::from(bits).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings() -> Settings {
        let mut settings = Settings::new("dc1", "n1", "consul.").unwrap();
        settings.alt_domain = Some(Zone::new("test-domain").unwrap());
        settings
    }

    fn read(name: &str, form: Form) -> Lookup {
        let settings = settings();
        match parse(&Name::from_ascii(name).unwrap(), form, &settings) {
            Target::Catalog { lookup, .. } => lookup,
            other => panic!("{name} is {other:?}"),
        }
    }

    fn web(tag: Option<&str>, datacenter: Option<&str>) -> Lookup {
        Lookup::Service {
            service: "web".into(),
            tag: tag.map(str::to_owned),
            view: ServiceView::Plain,
            datacenter: datacenter.map(str::to_owned),
        }
    }

    #[test]
    fn service_names_in_every_form() {
        for (name, want) in [
            ("web.service.consul.", web(None, None)),
            ("WEB.Service.CONSUL.", web(None, None)),
            ("web.service.dc2.consul.", web(None, Some("dc2"))),
            ("web.service.dc2.dc.consul.", web(None, Some("dc2"))),
            ("web.service.test-domain.", web(None, None)),
            ("a.web.service.consul.", web(Some("a"), None)),
            ("a.b.web.service.consul.", web(Some("a.b"), None)),
            ("_web._tcp.service.consul.", web(None, None)),
            ("_web._Primary.service.consul.", web(Some("primary"), None)),
            ("_web._primary.service.dc2.consul.", web(Some("primary"), Some("dc2"))),
            ("web.service.foo.bar.consul.", Lookup::Nothing),
            ("web.service.p1.peer.consul.", Lookup::Nothing),
            ("web.service.n.ns.consul.", Lookup::Nothing),
            ("service.consul.", Lookup::Nothing),
            ("nonsense.consul.", Lookup::Nothing),
            ("consul.", Lookup::Nothing),
            ("web.virtual.consul.", Lookup::Nothing),
        ] {
            assert_eq!(read(name, Form::Other), want, "{name}");
        }
    }

    #[test]
    fn only_srv_questions_may_leave_out_service() {
        assert_eq!(read("_web._tcp.consul.", Form::Srv), web(None, None));
        assert_eq!(read("_web._a.dc2.consul.", Form::Srv), web(Some("a"), Some("dc2")));
        assert_eq!(read("_web._tcp.consul.", Form::Other), Lookup::Nothing);
    }

    #[test]
    fn node_names_keep_their_dots_and_the_rightmost_keyword_decides() {
        let node = |node: &str, datacenter: Option<&str>| Lookup::Node {
            node: node.into(),
            datacenter: datacenter.map(str::to_owned),
        };
        assert_eq!(read("N1.node.consul.", Form::Other), node("n1", None));
        assert_eq!(read("dot.node.node.dc1.consul.", Form::Other), node("dot.node", Some("dc1")));
        assert_eq!(read("web.service.node.consul.", Form::Other), node("web.service", None));
        assert_eq!(read("node.consul.", Form::Other), Lookup::Nothing);
    }

    #[test]
    fn prepared_queries_take_dots_rfc2782_and_one_locality_label() {
        let query = |query: &str, datacenter: Option<&str>| Lookup::PreparedQuery {
            query: query.into(),
            datacenter: datacenter.map(str::to_owned),
        };
        assert_eq!(read("a.b.query.consul.", Form::Other), query("a.b", None));
        assert_eq!(read("q.query.dc2.consul.", Form::Other), query("q", Some("dc2")));
        assert_eq!(read("_q._tcp.query.consul.", Form::Srv), query("q", None));
        assert_eq!(read("q.query.dc2.dc.consul.", Form::Other), Lookup::Nothing);
    }

    #[test]
    fn addr_names() {
        let v6: IpAddr = "2001:db8::7".parse().unwrap();
        for (name, want) in [
            ("0A000002.addr.dc1.consul.", Lookup::Address([10, 0, 0, 2].into())),
            ("0a000002.addr.what.ever.consul.", Lookup::Address([10, 0, 0, 2].into())),
            ("20010db8000000000000000000000007.addr.consul.", Lookup::Address(v6)),
            ("0a0000zz.addr.consul.", Lookup::Nothing),
            ("0a0000020.addr.consul.", Lookup::Nothing),
            ("x.0a000002.addr.consul.", Lookup::Nothing),
            ("0a0000.addr.consul.", Lookup::EmptyAddress),
            ("zz.addr.consul.", Lookup::EmptyAddress),
        ] {
            assert_eq!(read(name, Form::Other), want, "{name}");
        }
    }

    #[test]
    fn a_sign_is_not_hexadecimal() {
        let name = Name::from_labels([&b"+a000002"[..], b"addr", b"consul"]).unwrap();
        let settings = settings();
        let target = parse(&name, Form::Other, &settings);
        assert_eq!(target, Target::Catalog { zone: &settings.domain, lookup: Lookup::Nothing });
    }

    #[test]
    fn reverse_names_must_spell_a_whole_address() {
        let settings = settings();
        let reverse = |name: &str| parse(&Name::from_ascii(name).unwrap(), Form::Other, &settings);
        assert_eq!(reverse("4.3.2.1.in-addr.arpa."), Target::Reverse(Some([1, 2, 3, 4].into())));
        assert_eq!(reverse("3.2.1.in-addr.ARPA."), Target::Reverse(None));
        assert_eq!(reverse("256.3.2.1.in-addr.arpa."), Target::Reverse(None));
        assert_eq!(reverse("arpa."), Target::Reverse(None));
        let nibbles = format!("7.{}8.b.d.0.1.0.0.2.ip6.arpa.", "0.".repeat(23));
        assert_eq!(reverse(&nibbles), Target::Reverse(Some("2001:db8::7".parse().unwrap())));
        assert_eq!(reverse("example.com."), Target::Foreign);
        assert_eq!(reverse("."), Target::Foreign);
    }

    #[test]
    fn the_longest_zone_wins() {
        let mut settings = settings();
        settings.alt_domain = Some(Zone::new("node.consul").unwrap());
        let name = Name::from_ascii("web.service.node.consul.").unwrap();
        let Target::Catalog { zone, lookup } = parse(&name, Form::Other, &settings) else { panic!() };
        assert_eq!((zone.depth(), lookup), (2, web(None, None)));
    }

    #[test]
    fn a_dot_within_a_label_is_not_a_separator() {
        let name = Name::from_labels([&b"a.web"[..], b"service", b"consul"]).unwrap();
        let settings = settings();
        let Target::Catalog { lookup: Lookup::Service { service, tag, .. }, .. } =
            parse(&name, Form::Other, &settings)
        else {
            panic!()
        };
        assert_eq!((service.as_str(), tag), ("a\\046web", None));
    }

    proptest! {
        #[test]
        fn any_labels_are_read_without_panic(labels in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 1..12),
                prop::sample::select(vec!["service", "_", "_a", "node", "query", "addr", "consul", "arpa", "in-addr", "ip6"])
                    .prop_map(|s| s.as_bytes().to_vec()),
            ], 0..10), srv in any::<bool>())
        {
            let name = Name::from_labels(labels.iter().map(Vec::as_slice)).unwrap();
            parse(&name, if srv { Form::Srv } else { Form::Other }, &settings());
        }
    }
}
