//! `consul snapshot`: backups of a datacenter's state.

mod decode;
mod inspect;
mod progress;
mod restore;
mod save;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use consul_api::snapshot::archive::{self, Archive, ReadError};

use crate::command::{Command, Invocation};
use crate::failure::Failure;
use crate::input;

pub static COMMAND: Command = Command::group(
    "snapshot",
    "Save, restore and inspect backups",
    "A snapshot is the whole replicated state of a datacenter in one file: keys, catalog, sessions, access control, \
     prepared queries. Treat it as a secret: it contains the tokens.

    $ consul snapshot save backup.snap
    $ consul snapshot inspect backup.snap
    $ consul snapshot restore backup.snap",
    &[&decode::COMMAND, &inspect::COMMAND, &restore::COMMAND, &save::COMMAND],
);

/// The one positional that these commands take.
fn file_argument(invocation: &Invocation) -> Result<&Path, Failure> {
    match invocation.at_most(1)? {
        [] => Err(Failure::new("Missing FILE argument")),
        _ => Ok(Path::new(&invocation.flags.raw[0])),
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| {
        Failure::new(format!("Error opening snapshot file: {}", input::describe("open", path, &error)))
    })
}

/// Reads an archive and checks its sums. The state is unpacked to a temporary file unless it is small.
fn unpack(file: File) -> Result<Archive, ReadError> {
    archive::read(BufReader::new(file), &std::env::temp_dir(), u64::MAX)
}
