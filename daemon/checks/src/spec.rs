//! From a check as people define it to one that can run: what kind it is, whether it is valid, what is filled in.

use std::ffi::OsString;
use std::str::FromStr;
use std::time::Duration;

use consul_api::types::agent::CheckDefinition;
use consul_api::types::duration::GoDuration;
use consul_api::types::health::Status;
use thiserror::Error;

use crate::alias::AliasTarget;
use crate::runner::docker::DockerCheck;
use crate::runner::grpc::GrpcCheck;
use crate::runner::h2ping::H2PingCheck;
use crate::runner::http::{HttpCheck, Redirects};
use crate::runner::os_service::{self, OsServiceCheck};
use crate::runner::script::{self, ScriptCheck};
use crate::runner::tcp::TcpCheck;
use crate::runner::udp::UdpCheck;
use crate::threshold::Thresholds;
use crate::tls::{TlsSettings, Verify};

/// Shorter intervals are raised to this: a check must not become a load of its own.
pub const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Shorter delays before a critical service is deregistered are raised to this.
pub const DEREGISTER_MIN: Duration = Duration::from_secs(60);

/// Bytes of output kept where neither the agent nor the definition says otherwise.
pub const OUTPUT_MAX_DEFAULT: usize = 4096;

const NETWORK_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs where `SHELL` is not set.
const SHELL_DEFAULT: &str = "/bin/sh";

/// A valid check, complete with defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckSpec {
    pub id: String,
    /// State until the first result.
    pub initial_status: Status,
    pub kind: CheckKind,
    pub thresholds: Thresholds,
    /// How long the check may stay critical before its service is deregistered.
    pub deregister_after: Option<Duration>,
    pub output_max: usize,
    /// Values that were below their minimum.
    pub raised: Vec<Raised>,
}

/// What is run, how often, and with which parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckKind {
    Ttl(Duration),
    Alias(AliasTarget),
    Periodic { interval: Duration, probe: Probe },
}

/// A check that is run again and again.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    Http(Box<HttpCheck>),
    Tcp(TcpCheck),
    Udp(UdpCheck),
    Grpc(GrpcCheck),
    Docker(DockerCheck),
    OsService(OsServiceCheck),
    Script(ScriptCheck),
    H2Ping(H2PingCheck),
}

/// A value that was raised to its minimum, as the log says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raised {
    Interval,
    DeregisterAfter,
}

/// Why a definition cannot become a check. Clients match these texts.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SpecError {
    #[error("Missing check name")]
    MissingName,
    #[error("Bad check status")]
    BadStatus,
    #[error("Interval and TTL cannot both be specified")]
    IntervalAndTtl,
    #[error("Interval must be > 0 for Script, HTTP, or TCP checks")]
    NoInterval,
    #[error("TTL must be not be set for Alias checks")]
    TtlOnAlias,
    #[error("TTL must be > 0 for TTL checks")]
    NoTtl,
    #[error("MaxOutputMaxSize must be positive")]
    OutputMaxSize,
    #[error("FailuresBeforeWarning can't be higher than FailuresBeforeCritical")]
    WarningAfterCritical,
    #[error("{0} must not be negative")]
    Negative(&'static str),
    #[error(
        "Scripts are disabled on this agent; to enable, configure 'enable_script_checks' or 'enable_local_script_checks' to true"
    )]
    ScriptsDisabled,
    #[error(
        "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true"
    )]
    RemoteScriptsDisabled,
}

impl SpecError {
    /// True for the errors that the HTTP API introduces with `Invalid check: `.
    pub fn is_invalid_check(&self) -> bool {
        !matches!(
            self,
            Self::MissingName | Self::BadStatus | Self::ScriptsDisabled | Self::RemoteScriptsDisabled
        )
    }
}

/// Where a definition came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    ConfigFile,
    Api,
}

/// Which definitions may run commands on this host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptSwitches {
    pub enable_script_checks: bool,
    pub enable_local_script_checks: bool,
}

impl ScriptSwitches {
    /// Refuses definitions that carry a command unless commands from `origin` are allowed.
    pub fn authorize(self, definition: &CheckDefinition, origin: Origin) -> Result<(), SpecError> {
        if !has_command(definition) || self.enable_script_checks {
            return Ok(());
        }
        match origin {
            Origin::ConfigFile if self.enable_local_script_checks => Ok(()),
            Origin::ConfigFile => Err(SpecError::ScriptsDisabled),
            Origin::Api => Err(SpecError::RemoteScriptsDisabled),
        }
    }
}

