//! What a caller asks of a read beside its subject, and what it learns beside the answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::CacheControl;

/// A secret that says who calls. Empty: nobody in particular.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Token(Arc<str>);

impl Token {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Token {
    fn from(secret: &str) -> Self {
        if secret.is_empty() { Self::default() } else { Self(secret.into()) }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "Token()" } else { "Token(***)" })
    }
}

/// How fresh an answer must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// The leader's state, under its lease.
    #[default]
    Default,
    /// The leader confirms with a quorum that it still leads.
    Consistent,
    /// Any server answers; with a bound, the leader is asked when that server lags more.
    Stale { max: Option<Duration> },
}

impl Consistency {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "leader",
            Self::Consistent => "consistent",
            Self::Stale { .. } => "stale",
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Empty: this agent's own.
    pub datacenter: String,
    pub token: Token,
    pub consistency: Consistency,
    /// The agent's cache may answer.
    pub cached: bool,
    /// How old an answer of the cache may be.
    pub cache_control: CacheControl,
    /// Wait until the answer's index is above this. Zero: answer at once.
    pub min_index: u64,
    pub max_wait: Duration,
    /// A server of this datacenter has passed the request on to us as the leader: it goes no further.
    pub forwarded: bool,
}

impl ReadOptions {
    /// The same without waiting, for reads that never block.
    pub fn at_once(self) -> Self {
        Self { min_index: 0, ..self }
    }
}

/// What a caller of a write says beside the change.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// Empty: this agent's own.
    pub datacenter: String,
    pub token: Token,
    /// See [`ReadOptions::forwarded`].
    pub forwarded: bool,
}

impl From<&WriteOptions> for ReadOptions {
    fn from(options: &WriteOptions) -> Self {
        let WriteOptions { datacenter, token, forwarded } = options.clone();
        Self { datacenter, token, forwarded, ..Self::default() }
    }
}

impl From<&ReadOptions> for WriteOptions {
    fn from(options: &ReadOptions) -> Self {
        let ReadOptions { datacenter, token, forwarded, .. } = options.clone();
        Self { datacenter, token, forwarded }
    }
}

/// How fresh an answer is.
#[derive(Clone, Debug, Default)]
pub struct ReadMeta {
    pub index: u64,
    pub known_leader: bool,
    /// Since the answering server last heard from the leader.
    pub last_contact: Duration,
    pub consistency: Consistency,
    pub filtered_by_acls: bool,
    pub cache: Option<CacheInfo>,
}

/// How the agent's cache took part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheInfo {
    pub hit: bool,
    pub age: Duration,
}
