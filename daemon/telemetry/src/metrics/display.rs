//! Metrics for `/v1/agent/metrics` and for the dump on a signal.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use super::interval::{self, Aggregate, INTERVAL};
use super::name::SeriesName;
use super::registry::{Finished, Inner, Registry};

/// One interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Summary {
    /// When the interval started.
    pub timestamp: String,
    /// Values at its end.
    pub gauges: Vec<GaugeValue>,
    /// Always empty: nothing here reports single points.
    pub points: Vec<GaugeValue>,
    /// Counters that moved.
    pub counters: Vec<SampledValue>,
    /// Samples that were observed.
    pub samples: Vec<SampledValue>,
}

/// A gauge.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GaugeValue {
    /// Full name.
    pub name: String,
    /// Value.
    #[serde(serialize_with = "number")]
    pub value: f64,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// A counter or a sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SampledValue {
    /// Full name.
    pub name: String,
    /// How many values there were.
    pub count: u64,
    /// Their sum per second.
    #[serde(serialize_with = "number")]
    pub rate: f64,
    /// Their sum.
    #[serde(serialize_with = "number")]
    pub sum: f64,
    /// The least.
    #[serde(serialize_with = "number")]
    pub min: f64,
    /// The greatest.
    #[serde(serialize_with = "number")]
    pub max: f64,
    /// Their mean.
    #[serde(serialize_with = "number")]
    pub mean: f64,
    /// Their standard deviation.
    #[serde(serialize_with = "number")]
    pub stddev: f64,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// Whole numbers carry no fraction in the API's JSON.
fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT_MAX {
        return serializer.serialize_i64(*value as i64);
    }
    serializer.serialize_f64(*value)
}

impl Registry {
    /// The last finished interval; before there is one, the open interval so far.
    pub fn summary(&self, now: SystemTime) -> Summary {
        let inner = self.at(now);
        match inner.finished.back() {
            Some(finished) => inner.summary_of(finished),
            None => inner.summary_of(&inner.so_far()),
        }
    }

    /// All intervals in memory, oldest first, one line per metric.
    pub fn dump(&self, now: SystemTime) -> String {
        let inner = self.at(now);
        let mut out = String::new();
        inner.finished.iter().for_each(|finished| inner.dump_interval(finished, &mut out));
        inner.dump_interval(&inner.so_far(), &mut out);
        out
    }
}

impl Inner {
    fn so_far(&self) -> Finished {
        let active = |(name, happened): (&SeriesName, Aggregate)| {
            (happened.count > 0).then(|| (name.clone(), happened))
        };
        Finished {
            number: self.open,
            counters: self
                .counters
                .iter()
                .filter(|(_, series)| series.allowed)
                .filter_map(|(name, series)| active((name, series.cell.peek())))
                .collect(),
            samples: self
                .samples
                .iter()
                .filter(|(_, series)| series.allowed)
                .filter_map(|(name, series)| active((name, series.cell.peek())))
                .collect(),
            gauges: self
                .gauges
                .iter()
                .filter(|(_, series)| series.allowed)
                .filter_map(|(name, series)| Some((name.clone(), series.cell.get()?)))
                .collect(),
        }
    }

    fn summary_of(&self, finished: &Finished) -> Summary {
        let labels = |name: &SeriesName| name.labels.iter().cloned().collect();
        let sampled = |(name, of): &(SeriesName, Aggregate)| SampledValue {
            name: name.dotted(&self.config.prefix, None),
            count: of.count,
            rate: of.sum / INTERVAL.as_secs_f64(),
            sum: of.sum,
            min: of.min,
            max: of.max,
            mean: of.mean(),
            stddev: of.stddev(),
            labels: labels(name),
        };
        let gauge = |(name, value): &(SeriesName, f64)| GaugeValue {
            name: name.dotted(&self.config.prefix, self.gauge_host()),
            value: *value,
            labels: labels(name),
        };
        Summary {
            timestamp: interval::timestamp(interval::start_of(finished.number)),
            gauges: finished.gauges.iter().map(gauge).collect(),
            points: Vec::new(),
            counters: finished.counters.iter().map(sampled).collect(),
            samples: finished.samples.iter().map(sampled).collect(),
        }
    }

    fn dump_interval(&self, finished: &Finished, out: &mut String) {
        let start = interval::timestamp(interval::start_of(finished.number));
        let prefix = &self.config.prefix;
        for (name, value) in &finished.gauges {
            let _ = writeln!(out, "[{start}][G] '{}': {value:.3}", name.flattened(prefix, self.gauge_host()));
        }
        for (kind, list) in [('C', &finished.counters), ('S', &finished.samples)] {
            for (name, of) in list {
                let _ =
                    write!(out, "[{start}][{kind}] '{}': Count: {}", name.flattened(prefix, None), of.count);
                let spread = of.stddev();
                if spread > 0.0 {
                    let _ = write!(
                        out,
                        " Min: {:.3} Mean: {:.3} Max: {:.3} Stddev: {spread:.3}",
                        of.min,
                        of.mean(),
                        of.max
                    );
                }
                let _ = writeln!(out, " Sum: {:.3}", of.sum);
            }
        }
    }
}
