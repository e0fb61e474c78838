//! What lies outside the API: the greeting at the root.

use http::{Method, Response, StatusCode};

use super::reply::{Body, Reply};

/// The answer for a path that is not below `/v1/`, if there is one.
pub fn respond(method: &Method, path: &[u8]) -> Option<Response<Body>> {
    if path != b"/" {
        return None;
    }
    let mut reply = Reply::text(StatusCode::OK, "Consul Agent");
    if *method == Method::HEAD {
        reply.content = super::reply::Content::Empty;
    }
    Some(reply.into_response())
}
