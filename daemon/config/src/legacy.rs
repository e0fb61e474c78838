//! Old keys: each is taken, reported once, and said again under its present name.
//!
//! Runs on the merged configuration, so that a new key wins over its old name wherever either was written.

use crate::error::Problem;
use crate::keys::AGENT;
use crate::raw::{Field, Node, Raw};
use crate::schema::{Kind, Schema, Status};
use crate::source::FLAGS;
use crate::value::{Entry, Pos, Spanned, Value};
use crate::warnings::{self, Warnings};
use std::collections::BTreeMap;

/// Rewrites every old key of an agent's configuration.
pub(crate) fn modernize(raw: &mut Raw, warnings: &mut Warnings, problems: &mut Vec<Problem>) {
    let mut found = Vec::new();
    take_old_keys(&AGENT, raw, "", &mut found);
    for old in found {
        let from_flag = &*old.field.pos.source == FLAGS;
        let pos = Some(old.field.pos.clone());
        match old.status {
            Status::Live | Status::Fixed => {}
            Status::Enterprise => warnings.push(warnings::enterprise(&old.path), pos),
            Status::Ignored(advice) => {
                if is_news(&old.path, &old.field.node) {
                    warnings.push(warnings::ignored(&old.path, advice), pos);
                }
            }
            Status::Moved(to) => {
                if !from_flag {
                    warnings.push(warnings::deprecated(&old.path, to), pos);
                }
                raw.set_if_absent(to, old.field);
            }
            Status::Translated(to) => {
                warnings.push(warnings::deprecated(&old.path, to), pos);
                translate(raw, &old.path, old.field, problems);
            }
        }
    }
}

/// Switching off what does not exist is no mistake and deserves no notice.
fn is_news(path: &str, node: &Node) -> bool {
    match path {
        "disable_update_check" | "disable_anonymous_signature" | "use_streaming_backend" => false,
        "atlas_join" => *node != Node::Leaf(Value::Bool(false)),
        _ => true,
    }
}

struct Old {
    path: String,
    status: Status,
    field: Field,
}

fn take_old_keys(schema: &'static Schema, raw: &mut Raw, path: &str, found: &mut Vec<Old>) {
    for key in schema.keys {
        let path = crate::raw::join(path, key.name);
        if key.status != Status::Live {
            if let Some(field) = raw.fields.remove(key.name) {
                found.push(Old { path, status: key.status, field });
            }
            continue;
        }
        let Kind::Block(inner) = key.kind else { continue };
        if let Some(Field { node: Node::Block(block), .. }) = raw.fields.get_mut(key.name) {
            take_old_keys(inner, block, &path, found);
        }
    }
}

fn translate(raw: &mut Raw, path: &str, field: Field, problems: &mut Vec<Problem>) {
    let on = |pos: &Pos| Field { node: Node::Leaf(Value::Bool(true)), pos: pos.clone() };
    match path {
        // Naming the authoritative datacenter was the switch of the first access control system.
        "acl_datacenter" => {
            raw.set_if_absent("acl.enabled", on(&field.pos));
            raw.set_if_absent("primary_datacenter", field);
        }
        "acl_replication_token" => {
            raw.set_if_absent("acl.enable_token_replication", on(&field.pos));
            raw.set_if_absent("acl.tokens.replication", field);
        }
        // One key for two listeners: the gRPC port never obeyed it, so it is not a default for all.
        "verify_incoming" => {
            raw.set_if_absent("tls.https.verify_incoming", field.clone());
            raw.set_if_absent("tls.internal_rpc.verify_incoming", field);
        }
        "verify_incoming_rpc" => set_over_old(raw, "internal_rpc", field),
        "verify_incoming_https" => set_over_old(raw, "https", field),
        "recursor" => append(raw, "recursors", field),
        "advertise_addrs" => advertise_addrs(raw, field, problems),
        "retry_join_ec2" => cloud_join(raw, "aws", field),
        "retry_join_gce" => cloud_join(raw, "gce", field),
        "retry_join_azure" => cloud_join(raw, "azure", field),
        _ => {}
    }
}

/// The two specific switches add to the general one: either of them being true is enough.
fn set_over_old(raw: &mut Raw, listener: &str, field: Field) {
    let path =
        if listener == "https" { "tls.https.verify_incoming" } else { "tls.internal_rpc.verify_incoming" };
    if field.node == Node::Leaf(Value::Bool(true))
        && let Some(Field { node: Node::Block(tls), .. }) = raw.fields.get_mut("tls")
        && let Some(Field { node: Node::Block(block), .. }) = tls.fields.get_mut(listener)
    {
        block.fields.insert("verify_incoming", field);
        return;
    }
    raw.set_if_absent(path, field);
}

fn append(raw: &mut Raw, list: &'static str, field: Field) {
    if let Node::Leaf(value) = field.node {
        raw.append(list, Spanned::new(value, field.pos));
    }
}

/// Splits `host:port` pairs into the address keys and the port keys.
fn advertise_addrs(raw: &mut Raw, field: Field, problems: &mut Vec<Problem>) {
    let Node::Block(block) = field.node else { return };
    let mut lan_host: Option<String> = None;
    for (name, address) in block.fields {
        let Node::Leaf(Value::String(text)) = &address.node else { continue };
        let path = format!("advertise_addrs.{name}");
        let Some((host, port)) = split_host_port(text) else {
            let message = format!("{path}: expected host:port, got {text:?}");
            problems.push(Problem::new(path, message, Some(address.pos)));
            continue;
        };
        let host_field = Field { node: Node::Leaf(Value::String(host.clone())), pos: address.pos.clone() };
        let port_field = Field { node: Node::Leaf(Value::Int(port)), pos: address.pos.clone() };
        match name {
            "serf_wan" => {
                raw.set_if_absent("advertise_addr_wan", host_field);
                raw.set_if_absent("ports.serf_wan", port_field);
                continue;
            }
            "serf_lan" => raw.set_if_absent("ports.serf_lan", port_field),
            _ => raw.set_if_absent("ports.server", port_field),
        }
        if lan_host.as_ref().is_some_and(|other| *other != host) {
            let message = "advertise_addrs.rpc and advertise_addrs.serf_lan name different hosts; \
                           an agent has one LAN address: use 'advertise_addr'";
            problems.push(Problem::new(path, message, Some(address.pos)));
            continue;
        }
        raw.set_if_absent("advertise_addr", host_field);
        lan_host = Some(host);
    }
}

fn split_host_port(text: &str) -> Option<(String, i64)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let port: u16 = port.parse().ok()?;
    (!host.is_empty()).then(|| (host.to_owned(), i64::from(port)))
}

/// Turns a cloud block into the `provider=… key=value` form of `retry_join`.
fn cloud_join(raw: &mut Raw, provider: &str, field: Field) {
    let Node::Leaf(value) = &field.node else { return };
    let entries: &[Entry] = match value {
        Value::Object(entries) => entries,
        Value::List(items) => items.first().and_then(|item| item.value.as_object()).unwrap_or_default(),
        _ => return,
    };
    let settings: BTreeMap<&str, &str> =
        entries.iter().filter_map(|e| Some((e.key.as_str(), e.value.value.as_str()?))).collect();
    let mut text = format!("provider={provider}");
    for (key, setting) in settings {
        if setting.is_empty() {
            continue;
        }
        let quoted = if setting.contains([' ', '"']) { format!("{setting:?}") } else { setting.to_owned() };
        text.push_str(&format!(" {key}={quoted}"));
    }
    append(raw, "retry_join", Field { node: Node::Leaf(Value::String(text)), pos: field.pos });
}
