//! gRPC checks: one unary call of the standard health service, `grpc.health.v1.Health/Check`.
//!
//! The call's two messages have one field each, so they are written and read here instead of generated.

use std::fmt;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::header::{CONTENT_TYPE, HeaderMap, TE, USER_AGENT};
use http::{Method, Request, Response, StatusCode, Version};
use percent_encoding::percent_decode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use crate::dial::dial;
use crate::outcome::Outcome;
use crate::tls::{Alpn, TlsConfigs, TlsError, TlsSettings, host_of};

const METHOD: &str = "/grpc.health.v1.Health/Check";

/// A health answer has a handful of bytes; more than this is not one.
const ANSWER_LEN_MAX: usize = 64 * 1024;

/// Compression flag and length that precede each message.
const PREFIX_LEN: usize = 5;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcCheck {
    /// `host:port`, or `host:port/service`.
    pub target: String,
    pub tls: Option<TlsSettings>,
    pub timeout: Duration,
}

/// A failed call; displays as gRPC's Go client words it.
#[derive(Debug, PartialEq, Eq)]
struct RpcError {
    code: Code,
    message: String,
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rpc error: code = {} desc = {}", self.code, self.message)
    }
}

/// gRPC status codes by their number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Code(u32);

impl Code {
    const UNKNOWN: Self = Self(2);
    const DEADLINE_EXCEEDED: Self = Self(4);
    const PERMISSION_DENIED: Self = Self(7);
    const UNIMPLEMENTED: Self = Self(12);
    const INTERNAL: Self = Self(13);
    const UNAVAILABLE: Self = Self(14);
    const UNAUTHENTICATED: Self = Self(16);
    const NAMES: [&'static str; 17] = [
        "OK",
        "Canceled",
        "Unknown",
        "InvalidArgument",
        "DeadlineExceeded",
        "NotFound",
        "AlreadyExists",
        "PermissionDenied",
        "ResourceExhausted",
        "FailedPrecondition",
        "Aborted",
        "OutOfRange",
        "Unimplemented",
        "Internal",
        "Unavailable",
        "DataLoss",
        "Unauthenticated",
    ];

    /// What an HTTP status means when a proxy or another server answers in place of a gRPC server.
    fn of_http(status: StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::INTERNAL,
            401 => Self::UNAUTHENTICATED,
            403 => Self::PERMISSION_DENIED,
            404 => Self::UNIMPLEMENTED,
            429 | 502..=504 => Self::UNAVAILABLE,
            _ => Self::UNKNOWN,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match usize::try_from(self.0).ok().and_then(|index| Self::NAMES.get(index)) {
            Some(name) => f.write_str(name),
            None => write!(f, "Code({})", self.0),
        }
    }
}

impl GrpcCheck {
    pub async fn run(&self, tls: &TlsConfigs) -> Outcome {
        let deadline = Instant::now() + self.timeout;
        let called = timeout_at(deadline, self.call(tls, deadline)).await;
        let answered = match called {
            Ok(Err(error)) if Instant::now() < deadline => Err(error),
            Ok(Ok(status)) => Ok(status),
            _ => Err(rpc_error(Code::DEADLINE_EXCEEDED, "context deadline exceeded")),
        };
        match answered {
            Ok(ServingStatus::SERVING) => Outcome::passing(format!("gRPC check {}: success", self.target)),
            Ok(status) => Outcome::critical(format!("gRPC {} serving status: {status}", self.target)),
            Err(error) => Outcome::critical(error.to_string()),
        }
    }

    async fn call(&self, tls: &TlsConfigs, deadline: Instant) -> Result<ServingStatus, RpcError> {
        let (server, service) = self.target.split_once('/').unwrap_or((&self.target, ""));
        let stream = dial(server, deadline)
            .await
            .map_err(|error| connection_error(&format!("transport: Error while dialing {error}")))?;
        let Some(settings) = &self.tls else {
            return exchange(stream, "http", server, service).await;
        };
        let handshake = tls.connect(settings, Alpn::H2, host_of(server), stream, deadline);
        let stream = handshake.await.map_err(|error: TlsError| {
            connection_error(&format!("transport: authentication handshake failed: {error}"))
        })?;
        exchange(stream, "https", server, service).await
    }
}

