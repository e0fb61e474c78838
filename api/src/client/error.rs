//! What can go wrong between a program and its agent.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use thiserror::Error;

use super::config::FileError;

/// Why no client can be made from the settings.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("Unknown protocol scheme: {0}")]
    Scheme(String),
    #[error("invalid address {0:?}: use host:port, http://, https:// or unix://")]
    Address(String),
    #[error("Error loading token file: {0}")]
    TokenFile(FileError),
    #[error("Error loading CA File: {0}")]
    CaFile(FileError),
    #[error("Error loading CA Path: {0}")]
    CaPath(FileError),
    #[error("Error loading client certificate: {0}")]
    ClientCert(FileError),
    #[error("both client cert and client key must be provided")]
    HalfIdentity,
}

/// Why a request has no answer that counts.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The agent answered, but not with success. The body is its explanation.
    #[error("Unexpected response code: {status} ({body})")]
    Status { status: u16, body: String },
    /// No connection came about, or it broke.
    #[error("{request}: {reason}")]
    Transport { request: String, reason: String, retryable: bool },
    #[error("{request}: no answer within {} seconds", .limit.as_secs())]
    Timeout { request: String, limit: Duration },
    #[error("failed to decode the agent's answer: {0}")]
    Decode(#[from] crate::json::DecodeError),
    #[error("failed to encode the request: {0}")]
    Encode(#[from] serde_json::Error),
    /// A parameter cannot be sent, such as a token with a line break.
    #[error("invalid {0}")]
    Parameter(&'static str),
    #[error("the agent's answer is larger than {0} bytes")]
    TooLarge(usize),
    /// TLS could not be set up from the given certificates.
    #[error("failed to set up TLS: {0}")]
    Tls(String),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("failed to start the runtime: {0}")]
    Runtime(io::Error),
}

impl ClientError {
    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// The same request may succeed later without anybody changing anything: connection trouble, overload, an
    /// election.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            Self::Transport { retryable, .. } => *retryable,
            Self::Timeout { .. } => true,
            _ => false,
        }
    }
}

/// An error of the operating system in the words that Go prints, without "(os error 2)".
pub(super) fn os_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset by peer".to_owned(),
        io::ErrorKind::TimedOut => "i/o timeout".to_owned(),
        io::ErrorKind::UnexpectedEof => "EOF".to_owned(),
        _ => {
            let text = error.to_string();
            match text.find(" (os error") {
                Some(at) => text.get(..at).unwrap_or_default().to_lowercase(),
                None => text,
            }
        }
    }
}

/// The innermost cause that says something: libraries wrap it in layers that do not.
pub(super) fn root_words(error: &(dyn StdError + 'static)) -> String {
    let mut words = error.to_string();
    let mut next = Some(error);
    while let Some(cause) = next {
        words = match cause.downcast_ref::<io::Error>() {
            // An io::Error that wraps another error prints as that one.
            Some(io) if io.get_ref().is_none() => os_words(io),
            _ => cause.to_string(),
        };
        next = cause.source();
    }
    words
}
