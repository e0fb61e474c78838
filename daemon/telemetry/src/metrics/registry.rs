//! All series of a process, and the closing of intervals.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use super::cell::{Counter, CounterCell, Gauge, GaugeCell, Sample, SampleCell, Wants};
use super::config::MetricsConfig;
use super::filter::PrefixFilter;
use super::interval::{self, Aggregate, RETAINED};
use super::name::SeriesName;

/// How many series there may be in all. Those beyond are counted into nothing.
pub const SERIES_MAX: usize = 20_000;

/// How many sets of labels one name may have.
pub const LABEL_SETS_MAX: usize = 1000;

/// The quantiles that Prometheus gets.
pub(super) const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// Prometheus is asked for but not configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Prometheus is not enabled since its retention time is not positive")]
pub struct PrometheusDisabled;

/// A set of series. Handles to one stay valid for ever.
pub struct Registry {
    inner: Mutex<Inner>,
    wants: Arc<Wants>,
    closed: watch::Sender<u64>,
}

#[derive(Default)]
pub(super) struct Inner {
    pub config: MetricsConfig,
    pub counters: BTreeMap<SeriesName, Series<CounterCell>>,
    pub gauges: BTreeMap<SeriesName, Series<GaugeCell>>,
    pub samples: BTreeMap<SeriesName, Series<SampleCell>>,
    label_sets: HashMap<String, usize>,
    /// Series that were refused.
    pub refused: u64,
    /// The open interval; 0 before the first look at a clock.
    pub open: u64,
    /// Finished intervals, oldest first.
    pub finished: VecDeque<Finished>,
}

pub(super) struct Series<C> {
    pub cell: Arc<C>,
    pub allowed: bool,
    /// Over all finished intervals.
    pub total: Aggregate,
    /// What the network sinks have been told of the total.
    pub pushed: f64,
    /// The last finished interval in which something happened.
    pub touched: u64,
    /// Quantiles of the last finished interval.
    pub quantiles: Option<Vec<f64>>,
}

/// A finished interval: what had happened, by series.
pub(super) struct Finished {
    pub number: u64,
    pub counters: Vec<(SeriesName, Aggregate)>,
    pub gauges: Vec<(SeriesName, f64)>,
    pub samples: Vec<(SeriesName, Aggregate)>,
}

impl Default for Registry {
    fn default() -> Self {
        Self { inner: Mutex::default(), wants: Arc::default(), closed: watch::Sender::new(0) }
    }
}

impl Registry {
    /// Sets names, filter and sinks. Series that exist already follow.
    pub fn configure(&self, config: MetricsConfig) {
        self.wants.quantiles.store(!config.prometheus_retention.is_zero(), Ordering::Relaxed);
        self.wants.raw.store(config.has_push_sinks(), Ordering::Relaxed);
        let mut inner = self.inner.lock();
        inner.config = config;
        inner.apply_filter();
    }

    /// Changes the filter, which may happen at any time.
    pub fn set_filter(&self, filter: PrefixFilter) {
        let mut inner = self.inner.lock();
        inner.config.filter = filter;
        inner.apply_filter();
    }

    /// The configuration in force.
    pub fn config(&self) -> MetricsConfig {
        self.inner.lock().config.clone()
    }

    /// A counter: the same one for the same name and labels.
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> Counter {
        Counter(self.inner.lock().series(|inner| &mut inner.counters, name, labels, CounterCell::default))
    }

    /// A gauge.
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Gauge {
        Gauge(self.inner.lock().series(|inner| &mut inner.gauges, name, labels, GaugeCell::default))
    }

    /// A sample.
    pub fn sample(&self, name: &str, labels: &[(&str, &str)]) -> Sample {
        let new = || SampleCell::new(Arc::clone(&self.wants));
        Sample(self.inner.lock().series(|inner| &mut inner.samples, name, labels, new))
    }

    /// How many series were asked for beyond the limits, and are not reported.
    pub fn refused_series(&self) -> u64 {
        self.inner.lock().refused
    }

