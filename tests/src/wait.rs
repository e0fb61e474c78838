//! Waiting for a condition instead of for a time.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// How long anything may take that should come at once. Generous: a loaded two-core machine is no failure.
pub const SOON: Duration = Duration::from_secs(40);

/// Pause between two looks. Only decides how often we look, never whether a test passes.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Looks until `probe` gives `Ok` and returns that; after `limit`, panics with the last `Err`.
pub async fn within<T, E: Debug, F>(limit: Duration, what: &str, mut probe: F) -> T
where
    F: AsyncFnMut() -> Result<T, E>,
{
    let end = Instant::now() + limit;
    loop {
        match probe().await {
            Ok(found) => return found,
            Err(last) if Instant::now() >= end => panic!("{what}: not within {limit:?}; last seen: {last:?}"),
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// [`within`] the usual limit.
pub async fn eventually<T, E: Debug, F>(what: &str, probe: F) -> T
where
    F: AsyncFnMut() -> Result<T, E>,
{
    within(SOON, what, probe).await
}

/// `Ok` if the condition holds, otherwise what was seen instead.
pub fn check<E>(holds: bool, seen: E) -> Result<(), E> {
    if holds { Ok(()) } else { Err(seen) }
}
