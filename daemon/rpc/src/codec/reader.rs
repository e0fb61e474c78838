//! Takes messages off a stream of bytes that is cut anywhere.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use consul_api::msgpack::{self, Length, Walker};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::poll_read_buf;

use super::{CodecError, EMPTY_BODY, RequestHeader, ResponseHeader};
use crate::mux::{Budget, Reserved};

/// Enough for nearly every request, and little enough to have thousands of them.
const READ_MIN: usize = 512;
/// Reading more at once gains nothing.
const READ_MAX: usize = 64 * 1024;
/// A body this much smaller than what its buffer holds is copied out, so that the buffer does not live as long as
/// whoever keeps the body.
const COPY_BELOW: usize = 4 * 1024;
/// What a reader may hold without asking: see [`Budget`].
const UNBUDGETED: usize = 64 * 1024;

/// How large the parts of a message may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of a header. Responses have their error text there.
    pub header_max: usize,
    /// Bytes of a body.
    pub body_max: usize,
}

/// A request as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which method, and which call.
    pub header: RequestHeader,
    /// One encoded value; an empty struct if none was given.
    pub body: Bytes,
}

/// A response as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Which call, and how it ended.
    pub header: ResponseHeader,
    /// One encoded value; means nothing if the header has an error.
    pub body: Bytes,
}

/// Bytes of a stream that were read and not used yet. Holds no memory between messages.
#[derive(Debug, Default)]
pub struct MessageReader {
    buffer: BytesMut,
    budget: Option<Arc<Budget>>,
    reserved: Option<Reserved>,
}

impl MessageReader {
    /// Nothing is counted against any budget.
    pub fn new() -> Self {
        Self::default()
    }

    /// Messages that grow large are counted against `budget` until they are complete.
    pub(crate) fn with_budget(budget: Arc<Budget>) -> Self {
        Self { budget: Some(budget), ..Self::default() }
    }

    /// The next request; nothing if the stream ended before one began.
    pub async fn read_request<R: AsyncRead + Unpin>(
        &mut self,
        stream: &mut R,
        sizes: Sizes,
    ) -> Result<Option<Request>, CodecError> {
        let Some(header) = self.read_value(stream, sizes.header_max).await? else { return Ok(None) };
        let header: RequestHeader = msgpack::from_slice(&header).map_err(CodecError::Malformed)?;
        let body = self.read_value(stream, sizes.body_max).await?.ok_or(CodecError::Truncated)?;
        self.release();
        let body = if body[..] == [0xc0] { Bytes::from_static(EMPTY_BODY) } else { body };
        Ok(Some(Request { header, body }))
    }

    /// The next response. The stream must not end before it.
    pub async fn read_response<R: AsyncRead + Unpin>(
        &mut self,
        stream: &mut R,
        sizes: Sizes,
    ) -> Result<Response, CodecError> {
        let header = self.read_value(stream, sizes.header_max).await?.ok_or(CodecError::Truncated)?;
        let header: ResponseHeader = msgpack::from_slice(&header).map_err(CodecError::Malformed)?;
        let body = self.read_value(stream, sizes.body_max).await?.ok_or(CodecError::Truncated)?;
        self.release();
        Ok(Response { header, body })
    }

    /// The next value, of at most `max` bytes; nothing if the stream ended before it began.
    pub async fn read_value<R: AsyncRead + Unpin>(
        &mut self,
        stream: &mut R,
        max: usize,
    ) -> Result<Option<Bytes>, CodecError> {
        let mut walker = Walker::new();
        loop {
            let needed = match walker.advance(&self.buffer).map_err(CodecError::Malformed)? {
                Length::Complete(len) if len > max => return Err(CodecError::TooLarge { max }),
                Length::Complete(len) => return Ok(Some(self.take(len))),
                Length::AtLeast(needed) => needed,
            };
            if needed.max(walker.least()) > max {
                return Err(CodecError::TooLarge { max });
            }
            self.make_room(needed)?;
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(CodecError::Truncated) };
            }
        }
    }

    /// Waits for the first bytes of a message. False if the stream ends instead.
    pub(crate) async fn fill<R: AsyncRead + Unpin>(&mut self, stream: &mut R) -> io::Result<bool> {
        // Room is made once there is something to read: waiting costs nothing.
        poll_fn(|cx| {
            self.buffer.reserve(READ_MIN);
            let read = poll_read_buf(Pin::new(&mut *stream), cx, &mut self.buffer);
            if read.is_pending() {
                self.drop_empty_buffer();
            }
            read.map_ok(|count| count > 0)
        })
        .await
    }

    /// Whether bytes were read that belong to a message not yet taken.
    pub fn has_bytes(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// What was read beyond the last message.
    pub fn into_rest(self) -> Bytes {
        self.buffer.freeze()
    }

    /// Reads ahead up to `max` bytes, to learn whether the stream ended. Ready once it did or failed.
    pub(crate) fn poll_end<R: AsyncRead + Unpin>(
        &mut self,
        stream: &mut R,
        max: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let room = max.saturating_sub(self.buffer.len());
            if room == 0 {
                return Poll::Pending;
            }
            self.buffer.reserve(room.min(READ_MIN));
            match poll_read_buf(Pin::new(&mut *stream), cx, &mut self.buffer) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.drop_empty_buffer();
                    return Poll::Pending;
                }
            }
        }
    }

    /// Room to read more. A claimed length may hurry the growth but never exceeds what came in already, so memory
    /// follows bytes received.
    fn make_room(&mut self, needed: usize) -> Result<(), CodecError> {
        let missing = needed.saturating_sub(self.buffer.len());
        let room = missing.clamp(READ_MIN, READ_MAX.min(self.buffer.len().max(READ_MIN)));
        if self.buffer.len() + room > UNBUDGETED {
            self.reserve(self.buffer.len() + room)?;
        }
        self.buffer.reserve(room);
        Ok(())
    }

    fn reserve(&mut self, total: usize) -> Result<(), CodecError> {
        let Some(budget) = &self.budget else { return Ok(()) };
        let reserved = match &mut self.reserved {
            Some(reserved) => reserved.grow(total),
            none => budget.reserve(total).map(|taken| *none = Some(taken)),
        };
        reserved.ok_or(CodecError::Overloaded)
    }

    fn take(&mut self, len: usize) -> Bytes {
        if len < COPY_BELOW && self.buffer.capacity() > len.saturating_mul(2) {
            let taken = Bytes::copy_from_slice(self.buffer.get(..len).unwrap_or_default());
            bytes::Buf::advance(&mut self.buffer, len);
            self.drop_empty_buffer();
            return taken;
        }
        let taken = self.buffer.split_to(len).freeze();
        self.drop_empty_buffer();
        taken
    }

    fn drop_empty_buffer(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    fn release(&mut self) {
        self.reserved = None;
    }
}
