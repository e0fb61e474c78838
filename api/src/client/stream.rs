//! Answers without an end in sight: logs, metrics, archives.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;

use super::error::ClientError;
use super::transport::{Body, transport_error};

/// A longer line of a log is cut there.
const LINE_MAX: usize = 1 << 20;

/// Pieces of a body as they arrive.
pub struct ByteStream {
    body: Body,
    describe: String,
}

impl ByteStream {
    pub(super) fn new(body: Body, describe: String) -> Self {
        Self { body, describe }
    }

    /// The next piece, or none at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| transport_error(self.describe.clone(), error.as_ref()))?;
            match frame.into_data() {
                Ok(chunk) if !chunk.is_empty() => return Ok(Some(chunk)),
                _ => {}
            }
        }
        Ok(None)
    }

    pub fn lines(self) -> LineStream {
        LineStream { from: self, buffer: BytesMut::new(), ready: VecDeque::new() }
    }
}

/// Lines of a body as they arrive.
pub struct LineStream {
    from: ByteStream,
    buffer: BytesMut,
    ready: VecDeque<String>,
}

impl LineStream {
    /// The next line without its end, or none at the end of the body.
    pub async fn line(&mut self) -> Result<Option<String>, ClientError> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Some(line));
            }
            match self.from.chunk().await? {
                Some(chunk) => self.take(&chunk),
                None if self.buffer.is_empty() => return Ok(None),
                None => {
                    let last = text(&self.buffer);
                    self.buffer.clear();
                    return Ok(Some(last));
                }
            }
        }
    }

    fn take(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line = self.buffer.split_to(end);
            self.buffer.advance(1);
            self.ready.push_back(text(line.strip_suffix(b"\r").unwrap_or(&line)));
        }
        if self.buffer.len() > LINE_MAX {
            let line = self.buffer.split();
            self.ready.push_back(text(&line));
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
