//! `Coordinate.*`.

use consul_api::types::coordinate::Coordinate;
use serde::{Deserialize, Serialize};

/// `Coordinate.Update`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CoordinateUpdateRequest {
    pub datacenter: String,
    pub node: String,
    pub segment: String,
    pub coord: Option<Coordinate>,
}

/// Answer of `Coordinate.ListNodes` and `Coordinate.Node`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Coordinates<T> {
    pub coordinates: T,
}
