//! `consul kv`: the key/value store.

mod delete;
mod export;
mod get;
mod import;
mod put;

use serde::{Deserialize, Serialize};

use crate::agent::CallError;
use crate::command::Command;

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

/// Reading tolerates one slash before the key.
fn without_slash(key: &str) -> &str {
    key.strip_prefix('/').unwrap_or(key)
}

/// Writing does not: such a key would be another one.
fn check_key(key: &str) -> Result<(), CallError> {
    if key.starts_with('/') {
        return Err(CallError::Other(format!("Invalid key. Key must not begin with a '/': {key}")));
    }
    Ok(())
}
