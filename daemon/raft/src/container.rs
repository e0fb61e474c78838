//! The file format of a snapshot: the archive that `consul snapshot` saves, inspects and restores.
//!
//! What lies in the data directory, what travels to followers and what an operator saves are the
//! same format, so each can stand in for the other.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use consul_api::snapshot::archive;
use consul_api::snapshot::meta::{Meta, Server};

use crate::error::SnapshotError;
use crate::machine::SnapshotSource;
use crate::types::{LogId, StoredMembership};

/// Voter and non-voter, as the archive's description numbers them.
const VOTER: u8 = 0;
const NON_VOTER: u8 = 1;

/// Writes and reads archives, and knows where their states may be put meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    /// Takes states that are too large for memory. Such files have no name and end with the process.
    pub spool_directory: PathBuf,
    /// A larger state is refused: a small archive can stand for a huge one.
    pub state_bytes_max: u64,
}

impl Container {
    /// Writes the state after `last`, with a description for the reader's eye.
    pub fn write(
        &self,
        out: &mut dyn Write,
        last: Option<LogId>,
        membership: &StoredMembership,
        source: &dyn SnapshotSource,
    ) -> io::Result<()> {
        let meta = describe(last, membership, source.index());
        archive::write(out, &self.spool_directory, meta, |out| source.write(out))
            .map_err(io::Error::other)?;
        Ok(())
    }

    /// Checks the whole archive, then gives the state to `parse`. Blocks.
    pub fn read<T>(
        &self,
        input: impl Read,
        parse: impl FnOnce(&mut dyn Read) -> Result<T, SnapshotError>,
    ) -> Result<T, SnapshotError> {
        let mut archive = archive::read(input, &self.spool_directory, self.state_bytes_max)?;
        archive.check_restorable()?;
        parse(&mut archive.state)
    }
}

fn describe(last: Option<LogId>, membership: &StoredMembership, index: u64) -> Meta {
    let voters: Vec<_> = membership.voter_ids().collect();
    let servers = membership.nodes().map(|(id, node)| Server {
        suffrage: if voters.contains(id) { VOTER } else { NON_VOTER },
        id: id.to_string(),
        address: node.addr.clone(),
    });
    let term = last.map_or(0, |last| last.leader_id.term);
    let configuration_index = membership.log_id().map_or(0, |log_id| log_id.index);
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    Meta::new(index, term, servers.collect(), configuration_index, now_ms)
}
