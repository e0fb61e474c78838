//! Metrics in the text format that Prometheus scrapes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::SystemTime;

use super::interval::{Aggregate, INTERVAL};
use super::name::{self, SeriesName};
use super::registry::{Inner, PrometheusDisabled, QUANTILES, Registry, Series};

/// The content type of [`Registry::prometheus`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Series of one name, which share its two comment lines.
#[derive(Default)]
struct Family {
    kind: &'static str,
    lines: String,
}

impl Registry {
    /// Everything that has changed within the retention time. Counters count from the start of the process.
    pub fn prometheus(&self, now: SystemTime) -> Result<String, PrometheusDisabled> {
        let inner = self.at(now);
        if inner.config.prometheus_retention.is_zero() {
            return Err(PrometheusDisabled);
        }
        let mut families = BTreeMap::new();
        inner.gauges_to(&mut families);
        inner.counters_to(&mut families);
        inner.samples_to(&mut families);
        let mut out = String::new();
        for (name, family) in families {
            let _ = write!(out, "# HELP {name} {name}\n# TYPE {name} {}\n{}", family.kind, family.lines);
        }
        Ok(out)
    }
}

impl Inner {
    fn gauges_to(&self, families: &mut BTreeMap<String, Family>) {
        for (key, series) in self.gauges.iter().filter(|(_, series)| series.allowed) {
            let Some(value) = series.cell.get() else { continue };
            let name = name::prometheus(&key.dotted(&self.config.prefix, self.gauge_host()));
            if let Some(lines) = lines_of(families, &name, "gauge") {
                line(lines, &name, key, None, value);
            }
        }
    }

    fn counters_to(&self, families: &mut BTreeMap<String, Family>) {
        for (key, series) in &self.counters {
            let open = series.cell.peek();
            if !self.is_fresh(series, &open) {
                continue;
            }
            let name = name::prometheus(&key.dotted(&self.config.prefix, None));
            if let Some(lines) = lines_of(families, &name, "counter") {
                line(lines, &name, key, None, series.total.sum + open.sum);
            }
        }
    }

    fn samples_to(&self, families: &mut BTreeMap<String, Family>) {
        for (key, series) in &self.samples {
            let open = series.cell.peek();
            if !self.is_fresh(series, &open) {
                continue;
            }
            let name = name::prometheus(&key.dotted(&self.config.prefix, None));
            let Some(lines) = lines_of(families, &name, "summary") else { continue };
            for (at, quantile) in QUANTILES.iter().enumerate() {
                let value = series.quantiles.as_ref().and_then(|values| values.get(at)).copied();
                line(lines, &name, key, Some(*quantile), value.unwrap_or(f64::NAN));
            }
            line(lines, &format!("{name}_sum"), key, None, series.total.sum + open.sum);
            line(lines, &format!("{name}_count"), key, None, (series.total.count + open.count) as f64);
        }
    }

    fn is_fresh<C>(&self, series: &Series<C>, open: &Aggregate) -> bool {
        let age_max = self.config.prometheus_retention.as_secs().div_ceil(INTERVAL.as_secs());
        let is_recent = series.total.count > 0 && self.open.saturating_sub(series.touched) <= age_max;
        series.allowed && (open.count > 0 || is_recent)
    }
}

/// Two names that are spelled alike here may be of different kinds; the first one has it.
fn lines_of<'a>(
    families: &'a mut BTreeMap<String, Family>,
    name: &str,
    kind: &'static str,
) -> Option<&'a mut String> {
    let family = families.entry(name.to_owned()).or_insert_with(|| Family { kind, lines: String::new() });
    (family.kind == kind).then_some(&mut family.lines)
}

fn line(out: &mut String, name: &str, key: &SeriesName, quantile: Option<f64>, value: f64) {
    out.push_str(name);
    let mut separator = '{';
    for (label, value) in &key.labels {
        let _ = write!(out, "{separator}{}=\"{}\"", name::prometheus(label), escaped(value));
        separator = ',';
    }
    if let Some(quantile) = quantile {
        let _ = write!(out, "{separator}quantile=\"{quantile}\"");
        separator = ',';
    }
    if separator == ',' {
        out.push('}');
    }
    let _ = writeln!(out, " {value}");
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
