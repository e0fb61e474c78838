//! How far away other datacenters are, by the coordinates that servers have in the WAN pool.

use std::collections::BTreeMap;

use consul_api::types::coordinate::{Coordinate, DatacenterCoordinates, NodeCoordinate};

/// The pool that servers of different datacenters share, as the API names it.
const AREA: &str = "wan";

/// A server of the WAN pool that has not left.
#[derive(Clone, Debug)]
pub struct Place {
    pub datacenter: String,
    /// The node, without the datacenter.
    pub node: String,
    /// `None` as long as this agent has not measured it.
    pub coordinate: Option<Coordinate>,
}

/// The datacenters of `places`: `own` first, then the nearest first. A datacenter is as far as the median of its
/// servers; those that nobody has measured come last, and what is equally far goes by the alphabet.
pub fn nearest_first(own: &str, from: &Coordinate, places: &[Place]) -> Vec<String> {
    let mut distances: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for place in places.iter().filter(|place| place.datacenter != own) {
        let distance = place.coordinate.as_ref().map_or(f64::INFINITY, |to| from.distance_to(to));
        distances.entry(&place.datacenter).or_default().push(distance);
    }
    let mut others: Vec<(f64, &str)> =
        distances.into_iter().map(|(name, distances)| (median(distances), name)).collect();
    others.sort_by(|(near, _), (far, _)| near.total_cmp(far));
    std::iter::once(own).chain(others.into_iter().map(|(_, name)| name)).map(str::to_owned).collect()
}

/// Of an even number the upper one.
fn median(mut distances: Vec<f64>) -> f64 {
    distances.sort_by(f64::total_cmp);
    distances.get(distances.len() / 2).copied().unwrap_or(f64::INFINITY)
}

/// The servers with a known coordinate by datacenter, in the given order of datacenters.
pub fn map(order: &[String], places: &[Place]) -> Vec<DatacenterCoordinates> {
    let of = |datacenter: &String| {
        let servers = places.iter().filter(|place| place.datacenter == *datacenter);
        let mut coordinates: Vec<NodeCoordinate> = servers
            .filter_map(|place| {
                let coord = Some(place.coordinate.clone()?);
                Some(NodeCoordinate { node: place.node.clone(), segment: String::new(), coord })
            })
            .collect();
        coordinates.sort_by(|a, b| a.node.cmp(&b.node));
        let (datacenter, area_id) = (datacenter.clone(), AREA.to_owned());
        DatacenterCoordinates { datacenter, area_id, coordinates }
    };
    order.iter().map(of).filter(|entry| !entry.coordinates.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f64) -> Coordinate {
        let mut coordinate = Coordinate::default();
        coordinate.vec[0] = x;
        coordinate
    }

    fn place(datacenter: &str, node: &str, x: Option<f64>) -> Place {
        Place { datacenter: datacenter.into(), node: node.into(), coordinate: x.map(at) }
    }

    #[test]
    fn a_datacenter_is_as_far_as_the_median_of_its_servers() {
        let places = [
            place("here", "a", Some(0.0)),
            place("unknown", "u", None),
            place("far", "f1", Some(0.001)),
            place("far", "f2", Some(0.9)),
            place("far", "f3", Some(0.8)),
            place("near", "n1", Some(0.3)),
            place("near", "n2", Some(0.2)),
            place("near", "n3", None),
            place("also-unknown", "u", None),
        ];
        let order = nearest_first("here", &at(0.0), &places);
        assert_eq!(order, ["here", "near", "far", "also-unknown", "unknown"]);
        assert_eq!(nearest_first("alone", &at(0.0), &[]), ["alone"]);
    }

    #[test]
    fn servers_that_nobody_has_measured_are_on_no_map() {
        let places = [place("b", "b2", Some(0.1)), place("a", "a1", None), place("b", "b1", Some(0.2))];
        let map = map(&["a".to_owned(), "b".to_owned()], &places);
        assert_eq!(map.len(), 1);
        let nodes: Vec<&str> = map[0].coordinates.iter().map(|entry| entry.node.as_str()).collect();
        assert_eq!(
            (map[0].datacenter.as_str(), map[0].area_id.as_str(), nodes),
            ("b", "wan", vec!["b1", "b2"])
        );
    }
}
