//! The log's requests from other servers, as they come in on the server port.

use bytes::Bytes;
use consul_rpc::codec;
use consul_rpc::server::CallError;

use super::Server;
use super::transport;

/// Answers `method` if it is one of the log's.
pub async fn answer(server: Option<&Server>, method: &str, body: &Bytes) -> Option<Result<Bytes, CallError>> {
    let asked = transport::method_of(method)?;
    let Some(server) = server else { return Some(Err(CallError::UnknownService)) };
    let body = match codec::unwrap_raw(body) {
        Ok(body) => body,
        Err(error) => return Some(Err(CallError::Malformed(error.to_string()))),
    };
    let answered = server.raft.serve(asked, &body).await;
    Some(answered.map(|reply| codec::wrap_raw(&reply)).map_err(|error| CallError::Failed(error.to_string())))
}
