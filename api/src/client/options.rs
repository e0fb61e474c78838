//! What a caller can ask of a read or a write, and what an answer says about itself.

use std::time::Duration;

use http::HeaderMap;

use super::secret::Secret;

/// How fresh an answer must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// From the leader, under its lease.
    #[default]
    Default,
    /// From the leader, after it made sure that it still leads.
    Consistent,
    /// From any server.
    Stale,
}

/// Options of a read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryOptions {
    /// The agent's own if none.
    pub datacenter: Option<String>,
    pub consistency: Consistency,
    /// Accept any server's answer up to this age, then ask the leader.
    pub max_stale: Option<Duration>,
    /// Let the agent answer from its cache where it has one.
    pub cached: bool,
    /// With `cached`: refuse entries older than this.
    pub cache_max_age: Option<Duration>,
    /// With `cached`: accept entries up to this age if no fresh one can be had.
    pub cache_stale_if_error: Option<Duration>,
    /// Wait until the result's index passes this one; 0 answers at once.
    pub index: u64,
    /// Wait until the result's hash differs (agent-local reads).
    pub hash: Option<String>,
    /// How long to wait; the agent's default (5 minutes) if none.
    pub wait: Option<Duration>,
    /// Sort by round-trip time from this node; `_agent` for the agent's own.
    pub near: Option<String>,
    /// Only nodes with all of these pairs.
    pub node_meta: Vec<(String, String)>,
    pub filter: Option<String>,
    /// Instead of the client's token.
    pub token: Option<Secret>,
}

/// Longest that agents let a query wait.
const SERVER_WAIT_MAX: Duration = Duration::from_secs(600);
/// On top of the wait, for the answer to travel.
const ANSWER_GRACE: Duration = Duration::from_secs(30);

impl QueryOptions {
    pub fn stale() -> Self {
        Self { consistency: Consistency::Stale, ..Self::default() }
    }

    pub fn consistent() -> Self {
        Self { consistency: Consistency::Consistent, ..Self::default() }
    }

    pub fn in_datacenter(datacenter: impl Into<String>) -> Self {
        Self { datacenter: Some(datacenter.into()), ..Self::default() }
    }

    /// The same read, waiting for a change past `index`.
    pub fn after(&self, index: u64, wait: Duration) -> Self {
        Self { index, wait: Some(wait), ..self.clone() }
    }

    pub(super) fn is_blocking(&self) -> bool {
        self.index > 0 || self.hash.as_ref().is_some_and(|hash| !hash.is_empty())
    }

    /// When an answer to a blocking read is overdue.
    pub(super) fn blocking_limit(&self) -> Duration {
        let wait = self.wait.filter(|wait| !wait.is_zero()).unwrap_or(SERVER_WAIT_MAX).min(SERVER_WAIT_MAX);
        wait + wait / 16 + ANSWER_GRACE
    }

    pub(super) fn append(&self, query: &mut Vec<(&'static str, String)>) {
        push(query, "dc", &self.datacenter);
        match self.consistency {
            Consistency::Default => {}
            Consistency::Consistent => query.push(("consistent", String::new())),
            Consistency::Stale => query.push(("stale", String::new())),
        }
        if let Some(age) = self.max_stale {
            query.push(("max_stale", milliseconds(age)));
        }
        if self.cached {
            query.push(("cached", String::new()));
        }
        if self.index > 0 {
            query.push(("index", self.index.to_string()));
        }
        push(query, "hash", &self.hash);
        if let Some(wait) = self.wait {
            query.push(("wait", milliseconds(wait)));
        }
        push(query, "near", &self.near);
        for (name, value) in &self.node_meta {
            query.push(("node-meta", format!("{name}:{value}")));
        }
        push(query, "filter", &self.filter);
    }

    pub(super) fn cache_control(&self) -> Option<String> {
        if !self.cached {
            return None;
        }
        let max_age = self.cache_max_age.map(|age| format!("max-age={}", age.as_secs()));
        let stale = self.cache_stale_if_error.map(|age| format!("stale-if-error={}", age.as_secs()));
        let parts: Vec<String> = max_age.into_iter().chain(stale).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// Options of a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// The agent's own if none.
    pub datacenter: Option<String>,
    /// Instead of the client's token.
    pub token: Option<Secret>,
}

impl WriteOptions {
    pub(super) fn append(&self, query: &mut Vec<(&'static str, String)>) {
        push(query, "dc", &self.datacenter);
    }
}

fn push(query: &mut Vec<(&'static str, String)>, name: &'static str, value: &Option<String>) {
    if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
        query.push((name, value.clone()));
    }
}

/// Whole milliseconds, at least one: zero would mean "default" to the agent.
fn milliseconds(span: Duration) -> String {
    format!("{}ms", span.as_millis().max(1))
}

/// What the headers of an answer say. Fields the agent did not send are zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryMeta {
    /// For [`QueryOptions::index`] of the next read.
    pub index: u64,
    /// For [`QueryOptions::hash`] of the next read.
    pub content_hash: String,
    /// How long ago the answering server heard from the leader.
    pub last_contact: Duration,
    pub known_leader: bool,
    pub cache_hit: bool,
    pub cache_age: Option<Duration>,
    pub translated_addresses: bool,
    /// The token may not see everything that matched.
    pub filtered_by_acls: bool,
}

impl QueryMeta {
    pub(super) fn from_headers(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let number = |name: &str| text(name).parse().unwrap_or(0);
        Self {
            index: number("x-consul-index"),
            content_hash: text("x-consul-contenthash").to_owned(),
            last_contact: Duration::from_millis(number("x-consul-lastcontact")),
            known_leader: text("x-consul-knownleader") == "true",
            cache_hit: text("x-cache") == "HIT",
            cache_age: text("age").parse().ok().map(Duration::from_secs),
            translated_addresses: text("x-consul-translate-addresses") == "true",
            filtered_by_acls: text("x-consul-results-filtered-by-acls") == "true",
        }
    }
}

/// A value and what the agent said about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer<T> {
    pub value: T,
    pub meta: QueryMeta,
}

impl<T> Answer<T> {
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { value: convert(self.value), meta: self.meta }
    }
}
