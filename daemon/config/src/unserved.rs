//! Settings that are understood but that no part of this agent acts on yet.
//!
//! Accepting them keeps files that are shared with other agents usable; saying so keeps their authors from relying on
//! them. Where going on would be dangerous the agent refuses to start instead, which is not decided here.

use crate::load::PRESET;
use crate::raw::{Field, Node, Raw};
use crate::runtime::RuntimeConfig;
use crate::value::Value;

/// Settings that wait for the same thing.
struct Subject {
    /// Dotted paths of keys or of whole blocks.
    keys: &'static [&'static str],
    /// Completes "… no effect yet: ".
    why: &'static str,
    /// Whether the keys matter after all in this configuration.
    served: fn(&RuntimeConfig) -> bool,
}

const NEVER: fn(&RuntimeConfig) -> bool = |_| false;

const SUBJECTS: &[Subject] = &[
    Subject {
        keys: &["tls", "server_name"],
        why: "none of this agent's own connections uses TLS",
        served: |config| config.checks.use_agent_tls,
    },
    Subject {
        keys: &["addresses.https", "auto_config", "auto_encrypt", "limits.https_handshake_timeout"],
        why: "none of this agent's own connections uses TLS",
        served: NEVER,
    },
    Subject {
        keys: &["addresses.grpc", "addresses.grpc_tls", "ports.grpc", "ports.grpc_tls"],
        why: "this agent offers no gRPC",
        served: NEVER,
    },
    Subject {
        keys: &[
            "connect",
            "enable_central_service_config",
            "ports.expose_max_port",
            "ports.expose_min_port",
            "ports.proxy_max_port",
            "ports.proxy_min_port",
        ],
        why: "there is no service mesh",
        served: NEVER,
    },
    Subject { keys: &["ui_config"], why: "this agent has no web interface", served: NEVER },
];

/// One notice for each subject of which something was asked for by file or flag.
pub(crate) fn notices(raw: &Raw, config: &RuntimeConfig) -> Vec<String> {
    let mut notices = Vec::new();
    for subject in SUBJECTS.iter().filter(|subject| !(subject.served)(config)) {
        let asked: Vec<&str> = subject.keys.iter().copied().filter(|key| is_asked_for(raw, key)).collect();
        if asked.is_empty() {
            continue;
        }
        let have = if asked.len() == 1 { "has" } else { "have" };
        notices.push(format!("{} {have} no effect yet: {}", asked.join(", "), subject.why));
    }
    notices
}

fn is_asked_for(raw: &Raw, path: &str) -> bool {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let Some(field) = raw.fields.get(first) else { return false };
    match (&field.node, rest) {
        (Node::Block(inner), "") => inner.fields.keys().any(|key| is_asked_for(inner, key)),
        (Node::Block(inner), rest) => is_asked_for(inner, rest),
        _ => !is_preset(field) && asks(&field.node),
    }
}

fn is_preset(field: &Field) -> bool {
    &*field.pos.source == PRESET
}

/// Switching something off that is not there is granted.
fn asks(node: &Node) -> bool {
    match node {
        Node::Leaf(Value::Bool(on)) => *on,
        Node::Leaf(Value::Int(number)) => *number > 0,
        Node::Leaf(value) => value.as_str() != Some(""),
        Node::List(items) => !items.is_empty(),
        Node::Map(map) => !map.is_empty(),
        Node::Block(inner) => !inner.fields.is_empty(),
        Node::Blocks(blocks) => !blocks.is_empty(),
        Node::BlockMap(map) => !map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::AGENT;
    use crate::schema::{Kind, Schema};

    fn exists(schema: &'static Schema, path: &str) -> bool {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        match schema.find(first).map(|key| key.kind) {
            None => false,
            Some(_) if rest.is_empty() => true,
            Some(Kind::Block(inner)) => exists(inner, rest),
            Some(_) => false,
        }
    }

    #[test]
    fn every_key_exists() {
        for key in SUBJECTS.iter().flat_map(|subject| subject.keys) {
            assert!(exists(&AGENT, key), "{key}");
        }
    }
}
