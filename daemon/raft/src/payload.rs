//! What one log entry holds: a batch of commands, or one step of an operator's restore.
//!
//! Encoded once by the proposer; the same bytes go to disk and to followers, and `apply` takes its
//! commands as slices of them. Layout, integers little-endian:
//!
//! ```text
//! kind u8 | origin u64 | ticket u64 | body
//!   kind 0, commands:       count u32, then per command: length u32, bytes
//!   kind 1, restore begin:  restore u64
//!   kind 2, restore chunk:  restore u64, bytes
//!   kind 3, restore commit: restore u64, length u64, SHA-256 of all chunks (32 bytes)
//!   kind 4, restore abort:  restore u64
//! ```
//!
//! Origin and ticket tell the server that proposed the entry, and only that one, who waits for it.

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const COMMANDS: u8 = 0;
const RESTORE_BEGIN: u8 = 1;
const RESTORE_CHUNK: u8 = 2;
const RESTORE_COMMIT: u8 = 3;
const RESTORE_ABORT: u8 = 4;

/// Bytes before the body.
const HEADER: usize = 1 + 8 + 8;

/// An encoded entry. Always well formed: both ways to make one check it.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Bytes);

/// Which proposal of which process run an entry answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ticket {
    /// Random per process run, so that a ticket never matches one of an earlier run.
    pub origin: u64,
    pub number: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Commands(Vec<Bytes>),
    Restore { id: RestoreId, step: RestoreStep },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RestoreId(pub u64);

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RestoreStep {
    Begin,
    Chunk(Bytes),
    Commit { length: u64, sha256: [u8; 32] },
    Abort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed log entry")]
pub(crate) struct Malformed;

impl Payload {
    pub(crate) fn commands<'a>(ticket: Ticket, commands: impl Iterator<Item = &'a Bytes> + Clone) -> Self {
        let size = commands.clone().map(|command| 4 + command.len()).sum::<usize>();
        let mut out = header(COMMANDS, ticket, 4 + size);
        out.put_u32_le(commands.clone().count() as u32);
        for command in commands {
            out.put_u32_le(command.len() as u32);
            out.put_slice(command);
        }
        Self(out.freeze())
    }

    pub(crate) fn restore(ticket: Ticket, id: RestoreId, step: &RestoreStep) -> Self {
        let (kind, size) = match step {
            RestoreStep::Begin => (RESTORE_BEGIN, 0),
            RestoreStep::Chunk(data) => (RESTORE_CHUNK, data.len()),
            RestoreStep::Commit { .. } => (RESTORE_COMMIT, 40),
            RestoreStep::Abort => (RESTORE_ABORT, 0),
        };
        let mut out = header(kind, ticket, 8 + size);
        out.put_u64_le(id.0);
        match step {
            RestoreStep::Begin | RestoreStep::Abort => {}
            RestoreStep::Chunk(data) => out.put_slice(data),
            RestoreStep::Commit { length, sha256 } => {
                out.put_u64_le(*length);
                out.put_slice(sha256);
            }
        }
        Self(out.freeze())
    }

    /// Takes bytes from disk or from a peer.
    pub(crate) fn parse(bytes: Bytes) -> Result<Self, Malformed> {
        let payload = Self(bytes);
        payload.decode()?;
        Ok(payload)
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn ticket(&self) -> Option<Ticket> {
        let mut header = self.0.get(1..HEADER)?;
        Some(Ticket { origin: header.get_u64_le(), number: header.get_u64_le() })
    }

    pub(crate) fn decode(&self) -> Result<Body, Malformed> {
        let kind = *self.0.first().ok_or(Malformed)?;
        if self.0.len() < HEADER {
            return Err(Malformed);
        }
        let mut body = self.0.slice(HEADER..);
        if kind == COMMANDS {
            return decode_commands(body).map(Body::Commands);
        }
        let id = RestoreId(body.try_get_u64_le().map_err(|_| Malformed)?);
        let step = match kind {
            RESTORE_BEGIN if body.is_empty() => RestoreStep::Begin,
            RESTORE_ABORT if body.is_empty() => RestoreStep::Abort,
            RESTORE_CHUNK => RestoreStep::Chunk(body),
            RESTORE_COMMIT if body.len() == 40 => {
                let length = body.get_u64_le();
                let mut sha256 = [0; 32];
                body.copy_to_slice(&mut sha256);
                RestoreStep::Commit { length, sha256 }
            }
            _ => return Err(Malformed),
        };
        Ok(Body::Restore { id, step })
    }
}

fn header(kind: u8, ticket: Ticket, body: usize) -> BytesMut {
    let mut out = BytesMut::with_capacity(HEADER + body);
    out.put_u8(kind);
    out.put_u64_le(ticket.origin);
    out.put_u64_le(ticket.number);
    out
}

fn decode_commands(mut body: Bytes) -> Result<Vec<Bytes>, Malformed> {
    let count = body.try_get_u32_le().map_err(|_| Malformed)? as usize;
    // Each command needs its four length bytes, so the count cannot make us reserve more than we hold.
    if count > body.len() / 4 {
        return Err(Malformed);
    }
    let mut commands = Vec::with_capacity(count);
    for _ in 0..count {
        let length = body.try_get_u32_le().map_err(|_| Malformed)? as usize;
        if length > body.len() {
            return Err(Malformed);
        }
        commands.push(body.split_to(length));
    }
    if !body.is_empty() {
        return Err(Malformed);
    }
    Ok(commands)
}

impl fmt::Debug for Payload {
    // Commands may carry secrets (tokens), so only their size is told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Payload;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the bytes of a log entry")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Payload, E> {
                Payload::parse(Bytes::copy_from_slice(bytes)).map_err(E::custom)
            }

            fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Payload, E> {
                Payload::parse(bytes.into()).map_err(E::custom)
            }
        }

        deserializer.deserialize_byte_buf(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKET: Ticket = Ticket { origin: 7, number: 9 };

    #[test]
    fn commands_come_back_as_they_went_in() {
        let commands = [Bytes::from_static(b"one"), Bytes::new(), Bytes::from_static(b"three")];
        let payload = Payload::commands(TICKET, commands.iter());
        assert_eq!(payload.ticket(), Some(TICKET));
        assert_eq!(payload.decode(), Ok(Body::Commands(commands.to_vec())));
    }

    #[test]
    fn restore_steps_come_back_as_they_went_in() {
        let steps = [
            RestoreStep::Begin,
            RestoreStep::Chunk(Bytes::from_static(b"data")),
            RestoreStep::Commit { length: 4, sha256: [3; 32] },
            RestoreStep::Abort,
        ];
        for step in steps {
            let payload = Payload::restore(TICKET, RestoreId(5), &step);
            assert_eq!(payload.decode(), Ok(Body::Restore { id: RestoreId(5), step }));
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let commands = [Bytes::from_static(b"one"), Bytes::from_static(b"two")];
        let whole = Payload::commands(TICKET, commands.iter()).0;
        for end in 0..whole.len() {
            assert_eq!(Payload::parse(whole.slice(..end)).err(), Some(Malformed), "cut at {end}");
        }
        let mut huge = header(COMMANDS, TICKET, 4);
        huge.put_u32_le(u32::MAX);
        assert_eq!(Payload::parse(huge.freeze()).err(), Some(Malformed));
    }
}
