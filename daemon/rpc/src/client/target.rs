//! Whom to call.

use std::net::SocketAddr;
use std::sync::Arc;

/// Whether a server is called over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encryption {
    /// Unencrypted.
    Plain,
    /// With TLS, the server's certificate verified as configured.
    Tls,
    /// With TLS and without a certificate of ours, each call on a connection of its own: only for getting one.
    Insecure,
}

/// One server. Servers that differ in anything here have connections of their own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The server's node name, which tells servers apart that took over each other's address.
    pub name: Arc<str>,
    /// Where it answers calls.
    pub address: SocketAddr,
    /// Its datacenter, which is part of the name in its certificate.
    pub datacenter: Arc<str>,
    /// How to call it.
    pub encryption: Encryption,
}

impl Target {
    /// A server that is called without encryption.
    pub fn plain(name: impl Into<Arc<str>>, address: SocketAddr, datacenter: impl Into<Arc<str>>) -> Self {
        let (name, datacenter) = (name.into(), datacenter.into());
        Self { name, address, datacenter, encryption: Encryption::Plain }
    }
}
