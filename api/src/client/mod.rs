//! The typed client of an agent.
//!
//! ```no_run
//! # async fn example() -> Result<(), consul_api::client::ClientError> {
//! use consul_api::client::{Client, Config, QueryOptions};
//! let client = Client::new(Config::from_env())?;
//! let answer = client.kv().get("greeting", &QueryOptions::default()).await?;
//! # Ok(()) }
//! ```
//!
//! A client costs next to nothing until its first request and is cheap to clone. Redirects are not followed: a write
//! must not land elsewhere than where it was sent.

mod address;
mod config;
mod connect;
mod error;
mod options;
mod request;
mod runtime;
mod secret;
mod stream;
mod tls;
mod transport;

mod acl;
mod agent;
mod catalog;
mod config_entry;
mod connect_ca;
mod coordinate;
mod event;
mod health;
mod intention;
mod keeper;
mod kv;
pub mod lock;
mod operator;
mod query;
pub mod retry;
pub mod semaphore;
mod session;
mod snapshot;
mod status;
mod txn;
pub mod watch;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::Method;

pub use acl::{Acl, LoginRequest, ReplicationStatus, TokenFilter};
pub use address::{Address, Authority};
pub use agent::{Agent, AgentSelf, MetricSample, MetricValue, Metrics};
pub use catalog::Catalog;
pub use config::{Config, Connections, DEFAULT_ADDRESS, FileError};
pub use config_entry::ConfigEntries;
pub use connect_ca::ConnectCa;
pub use coordinate::Coordinates;
pub use error::{ClientError, ConfigError};
pub use event::Events;
pub use health::Health;
pub use intention::Intentions;
pub use keeper::SessionKeeper;
pub use kv::Kv;
pub use operator::{Operator, ServiceUsage, UsageReport};
pub use options::{Answer, Consistency, QueryMeta, QueryOptions, WriteOptions};
pub use query::PreparedQueries;
pub use request::Request;
pub use runtime::block_on;
pub use secret::Secret;
pub use session::Sessions;
pub use snapshot::Snapshots;
pub use status::Status;
pub use stream::{ByteStream, LineStream};
pub use txn::TxnOutcome;

use config::Resolved;
use transport::Transport;

/// A connection to an agent: one request at a time or thousands.
#[derive(Clone)]
pub struct Client(Arc<Transport>);

impl Client {
    /// Checks the settings and reads the files they name; opens nothing.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let resolved = config.resolve()?;
        Ok(Self(Arc::new(Transport::new(config, resolved))))
    }

    /// [`Config::from_env`] without overrides.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::new(Config::from_env())
    }

    /// Where the agent is.
    pub fn address(&self) -> &Address {
        &self.0.resolved().address
    }

    pub fn acl(&self) -> Acl<'_> {
        Acl(self)
    }

    pub fn agent(&self) -> Agent<'_> {
        Agent(self)
    }

    pub fn catalog(&self) -> Catalog<'_> {
        Catalog(self)
    }

    pub fn config_entries(&self) -> ConfigEntries<'_> {
        ConfigEntries(self)
    }

    pub fn connect_ca(&self) -> ConnectCa<'_> {
        ConnectCa(self)
    }

    pub fn coordinates(&self) -> Coordinates<'_> {
        Coordinates(self)
    }

    pub fn events(&self) -> Events<'_> {
        Events(self)
    }

    pub fn health(&self) -> Health<'_> {
        Health(self)
    }

    pub fn intentions(&self) -> Intentions<'_> {
        Intentions(self)
    }

    pub fn kv(&self) -> Kv<'_> {
        Kv(self)
    }

    pub fn operator(&self) -> Operator<'_> {
        Operator(self)
    }

    pub fn queries(&self) -> PreparedQueries<'_> {
        PreparedQueries(self)
    }

    pub fn sessions(&self) -> Sessions<'_> {
        Sessions(self)
    }

    pub fn snapshots(&self) -> Snapshots<'_> {
        Snapshots(self)
    }

    pub fn status(&self) -> Status<'_> {
        Status(self)
    }

    /// A request of the caller's own making, for what has no typed method. The path is not encoded yet.
    pub fn get(&self, path: &str) -> Request<'_> {
        Request::new(self, Method::GET, path)
    }

    /// Like [`Self::get`].
    pub fn put(&self, path: &str) -> Request<'_> {
        Request::new(self, Method::PUT, path)
    }

    /// Like [`Self::get`].
    pub fn post(&self, path: &str) -> Request<'_> {
        Request::new(self, Method::POST, path)
    }

    /// Like [`Self::get`].
    pub fn delete(&self, path: &str) -> Request<'_> {
        Request::new(self, Method::DELETE, path)
    }

    fn config(&self) -> &Config {
        self.0.config()
    }

    fn resolved(&self) -> &Resolved {
        self.0.resolved()
    }

    fn transport(&self) -> &Transport {
        &self.0
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("address", self.address()).finish_non_exhaustive()
    }
}
