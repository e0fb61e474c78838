//! What a template can ask for, and how it says so.
//!
//! A [`Dependency`] is made from the arguments of a data function. It is the key under which data is kept,
//! watched and shared between templates, so two calls that mean the same must yield equal dependencies.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::argument::{self, ArgumentError};

/// How often data without blocking queries is asked for again.
const POLL: Duration = Duration::from_secs(15);
/// How often files are looked at.
const POLL_FILE: Duration = Duration::from_secs(2);

/// Where in a federation a question is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// `dc=`; the agent's own datacenter if absent.
    pub datacenter: Option<String>,
    /// `partition=`
    pub partition: Option<String>,
    /// `ns=`
    pub namespace: Option<String>,
    /// `peer=`
    pub peer: Option<String>,
    /// `sameness-group=`
    pub sameness_group: Option<String>,
}

/// State of an instance by which it is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StatusFilter {
    /// Every instance.
    Any,
    /// At least one check is critical.
    Critical,
    /// The node or the instance is in maintenance mode.
    Maintenance,
    /// All checks pass.
    Passing,
    /// At least one check warns, and none is critical.
    Warning,
}

impl StatusFilter {
    /// The word for it in an argument.
    pub fn as_str(self) -> &'static str {
        match self {
            StatusFilter::Any => "any",
            StatusFilter::Critical => "critical",
            StatusFilter::Maintenance => "maintenance",
            StatusFilter::Passing => "passing",
            StatusFilter::Warning => "warning",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<StatusFilter> {
        use StatusFilter::{Any, Critical, Maintenance, Passing, Warning};
        [Any, Critical, Maintenance, Passing, Warning].into_iter().find(|filter| filter.as_str() == word)
    }
}

/// Which instances of a service are asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceQuery {
    /// Only instances that accept mesh connections for the service.
    pub connect: bool,
    /// Name of the service.
    pub name: String,
    /// Only instances with this tag.
    pub tag: Option<String>,
    /// Where.
    pub scope: Scope,
    /// Instances are sorted by their distance to this node; `_agent` is the node of the agent asked.
    pub near: Option<String>,
    /// States that are wanted, in alphabetical order.
    pub filters: Vec<StatusFilter>,
}

impl ServiceQuery {
    /// Whether the server can choose the instances; otherwise all are fetched and chosen from here.
    pub fn only_passing(&self) -> bool {
        self.filters == [StatusFilter::Passing]
    }

    /// Whether instances with this aggregated status are wanted.
    pub fn accepts(&self, status: &str) -> bool {
        self.filters.iter().any(|filter| *filter == StatusFilter::Any || filter.as_str() == status)
    }
}

/// Something a template asked for.
///
/// [`Display`](fmt::Display) gives its canonical id, as in logs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Dependency {
    /// Instances of a service.
    Service(ServiceQuery),
    /// Names of all services.
    Services(Scope),
    /// All nodes.
    Nodes {
        /// Where.
        scope: Scope,
        /// Nodes are sorted by their distance to this one.
        near: Option<String>,
    },
    /// A node and its services.
    Node {
        /// Name of the node; that of the agent asked if absent.
        name: Option<String>,
        /// Where.
        scope: Scope,
    },
    /// Names of all datacenters.
    Datacenters {
        /// Leave out those that do not answer.
        ignore_failing: bool,
    },
    /// The value of a key, waiting for the key to be there.
    Key {
        /// The key, without a slash at the start.
        key: String,
        /// Where.
        scope: Scope,
    },
    /// The value of a key, or that it is not there.
    KeyIfAny {
        /// The key, without a slash at the start.
        key: String,
        /// Where.
        scope: Scope,
    },
    /// All keys that begin with a string, and their values.
    Keys {
        /// What the keys begin with; empty for all keys.
        prefix: String,
        /// Where.
        scope: Scope,
    },
    /// Roots of the mesh's certificate authority.
    CaRoots,
    /// Certificate and key of a mesh service.
    CaLeaf {
        /// Name of the service.
        service: String,
    },
    /// The contents of a file on this machine.
    File {
        /// Its path, as the template has it.
        path: String,
    },
    /// Clusters peered with this one.
    Peerings {
        /// Of which partition.
        partition: Option<String>,
    },
    /// All admin partitions.
    Partitions,
    /// Services that other partitions and peers may use.
    ExportedServices {
        /// Of which partition.
        partition: Option<String>,
    },
    /// Services of other partitions and peers that may be used here.
    ImportedServices {
        /// In which partition.
        partition: Option<String>,
    },
}

/// How changes of data are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// By queries that the server answers when there is something new.
    Blocking,
    /// By asking again after this time.
    Poll(Duration),
}

impl Dependency {
    /// What `service` asks for; `None` if its argument names nothing.
    ///
    /// # Errors
    /// If the argument is not of the form `[TAG.]NAME[?QUERY][@DC][~NEAR][|FILTER]`.
    pub fn service(argument: &str) -> Result<Option<Dependency>, ArgumentError> {
        argument::service(argument, false)
    }

    /// What `connect` asks for; its argument is that of [`Dependency::service`].
    ///
    /// # Errors
    /// If the argument is not of that form.
    pub fn connect(argument: &str) -> Result<Option<Dependency>, ArgumentError> {
        argument::service(argument, true)
    }

    /// What `services` asks for with `[?QUERY][@DC]`.
    ///
    /// # Errors
    /// If the argument is not of that form.
    pub fn services(argument: &str) -> Result<Dependency, ArgumentError> {
        argument::services(argument)
    }

    /// What `nodes` asks for with `[?QUERY][@DC][~NEAR]`.
    ///
    /// # Errors
    /// If the argument is not of that form.
    pub fn nodes(argument: &str) -> Result<Dependency, ArgumentError> {
        argument::nodes(argument)
    }