impl CheckSpec {
    /// Validates `definition`, whose id defaults to its name. `output_max` is the agent's limit in bytes, which the
    /// definition can only lower.
    pub fn new(definition: &CheckDefinition, output_max: usize) -> Result<Self, SpecError> {
        if definition.name.is_empty() {
            return Err(SpecError::MissingName);
        }
        let initial_status = initial_status(&definition.status)?;
        validate(definition)?;
        let output_max = effective_output_max(definition, output_max);
        let mut raised = Vec::new();
        let kind = kind_of(definition, output_max, &mut raised)?;
        let id = if definition.id.is_empty() { &definition.name } else { &definition.id };
        Ok(Self {
            id: id.clone(),
            initial_status,
            kind,
            thresholds: thresholds(definition)?,
            deregister_after: deregister_after(definition, &mut raised),
            output_max,
            raised,
        })
    }
}

impl CheckKind {
    /// The check's `Type` in the catalog.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Ttl(_) => "ttl",
            Self::Alias(_) => "alias",
            Self::Periodic { probe, .. } => match probe {
                Probe::Http(_) => "http",
                Probe::Tcp(_) => "tcp",
                Probe::Udp(_) => "udp",
                Probe::Grpc(_) => "grpc",
                Probe::Docker(_) => "docker",
                Probe::OsService(_) => "os_service",
                Probe::Script(_) => "script",
                Probe::H2Ping(_) => "h2ping",
            },
        }
    }
}

fn has_command(definition: &CheckDefinition) -> bool {
    definition.script_args.as_ref().is_some_and(|args| !args.is_empty()) || !definition.script.is_empty()
}

fn initial_status(text: &str) -> Result<Status, SpecError> {
    if text.is_empty() {
        return Ok(Status::Critical);
    }
    Status::from_str(text).map_err(|()| SpecError::BadStatus)
}

fn validate(definition: &CheckDefinition) -> Result<(), SpecError> {
    let has_interval = definition.interval > GoDuration::ZERO;
    let has_ttl = definition.ttl > GoDuration::ZERO;
    let is_periodic = has_command(definition)
        || [&definition.http, &definition.tcp, &definition.udp, &definition.grpc]
            .iter()
            .any(|target| !target.is_empty())
        || !definition.h2ping.is_empty()
        || !definition.os_service.is_empty();
    let is_alias = !definition.alias_node.is_empty() || !definition.alias_service.is_empty();
    if has_interval && has_ttl {
        return Err(SpecError::IntervalAndTtl);
    }
    if is_periodic && !has_interval {
        return Err(SpecError::NoInterval);
    }
    if is_alias && has_ttl {
        return Err(SpecError::TtlOnAlias);
    }
    if !is_periodic && !is_alias && !has_ttl {
        return Err(SpecError::NoTtl);
    }
    if definition.output_max_size.is_some_and(|size| size < 0) {
        return Err(SpecError::OutputMaxSize);
    }
    Ok(())
}

/// The order of the guards decides which kind wins where several are given.
fn kind_of(
    definition: &CheckDefinition,
    output_max: usize,
    raised: &mut Vec<Raised>,
) -> Result<CheckKind, SpecError> {
    if definition.ttl > GoDuration::ZERO {
        return Ok(CheckKind::Ttl(definition.ttl.to_std()));
    }
    let Some(probe) = probe_of(definition, output_max) else {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let target =
            AliasTarget { node: some(&definition.alias_node), service: some(&definition.alias_service) };
        if target.node.is_none() && target.service.is_none() {
            return Err(SpecError::NoTtl);
        }
        return Ok(CheckKind::Alias(target));
    };
    let mut interval = definition.interval.to_std();
    if interval < INTERVAL_MIN {
        interval = INTERVAL_MIN;
        raised.push(Raised::Interval);
    }
    Ok(CheckKind::Periodic { interval, probe })
}

