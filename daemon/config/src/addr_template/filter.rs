//! The stages of a pipe: choosing, ordering and printing interfaces.

use super::Flow;
use super::attribute::{attribute, flags, number, offset, text_with_prefix};
use super::ranges;
use crate::host::Interface;
use ipnet::IpNet;
use regex::Regex;
use std::cmp::Ordering;
use std::collections::HashSet;

pub(super) fn apply(name: &str, args: &[String], mut list: Vec<Interface>) -> Result<Flow, String> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match (name, args.as_slice()) {
        ("include", [key, value]) => list = choose(list, key, value, true)?,
        ("exclude", [key, value]) => list = choose(list, key, value, false)?,
        ("sort", [keys]) => sort(&mut list, keys)?,
        ("unique", [key]) => {
            let mut seen = HashSet::new();
            list.retain(|interface| seen.insert(attribute(interface, key)));
        }
        ("limit", [count]) => list.truncate(number_of(count)?),
        ("offset", [count]) => skip(&mut list, count)?,
        ("math", [target, operand]) => {
            for interface in &mut list {
                math(interface, target, operand)?;
            }
        }
        ("join", [key, separator]) => {
            let texts: Result<Vec<String>, String> = list.iter().map(|i| attribute_of(i, key)).collect();
            return Ok(Flow::Text(texts?.join(separator)));
        }
        ("attr", [key]) => {
            return Ok(Flow::Text(match list.first() {
                Some(first) => attribute_of(first, key)?,
                None => String::new(),
            }));
        }
        (
            "include" | "exclude" | "sort" | "unique" | "limit" | "offset" | "math" | "join" | "attr",
            given,
        ) => {
            return Err(format!("wrong number of arguments for {name}: {}", given.len()));
        }
        _ => return Err(format!("function {name:?} not defined")),
    }
    Ok(Flow::Interfaces(list))
}

fn attribute_of(interface: &Interface, key: &str) -> Result<String, String> {
    attribute(interface, key).ok_or_else(|| format!("unknown attribute {key:?}"))
}

fn number_of(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("{text:?} is not a count"))
}

/// A negative offset counts from the end.
fn skip(list: &mut Vec<Interface>, text: &str) -> Result<(), String> {
    let offset: i64 = text.parse().map_err(|_| format!("{text:?} is not an offset"))?;
    let count = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX).min(list.len());
    let start = if offset < 0 { list.len() - count } else { count };
    list.drain(..start);
    Ok(())
}

/// The members that match, in the order of the alternatives they match; or those that match none.
fn choose(list: Vec<Interface>, key: &str, value: &str, wanted: bool) -> Result<Vec<Interface>, String> {
    let mut rest = list;
    let mut chosen = Vec::new();
    for alternative in alternatives(key, value) {
        let matches = matcher(key, alternative)?;
        let (hit, miss) = rest.into_iter().partition(|interface| matches(interface));
        rest = miss;
        chosen.extend::<Vec<Interface>>(hit);
    }
    Ok(if wanted { chosen } else { rest })
}

/// Networks and RFCs are tried one after the other; elsewhere the bar is part of the pattern.
fn alternatives<'v>(key: &str, value: &'v str) -> Vec<&'v str> {
    match key.to_lowercase().as_str() {
        "network" | "rfc" => value.split('|').map(str::trim).collect(),
        _ => vec![value],
    }
}

type Matcher = Box<dyn Fn(&Interface) -> bool>;

fn matcher(key: &str, value: &str) -> Result<Matcher, String> {
    let kinds: Vec<String> = value.split('|').map(str::to_lowercase).collect();
    Ok(match key.to_lowercase().as_str() {
        "address" => {
            let pattern = pattern(value)?;
            Box::new(move |i| pattern.is_match(&text_with_prefix(i)))
        }
        "name" => {
            let pattern = pattern(value)?;
            Box::new(move |i| pattern.is_match(&i.name))
        }
        "port" => {
            let pattern = pattern(value)?;
            Box::new(move |_| pattern.is_match("0"))
        }
        "flag" | "flags" => flag_matcher(value)?,
        "network" => {
            let net: IpNet = value.parse().map_err(|_| format!("invalid network {value:?}"))?;
            Box::new(move |i| net.contains(&i.address))
        }
        "rfc" => {
            let rfc: u32 = value.parse().map_err(|_| format!("invalid RFC {value:?}"))?;
            let nowhere = std::net::IpAddr::from([0, 0, 0, 0]);
            if ranges::in_rfc(rfc, nowhere).is_none() {
                return Err(format!("RFC {rfc} defines no ranges known here"));
            }
            Box::new(move |i| ranges::in_rfc(rfc, i.address) == Some(true))
        }
        "size" => {
            let bits: u8 =
                value.trim_start_matches('/').parse().map_err(|_| format!("invalid size {value:?}"))?;
            Box::new(move |i| i.prefix_len == bits)
        }
        "type" => Box::new(move |i| {
            kinds.iter().any(|kind| match kind.as_str() {
                "ip" => true,
                "ipv4" => i.address.is_ipv4(),
                "ipv6" => i.address.is_ipv6(),
                _ => false,
            })
        }),
        other => return Err(format!("unknown selector {other:?}")),
    })
}