    /// What `node` asks for with `NAME[?QUERY][@DC]`, or the agent's own node with nothing.
    ///
    /// # Errors
    /// If the argument is not of that form.
    pub fn node(argument: &str) -> Result<Dependency, ArgumentError> {
        argument::node(argument)
    }

    /// What `key` asks for with `[/]PATH[?QUERY][@DC]`; `None` if its argument is empty.
    ///
    /// # Errors
    /// If the argument is not of that form.
    pub fn key(argument: &str) -> Result<Option<Dependency>, ArgumentError> {
        argument::key(argument).map(|found| found.map(|(key, scope)| Dependency::Key { key, scope }))
    }

    /// What `keyExists` and `keyOrDefault` ask for; the argument is that of [`Dependency::key`].
    ///
    /// # Errors
    /// If the argument is not of that form.
    pub fn key_if_any(argument: &str) -> Result<Option<Dependency>, ArgumentError> {
        argument::key(argument).map(|found| found.map(|(key, scope)| Dependency::KeyIfAny { key, scope }))
    }

    /// What `ls` and `tree` ask for with `[/]PREFIX[?QUERY][@DC]`; `None` if the argument is empty.
    ///
    /// # Errors
    /// If the argument is not of that form.
    pub fn keys(argument: &str) -> Result<Option<Dependency>, ArgumentError> {
        argument::keys(argument)
    }

    /// What `peerings` asks for with `[?partition=NAME]`.
    ///
    /// # Errors
    /// If the argument is not of that form.
    pub fn peerings(argument: &str) -> Result<Dependency, ArgumentError> {
        argument::peerings(argument)
    }

    /// Whether the data is the same wherever it is asked for, so that one instance of the program can fetch it
    /// for others.
    pub fn is_shareable(&self) -> bool {
        match self {
            Dependency::Service(_)
            | Dependency::Services(_)
            | Dependency::Nodes { .. }
            | Dependency::Datacenters { .. }
            | Dependency::Key { .. }
            | Dependency::KeyIfAny { .. }
            | Dependency::Keys { .. }
            | Dependency::Partitions
            | Dependency::ExportedServices { .. }
            | Dependency::ImportedServices { .. } => true,
            Dependency::Node { .. }
            | Dependency::CaRoots
            | Dependency::CaLeaf { .. }
            | Dependency::File { .. }
            | Dependency::Peerings { .. } => false,
        }
    }

    /// How changes are noticed.
    pub fn freshness(&self) -> Freshness {
        match self {
            Dependency::Datacenters { .. } | Dependency::Partitions => Freshness::Poll(POLL),
            Dependency::File { .. } => Freshness::Poll(POLL_FILE),
            _ => Freshness::Blocking,
        }
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dependency::Service(query) => {
                let kind = if query.connect { "connect" } else { "service" };
                write!(f, "health.{kind}({query})")
            }
            Dependency::Services(scope) => id(f, "catalog.services", &scope.to_string()),
            Dependency::Nodes { scope, near } => id(f, "catalog.nodes", &format!("{scope}{}", Near(near))),
            Dependency::Node { name, scope } => {
                id(f, "catalog.node", &format!("{}{scope}", name.as_deref().unwrap_or_default()))
            }
            Dependency::Datacenters { ignore_failing: false } => f.write_str("catalog.datacenters"),
            Dependency::Datacenters { ignore_failing: true } => {
                f.write_str("catalog.datacenters(ignoreDown)")
            }
            Dependency::Key { key, scope } => write!(f, "kv.block({key}{scope})"),
            Dependency::KeyIfAny { key, scope } => write!(f, "kv.get({key}{scope})"),
            Dependency::Keys { prefix, scope } if prefix.is_empty() => write!(f, "kv.list(/{scope})"),
            Dependency::Keys { prefix, scope } => write!(f, "kv.list({prefix}{scope})"),
            Dependency::CaRoots => f.write_str("connect.caroots"),
            Dependency::CaLeaf { service } => write!(f, "connect.caleaf({service})"),
            Dependency::File { path } => write!(f, "file({path})"),
            Dependency::Peerings { partition } => {
                id(f, "list.peerings", &option("?partition=", partition.as_deref()))
            }
            Dependency::Partitions => f.write_str("list.partitions"),
            Dependency::ExportedServices { partition } => {
                id(f, "list.exportedServices", partition.as_deref().unwrap_or_default())
            }
            Dependency::ImportedServices { partition } => {
                id(f, "list.importedServices", partition.as_deref().unwrap_or_default())
            }
        }
    }
}

impl fmt::Display for ServiceQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tag) = &self.tag {
            write!(f, "{tag}.")?;
        }
        write!(f, "{}{}{}", self.name, self.scope, Near(&self.near))?;
        for (index, filter) in self.filters.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { '|' } else { ',' }, filter.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (label, value) in [
            ("@", &self.datacenter),
            ("@partition=", &self.partition),
            ("@ns=", &self.namespace),
            ("@peer=", &self.peer),
            ("@sameness-group=", &self.sameness_group),
        ] {
            f.write_str(&option(label, value.as_deref()))?;
        }
        Ok(())
    }
}

struct Near<'a>(&'a Option<String>);

impl fmt::Display for Near<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&option("~", self.0.as_deref()))
    }
}

fn option(label: &str, value: Option<&str>) -> String {
    value.map(|value| format!("{label}{value}")).unwrap_or_default()
}

/// Parentheses only around something.
fn id(f: &mut fmt::Formatter<'_>, kind: &str, inner: &str) -> fmt::Result {
    if inner.is_empty() { f.write_str(kind) } else { write!(f, "{kind}({inner})") }
}
