//! Reading the configuration anew: all or nothing.

use std::sync::Arc;
use std::time::Instant;

use consul_api::types::config_entry::ConfigEntry;
use consul_config::reload::Change;
use consul_config::{AgentFlags, RuntimeConfig, Sources};
use tracing::{error, info, warn};

use crate::agent::Agent;
use crate::settings;

/// Parts whose changes are taken into the configuration, but which only a start brings into force.
const FIXED: [(Change, &str); 2] = [(Change::RaftTiming, "raft timing"), (Change::Tls, "tls")];

/// What the command line said, so that the same files are read again.
pub struct Reloader {
    flags: AgentFlags,
    /// One reload at a time.
    running: tokio::sync::Mutex<()>,
}

impl Reloader {
    pub fn new(flags: AgentFlags) -> Self {
        Self { flags, running: tokio::sync::Mutex::default() }
    }
}

impl Agent {
    /// Reads all files again and applies what may change while the agent runs. An error leaves everything as it was.
    pub async fn reload_now(self: &Arc<Self>) -> Result<(), String> {
        let _one_at_a_time = self.reload.running.lock().await;
        crate::process::notify_supervisor("RELOADING=1");
        let outcome = self.try_reload().await;
        crate::process::notify_supervisor("READY=1");
        match &outcome {
            Ok(()) => info!(target: "agent", "Configuration reloaded"),
            Err(error) => error!(target: "agent", %error, "Reload config failed"),
        }
        outcome
    }

    async fn try_reload(self: &Arc<Self>) -> Result<(), String> {
        let flags = self.reload.flags.clone();
        let loaded = tokio::task::spawn_blocking(move || {
            let sources = Sources::read(flags).map_err(|error| error.to_string())?;
            consul_config::load(&sources).map_err(|error| error.to_string())
        })
        .await
        .map_err(|error| error.to_string())??;
        for warning in &loaded.warnings {
            warn!(target: "agent", "{warning}");
        }
        let mut change = consul_config::reload::plan(&self.config.load(), &loaded.config);
        let fixed = FIXED.iter().filter(|(part, _)| change.changes.contains(part));
        change.after_restart.extend(fixed.map(|(_, name)| *name));
        if !change.after_restart.is_empty() {
            let parts = change.after_restart.join(", ");
            warn!(target: "agent", %parts, "some changes in the configuration take effect only after a restart");
        }
        let config = change.config;
        // Everything that can fail comes first.
        let dns = settings::dns(&config)?;
        let plan = self
            .services
            .plan_files(&config.service_definitions, &config.check_definitions)
            .map_err(|error| error.to_string())?;
        let entries = crate::leader::bootstrap::entries(&config)?;
        let watches = crate::watches::parse(&config).map_err(|error| error.to_string())?;
        self.apply(config, dns, plan, entries).await?;
        self.watches.replace(self, watches);
        Ok(())
    }

    async fn apply(
        self: &Arc<Self>,
        config: RuntimeConfig,
        dns: Arc<consul_dns::settings::Settings>,
        plan: crate::services::FileDefinitions,
        entries: Vec<ConfigEntry>,
    ) -> Result<(), String> {
        match settings::level(&config) {
            Some(level) => self.logs.set_level(level),
            None => {
                warn!(target: "agent", level = %config.log.level, "Invalid log level in the new configuration, keeping the old one")
            }
        }
        consul_telemetry::metrics::global().set_filter(settings::metrics_filter(&config));
        crate::settings::set_rpc_limit(&self.rpc_limit, &config);
        self.cache.set_pace(settings::cache_pace(&config));
        if let Some(server) = &self.server {
            server.limits.set(&config.limits, Instant::now());
            server.raft.set_snapshot_policy(settings::snapshots(&config));
            server.bootstrap_entries.store(Arc::new(entries));
        }
        self.services.set_discard_output(config.checks.discard_output);
        let max_conns_per_client = config.limits.http_max_conns_per_client as usize;
        let http =
            crate::http::settings::HttpSettings { max_conns_per_client, ..(**self.http.load()).clone() };
        self.http.store(Arc::new(http));
        self.dns.store(dns);
        self.config.store(Arc::new(config));
        self.sync.node_changed();
        self.sync.pause(true);
        let applied = self.services.apply_files(plan).map_err(|error| error.to_string());
        self.sync.pause(false);
        crate::services::sync::push(self).await;
        applied
    }
}
