//! What all checks of an agent share: limits, trusted certificates, the container engine.

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use tokio::sync::Semaphore;

use crate::alias::AliasWatch;
use crate::runner::HttpEnv;
use crate::runner::docker::DockerEngine;
use crate::tls::{AgentTls, TlsConfigs};

/// What an agent decides about its checks.
#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// Processes of script checks that may run at once; further ones wait. High: bursts of load. Low: late checks.
    pub scripts_max: usize,
    /// Set where the agent uses its own TLS material for checks.
    pub agent_tls: Option<AgentTls>,
    /// Address of the container engine in the form of `DOCKER_HOST`; None: the local socket.
    pub docker_host: Option<String>,
    /// Program that knows the operating system's services.
    pub systemctl: OsString,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self { scripts_max: 64, agent_tls: None, docker_host: None, systemctl: "systemctl".into() }
    }
}

impl RuntimeOptions {
    /// The defaults, with `DOCKER_HOST` taken from the environment.
    pub fn from_env() -> Self {
        Self { docker_host: std::env::var("DOCKER_HOST").ok(), ..Self::default() }
    }
}

/// Shared by all monitors of an agent.
pub struct CheckRuntime {
    pub(crate) scripts: Arc<Semaphore>,
    pub(crate) tls: TlsConfigs,
    pub(crate) docker: DockerEngine,
    pub(crate) systemctl: OsString,
    pub(crate) alias: Arc<dyn AliasWatch>,
    proxies: Matcher,
}

impl CheckRuntime {
    /// Reads the proxy variables (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`) of the environment.
    pub fn new(options: RuntimeOptions, alias: Arc<dyn AliasWatch>) -> Self {
        Self {
            scripts: Arc::new(Semaphore::new(options.scripts_max.max(1))),
            tls: TlsConfigs::new(options.agent_tls),
            docker: DockerEngine::new(options.docker_host.as_deref()),
            systemctl: options.systemctl,
            alias,
            proxies: Matcher::from_env(),
        }
    }

    pub(crate) fn http(&self) -> HttpEnv<'_> {
        HttpEnv { tls: &self.tls, proxies: &self.proxies }
    }
}

impl fmt::Debug for CheckRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckRuntime").field("tls", &self.tls).finish_non_exhaustive()
    }
}
