//! The rows of the book.

use std::time::{Duration, Instant};

use consul_api::types::agent::CheckDefinition;
use consul_api::types::catalog::NodeService;
use consul_api::types::health::HealthCheck;
use serde::{Deserialize, Serialize};

use crate::rpc::Token;

/// Who registered something. Files may do more than the API: run scripts without a global switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Configuration files.
    Local,
    /// The HTTP API.
    Remote,
}

/// Where an entry stands beside the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// The catalog has it as it is here.
    InSync,
    /// The catalog lacks it or has something else.
    Dirty,
    /// Removed here, not yet there.
    Deleted,
}

#[derive(Clone, Debug)]
pub struct LocalService {
    pub service: NodeService,
    pub token: Token,
    pub source: Source,
    pub sync: Sync,
    /// Registered along with this service and removed with it.
    pub sidecar_of: Option<String>,
}

#[derive(Clone, Debug)]
pub struct LocalCheck {
    /// As the catalog stores it; indexes are zero.
    pub check: HealthCheck,
    /// What runs. `None` for maintenance marks.
    pub definition: Option<CheckDefinition>,
    pub token: Token,
    pub source: Source,
    pub sync: Sync,
    pub critical_since: Option<Instant>,
    /// The service goes once the check has been critical for this long.
    pub deregister_after: Option<Duration>,
    /// A changed output waits until then before it is worth a write.
    pub output_due: Option<Instant>,
}