/// Properties of an interface must all hold; of the properties of an address one is enough, even by itself.
fn flag_matcher(value: &str) -> Result<Matcher, String> {
    const INTERFACE: &[&str] = &["up", "broadcast", "loopback", "pointtopoint", "multicast"];
    const ADDRESS: &[&str] = &["forwardable", "global unicast", "link-local unicast"];
    let names: Vec<String> =
        value.split('|').map(|name| name.to_lowercase().replace("point-to-point", "pointtopoint")).collect();
    if let Some(name) = names.iter().find(|name| !INTERFACE.iter().chain(ADDRESS).any(|known| known == name))
    {
        return Err(format!("unknown interface flag {name:?}"));
    }
    Ok(Box::new(move |i| {
        let set = flags(i);
        let holds = |name: &String| set.contains(&name.as_str());
        let mut of_interface = names.iter().filter(|name| INTERFACE.contains(&name.as_str())).peekable();
        let mut of_address = names.iter().filter(|name| ADDRESS.contains(&name.as_str()));
        (of_interface.peek().is_some() && of_interface.all(holds)) || of_address.any(holds)
    }))
}

fn pattern(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|_| format!("invalid pattern {text:?}"))
}

type Order = fn(&Interface, &Interface) -> Ordering;

fn sort(list: &mut [Interface], keys: &str) -> Result<(), String> {
    let mut orders: Vec<(Order, bool)> = Vec::new();
    for key in keys.split(',').map(str::trim) {
        let (descending, name) = match key.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, key.strip_prefix('+').unwrap_or(key)),
        };
        let order: Order = match name.to_lowercase().as_str() {
            "address" => |a, b| number(a.address).cmp(&number(b.address)),
            "default" => |a, b| b.default_route.cmp(&a.default_route),
            "name" => |a, b| a.name.cmp(&b.name),
            "port" => |_, _| Ordering::Equal,
            "private" => |a, b| is_private(b).cmp(&is_private(a)),
            // The larger network, with the shorter prefix, first.
            "size" => |a, b| a.prefix_len.cmp(&b.prefix_len),
            "type" => |a, b| a.address.is_ipv6().cmp(&b.address.is_ipv6()),
            other => return Err(format!("unknown sort order {other:?}")),
        };
        orders.push((order, descending));
    }
    list.sort_by(|a, b| {
        orders
            .iter()
            .map(|(order, descending)| if *descending { order(b, a) } else { order(a, b) })
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    Ok(())
}

fn is_private(interface: &Interface) -> bool {
    ranges::in_rfc(6890, interface.address) == Some(true)
}

fn math(interface: &mut Interface, target: &str, operand: &str) -> Result<(), String> {
    let invalid = || format!("invalid operand {operand:?} for math {target:?}");
    let net = IpNet::new(interface.address, interface.prefix_len).map_err(|_| invalid())?;
    if target == "mask" {
        let bits: u8 = operand.trim_start_matches('/').parse().map_err(|_| invalid())?;
        let net = IpNet::new(interface.address, bits).map_err(|_| invalid())?;
        interface.prefix_len = bits;
        interface.address = net.network();
        return Ok(());
    }
    if !operand.starts_with(['+', '-']) {
        return Err(invalid());
    }
    let by: i128 = operand.parse().map_err(|_| invalid())?;
    let (base, by) = match target {
        "address" => (interface.address, by),
        // A negative offset counts from the network's end: -1 is its last address.
        "network" if by < 0 => (net.broadcast(), by.saturating_add(1)),
        "network" => (net.network(), by),
        other => return Err(format!("unsupported math target {other:?}")),
    };
    interface.address = offset(base, by).ok_or_else(invalid)?;
    Ok(())
}
