//! Requests and answers between servers, in msgpack, behind one version byte. A request also names the server that it
//! is for: addresses move between servers, and a vote or an acknowledgement must not be counted for another one.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::types::{ServerId, SnapshotMeta, Vote};

/// Raise it when a message changes so that an older server would misread it.
const VERSION: u8 = 2;
const ID_BYTES: usize = 16;

#[derive(Debug, Error)]
pub(crate) enum WireError {
    #[error("a raft message is empty")]
    Empty,
    #[error("a raft message has version {0}, this server speaks {VERSION}")]
    Version(u8),
    #[error("a raft message is for server {0}, which is not this one")]
    NotForMe(ServerId),
    #[error("a raft message cannot be decoded")]
    Decode(#[from] rmp_serde::decode::Error),
    #[error("a raft message cannot be encoded")]
    Encode(#[from] rmp_serde::encode::Error),
}

/// One piece of a snapshot. Pieces of a transfer arrive in order, the first at offset 0.
#[derive(Serialize, Deserialize)]
pub(crate) struct SnapshotPiece {
    pub vote: Vote,
    pub meta: SnapshotMeta,
    /// Random per transfer, so that pieces of an earlier one are recognised.
    pub transfer: u64,
    pub offset: u64,
    pub data: Bytes,
    pub last: bool,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum SnapshotAnswer {
    /// The piece was taken; after the last one, the snapshot is installed.
    Taken(Vote),
    /// All pieces are there and being installed, which takes a while with a large state: ask again, with an empty
    /// last piece.
    Installing,
    /// The piece does not continue what the receiver has: start again.
    Restart,
}

pub(crate) fn encode(message: &impl Serialize) -> Result<Bytes, WireError> {
    let mut out = vec![VERSION];
    rmp_serde::encode::write(&mut out, message)?;
    Ok(out.into())
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    match bytes.split_first() {
        None => Err(WireError::Empty),
        Some((&VERSION, message)) => Ok(rmp_serde::from_slice(message)?),
        Some((&version, _)) => Err(WireError::Version(version)),
    }
}

/// A request for one server.
pub(crate) fn encode_for(to: ServerId, message: &impl Serialize) -> Result<Bytes, WireError> {
    let mut out = vec![VERSION];
    out.extend_from_slice(&to.to_bytes());
    rmp_serde::encode::write(&mut out, message)?;
    Ok(out.into())
}

/// Refuses a request for another server.
pub(crate) fn decode_for<T: DeserializeOwned>(me: ServerId, bytes: &[u8]) -> Result<T, WireError> {
    let message = match bytes.split_first() {
        None => return Err(WireError::Empty),
        Some((&VERSION, message)) => message,
        Some((&version, _)) => return Err(WireError::Version(version)),
    };
    let Some((to, message)) = message.split_at_checked(ID_BYTES) else { return Err(WireError::Empty) };
    match ServerId::from_slice(to) {
        Some(to) if to == me => Ok(rmp_serde::from_slice(message)?),
        Some(to) => Err(WireError::NotForMe(to)),
        None => Err(WireError::Empty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_version_and_an_empty_message_are_refused() {
        assert!(matches!(decode::<u64>(&[]), Err(WireError::Empty)));
        assert!(matches!(decode::<u64>(&[9, 1]), Err(WireError::Version(9))));
        assert!(matches!(decode::<u64>(&[VERSION]), Err(WireError::Decode(_))));
        assert_eq!(decode::<u64>(&encode(&7u64).unwrap()).unwrap(), 7);
    }

    #[test]
    fn a_request_is_read_by_the_server_that_it_is_for() {
        let (me, other) = (ServerId::from_u128(1), ServerId::from_u128(2));
        let request = encode_for(me, &7u64).unwrap();
        assert_eq!(decode_for::<u64>(me, &request).unwrap(), 7);
        assert!(matches!(decode_for::<u64>(other, &request), Err(WireError::NotForMe(to)) if to == me));
        assert!(matches!(decode_for::<u64>(me, &request[..9]), Err(WireError::Empty)));
        assert!(matches!(decode_for::<u64>(me, &request[..17]), Err(WireError::Decode(_))));
    }
}
