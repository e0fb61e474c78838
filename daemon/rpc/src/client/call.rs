//! One call on one stream.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::connection::Connection;
use super::error::{RpcCallError, Sent};
use crate::codec::{CodecError, MessageReader, Sizes, request_head};
use crate::io::Io;

/// What a request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyForm {
    /// One encoded value.
    Value,
    /// Bytes that are to travel as one raw value.
    Raw,
}

/// Set once a request may have left.
#[derive(Debug, Default)]
pub(super) struct SentFlag(AtomicBool);

impl SentFlag {
    pub fn get(&self) -> Sent {
        if self.0.load(Ordering::Relaxed) { Sent::Maybe } else { Sent::No }
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Connection {
    /// Makes a call. Dropped before it is done, it resets the stream, so that the server drops the call too.
    pub async fn call(
        &self,
        method: &str,
        body: &Bytes,
        form: BodyForm,
        sizes: Sizes,
        sent: &SentFlag,
    ) -> Result<Bytes, RpcCallError> {
        let mut stream = self.stream().await.map_err(|error| RpcCallError::transport(sent.get(), &error))?;
        let seq = self.next_seq();
        let mut head = request_head(method, seq, 5);
        if form == BodyForm::Raw {
            head.extend_from_slice(&crate::codec::raw_head(body.len()));
        }
        let result = answer(&mut stream, &head, seq, body, sizes, sent).await;
        match &result {
            Ok(_) => self.keep(stream),
            // The server ends the stream after some errors, and which ones cannot be told from the text.
            Err(RpcCallError::Remote(_)) => stream.finish(),
            // Dropped unfinished, and so reset.
            Err(_) => {}
        }
        result
    }
}

/// Makes the one call of a connection without multiplexing.
pub(super) async fn call_single(
    mut stream: Box<dyn Io>,
    method: &str,
    body: &Bytes,
    sizes: Sizes,
    sent: &SentFlag,
) -> Result<Bytes, RpcCallError> {
    let head = request_head(method, 1, 0);
    answer(&mut stream, &head, 1, body, sizes, sent).await
}

async fn answer(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    head: &[u8],
    seq: u64,
    body: &[u8],
    sizes: Sizes,
    sent: &SentFlag,
) -> Result<Bytes, RpcCallError> {
    let answered = exchange(stream, head, body, sizes, sent).await;
    let (response, reader) = answered.map_err(|error| RpcCallError::transport(sent.get(), &error))?;
    if response.header.seq != seq || reader.has_bytes() {
        let reason = "the response belongs to another request".to_owned();
        return Err(RpcCallError::Transport { sent: Sent::Maybe, reason });
    }
    if response.header.error.is_empty() {
        return Ok(response.body);
    }
    Err(RpcCallError::Remote(response.header.error))
}

async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    head: &[u8],
    body: &[u8],
    sizes: Sizes,
    sent: &SentFlag,
) -> Result<(crate::codec::Response, MessageReader), CodecError> {
    let mut message = head.chain(body);
    while message.has_remaining() {
        if stream.write_buf(&mut message).await? == 0 {
            return Err(CodecError::Truncated);
        }
        sent.set();
    }
    stream.flush().await?;
    let mut reader = MessageReader::new();
    let response = reader.read_response(stream, sizes).await?;
    Ok((response, reader))
}
