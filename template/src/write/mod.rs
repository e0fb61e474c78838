//! Replaces a file in one step: whoever reads it sees the old content or the new, never a part.
//!
//! The new content is staged in a file beside its place, flushed, given its mode and owner, and renamed. Between
//! staging and renaming a guard may look at it.

mod backup;
mod owner;
mod stage;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::Path;

use crate::config::{Ownership, TemplateSettings};
use crate::words::reason;

pub use stage::Staged;

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("missing destination")]
    NoDestination,
    #[error("failed reading file: {}: {}", path.display(), reason(error))]
    Read { path: std::path::PathBuf, error: io::Error },
    #[error("failed writing file: parent directory is missing: {0}")]
    NoParent(String),
    #[error("failed writing file: {what} {}: {}", path.display(), reason(error))]
    Write { what: &'static str, path: std::path::PathBuf, error: io::Error },
    #[error("failed looking up {kind}: unknown {kind} {name}")]
    Unknown { kind: &'static str, name: String },
    #[error("failed setting file ownership: {}: {}", path.display(), reason(error))]
    Chown { path: std::path::PathBuf, error: io::Error },
}

/// What is at the destination.
pub enum Found {
    /// Exactly what shall be there, with the right owner.
    Same,
    /// The same content, but it belongs to somebody else.
    Owner,
    /// Something else, of this length.
    Other {
        len: u64,
    },
    Nothing,
}

/// Compares the destination with what shall be there.
pub fn find(path: &Path, output: &[u8], owner: &Ownership) -> Result<Found, WriteError> {
    let failed = |error| WriteError::Read { path: path.to_owned(), error };
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(failed(error)),
    };
    let same = meta.len() == output.len() as u64 && fs::read(path).map_err(failed)? == output;
    if !same {
        return Ok(Found::Other { len: meta.len() });
    }
    if owner.is_set() && owner::resolve(owner)?.differs_from(&meta) {
        return Ok(Found::Owner);
    }
    Ok(Found::Same)
}

/// Prepares the new content beside its place.
pub fn stage(template: &TemplateSettings, path: &Path, output: &[u8]) -> Result<Staged, WriteError> {
    stage::stage(template, path, output)
}

/// The numbers of a user and a group.
pub fn ids(owner: &Ownership) -> Result<(Option<u32>, Option<u32>), WriteError> {
    owner::resolve(owner).map(|ids| (ids.uid, ids.gid))
}
