//! Whether a check definition can be run.

use consul_api::types::agent::CheckDefinition;

/// The reason why a check cannot be run, in the words API clients know.
pub fn check(definition: &CheckDefinition) -> Result<(), &'static str> {
    let d = definition;
    let set = |text: &str| !text.is_empty();
    let args = d.script_args.as_ref().is_some_and(|args| !args.is_empty()) || set(&d.script);
    let periodic = args
        || [&d.http, &d.tcp, &d.udp, &d.grpc, &d.h2ping, &d.os_service].into_iter().any(|text| set(text));
    let interval = d.interval.0 > 0;
    let ttl = d.ttl.0 > 0;
    if set(&d.alias_node) || set(&d.alias_service) {
        return if ttl { Err("TTL must be not be set for Alias checks") } else { check_limits(d) };
    }
    if interval && ttl {
        return Err("Interval and TTL cannot both be specified");
    }
    if periodic && !ttl && !interval {
        return Err("Interval must be > 0 for Script, HTTP, or TCP checks");
    }
    if !periodic && !ttl {
        return Err("TTL must be > 0 for TTL checks");
    }
    check_limits(d)
}

fn check_limits(d: &CheckDefinition) -> Result<(), &'static str> {
    if d.output_max_size.is_some_and(|bytes| bytes < 0) {
        return Err("MaxOutputMaxSize must be positive");
    }
    if d.failures_before_warning.is_some_and(|warning| warning > d.failures_before_critical) {
        return Err("FailuresBeforeWarning can't be higher than FailuresBeforeCritical");
    }
    if !matches!(d.status.as_str(), "" | "passing" | "warning" | "critical") {
        return Err("Bad check status");
    }
    Ok(())
}
