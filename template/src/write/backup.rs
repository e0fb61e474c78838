//! One copy of what was there before.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::words::reason;

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Links the file to `<path>.bak`. An older backup steps aside until the new one is there, and stays there if none
/// could be made: a backup is worth less than the file, so failures are only told.
pub fn keep(path: &Path) {
    let (backup, older) = (beside(path, ".bak"), beside(path, ".old.bak"));
    let moved = fs::rename(&backup, &older).is_ok();
    match fs::hard_link(path, &backup) {
        Ok(()) if moved => {
            if let Err(error) = fs::remove_file(&older) {
                tracing::warn!(target: "runner", "could not remove {}: {}", older.display(), reason(&error));
            }
        }
        Ok(()) => {}
        Err(error) => {
            tracing::warn!(target: "runner", "could not back up {}: {}", path.display(), reason(&error));
        }
    }
}
