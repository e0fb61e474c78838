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
    // Values still to come at each level; a level is left when its count is used up.
    let mut pending: Vec<usize> = vec![1];
    let mut at = 0usize;
    while let Some(count) = pending.last_mut() {
        if *count == 0 {
            pending.pop();
            continue;
        }
        *count -= 1;
        let mut reader = Reader { bytes: bytes.get(at..).unwrap_or_default() };
        let header = match reader.header() {
            Ok(header) => header,
            Err(DecodeError::Truncated) => return Ok(Length::AtLeast(bytes.len().max(at).saturating_add(1))),
            Err(error) => return Err(error),
        };
        at = bytes.len() - reader.bytes.len();
        match header {
            Header::Raw(len) | Header::Extension(len) => {
                let end = at.saturating_add(len);
                if end > bytes.len() {
                    return Ok(Length::AtLeast(end));
                }
                at = end;
            }
            Header::Array(len) => pending.push(len),
            Header::Map(len) => pending.push(len.saturating_mul(2)),
            _ => {}
        }
        if pending.len() > DEPTH_MAX {
            return Err(DecodeError::TooDeep);
        }
    }
    Ok(Length::Complete(at))
}
