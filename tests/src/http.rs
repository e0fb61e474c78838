//! Plain HTTP to an agent: status, headers and bytes as they came.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub async fn read(response: reqwest::Response) -> Result<Self, reqwest::Error> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        Ok(Self { status, headers, body: response.bytes().await?.to_vec() })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON. Panics with the body if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("status {}, no JSON ({error}): {}", self.status, self.text()))
    }

    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// `X-Consul-Index`; 0 if there is none.
    pub fn index(&self) -> u64 {
        self.header("x-consul-index").parse().unwrap_or(0)
    }

    /// Panics unless the request succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.status == 200, "status {}: {}", self.status, self.text());
        self
    }
}

/// A client for one agent. Follows no redirect and knows no certificates: it only speaks to the loopback.
pub fn client() -> reqwest::Client {
    client_with_limit(Duration::from_secs(90))
}

/// A client that waits no longer than `limit` for an answer.
pub fn client_with_limit(limit: Duration) -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .tls_built_in_root_certs(false)
        .no_proxy()
        .timeout(limit)
        .build()
        .expect("these settings are valid")
}
