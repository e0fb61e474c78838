//! Namespaces do not exist here; asking for one is an error rather than an answer from elsewhere.

use super::failure::Failure;
use super::request::Request;

const FEATURE: &str = "Namespaces are a Consul Enterprise feature";

/// Refuses `?ns=` and the namespace header on every path but the few that never looked at them.
pub fn refuse(route_path: &str, request: &Request) -> Option<Failure> {
    if route_path == "/v1/catalog/nodes" || route_path.starts_with("/v1/query") {
        return None;
    }
    if request.params.non_empty("ns").is_some() {
        return Some(Failure::bad_request(format!(
            "Bad request: Invalid query parameter: \"ns\" - {FEATURE}"
        )));
    }
    let header = request.headers.get("x-consul-namespace")?;
    (!header.is_empty()).then(|| {
        Failure::bad_request(format!("Bad request: Invalid header: \"X-Consul-Namespace\" - {FEATURE}"))
    })
}