/// Speaks HTTP/2 over `stream` just long enough for one call.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    scheme: &str,
    server: &str,
    service: &str,
) -> Result<ServingStatus, RpcError> {
    let (sender, connection) =
        h2::client::handshake(stream).await.map_err(|error| transport_error(&error))?;
    tokio::pin!(connection);
    let call = unary_call(sender, scheme, server, service);
    tokio::pin!(call);
    tokio::select! {
        // An answer that came just before the connection ended still counts.
        biased;
        answered = &mut call => answered,
        _ = &mut connection => match futures::poll!(&mut call) {
            std::task::Poll::Ready(answered) => answered,
            std::task::Poll::Pending => Err(rpc_error(Code::UNAVAILABLE, "connection closed")),
        },
    }
}

async fn unary_call(
    sender: SendRequest<Bytes>,
    scheme: &str,
    server: &str,
    service: &str,
) -> Result<ServingStatus, RpcError> {
    let request = Request::builder()
        .method(Method::POST)
        .version(Version::HTTP_2)
        .uri(format!("{scheme}://{server}{METHOD}"))
        .header(CONTENT_TYPE, "application/grpc")
        .header(USER_AGENT, "Consul Health Check")
        .header(TE, "trailers")
        .body(())
        .map_err(|error| rpc_error(Code::INTERNAL, error.to_string()))?;
    let failed = |error: h2::Error| transport_error(&error);
    let mut sender = sender.ready().await.map_err(failed)?;
    let (response, mut body) = sender.send_request(request, false).map_err(failed)?;
    body.send_data(request_frame(service), true).map_err(failed)?;
    read_answer(response.await.map_err(failed)?).await
}

async fn read_answer(response: Response<RecvStream>) -> Result<ServingStatus, RpcError> {
    let (head, mut body) = response.into_parts();
    let has_grpc_status = head.headers.contains_key("grpc-status");
    if head.status != StatusCode::OK && !has_grpc_status {
        let message = format!("unexpected HTTP status code received from server: {}", http_text(head.status));
        return Err(rpc_error(Code::of_http(head.status), message));
    }
    if has_grpc_status {
        // An answer of trailers only: there is no message.
        grpc_status(&head.headers)?;
        return Err(rpc_error(Code::INTERNAL, "server closed the stream without sending a message"));
    }
    let mut message = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(|error| transport_error(&error))?;
        if message.len() + data.len() > ANSWER_LEN_MAX {
            return Err(rpc_error(Code::INTERNAL, "health answer is too large"));
        }
        message.extend_from_slice(&data);
        // Failing to give room back only shows on the next read.
        let _ = body.flow_control().release_capacity(data.len());
    }
    match body.trailers().await.map_err(|error| transport_error(&error))? {
        Some(trailers) => grpc_status(&trailers)?,
        None => {
            return Err(rpc_error(Code::INTERNAL, "server closed the stream without sending trailers"));
        }
    }
    decode_answer(&message)
}

/// Fails unless the trailers say OK.
fn grpc_status(trailers: &HeaderMap) -> Result<(), RpcError> {
    let text = |name: &str| trailers.get(name).map(|value| value.as_bytes()).unwrap_or_default();
    let code = std::str::from_utf8(text("grpc-status")).ok().and_then(|code| code.parse().ok());
    match code {
        Some(0) => Ok(()),
        Some(code) => {
            let message = percent_decode(text("grpc-message")).decode_utf8_lossy().into_owned();
            Err(rpc_error(Code(code), message))
        }
        None => Err(rpc_error(Code::INTERNAL, "malformed grpc-status")),
    }
}

fn http_text(status: StatusCode) -> String {
    format!("{} ({})", status.as_u16(), status.canonical_reason().unwrap_or_default())
}

fn rpc_error(code: Code, message: impl Into<String>) -> RpcError {
    RpcError { code, message: message.into() }
}

fn connection_error(reason: &str) -> RpcError {
    rpc_error(Code::UNAVAILABLE, format!("connection error: desc = {reason:?}"))
}

