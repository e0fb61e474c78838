//! A server's log while no agent runs on it: what is in it, and who makes up its cluster from now on.

use std::future::Future;
use std::path::Path;

use consul_raft::offline;
pub use consul_raft::offline::{Inspection, Position, Recovered, StoredPeer, StoredSnapshot};

use crate::startup::{RAFT_DIRECTORY, chain};

/// Tells what the server with this data directory has stored. Refused while an agent runs on it.
pub fn inspect_log(data_dir: &Path) -> Result<Inspection, String> {
    block_on(async { offline::inspect(&data_dir.join(RAFT_DIRECTORY)).await.map_err(|error| chain(&error)) })
}

/// Makes the server with this data directory one of a cluster of exactly `servers`, each `ID@HOST:PORT` and those of
/// `without_vote` without one; or of a cluster of its own, at the address that is stored, if none is named. Refused
/// while an agent runs on it. What was there before is kept beside it.
pub fn recover_log(
    data_dir: &Path,
    servers: &[String],
    without_vote: &[String],
) -> Result<Recovered, String> {
    let directory = data_dir.join(RAFT_DIRECTORY);
    let mut wanted = Vec::with_capacity(servers.len() + without_vote.len());
    for (texts, voter) in [(servers, true), (without_vote, false)] {
        for text in texts {
            wanted.push(parse(text, voter)?);
        }
    }
    block_on(async {
        if wanted.is_empty() {
            wanted.push(alone(&offline::inspect(&directory).await.map_err(|error| chain(&error))?)?);
        }
        offline::recover(&directory, &wanted).await.map_err(|error| chain(&error))
    })
}

/// The server itself, as it is stored.
fn alone(found: &Inspection) -> Result<StoredPeer, String> {
    let own = found.servers.iter().find(|server| Some(server.peer.id) == found.server);
    let own = own.ok_or("this server is not in its own configuration, name the servers of the new one")?;
    Ok(StoredPeer { peer: own.peer.clone(), voter: true })
}

fn parse(text: &str, voter: bool) -> Result<StoredPeer, String> {
    let refuse = |why: &str| format!("{text:?} names no server: {why}");
    let (id, address) = text.split_once('@').ok_or_else(|| refuse("it must be of the form ID@HOST:PORT"))?;
    let id = id.parse().map_err(|error: consul_raft::ParseServerIdError| refuse(&error.to_string()))?;
    Ok(StoredPeer { peer: consul_raft::Peer { id, address: address.to_owned() }, voter })
}

fn block_on<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_its_id_and_its_address() {
        let id = "11111111-2222-3333-4444-555555555555";
        let server = parse(&format!("{id}@10.0.0.1:8300"), true).unwrap();
        assert_eq!(
            (server.peer.id.to_string().as_str(), server.peer.address.as_str()),
            (id, "10.0.0.1:8300")
        );
        assert!(parse("10.0.0.1:8300", true).unwrap_err().contains("ID@HOST:PORT"));
        assert!(parse("x@10.0.0.1:8300", true).unwrap_err().contains("UUID"));
    }
}
