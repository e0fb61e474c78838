//! How long requests take, by method and route.

use std::time::Duration;

use consul_telemetry::metrics::{self, Counter, Sample};
use http::{Method, StatusCode};

use super::route::{Route, Shape};

/// One sample for each method of each route, found by the route's place in the table.
pub struct RequestMetrics {
    durations: Vec<Vec<(Method, Sample)>>,
    /// For the routes that are counted by name as well.
    named: Vec<Option<Named>>,
}

/// How often one of the catalog's endpoints was asked, with what success.
struct Named {
    asked: Counter,
    succeeded: Counter,
    failed: Counter,
}

/// The catalog's endpoints and the names that they are counted under.
const NAMED: [(&str, &str); 10] = [
    ("/v1/catalog/register", "catalog_register"),
    ("/v1/catalog/deregister", "catalog_deregister"),
    ("/v1/catalog/datacenters", "catalog_datacenters"),
    ("/v1/catalog/nodes", "catalog_nodes"),
    ("/v1/catalog/services", "catalog_services"),
    ("/v1/catalog/service/", "catalog_service_nodes"),
    ("/v1/catalog/connect/", "catalog_connect_service_nodes"),
    ("/v1/catalog/node/", "catalog_node_services"),
    ("/v1/catalog/node-services/", "catalog_node_service_list"),
    ("/v1/catalog/gateway-services/", "catalog_gateway_services"),
];

impl Named {
    fn new(row: &Route, node: &str) -> Option<Self> {
        let (_, name) = NAMED.iter().find(|(path, _)| *path == row.path)?;
        let counter = |kind: &str| metrics::counter_with(&format!("{kind}.{name}"), &[("node", node)]);
        Some(Self {
            asked: counter("client.api"),
            succeeded: counter("client.api.success"),
            failed: counter("client.rpc.error"),
        })
    }

    fn count(&self, status: StatusCode) {
        self.asked.incr();
        let outcome = if status.is_server_error() { &self.failed } else { &self.succeeded };
        outcome.incr();
    }
}

impl RequestMetrics {
    /// `node` is this agent's name.
    pub fn new(rows: &[&'static Route], node: &str) -> Self {
        let durations = rows
            .iter()
            .map(|row| row.methods.iter().map(|method| (method.clone(), sample(method, row))).collect())
            .collect();
        Self { durations, named: rows.iter().map(|row| Named::new(row, node)).collect() }
    }

    /// Methods that the route does not take are not counted: there is no end of them.
    pub fn observe(&self, row: usize, method: &Method, status: StatusCode, took: Duration) {
        if let Some(Some(named)) = self.named.get(row) {
            named.count(status);
        }
        let samples = self.durations.get(row).into_iter().flatten();
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
