//! What configuration says about HTTP; replaced as a whole by a reload.

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
    pub wait: WaitLimits,
    /// Connections of one client at a time; 0: no limit.
    pub max_conns_per_client: usize,
}

impl HttpSettings {
    pub fn is_blocked(&self, path: &[u8]) -> bool {
        self.block_endpoints.iter().any(|prefix| path.starts_with(prefix.as_bytes()))
    }
}