fn transport_error(error: &h2::Error) -> RpcError {
    match error.reason() {
        Some(reason) if error.is_reset() => {
            let code = match reason {
                Reason::REFUSED_STREAM => Code::UNAVAILABLE,
                Reason::CANCEL => Code(1),
                Reason::ENHANCE_YOUR_CALM => Code(8),
                Reason::INADEQUATE_SECURITY => Code::PERMISSION_DENIED,
                _ => Code::INTERNAL,
            };
            let name = format!("{reason:?}");
            rpc_error(code, format!("stream terminated by RST_STREAM with error code: {name}"))
        }
        _ => rpc_error(Code::UNAVAILABLE, "connection closed"),
    }
}

/// `HealthCheckRequest { service = 1 }` with its prefix; an empty service is left out.
fn request_frame(service: &str) -> Bytes {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(0x0a);
        put_varint(&mut message, service.len() as u64);
        message.extend_from_slice(service.as_bytes());
    }
    let mut frame = Vec::with_capacity(PREFIX_LEN + message.len());
    frame.push(0);
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(&message);
    frame.into()
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Field `status` of `HealthCheckResponse`, by its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ServingStatus(u64);

impl ServingStatus {
    const SERVING: Self = Self(1);
}

impl fmt::Display for ServingStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("UNKNOWN"),
            1 => f.write_str("SERVING"),
            2 => f.write_str("NOT_SERVING"),
            3 => f.write_str("SERVICE_UNKNOWN"),
            other => write!(f, "{other}"),
        }
    }
}

fn decode_answer(frame: &[u8]) -> Result<ServingStatus, RpcError> {
    let malformed = || rpc_error(Code::INTERNAL, "malformed health answer");
    let (prefix, message) = frame.split_at_checked(PREFIX_LEN).ok_or_else(malformed)?;
    let mut prefix = prefix;
    if prefix.get_u8() != 0 {
        return Err(rpc_error(Code::UNIMPLEMENTED, "health answer is compressed"));
    }
    if usize::try_from(prefix.get_u32()).ok() != Some(message.len()) {
        return Err(malformed());
    }
    serving_status(message).ok_or_else(malformed)
}

/// Reads field 1 and skips any other; an absent one is zero, that is unknown.
fn serving_status(mut message: &[u8]) -> Option<ServingStatus> {
    let mut status = ServingStatus(0);
    while !message.is_empty() {
        let tag = take_varint(&mut message)?;
        match (tag >> 3, tag & 7) {
            (1, 0) => status = ServingStatus(take_varint(&mut message)?),
            (_, 0) => drop(take_varint(&mut message)?),
            (_, 1) => message = message.get(8..)?,
            (_, 2) => {
                let len = usize::try_from(take_varint(&mut message)?).ok()?;
                message = message.get(len..)?;
            }
            (_, 5) => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn take_varint(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(message: &[u8]) -> Vec<u8> {
        [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat()
    }

    #[test]
    fn requests_are_prefixed_and_name_the_service() {
        assert_eq!(&request_frame("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&request_frame("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert_eq!(&request_frame(&"x".repeat(200))[5..8], [0x0a, 0xc8, 0x01]);
    }

    #[test]
    fn answers_are_read_past_unknown_fields() {
        let message = [0x12, 2, 9, 9, 0x1d, 1, 2, 3, 4, 0x08, 2, 0x21, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(decode_answer(&framed(&message)), Ok(ServingStatus(2)));
        assert_eq!(decode_answer(&framed(&[])), Ok(ServingStatus(0)));
        assert_eq!(ServingStatus(2).to_string(), "NOT_SERVING");
    }

    #[test]
    fn broken_answers_are_refused() {
        for frame in
            [&[][..], &[0, 0, 0, 0, 9, 8, 1], &[1, 0, 0, 0, 0], &framed(&[0x12, 200, 1]), &framed(&[0x0b])]
        {
            assert!(decode_answer(frame).is_err(), "{frame:?}");
        }
    }

    #[test]
    fn trailers_become_an_error_with_its_name() {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "12".parse().unwrap());
        trailers.insert("grpc-message", "unknown%20service x".parse().unwrap());
        let error = grpc_status(&trailers).unwrap_err();
        assert_eq!(error.to_string(), "rpc error: code = Unimplemented desc = unknown service x");
        assert_eq!(Code(99).to_string(), "Code(99)");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(frame in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode_answer(&frame);
            let _ = decode_answer(&framed(&frame));
        }
    }
}
