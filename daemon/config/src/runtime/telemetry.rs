//! Where metrics go and which.

use super::Context;
use crate::section::Section;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryConfig {
    pub metrics_prefix: String,
    /// Leave the host name out of gauges.
    pub disable_hostname: bool,
    /// Emit metrics that no filter names.
    pub filter_default: bool,
    pub allowed_prefixes: Vec<String>,
    pub blocked_prefixes: Vec<String>,
    /// `host:port`; empty for none, as the next two.
    pub statsd_address: String,
    pub statsite_address: String,
    pub dogstatsd_addr: String,
    pub dogstatsd_tags: Vec<String>,
    /// How long Prometheus metrics are kept; zero switches them off.
    pub prometheus_retention_time: Duration,
    /// Try again to reach a sink that was unreachable at start.
    pub retry_failed_connection: bool,
    pub enable_host_metrics: bool,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            metrics_prefix: "consul".to_owned(),
            disable_hostname: false,
            filter_default: true,
            allowed_prefixes: Vec::new(),
            blocked_prefixes: Vec::new(),
            statsd_address: String::new(),
            statsite_address: String::new(),
            dogstatsd_addr: String::new(),
            dogstatsd_tags: Vec::new(),
            prometheus_retention_time: Duration::ZERO,
            retry_failed_connection: true,
            enable_host_metrics: false,
        }
    }
}

impl TelemetryConfig {
    pub(super) fn read(section: &Section<'_>, cx: &mut Context<'_>) -> Self {
        let d = Self::default();
        let (allowed_prefixes, blocked_prefixes) = prefix_filter(section, cx);
        Self {
            metrics_prefix: section.text("metrics_prefix").unwrap_or(d.metrics_prefix),
            disable_hostname: section.flag("disable_hostname").unwrap_or(d.disable_hostname),
            filter_default: section.flag("filter_default").unwrap_or(d.filter_default),
            allowed_prefixes,
            blocked_prefixes,
            statsd_address: sink(section, "statsd_address"),
            statsite_address: sink(section, "statsite_address"),
            dogstatsd_addr: sink(section, "dogstatsd_addr"),
            dogstatsd_tags: section.texts("dogstatsd_tags"),
            prometheus_retention_time: section
                .duration("prometheus_retention_time")
                .unwrap_or(d.prometheus_retention_time),
            retry_failed_connection: section
                .flag("retry_failed_connection")
                .unwrap_or(d.retry_failed_connection),
            enable_host_metrics: section.flag("enable_host_metrics").unwrap_or(d.enable_host_metrics),
        }
    }
}

fn sink(section: &Section<'_>, key: &str) -> String {
    let address = section.text_or_empty(key);
    if !address.is_empty() && !address.starts_with("unix://") && !address.contains(':') {
        let message = format!("failed to initialize telemetry: address {address}: missing port in address");
        section.report(key, message);
    }
    address
}

fn prefix_filter(section: &Section<'_>, cx: &mut Context<'_>) -> (Vec<String>, Vec<String>) {
    let (mut allowed, mut blocked) = (Vec::new(), Vec::new());
    let pos = section.pos("prefix_filter");
    for rule in section.texts("prefix_filter") {
        if let Some(prefix) = rule.strip_prefix('+') {
            allowed.push(prefix.to_owned());
        } else if let Some(prefix) = rule.strip_prefix('-') {
            blocked.push(prefix.to_owned());
        } else if rule.is_empty() {
            cx.warnings.push("Cannot have empty filter rule in prefix_filter", pos.clone());
        } else {
            cx.warnings.push(format!("Filter rule must begin with either '+' or '-': {rule:?}"), pos.clone());
        }
    }
    (allowed, blocked)
}
