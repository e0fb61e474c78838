//! Packs the folder of collected files.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::input;

/// Makes `archive` from `folder`, for the owner's eyes only, and removes the folder.
pub fn pack(folder: &Path, archive: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| input::describe("write", archive, &error);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(archive).map_err(failed)?;
    let file = write(folder, file).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    std::fs::remove_dir_all(folder).map_err(|error| input::describe("remove", folder, &error))
}

fn write(folder: &Path, file: File) -> std::io::Result<File> {
    let mut tar = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    tar.append_dir_all(folder.file_name().unwrap_or(folder.as_os_str()), folder)?;
    tar.into_inner()?.finish()
}
