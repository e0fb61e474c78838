//! Sorting by estimated round trip.

use consul_api::types::coordinate::Coordinate;
use consul_state::{Version, WatchSet};

/// Orders `items` by their distance from `source`; those without a coordinate come last. Nothing happens if the
/// source has none. Equal distances keep their order.
pub fn sort<T>(version: &Version, source: &str, items: &mut [T], node_of: impl Fn(&T) -> &str) {
    if source.is_empty() {
        return;
    }
    let Some(from) = coordinate(version, source) else { return };
    items.sort_by_cached_key(|item| {
        let distance = coordinate(version, node_of(item)).map_or(f64::INFINITY, |to| from.distance_to(&to));
        TotalF64(distance)
    });
}

fn coordinate(version: &Version, node: &str) -> Option<Coordinate> {
    let (_, found) = version.node_coordinates(node, &mut WatchSet::new());
    found.first().and_then(|entry| entry.coord.clone())
}

/// Distances as a sort key.
#[derive(PartialEq)]
struct TotalF64(f64);

impl Eq for TotalF64 {}

impl PartialOrd for TotalF64 {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TotalF64 {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}
