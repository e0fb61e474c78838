//! New content beside the place it is meant for.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{WriteError, backup, owner};
use crate::config::TemplateSettings;
use crate::words::reason;

const DEFAULT_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;

/// Content that waits to replace a file; dropping it leaves everything as it was.
#[derive(Debug)]
pub struct Staged {
    file: NamedTempFile,
    destination: PathBuf,
    backup: bool,
}

pub fn stage(template: &TemplateSettings, path: &Path, output: &[u8]) -> Result<Staged, WriteError> {
    let ids = owner::resolve(&template.owner)?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_parent(parent, template.create_dest_dirs)?;
    let failed = |what, error| WriteError::Write { what, path: path.to_owned(), error };
    let mut file = tempfile::Builder::new()
        .prefix(".consul-template-")
        .tempfile_in(parent)
        .map_err(|error| failed("create temporary file for", error))?;
    file.write_all(output).map_err(|error| failed("write", error))?;
    let existing = fs::metadata(path).ok();
    // Before the mode is set: changing the owner may take bits away. And before the rename: nobody shall see the file
    // with another owner than it is meant to have.
    if let Some(existing) = &existing
        && let Err(error) = chown(file.path(), Some(existing.uid()), Some(existing.gid()))
    {
        tracing::warn!(target: "runner", "could not keep the owner of {}: {}", path.display(), reason(&error));
    }
    if ids != owner::Ids::default() {
        chown(file.path(), ids.uid, ids.gid)
            .map_err(|error| WriteError::Chown { path: path.to_owned(), error })?;
    }
    let mode = template
        .perms
        .or(existing.map(|existing| existing.permissions().mode() & 0o7777))
        .unwrap_or(DEFAULT_MODE);
    // Not at creation: the umask would take bits away.
    fs::set_permissions(file.path(), Permissions::from_mode(mode))
        .map_err(|error| failed("set the mode of", error))?;
    file.as_file().sync_all().map_err(|error| failed("flush", error))?;
    Ok(Staged { file, destination: path.to_owned(), backup: template.backup })
}

fn make_parent(parent: &Path, allowed: bool) -> Result<(), WriteError> {
    if parent.is_dir() {
        return Ok(());
    }
    if !allowed {
        return Err(WriteError::NoParent(parent.display().to_string()));
    }
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(parent).map_err(|error| WriteError::Write {
        what: "create directory",
        path: parent.to_owned(),
        error,
    })
}

impl Staged {
    /// Where the content is now.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Puts the content in its place.
    pub fn commit(self) -> Result<(), WriteError> {
        let Self { file, destination, backup } = self;
        if backup {
            backup::keep(&destination);
        }
        file.persist(&destination).map_err(|failed| WriteError::Write {
            what: "rename temporary file to",
            path: destination.clone(),
            error: failed.error,
        })?;
        // The name must survive a crash as the content does; where a directory cannot be flushed there is no more to do.
        if let Some(parent) = destination.parent()
            && let Ok(directory) =
                File::open(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
        {
            let _ = directory.sync_all();
        }
        Ok(())
    }
}
