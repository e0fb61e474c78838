//! Requests and answers between servers, in msgpack, behind one version byte.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::types::{SnapshotMeta, Vote};

/// Raise it when a message changes so that an older server would misread it.
const VERSION: u8 = 1;

#[derive(Debug, Error)]
pub(crate) enum WireError {
    #[error("a raft message is empty")]
    Empty,
    #[error("a raft message has version {0}, this server speaks {VERSION}")]
    Version(u8),
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
}
