//! Network coordinates (Vivaldi): a position for each member such that distances predict round-trip times.
//!
//! Every completed probe gives one sample: the peer's own coordinate came with its ack, the round trip was measured.
//! The local coordinate is then pulled or pushed along the line between the two, as if by a spring whose rest length
//! is the measured time. No member ever needs to measure all the others.
//!
//! Pure: time is an argument in the form of the measured round trip, randomness comes from the caller.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

pub use consul_api::types::coordinate::{Coordinate, DIMENSIONS};
use rand::Rng;
use thiserror::Error;

/// The worst an error estimate can become: that of a member that knows nothing.
const ERROR_MAX: f64 = 1.5;
/// How fast the error estimate follows new samples.
const ERROR_WEIGHT: f64 = 0.25;
/// How far one sample may move the coordinate.
const FORCE_WEIGHT: f64 = 0.25;
/// How many samples the adjustment term averages.
const ADJUSTMENT_WINDOW: usize = 20;
/// Lower bound of the height, in seconds.
const HEIGHT_MIN: f64 = 10.0e-6;
/// Samples per peer of which the median counts: one late packet must not move anybody.
const LATENCY_FILTER: usize = 3;
/// Radius, in seconds, at which the pull back to the origin becomes noticeable. Without it the whole pool drifts.
const GRAVITY_RHO: f64 = 150.0;
/// Below this, two coordinates count as the same and errors as zero.
const ZERO: f64 = 1.0e-6;
/// A longer round trip is a measuring fault.
const RTT_MAX: Duration = Duration::from_secs(10);
/// Peers whose samples are kept. Peers are forgotten when reaped, so only a flood of names gets here.
const PEERS_MAX: usize = 65_536;

/// The Euclidean part and both heights, without what was learned on top.
fn raw_distance(a: &Coordinate, b: &Coordinate) -> f64 {
    magnitude(&difference(&a.vec, &b.vec)) + a.height + b.height
}

/// Moves `own` away from `other` by `force` seconds, or towards it if negative.
fn push(own: &mut Coordinate, force: f64, other: &Coordinate, rng: &mut impl Rng) {
    let (unit, distance) = direction(&own.vec, &other.vec, rng);
    for (component, along) in own.vec.iter_mut().zip(unit) {
        *component += along * force;
    }
    if distance > ZERO {
        own.height = HEIGHT_MIN.max((own.height + other.height) * force / distance + own.height);
    }
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn magnitude(vec: &[f64]) -> f64 {
    vec.iter().map(|component| component * component).sum::<f64>().sqrt()
}

/// The unit vector from `from` to `to` and their distance. Members at one spot part in a random direction.
fn direction(to: &[f64], from: &[f64], rng: &mut impl Rng) -> (Vec<f64>, f64) {
    let between = difference(to, from);
    let distance = magnitude(&between);
    if distance > ZERO {
        return (between.into_iter().map(|component| component / distance).collect(), distance);
    }
    let random: Vec<f64> = to.iter().map(|_| rng.random::<f64>() - 0.5).collect();
    let length = magnitude(&random);
    if length > ZERO {
        return (random.into_iter().map(|component| component / length).collect(), 0.0);
    }
    (to.iter().enumerate().map(|(i, _)| if i == 0 { 1.0 } else { 0.0 }).collect(), 0.0)
}

/// Why a sample was not used. The local coordinate is unchanged.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SampleError {
    /// The peer's coordinate has undefined, infinite or impossibly negative components.
    #[error("coordinate is not possible")]
    Implausible,
    /// The measured time cannot be a round trip.
    #[error("round trip time out of range")]
    RttOutOfRange,
}

/// The local coordinate and what it was learned from.
#[derive(Clone, Debug)]
pub struct CoordinateClient {
    own: Coordinate,
    adjustments: [f64; ADJUSTMENT_WINDOW],
    adjustment_next: usize,
    latencies: HashMap<String, VecDeque<f64>>,
    resets: u64,
}

