//! `/v1/agent/connect/authorize`: whether a connection that shows a certificate may reach a service.

use std::sync::Arc;

use consul_api::types::intention::Intention;
use consul_state::intention::{WILDCARD, describe};
use http::Method;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::handler;
use crate::http::decode;
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::intention::GuardsOf;

pub const ROUTES: &[Route] =
    &[Route::exact("/v1/agent/connect/authorize", &[Method::POST], handler!(authorize))];

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Asked {
    target: String,
    #[serde(rename = "ClientCertURI")]
    client_cert_uri: String,
    /// Certificates are not revoked, so the number decides nothing.
    #[serde(rename = "ClientCertSerial")]
    _client_cert_serial: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Verdict {
    authorized: bool,
    reason: String,
}

async fn authorize(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let body = request.read_json_body().await?;
    let asked: Asked = decode::strict(&body, "Bad request: Request decode failed: ")?;
    if asked.target.is_empty() {
        return Err(Failure::bad_request("Bad request: Target service must be specified"));
    }
    let source = match identity(&asked.client_cert_uri) {
        Identity::Service(name) => name,
        Identity::Other => {
            return Err(Failure::bad_request("Bad request: ClientCertURI not a valid Service identifier"));
        }
        Identity::None => {
            return Err(Failure::bad_request("Bad request: ClientCertURI not a valid Connect identifier"));
        }
    };
    let options = options::consistency_options(&request)?;
    let (_, intentions) = agent.read(&GuardsOf { service: asked.target }, &options).await?;
    let verdict = match first_for(&intentions, &source) {
        Some(intention) => Verdict {
            authorized: intention.action == "allow",
            reason: format!("Matched intention: {}", describe(intention)),
        },
        None => by_default(&agent),
    };
    Reply::json(&request, &verdict)
}

/// The most specific of the intentions that applies to a source. They come in order of precedence.
pub fn first_for<'a>(intentions: &'a [Arc<Intention>], source: &str) -> Option<&'a Intention> {
    let applies = |intention: &&Arc<Intention>| {
        intention.source_name == WILDCARD || intention.source_name.eq_ignore_ascii_case(source)
    };
    intentions.iter().find(applies).map(|intention| &**intention)
}

fn by_default(agent: &Agent) -> Verdict {
    // With access control off the default policy is to allow.
    let authorized = agent.http.load().default_policy == "allow";
    let reason = if authorized {
        "ACLs disabled, access is allowed by default"
    } else {
        "Default behavior configured by ACLs"
    };
    Verdict { authorized, reason: reason.to_owned() }
}

/// Whose certificate it is, by the name in it.
#[derive(Debug, PartialEq, Eq)]
enum Identity {
    Service(String),
    /// An agent, or the authority itself.
    Other,
    None,
}

/// `spiffe://<trust domain>/ns/<namespace>/dc/<datacenter>/svc/<service>`
fn identity(uri: &str) -> Identity {
    let Some((domain, path)) =
        uri.strip_prefix("spiffe://").map(|rest| rest.split_once('/').unwrap_or((rest, "")))
    else {
        return Identity::None;
    };
    let parts: Vec<&str> = path.split('/').collect();
    match *parts.as_slice() {
        ["ns", namespace, "dc", datacenter, "svc", service]
            if ![namespace, datacenter, service].contains(&"") =>
        {
            percent_decode_str(service)
                .decode_utf8()
                .map_or(Identity::None, |name| Identity::Service(name.into_owned()))
        }
        ["agent", "client", "dc", datacenter, "id", id] if ![datacenter, id].contains(&"") => Identity::Other,
        [""] if !domain.is_empty() => Identity::Other,
        _ => Identity::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_of_services_are_told_from_others() {
        let service = |name: &str| Identity::Service(name.to_owned());
        let cases = [
            ("spiffe://x.consul/ns/default/dc/dc1/svc/web", service("web")),
            ("spiffe://x.consul/ns/default/dc/dc1/svc/w%65b", service("web")),
            ("spiffe://x.consul/agent/client/dc/dc1/id/n1", Identity::Other),
            ("spiffe://x.consul", Identity::Other),
            ("spiffe://x.consul/ns/default/dc/dc1/svc", Identity::None),
            ("spiffe://x.consul/ns/default/dc/dc1/svc/", Identity::None),
            ("spiffe://x.consul/ns/default/dc/dc1/svc/a/b", Identity::None),
            ("spiffe://x.consul/ns/default/dc/dc1/svc/%ff", Identity::None),
            ("http://x.consul/ns/default/dc/dc1/svc/web", Identity::None),
            ("spiffe://", Identity::None),
            ("", Identity::None),
        ];
        for (uri, wanted) in cases {
            assert_eq!(identity(uri), wanted, "{uri}");
        }
    }
}
