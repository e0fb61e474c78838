//! HTTPS, which alone pays for certificates: nothing here runs for plain connections.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Identity};

use super::address::Authority;
use super::config::{Config, Resolved};
use super::error::ClientError;

/// A client for the agent at `authority`.
pub(super) fn build(
    config: &Config,
    resolved: &Resolved,
    authority: &Authority,
) -> Result<reqwest::Client, ClientError> {
    let failed = |error: reqwest::Error| ClientError::Tls(super::error::root_words(&error));
    let connections = &config.connections;
    let mut builder = reqwest::Client::builder()
        .connect_timeout(config.connect_timeout.saturating_add(connections.tls_handshake_timeout))
        .pool_idle_timeout(connections.idle_timeout)
        .pool_max_idle_per_host(connections.idle_max)
        .tcp_keepalive(connections.keep_alive)
        .redirect(Policy::none())
        .no_proxy()
        .tcp_nodelay(true)
        .danger_accept_invalid_certs(!config.ssl_verify);
    if !resolved.ca.is_empty() {
        builder = builder.tls_built_in_root_certs(false);
    }
    for pem in &resolved.ca {
        for certificate in Certificate::from_pem_bundle(pem).map_err(failed)? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    if let Some(pem) = &resolved.identity {
        builder = builder.identity(Identity::from_pem(pem).map_err(failed)?);
    }
    if config.tls_server_name.is_some() {
        builder = builder.dns_resolver(Arc::new(FixedHost(authority.clone())));
    }
    builder.build().map_err(failed)
}

/// Scheme, host and port of the URL to give to the client. A name to verify takes the place of the host, and
/// [`FixedHost`] leads it to the real one.
pub(super) fn origin(config: &Config, authority: &Authority) -> String {
    match &config.tls_server_name {
        Some(name) => format!("https://{name}:{}", authority.port),
        None => format!("https://{}", authority.text),
    }
}

/// Finds every name at the address that the user configured.
struct FixedHost(Authority);

impl Resolve for FixedHost {
    fn resolve(&self, _: Name) -> Resolving {
        let Authority { host, port, .. } = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
