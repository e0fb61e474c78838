//! `consul keygen`: a key for gossip encryption.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rand::TryRngCore as _;
use rand::rngs::OsRng;

use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::output;

/// The longest key the gossip layer takes: AES-256.
const KEY_LEN: usize = 32;

pub static COMMAND: Command = Command {
    name: "keygen",
    synopsis: "Make a key for gossip encryption",
    usage: "[options]",
    about: "Prints a new random key in base64. Give the same key to every agent of a cluster with its -encrypt \
            flag or its encrypt setting, and gossip between them is encrypted.",
    http: Http::None,
    flags: &[],
    body: Body::Leaf(run),
};

fn run(_: &Invocation) -> Outcome {
    let mut key = [0; KEY_LEN];
    OsRng
        .try_fill_bytes(&mut key)
        .map_err(|error| Failure::new(format!("Error reading random data: {error}")))?;
    output::done(&BASE64.encode(key))
}