impl Default for CoordinateClient {
    fn default() -> Self {
        Self {
            own: Coordinate::default(),
            adjustments: [0.0; ADJUSTMENT_WINDOW],
            adjustment_next: 0,
            latencies: HashMap::new(),
            resets: 0,
        }
    }
}

impl CoordinateClient {
    /// The local coordinate.
    pub fn coordinate(&self) -> &Coordinate {
        &self.own
    }

    /// How often the coordinate became unusable and started again from the origin.
    pub fn resets(&self) -> u64 {
        self.resets
    }

    /// Drops the samples of a member that is gone.
    pub fn forget(&mut self, peer: &str) {
        self.latencies.remove(peer);
    }

    /// Learns from one completed probe of `peer`, which reported `remote` as its coordinate.
    ///
    /// # Errors
    /// The sample is useless; nothing changed.
    pub fn update(
        &mut self,
        peer: &str,
        remote: &Coordinate,
        rtt: Duration,
        rng: &mut impl Rng,
    ) -> Result<&Coordinate, SampleError> {
        if !remote.is_valid() || remote.height < 0.0 || remote.error < 0.0 {
            return Err(SampleError::Implausible);
        }
        if rtt > RTT_MAX {
            return Err(SampleError::RttOutOfRange);
        }
        let rtt = self.median_latency(peer, rtt.as_secs_f64());
        self.follow(remote, rtt, rng);
        self.adjust(remote, rtt);
        self.gravitate(rng);
        if !self.own.is_valid() {
            self.resets += 1;
            self.own = Coordinate::default();
            // What poisoned the coordinate is still among the samples and would do it again.
            self.adjustments = [0.0; ADJUSTMENT_WINDOW];
        }
        Ok(&self.own)
    }

    fn median_latency(&mut self, peer: &str, rtt: f64) -> f64 {
        if !self.latencies.contains_key(peer) && self.latencies.len() >= PEERS_MAX {
            return rtt;
        }
        let samples = self.latencies.entry(peer.to_owned()).or_default();
        samples.push_back(rtt);
        if samples.len() > LATENCY_FILTER {
            samples.pop_front();
        }
        let mut sorted: Vec<f64> = samples.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(rtt)
    }

    fn follow(&mut self, remote: &Coordinate, rtt: f64, rng: &mut impl Rng) {
        let distance = self.own.distance_to(remote);
        let rtt = rtt.max(ZERO);
        let wrong = (distance - rtt).abs() / rtt;
        let weight = self.own.error / (self.own.error + remote.error).max(ZERO);
        let learned = ERROR_WEIGHT * weight;
        self.own.error = (learned * wrong + self.own.error * (1.0 - learned)).min(ERROR_MAX);
        let force = FORCE_WEIGHT * weight * (rtt - distance);
        push(&mut self.own, force, remote, rng);
    }

    fn adjust(&mut self, remote: &Coordinate, rtt: f64) {
        if let Some(slot) = self.adjustments.get_mut(self.adjustment_next) {
            *slot = rtt - raw_distance(&self.own, remote);
        }
        self.adjustment_next = (self.adjustment_next + 1) % ADJUSTMENT_WINDOW;
        let sum: f64 = self.adjustments.iter().sum();
        self.own.adjustment = sum / (2.0 * ADJUSTMENT_WINDOW as f64);
    }

