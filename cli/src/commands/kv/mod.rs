//! `consul kv`: the key/value store.

mod delete;
mod export;
mod get;
mod import;
mod put;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::agent::{CallError, key_path};
use crate::command::Command;
use crate::flags::Parsed;

pub static COMMAND: Command = Command::group(
    "kv",
    "Read and write the key/value store",
    "The key/value store of a datacenter: write a key, read it back, look at everything below a prefix, remove it.

    $ consul kv put redis/config/minconns 1
    $ consul kv get redis/config/minconns
    $ consul kv get -recurse redis/
    $ consul kv delete redis/config/minconns",
    &[&delete::COMMAND, &export::COMMAND, &get::COMMAND, &import::COMMAND, &put::COMMAND],
);

/// One key in the file that `export` writes and `import` reads.
#[derive(Debug, Serialize, Deserialize)]
struct ExportEntry {
    key: String,
    #[serde(default)]
    flags: u64,
    /// Base64.
    #[serde(default)]
    value: String,
}

/// A key or prefix as it was typed, byte for byte.
struct Typed<'a>(&'a [u8]);

impl<'a> Typed<'a> {
    /// The first positional. Reading and deleting tolerate one slash before it.
    fn first(flags: &'a Parsed) -> Self {
        let bytes = flags.raw.first().map_or(&b""[..], |word| word.as_encoded_bytes());
        Self(bytes.strip_prefix(b"/").unwrap_or(bytes))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn path(&self) -> Vec<u8> {
        key_path(self.0)
    }
}

/// For messages.
impl fmt::Display for Typed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.0))
    }
}

/// Writing does not: such a key would be another one.
fn check_key(key: &str) -> Result<(), CallError> {
    if key.starts_with('/') {
        return Err(CallError::Other(format!("Invalid key. Key must not begin with a '/': {key}")));
    }
    Ok(())
}
