//! What configuration says about HTTP; replaced as a whole by a reload.

use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use ipnet::IpNet;

use super::options::WaitLimits;

#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Path prefixes that answer 403.
    pub block_endpoints: Vec<String>,
    /// Networks that writes may come from; empty: any.
    pub allow_write_from: Vec<IpNet>,
    /// Sent with every API answer.
    pub response_headers: Vec<(HeaderName, HeaderValue)>,
    /// Paths may hold characters that do not print.
    pub allow_unprintable: bool,
    /// Indent JSON without being asked (development mode).
    pub always_pretty: bool,
    pub translate_wan_addrs: bool,
    pub default_policy: &'static str,
    /// How old an answer of catalog and health may be where the caller does not say; zero: it comes from the leader.
    pub discovery_max_stale: Duration,
    pub wait: WaitLimits,
    /// Connections of one client at a time; 0: no limit.
    pub max_conns_per_client: usize,
    /// Bytes that request line and headers may have together; at least [`HEAD_MAX_LEAST`].
    pub head_max: usize,
}

pub const HEAD_MAX_DEFAULT: usize = 1024 * 1024;
/// What the HTTP library needs as a buffer.
pub const HEAD_MAX_LEAST: usize = 8192;

impl HttpSettings {
    /// How old an answer to a request for `path` may be, unless it says itself.
    pub fn max_stale_default(&self, path: &[u8]) -> Option<Duration> {
        let discovers = path.starts_with(b"/v1/catalog") || path.starts_with(b"/v1/health");
        (discovers && !self.discovery_max_stale.is_zero()).then_some(self.discovery_max_stale)
    }

    pub fn is_blocked(&self, path: &[u8]) -> bool {
        self.block_endpoints.iter().any(|prefix| path.starts_with(prefix.as_bytes()))
    }
}
