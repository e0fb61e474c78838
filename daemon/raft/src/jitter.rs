//! Random pauses, so that servers do not act in step.

use std::time::Duration;

use rand::Rng;

/// A random time below `limit`.
pub(crate) fn below(limit: Duration) -> Duration {
    limit.mul_f64(unit())
}

#[cfg(not(test))]
fn unit() -> f64 {
    rand::rng().random()
}

#[cfg(test)]
fn unit() -> f64 {
    seeded::RANDOM.with_borrow_mut(|random| random.random())
}

/// In the simulation, a run is decided by its seed.
#[cfg(test)]
pub(crate) mod seeded {
    use std::cell::RefCell;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    thread_local! {
        pub(super) static RANDOM: RefCell<StdRng> = RefCell::new(StdRng::seed_from_u64(0));
    }

    pub(crate) fn seed(seed: u64) {
        RANDOM.set(StdRng::seed_from_u64(seed));
    }
}