fn probe_of(definition: &CheckDefinition, output_max: usize) -> Option<Probe> {
    let timeout = timeout_or(definition, NETWORK_TIMEOUT);
    let tls = TlsSettings {
        verify: if definition.tls_skip_verify { Verify::Nothing } else { Verify::Chain },
        server_name: Some(definition.tls_server_name.clone()).filter(|name| !name.is_empty()),
    };
    if !definition.http.is_empty() {
        return Some(Probe::Http(Box::new(http_check(definition, tls, timeout, output_max))));
    }
    if !definition.tcp.is_empty() {
        let tls = definition.tcp_use_tls.then_some(tls);
        return Some(Probe::Tcp(TcpCheck { target: definition.tcp.clone(), tls, timeout }));
    }
    if !definition.udp.is_empty() {
        return Some(Probe::Udp(UdpCheck { target: definition.udp.clone(), timeout }));
    }
    if !definition.grpc.is_empty() {
        let tls = definition.grpc_use_tls.then_some(tls);
        return Some(Probe::Grpc(GrpcCheck { target: definition.grpc.clone(), tls, timeout }));
    }
    if !definition.docker_container_id.is_empty() && has_command(definition) {
        return Some(Probe::Docker(docker_check(definition, output_max)));
    }
    if !definition.os_service.is_empty() {
        let timeout = timeout_or(definition, os_service::DEFAULT_TIMEOUT);
        return Some(Probe::OsService(OsServiceCheck { service: definition.os_service.clone(), timeout }));
    }
    if has_command(definition) {
        return Some(Probe::Script(script_check(definition, output_max)));
    }
    if !definition.h2ping.is_empty() {
        let tls = definition.h2ping_use_tls.unwrap_or(true).then_some(tls);
        return Some(Probe::H2Ping(H2PingCheck { target: definition.h2ping.clone(), tls, timeout }));
    }
    None
}

fn http_check(
    definition: &CheckDefinition,
    tls: TlsSettings,
    timeout: Duration,
    output_max: usize,
) -> HttpCheck {
    let method = if definition.method.is_empty() { "GET" } else { &definition.method };
    HttpCheck {
        url: definition.http.clone(),
        method: method.to_owned(),
        headers: definition.header.clone().unwrap_or_default().into_iter().collect(),
        body: definition.body.clone().into(),
        redirects: if definition.disable_redirects { Redirects::Stop } else { Redirects::Follow },
        tls,
        timeout,
        output_max,
    }
}

fn script_check(definition: &CheckDefinition, output_max: usize) -> ScriptCheck {
    let (program, args) = match definition.script_args.as_deref() {
        Some([program, args @ ..]) => (program.into(), args.iter().map(OsString::from).collect()),
        _ => {
            let shell = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
            let shell = shell.unwrap_or_else(|| SHELL_DEFAULT.into());
            (shell, vec!["-c".into(), definition.script.clone().into()])
        }
    };
    ScriptCheck { program, args, timeout: timeout_or(definition, script::DEFAULT_TIMEOUT), output_max }
}

fn docker_check(definition: &CheckDefinition, output_max: usize) -> DockerCheck {
    let command = match definition.script_args.as_deref() {
        Some(args @ [_, ..]) => args.to_vec(),
        _ => vec![docker_shell(definition), "-c".to_owned(), definition.script.clone()],
    };
    DockerCheck {
        container: definition.docker_container_id.clone(),
        command,
        timeout: Some(definition.timeout.to_std()).filter(|timeout| !timeout.is_zero()),
        output_max,
    }
}

fn docker_shell(definition: &CheckDefinition) -> String {
    if !definition.shell.is_empty() {
        return definition.shell.clone();
    }
    std::env::var("SHELL").ok().filter(|shell| !shell.is_empty()).unwrap_or_else(|| SHELL_DEFAULT.into())
}

fn timeout_or(definition: &CheckDefinition, default: Duration) -> Duration {
    match definition.timeout.to_std() {
        Duration::ZERO => default,
        timeout => timeout,
    }
}

fn thresholds(definition: &CheckDefinition) -> Result<Thresholds, SpecError> {
    let count = |value: i64, field| {
        u32::try_from(value.min(i64::from(u32::MAX))).map_err(|_| SpecError::Negative(field))
    };
    let failures_before_critical = count(definition.failures_before_critical, "FailuresBeforeCritical")?;
    let failures_before_warning = match definition.failures_before_warning {
        Some(value) => count(value, "FailuresBeforeWarning")?,
        None => failures_before_critical,
    };
    if failures_before_warning > failures_before_critical {
        return Err(SpecError::WarningAfterCritical);
    }
    Ok(Thresholds {
        success_before_passing: count(definition.success_before_passing, "SuccessBeforePassing")?,
        failures_before_warning,
        failures_before_critical,
    })
}

fn deregister_after(definition: &CheckDefinition, raised: &mut Vec<Raised>) -> Option<Duration> {
    let after =
        Some(definition.deregister_critical_service_after.to_std()).filter(|after| !after.is_zero())?;
    if after < DEREGISTER_MIN {
        raised.push(Raised::DeregisterAfter);
    }
    Some(after.max(DEREGISTER_MIN))
}

fn effective_output_max(definition: &CheckDefinition, agent_max: usize) -> usize {
    let own = definition.output_max_size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
    own.unwrap_or(OUTPUT_MAX_DEFAULT).min(agent_max).max(1)
}
