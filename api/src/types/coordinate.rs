//! Network coordinates (Vivaldi).

use serde::{Deserialize, Serialize};

/// Where a node lies in the latency space; distances are estimated round trips in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Coordinate {
    pub vec: Vec<f64>,
    pub error: f64,
    pub adjustment: f64,
    pub height: f64,
}

/// Number of Euclidean dimensions.
pub const DIMENSIONS: usize = 8;

impl Default for Coordinate {
    fn default() -> Self {
        Self { vec: vec![0.0; DIMENSIONS], error: 1.5, adjustment: 0.0, height: 1.0e-5 }
    }
}

impl Coordinate {
    /// Eight finite dimensions and finite scalars; anything else must not enter the catalog.
    pub fn is_valid(&self) -> bool {
        let scalars = [self.error, self.adjustment, self.height];
        self.vec.len() == DIMENSIONS && self.vec.iter().chain(&scalars).all(|part| part.is_finite())
    }

    /// Estimated round trip in seconds.
    pub fn distance_to(&self, other: &Self) -> f64 {
        let squared: f64 = self.vec.iter().zip(&other.vec).map(|(a, b)| (a - b) * (a - b)).sum();
        let raw = squared.sqrt() + self.height + other.height;
        let adjusted = raw + self.adjustment + other.adjustment;
        if adjusted > 0.0 { adjusted } else { raw }
    }
}

/// The coordinate of one node in one network segment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeCoordinate {
    pub node: String,
    pub segment: String,
    pub coord: Option<Coordinate>,
}

/// Coordinates of the servers of one datacenter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DatacenterCoordinates {
    pub datacenter: String,
    #[serde(rename = "AreaID")]
    pub area_id: String,
    pub coordinates: Vec<NodeCoordinate>,
}