    fn gravitate(&mut self, rng: &mut impl Rng) {
        let origin = Coordinate::default();
        let distance = origin.distance_to(&self.own);
        let force = -(distance / GRAVITY_RHO).powi(2);
        push(&mut self.own, force, &origin, rng);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn at(x: f64, y: f64, height: f64) -> Coordinate {
        let mut coordinate = Coordinate { height, ..Coordinate::default() };
        coordinate.vec[0] = x;
        coordinate.vec[1] = y;
        coordinate
    }

    #[test]
    fn a_first_sample_moves_half_of_a_quarter_of_what_was_wrong() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut client = CoordinateClient::default();
        let remote = at(0.0, 0.0, HEIGHT_MIN);
        let rtt = 0.1;
        client.update("b", &remote, Duration::from_secs_f64(rtt), &mut rng).unwrap();
        let force = 0.25 * 0.5 * (rtt - 2.0 * HEIGHT_MIN);
        let moved = magnitude(&client.coordinate().vec);
        assert!((moved - force).abs() < 1e-7, "moved {moved}, force {force}");
        let wrong = (2.0 * HEIGHT_MIN - rtt).abs() / rtt;
        let error = 0.25 * 0.5 * wrong + 1.5 * (1.0 - 0.125);
        assert!((client.coordinate().error - error).abs() < 1e-12);
        let adjustment = (rtt - (force + 2.0 * HEIGHT_MIN)) / 40.0;
        assert!((client.coordinate().adjustment - adjustment).abs() < 1e-9);
    }

    #[test]
    fn one_late_packet_among_three_does_not_count() {
        let mut client = CoordinateClient::default();
        assert_eq!(client.median_latency("b", 0.2), 0.2);
        assert_eq!(client.median_latency("b", 0.1), 0.2);
        assert_eq!(client.median_latency("b", 9.0), 0.2);
        assert_eq!(client.median_latency("b", 0.15), 0.15);
        assert_eq!(client.median_latency("c", 0.4), 0.4);
        client.forget("b");
        assert_eq!(client.median_latency("b", 9.0), 9.0);
    }

    #[test]
    fn coordinates_of_a_line_of_members_come_to_predict_their_round_trips() {
        let mut rng = StdRng::seed_from_u64(7);
        let mut clients: Vec<CoordinateClient> = (0..8).map(|_| CoordinateClient::default()).collect();
        let truth = |a: usize, b: usize| 0.010 * a.abs_diff(b) as f64;
        for _ in 0..1500 {
            for me in 0..clients.len() {
                let peer = (me + 1 + rng.random_range(0..clients.len() - 1)) % clients.len();
                let remote = clients[peer].coordinate().clone();
                let rtt = Duration::from_secs_f64(truth(me, peer));
                clients[me].update(&peer.to_string(), &remote, rtt, &mut rng).unwrap();
            }
        }
        for a in 0..clients.len() {
            for b in 0..a {
                let estimate = clients[a].coordinate().distance_to(clients[b].coordinate());
                let off = (estimate - truth(a, b)).abs() / truth(a, b);
                assert!(off < 0.25, "{a}-{b}: {estimate} instead of {}", truth(a, b));
            }
        }
    }

    #[test]
    fn impossible_samples_change_nothing() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut client = CoordinateClient::default();
        let before = client.coordinate().clone();
        let undefined = Coordinate { error: f64::NAN, ..Coordinate::default() };
        assert_eq!(
            client.update("b", &undefined, Duration::from_millis(1), &mut rng).unwrap_err(),
            SampleError::Implausible
        );
        let late = Duration::from_millis(10_001);
        assert_eq!(
            client.update("b", &Coordinate::default(), late, &mut rng).unwrap_err(),
            SampleError::RttOutOfRange
        );
        assert_eq!(client.coordinate(), &before);
    }

    proptest! {
        #[test]
        fn the_coordinate_stays_usable_whatever_peers_claim(
            claims in proptest::collection::vec((proptest::array::uniform11(any::<f64>()), 0u64..10_000_000), 1..20),
        ) {
            let mut rng = StdRng::seed_from_u64(3);
            let mut client = CoordinateClient::default();
            for (numbers, micros) in claims {
                let remote = Coordinate {
                    vec: numbers[..8].to_vec(),
                    error: numbers[8],
                    adjustment: numbers[9],
                    height: numbers[10],
                };
                let _ = client.update("b", &remote, Duration::from_micros(micros), &mut rng);
                prop_assert!(client.coordinate().is_valid());
            }
        }
    }
}
