//! Bytes that mean nothing, the same again for the same seed.

use std::ops::Range;

use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

/// A seed that a failed run shows and `GARBAGE_SEED` repeats.
pub fn rng() -> StdRng {
    let seed =
        std::env::var("GARBAGE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random);
    println!("GARBAGE_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// Bytes of some length in this range.
pub fn noise(rng: &mut StdRng, lengths: Range<usize>) -> Vec<u8> {
    let mut bytes = vec![0; rng.random_range(lengths)];
    rng.fill_bytes(&mut bytes);
    bytes
}