    /// Closes the intervals that are over at `now`. Reading does so too.
    pub fn advance(&self, now: SystemTime) {
        drop(self.at(now));
    }

    /// Tells when an interval has been closed: the value is its number.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.closed.subscribe()
    }

    pub(super) fn at(&self, now: SystemTime) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock();
        let number = interval::number_at(now);
        if inner.open == 0 {
            inner.open = number;
        }
        // A clock that was set back leaves the open interval open until it has caught up.
        if number > inner.open {
            let finished = inner.open;
            inner.close();
            inner.open = number;
            self.closed.send_replace(finished);
        }
        inner
    }
}

impl Inner {
    fn series<C>(
        &mut self,
        map: fn(&mut Self) -> &mut BTreeMap<SeriesName, Series<C>>,
        name: &str,
        labels: &[(&str, &str)],
        new: impl FnOnce() -> C,
    ) -> Arc<C> {
        let key = SeriesName::new(name, labels);
        if let Some(series) = map(self).get(&key) {
            return Arc::clone(&series.cell);
        }
        let cell = Arc::new(new());
        if !self.has_room(name) {
            self.refused += 1;
            return cell;
        }
        let series = Series {
            cell: Arc::clone(&cell),
            allowed: self.config.filter.allows(&key.dotted(&self.config.prefix, None)),
            total: Aggregate::default(),
            pushed: 0.0,
            touched: 0,
            quantiles: None,
        };
        map(self).insert(key, series);
        cell
    }

    fn has_room(&mut self, name: &str) -> bool {
        if self.counters.len() + self.gauges.len() + self.samples.len() >= SERIES_MAX {
            return false;
        }
        let sets = self.label_sets.entry(name.to_owned()).or_default();
        *sets += 1;
        *sets <= LABEL_SETS_MAX
    }

    fn apply_filter(&mut self) {
        let Self { config, counters, gauges, samples, .. } = self;
        let allows = |name: &SeriesName| config.filter.allows(&name.dotted(&config.prefix, None));
        counters.iter_mut().for_each(|(name, series)| series.allowed = allows(name));
        gauges.iter_mut().for_each(|(name, series)| series.allowed = allows(name));
        samples.iter_mut().for_each(|(name, series)| series.allowed = allows(name));
    }

    fn close(&mut self) {
        let number = self.open;
        let mut finished = Finished { number, counters: Vec::new(), gauges: Vec::new(), samples: Vec::new() };
        for (name, series) in &mut self.counters {
            if let Some(happened) = series.fold(number, series.cell.take()) {
                finished.counters.push((name.clone(), happened));
            }
        }
        for (name, series) in &mut self.samples {
            let happened = series.cell.take();
            series.quantiles = series.cell.take_quantiles(&QUANTILES);
            if let Some(happened) = series.fold(number, happened) {
                finished.samples.push((name.clone(), happened));
            }
        }
        for (name, series) in self.gauges.iter_mut().filter(|(_, series)| series.allowed) {
            if let Some(value) = series.cell.get() {
                series.touched = number;
                finished.gauges.push((name.clone(), value));
            }
        }
        self.finished.push_back(finished);
        while self.finished.len() > RETAINED {
            self.finished.pop_front();
        }
    }

    /// The name gauges have: with the host's once they leave it.
    pub fn gauge_host(&self) -> Option<&str> {
        let is_named = self.config.has_other_sinks() && !self.config.disable_hostname;
        is_named.then_some(self.config.hostname.as_str()).filter(|host| !host.is_empty())
    }
}

impl<C> Series<C> {
    /// Adds a finished interval; its content if it is to be reported.
    fn fold(&mut self, number: u64, happened: Aggregate) -> Option<Aggregate> {
        if happened.count == 0 {
            return None;
        }
        self.total.merge(&happened);
        self.touched = number;
        self.allowed.then_some(happened)
    }
}
