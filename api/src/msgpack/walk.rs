//! Finds where a value ends without building it.

use super::DEPTH_MAX;
use super::error::DecodeError;
use super::read::{Header, Reader};

/// How far the value at the front of a buffer reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// It is there, in this many bytes.
    Complete(usize),
    /// It is cut off: the whole needs at least this many bytes, more than there are.
    AtLeast(usize),
}

/// Length of the value at the front of `bytes`. Strings are stepped over, not looked at, so the cost follows the
/// number of parts and not of bytes.
pub fn value_len(bytes: &[u8]) -> Result<Length, DecodeError> {
    Walker::new().advance(bytes)
}

/// Finds the end of a value whose bytes come in pieces: what was walked once is not walked again.
#[derive(Clone, Debug)]
pub struct Walker {
    /// Values still to come at each level; a level is left when its count is used up.
    pending: Vec<usize>,
    /// Everything before it has been walked. It may lie beyond what is there, in the middle of a string.
    at: usize,
}

impl Default for Walker {
    fn default() -> Self {
        Self::new()
    }
}

impl Walker {
    /// At the start of a value.
    pub fn new() -> Self {
        Self { pending: vec![1], at: 0 }
    }

    /// Bytes that the value has at the least: what was walked, and one for each part that is announced. Tells a
    /// claim that cannot be right long before its parts fail to come.
    pub fn least(&self) -> usize {
        self.pending.iter().fold(self.at, |least, count| least.saturating_add(*count))
    }

    /// Walks on. `bytes` begins with what was given before and may have grown since; once the value is complete,
    /// or malformed, the walker is of no further use.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Length, DecodeError> {
        while let Some(count) = self.pending.last_mut() {
            if *count == 0 {
                self.pending.pop();
                continue;
            }
            let Some(rest) = bytes.get(self.at..) else { return Ok(Length::AtLeast(self.at)) };
            let mut reader = Reader { bytes: rest };
            let header = match reader.header() {
                Ok(header) => header,
                Err(DecodeError::Truncated) => return Ok(Length::AtLeast(bytes.len().saturating_add(1))),
                Err(error) => return Err(error),
            };
            *count -= 1;
            self.at = bytes.len() - reader.bytes.len();
            match header {
                Header::Raw(len) | Header::Extension(len) => self.at = self.at.saturating_add(len),
                Header::Array(len) => self.pending.push(len),
                Header::Map(len) => self.pending.push(len.saturating_mul(2)),
                _ => {}
            }
            if self.pending.len() > DEPTH_MAX {
                return Err(DecodeError::TooDeep);
            }
        }
        if self.at > bytes.len() { Ok(Length::AtLeast(self.at)) } else { Ok(Length::Complete(self.at)) }
    }
}
