//! How long requests take, by method and route.

use std::time::Duration;

use consul_telemetry::metrics::{self, Sample};
use http::Method;

use super::route::{Route, Shape};

/// One sample for each method of each route, found by the route's place in the table.
pub struct RequestMetrics(Vec<Vec<(Method, Sample)>>);

impl RequestMetrics {
    pub fn new(rows: &[&'static Route]) -> Self {
        Self(
            rows.iter()
                .map(|row| row.methods.iter().map(|method| (method.clone(), sample(method, row))).collect())
                .collect(),
        )
    }

    /// Methods that the route does not take are not counted: there is no end of them.
    pub fn observe(&self, row: usize, method: &Method, took: Duration) {
        let samples = self.0.get(row).into_iter().flatten();
        if let Some((_, sample)) = samples.into_iter().find(|(known, _)| known == method) {
            sample.observe_duration(took);
        }
    }
}

/// `http.GET.v1.kv._` for GET on the prefix `/v1/kv/`.
fn sample(method: &Method, row: &Route) -> Sample {
    let path = row.path.trim_matches('/').replace('/', ".");
    let wildcard = if row.shape == Shape::Prefix { "._" } else { "" };
    metrics::sample(&format!("http.{method}.{path}{wildcard}"))
}
