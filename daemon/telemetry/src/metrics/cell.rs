//! The cells that hot code writes to.
//!
//! Each is split into a few shards, one of which a thread always uses, so that busy threads do not pass one
//! cache line around. Readers add the shards up.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::interval::Aggregate;

const SHARDS: usize = 4;

/// Sub-buckets per power of two: quantiles are off by three percent at most.
const BUCKETS_PER_OCTAVE_BITS: u32 = 4;
/// The smallest power of two that is told from zero (a quarter of a microsecond, in milliseconds).
const OCTAVE_MIN: i32 = -12;
/// The largest power of two (six days, in milliseconds).
const OCTAVE_MAX: i32 = 29;
const BUCKETS: usize = ((OCTAVE_MAX - OCTAVE_MIN) as usize) << BUCKETS_PER_OCTAVE_BITS;

/// Values that wait for the network sinks between two flushes.
const RAW_VALUES_MAX: usize = 1024;

fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
    }
    SHARD.with(Cell::get)
}

#[derive(Default)]
#[repr(align(64))]
struct Padded<T>(T);

/// Counts events.
#[derive(Clone)]
pub struct Counter(pub(super) Arc<CounterCell>);

impl Counter {
    /// Counts one event.
    pub fn incr(&self) {
        let shard = self.0.ones.get(shard()).unwrap_or(&self.0.ones[0]);
        shard.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an event of some size.
    pub fn incr_by(&self, size: f64) {
        if size.is_finite() {
            self.0.sized.lock().add(size);
        }
    }
}

#[derive(Default)]
pub(super) struct CounterCell {
    ones: [Padded<AtomicU64>; SHARDS],
    sized: Mutex<Aggregate>,
}

impl CounterCell {
    pub fn peek(&self) -> Aggregate {
        let ones = self.ones.iter().map(|shard| shard.0.load(Ordering::Relaxed)).sum();
        let mut all = Aggregate::of_ones(ones);
        all.merge(&self.sized.lock());
        all
    }

    pub fn take(&self) -> Aggregate {
        let ones = self.ones.iter().map(|shard| shard.0.swap(0, Ordering::Relaxed)).sum();
        let mut all = Aggregate::of_ones(ones);
        all.merge(&std::mem::take(&mut *self.sized.lock()));
        all
    }
}

/// A value that goes up and down. It is reported from the first time it is set until it is cleared.
#[derive(Clone)]
pub struct Gauge(pub(super) Arc<GaugeCell>);

impl Gauge {
    /// Sets the value. One that is no number is ignored.
    pub fn set(&self, value: f64) {
        if value.is_finite() {
            self.0.bits.store(value.to_bits(), Ordering::Relaxed);
            self.0.is_new.store(true, Ordering::Release);
        }
    }

    /// Stops reporting: what was measured is no more.
    pub fn clear(&self) {
        self.0.bits.store(UNSET, Ordering::Relaxed);
    }
}

/// A NaN that no caller can store.
const UNSET: u64 = u64::MAX;

pub(super) struct GaugeCell {
    bits: AtomicU64,
    is_new: AtomicBool,
}

impl Default for GaugeCell {
    fn default() -> Self {
        Self { bits: AtomicU64::new(UNSET), is_new: AtomicBool::new(false) }
    }
}

impl GaugeCell {
    pub fn get(&self) -> Option<f64> {
        match self.bits.load(Ordering::Relaxed) {
            UNSET => None,
            bits => Some(f64::from_bits(bits)),
        }
    }

    /// The value if it has been set since the last call.
    pub fn take_new(&self) -> Option<f64> {
        if self.is_new.swap(false, Ordering::Acquire) { self.get() } else { None }
    }
}

/// Records how values are distributed; durations are in milliseconds.
#[derive(Clone)]
pub struct Sample(pub(super) Arc<SampleCell>);

impl Sample {
    /// Records one value. One that is no number is ignored.
    pub fn observe(&self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let cell = &*self.0;
        cell.shards.get(shard()).unwrap_or(&cell.shards[0]).0.lock().add(value);
        if cell.wants.quantiles.load(Ordering::Relaxed) {
            cell.histogram.get_or_init(Histogram::default).add(value);
        }
        if cell.wants.raw.load(Ordering::Relaxed) {
            cell.keep_raw(value);
        }
    }

    /// Records a duration, in milliseconds.
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64() * 1000.0);
    }

    /// Records the time since `start`, in milliseconds.
    pub fn observe_since(&self, start: Instant) {
        self.observe_duration(start.elapsed());
    }
}

/// What is to be kept beside the aggregate; one for all samples of a registry.
#[derive(Default)]
pub(super) struct Wants {
    /// Quantiles, for Prometheus.
    pub quantiles: AtomicBool,
    /// The values themselves, for sinks that aggregate on their own.
    pub raw: AtomicBool,
}

pub(super) struct SampleCell {
    shards: [Padded<Mutex<Aggregate>>; SHARDS],
    histogram: OnceLock<Histogram>,
    raw: Mutex<Vec<f64>>,
    raw_lost: AtomicU64,
    wants: Arc<Wants>,
}

impl SampleCell {
    pub fn new(wants: Arc<Wants>) -> Self {
        Self {
            shards: Default::default(),
            histogram: OnceLock::new(),
            raw: Mutex::default(),
            raw_lost: AtomicU64::new(0),
            wants,
        }
    }

