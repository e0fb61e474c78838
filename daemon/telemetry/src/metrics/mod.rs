//! Counters, gauges and samples, kept in memory in intervals of ten seconds.
//!
//! Code that counts holds a handle: `static APPLIED: LazyLock<Counter> = LazyLock::new(|| counter("kvs.apply"))`,
//! then `APPLIED.incr()`. Names are dotted and lack the `consul` that [`MetricsConfig::prefix`] puts in front.
//!
//! A [`Registry`] has no clock: whoever reads it says what time it is, which closes the intervals that are over.
//! [`run`] does so steadily and feeds the network sinks. The free functions here use the process's registry.

mod cell;
mod config;
mod display;
mod filter;
mod interval;
mod name;
mod prometheus;
mod push;
mod registry;

use std::sync::{Arc, LazyLock};

pub use cell::{Counter, Gauge, Sample};
pub use config::{ConfigError, MetricsConfig, SinkAddress};
pub use display::{GaugeValue, SampledValue, Summary};
pub use filter::{FilterRule, PrefixFilter};
pub use interval::INTERVAL;
pub use prometheus::CONTENT_TYPE as PROMETHEUS_CONTENT_TYPE;
pub use push::run;
pub use registry::{LABEL_SETS_MAX, PrometheusDisabled, Registry, SERIES_MAX};

static GLOBAL: LazyLock<Arc<Registry>> = LazyLock::new(Arc::default);

/// The process's registry.
pub fn global() -> &'static Arc<Registry> {
    &GLOBAL
}

/// A counter of the process's registry: the same one for the same name.
pub fn counter(name: &str) -> Counter {
    GLOBAL.counter(name, &[])
}

/// A counter with labels.
pub fn counter_with(name: &str, labels: &[(&str, &str)]) -> Counter {
    GLOBAL.counter(name, labels)
}

/// A gauge of the process's registry.
pub fn gauge(name: &str) -> Gauge {
    GLOBAL.gauge(name, &[])
}

/// A gauge with labels.
pub fn gauge_with(name: &str, labels: &[(&str, &str)]) -> Gauge {
    GLOBAL.gauge(name, labels)
}

/// A sample of the process's registry; durations are in milliseconds.
pub fn sample(name: &str) -> Sample {
    GLOBAL.sample(name, &[])
}

/// A sample with labels.
pub fn sample_with(name: &str, labels: &[(&str, &str)]) -> Sample {
    GLOBAL.sample(name, labels)
}
