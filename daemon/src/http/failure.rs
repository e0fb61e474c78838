//! Errors as HTTP answers: the one place where they meet a status code.

use http::StatusCode;

use crate::rpc::RpcError;

/// Why a request was refused or failed: a status and a text that clients match on.
#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    pub text: String,
    /// Seconds after which trying again makes sense.
    pub retry_after: Option<u32>,
}

impl Failure {
    pub fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), retry_after: None }
    }

    pub fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    pub fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    pub fn forbidden(text: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, text)
    }

    pub fn too_large(text: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    }

    /// A server-side refusal: 500 unless the text says that permission is missing.
    pub fn internal(text: impl Into<String>) -> Self {
        let text = text.into();
        let denied = text.contains("Permission denied") || text.contains("ACL not found");
        Self::new(if denied { StatusCode::FORBIDDEN } else { StatusCode::INTERNAL_SERVER_ERROR }, text)
    }

    pub fn too_many_requests(text: impl Into<String>) -> Self {
        Self { retry_after: Some(1), ..Self::new(StatusCode::TOO_MANY_REQUESTS, text) }
    }
}

impl From<RpcError> for Failure {
    fn from(error: RpcError) -> Self {
        match error {
            // Clients know this one by its status alone.
            RpcError::TooManyRequests => Self::new(StatusCode::TOO_MANY_REQUESTS, ""),
            RpcError::RateLimited => Self::too_many_requests(error.to_string()),
            RpcError::WriteRateLimited => {
                Self { retry_after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()) }
            }
            RpcError::QueryNotFound => Self::not_found(error.to_string()),
            other => Self::internal(other.to_string()),
        }
    }
}