    pub fn peek(&self) -> Aggregate {
        let mut all = Aggregate::default();
        self.shards.iter().for_each(|shard| all.merge(&shard.0.lock()));
        all
    }

    pub fn take(&self) -> Aggregate {
        let mut all = Aggregate::default();
        self.shards.iter().for_each(|shard| all.merge(&std::mem::take(&mut *shard.0.lock())));
        all
    }

    /// The quantiles since the last call, in the order asked for.
    pub fn take_quantiles(&self, quantiles: &[f64]) -> Option<Vec<f64>> {
        self.histogram.get().and_then(|histogram| histogram.take(quantiles))
    }

    /// The values since the last call, and how many more there were.
    pub fn take_raw(&self) -> (Vec<f64>, u64) {
        (std::mem::take(&mut *self.raw.lock()), self.raw_lost.swap(0, Ordering::Relaxed))
    }

    fn keep_raw(&self, value: f64) {
        let mut raw = self.raw.lock();
        if raw.len() < RAW_VALUES_MAX {
            raw.push(value);
        } else {
            self.raw_lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Counts by magnitude: the exponent and the first bits of the mantissa of a value are its bucket.
struct Histogram(Box<[AtomicU32]>);

impl Default for Histogram {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU32::new(0)).collect())
    }
}

const MANTISSA_BITS: u32 = 52;
const EXPONENT_BIAS: i64 = 1023;
const FIRST_BUCKET: i64 = (OCTAVE_MIN as i64 + EXPONENT_BIAS) << BUCKETS_PER_OCTAVE_BITS;

impl Histogram {
    fn add(&self, value: f64) {
        let magnitude = (value.max(0.0).to_bits() >> (MANTISSA_BITS - BUCKETS_PER_OCTAVE_BITS)) as i64;
        let bucket = (magnitude - FIRST_BUCKET).clamp(0, BUCKETS as i64 - 1) as usize;
        if let Some(count) = self.0.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn take(&self, quantiles: &[f64]) -> Option<Vec<f64>> {
        let counts: Vec<u64> =
            self.0.iter().map(|count| u64::from(count.swap(0, Ordering::Relaxed))).collect();
        let total: u64 = counts.iter().sum();
        if total == 0 {
            return None;
        }
        let value_at = |quantile: f64| {
            let rank = ((total as f64 * quantile).ceil() as u64).max(1);
            let mut seen = 0;
            let bucket = counts.iter().position(|count| {
                seen += count;
                seen >= rank
            });
            middle(bucket.unwrap_or(BUCKETS - 1))
        };
        Some(quantiles.iter().map(|quantile| value_at(*quantile)).collect())
    }
}

/// The middle of a bucket's range; the first bucket holds what is too small to tell from zero.
fn middle(bucket: usize) -> f64 {
    if bucket == 0 {
        return 0.0;
    }
    let edge = |bucket: usize| {
        f64::from_bits(((bucket as i64 + FIRST_BUCKET) as u64) << (MANTISSA_BITS - BUCKETS_PER_OCTAVE_BITS))
    };
    f64::midpoint(edge(bucket), edge(bucket + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_close() {
        let histogram = Histogram::default();
        (1..=1000).for_each(|value| histogram.add(f64::from(value)));
        let found = histogram.take(&[0.5, 0.9, 0.99]).expect("there are values");
        for (found, expected) in found.iter().zip([500.0, 900.0, 990.0]) {
            assert!((found - expected).abs() / expected < 0.035, "{found} for {expected}");
        }
        assert_eq!(histogram.take(&[0.5]), None, "taken");
    }

    #[test]
    fn values_out_of_range_go_to_the_edges() {
        let histogram = Histogram::default();
        for value in [-1.0, 0.0, 1e-9] {
            histogram.add(value);
        }
        assert_eq!(histogram.take(&[0.5, 1.0]), Some(vec![0.0, 0.0]));
        histogram.add(1e300);
        assert!(histogram.take(&[0.5]).is_some_and(|found| found[0] > 5e8));
    }

    #[test]
    fn threads_lose_no_count() {
        let counter = Counter(Arc::default());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..1000).for_each(|_| counter.incr()));
            }
        });
        counter.incr_by(2.5);
        let all = counter.0.take();
        assert_eq!((all.count, all.sum, all.min, all.max), (8001, 8002.5, 1.0, 2.5));
        assert_eq!(counter.0.take().count, 0);
    }

    #[test]
    fn what_is_no_number_is_not_recorded() {
        let gauge = Gauge(Arc::default());
        gauge.set(f64::NAN);
        assert_eq!(gauge.0.get(), None);
        gauge.set(1.5);
        assert_eq!((gauge.0.take_new(), gauge.0.take_new(), gauge.0.get()), (Some(1.5), None, Some(1.5)));
        gauge.clear();
        assert_eq!(gauge.0.get(), None);
        let sample = Sample(Arc::new(SampleCell::new(Arc::default())));
        sample.observe(f64::INFINITY);
        assert_eq!(sample.0.peek().count, 0);
    }

    #[test]
    fn raw_values_are_bounded() {
        let wants = Arc::new(Wants::default());
        let sample = Sample(Arc::new(SampleCell::new(Arc::clone(&wants))));
        sample.observe(1.0);
        wants.raw.store(true, Ordering::Relaxed);
        (0..RAW_VALUES_MAX + 3).for_each(|_| sample.observe(2.0));
        let (values, lost) = sample.0.take_raw();
        assert_eq!((values.len(), lost), (RAW_VALUES_MAX, 3));
    }
}
