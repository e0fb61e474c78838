//! The grammar of the arguments of data functions.

use std::sync::LazyLock;

use consul_template_language::quoted;
use regex::{Captures, Regex};
use thiserror::Error;

use crate::dependency::{Dependency, Scope, ServiceQuery, StatusFilter};

/// An argument that is not of the form its function takes.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ArgumentError {
    /// Not of that form at all.
    #[error("{kind}: invalid format: {}", quoted(.argument.as_bytes()))]
    Format {
        /// Kind of the dependency.
        kind: &'static str,
        /// The whole argument.
        argument: String,
    },
    /// A key that no query has.
    #[error(
        "{kind}: invalid query parameter key {} in query {}: supported keys: ns,peer,partition,sameness-group",
        quoted(.key.as_bytes()),
        quoted(.query.as_bytes())
    )]
    QueryKey {
        /// Kind of the dependency.
        kind: &'static str,
        /// The unknown key.
        key: String,
        /// All keys and values.
        query: String,
    },
    /// Two keys that exclude each other.
    #[error("{kind}: cannot specify both peer and sameness-group in query {}", quoted(.query.as_bytes()))]
    PeerAndGroup {
        /// Kind of the dependency.
        kind: &'static str,
        /// All keys and values.
        query: String,
    },
    /// A state that instances cannot be in.
    #[error("health.service: invalid filter: {} in {}", quoted(.filter.as_bytes()), quoted(.argument.as_bytes()))]
    Filter {
        /// The unknown word.
        filter: String,
        /// The whole argument.
        argument: String,
    },
}

const TAG: &str = r"((?P<tag>[[:word:]=:.\-]+)\.)?";
const NAME: &str = r"(?P<name>[[:word:]\-]+)";
const NODE: &str = r"(?P<name>[[:word:].\-]+)";
const PATH: &str = r"/?(?P<path>[^@?]+)";
const QUERY: &str = r"(\?(?P<query>[[:word:]\-=&]+))?";
const DATACENTER: &str = r"(@(?P<dc>[[:word:].\-]+))?";
const NEAR: &str = r"(~(?P<near>[[:word:].\-]+))?";
const FILTER: &str = r"(\|(?P<filter>[[:word:],]+))?";

static SERVICE: LazyLock<Regex> = LazyLock::new(|| whole(&[TAG, NAME, QUERY, DATACENTER, NEAR, FILTER]));
static SERVICES: LazyLock<Regex> = LazyLock::new(|| whole(&[QUERY, DATACENTER]));
static NODES: LazyLock<Regex> = LazyLock::new(|| whole(&[QUERY, DATACENTER, NEAR]));
static ONE_NODE: LazyLock<Regex> = LazyLock::new(|| whole(&[NODE, QUERY, DATACENTER]));
static KEY: LazyLock<Regex> = LazyLock::new(|| whole(&[PATH, QUERY, DATACENTER]));
static PEERINGS: LazyLock<Regex> = LazyLock::new(|| whole(&[QUERY]));

fn whole(parts: &[&str]) -> Regex {
    Regex::new(&format!(r"\A{}\z", parts.concat())).expect("the patterns above are valid")
}

/// The parts of an argument.
struct Parts<'a> {
    kind: &'static str,
    captures: Captures<'a>,
}

impl<'a> Parts<'a> {
    fn of(kind: &'static str, form: &Regex, argument: &'a str) -> Result<Parts<'a>, ArgumentError> {
        let captures = form
            .captures(argument)
            .ok_or_else(|| ArgumentError::Format { kind, argument: argument.to_owned() })?;
        Ok(Parts { kind, captures })
    }

    fn get(&self, name: &str) -> Option<String> {
        self.captures.name(name).map(|found| found.as_str().to_owned())
    }

    fn scope(&self) -> Result<Scope, ArgumentError> {
        let mut scope = Scope { datacenter: self.get("dc"), ..Scope::default() };
        let Some(query) = self.get("query") else { return Ok(scope) };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let place = match key {
                "ns" => &mut scope.namespace,
                "partition" => &mut scope.partition,
                "peer" => &mut scope.peer,
                "sameness-group" => &mut scope.sameness_group,
                _ => {
                    let (kind, key) = (self.kind, key.to_owned());
                    return Err(ArgumentError::QueryKey { kind, key, query });
                }
            };
            if place.is_none() && !value.is_empty() {
                *place = Some(value.to_owned());
            }
        }
        if scope.peer.is_some() && scope.sameness_group.is_some() {
            return Err(ArgumentError::PeerAndGroup { kind: self.kind, query });
        }
        Ok(scope)
    }
}

pub(crate) fn service(argument: &str, connect: bool) -> Result<Option<Dependency>, ArgumentError> {
    if argument.is_empty() || argument.starts_with('|') {
        return Ok(None);
    }
    let parts = Parts::of("health.service", &SERVICE, argument)?;
    let filters = match parts.get("filter") {
        Some(filter) => filters(&filter, argument)?,
        None => vec![StatusFilter::Passing],
    };
    Ok(Some(Dependency::Service(ServiceQuery {
        connect,
        name: parts.get("name").unwrap_or_default(),
        tag: parts.get("tag"),
        scope: parts.scope()?,
        near: parts.get("near"),
        filters,
    })))
}

fn filters(words: &str, argument: &str) -> Result<Vec<StatusFilter>, ArgumentError> {
    let mut filters = Vec::new();
    for word in words.split(',').filter(|word| !word.is_empty()) {
        filters.push(StatusFilter::parse(word).ok_or_else(|| ArgumentError::Filter {
            filter: word.to_owned(),
            argument: argument.to_owned(),
        })?);
    }
    filters.sort_unstable();
    filters.dedup();
    Ok(filters)
}

pub(crate) fn services(argument: &str) -> Result<Dependency, ArgumentError> {
    Parts::of("catalog.services", &SERVICES, argument)?.scope().map(Dependency::Services)
}

pub(crate) fn nodes(argument: &str) -> Result<Dependency, ArgumentError> {
    let parts = Parts::of("catalog.nodes", &NODES, argument)?;
    Ok(Dependency::Nodes { scope: parts.scope()?, near: parts.get("near") })
}

pub(crate) fn node(argument: &str) -> Result<Dependency, ArgumentError> {
    if argument.is_empty() {
        return Ok(Dependency::Node { name: None, scope: Scope::default() });
    }
    let parts = Parts::of("catalog.node", &ONE_NODE, argument)?;
    Ok(Dependency::Node { name: parts.get("name"), scope: parts.scope()? })
}

pub(crate) fn key(argument: &str) -> Result<Option<(String, Scope)>, ArgumentError> {
    if argument.is_empty() {
        return Ok(None);
    }
    let parts = Parts::of("kv.get", &KEY, argument)?;
    Ok(Some((parts.get("path").unwrap_or_default(), parts.scope()?)))
}

pub(crate) fn keys(argument: &str) -> Result<Option<Dependency>, ArgumentError> {
    if argument.is_empty() {
        return Ok(None);
    }
    let parts = Parts::of("kv.list", &KEY, argument)?;
    let path = parts.get("path").unwrap_or_default();
    // A slash alone is taken for the path by the form, but means the root.
    let prefix = if path == "/" { String::new() } else { path };
    Ok(Some(Dependency::Keys { prefix, scope: parts.scope()? }))
}

pub(crate) fn peerings(argument: &str) -> Result<Dependency, ArgumentError> {
    let scope = Parts::of("list.peering", &PEERINGS, argument)?.scope()?;
    Ok(Dependency::Peerings { partition: scope.partition })
}
