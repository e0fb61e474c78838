//! `meta.json`: which point of the log a snapshot stands for.

use serde::{Deserialize, Serialize};

use crate::msgpack;
use crate::types::bytes::Blob;

/// The only version there is.
pub const VERSION: i64 = 1;

/// Description of a snapshot. A restore needs version, index and size; the rest is for the eye.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Meta {
    pub version: i64,
    /// `<term>-<index>-<milliseconds since 1970>`.
    #[serde(rename = "ID")]
    pub id: String,
    /// Index of the last command in the snapshot.
    pub index: u64,
    pub term: u64,
    /// The voters' addresses in the form that releases before raft protocol 3 read.
    pub peers: Blob,
    pub configuration: Configuration,
    pub configuration_index: u64,
    /// Length of the state file in bytes.
    pub size: u64,
}

/// Who was in the quorum. A restore keeps the configuration of the running cluster and ignores this one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Configuration {
    pub servers: Vec<Server>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Server {
    /// 0 voter, 1 non-voter, 2 staging.
    pub suffrage: u8,
    #[serde(rename = "ID")]
    pub id: String,
    /// `ip:port` of the server's RPC listener.
    pub address: String,
}

impl Meta {
    /// Describes a snapshot taken at `index` of `term`; `unix_ms` is now. The size is filled in when the archive is
    /// written.
    pub fn new(index: u64, term: u64, servers: Vec<Server>, configuration_index: u64, unix_ms: u64) -> Self {
        let voters: Vec<Blob> = servers
            .iter()
            .filter(|server| server.suffrage == 0)
            .map(|server| Blob::from(server.address.as_str()))
            .collect();
        Self {
            version: VERSION,
            id: format!("{term}-{index}-{unix_ms}"),
            index,
            term,
            peers: msgpack::to_vec(&voters).unwrap_or_default().into(),
            configuration: Configuration { servers },
            configuration_index,
            size: 0,
        }
    }
}
