//! Certificates of the mesh, and other clusters.

use std::fmt;
use std::sync::Arc;

use consul_template_language::Value;
use serde::{Deserialize, Serialize};

use super::parts::{Str, Strings, Tags, ToValue};
use super::rows::{record, row};

/// A root of the mesh's certificate authority, with the names of the HTTP API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "named as in the HTTP API")]
pub struct CaRoot {
    #[serde(rename = "ID")]
    pub id: Str,
    pub name: Str,
    #[serde(rename = "RootCert")]
    pub root_cert: Str,
    pub active: bool,
    pub create_index: u64,
    pub modify_index: u64,
}

row!(CaRoot, "*api.CARoot", {
    "ID" => id,
    "Name" => name,
    "RootCertPEM" => root_cert,
    "Active" => active,
    "CreateIndex" => create_index,
    "ModifyIndex" => modify_index,
});

/// Answer of the endpoint of roots.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct CaRoots {
    pub(super) roots: Vec<CaRoot>,
}

/// Certificate and key of a mesh service, with the names of the HTTP API.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "named as in the HTTP API")]
pub struct CaLeaf {
    pub serial_number: Str,
    #[serde(rename = "CertPEM")]
    pub cert: Str,
    /// A secret.
    #[serde(rename = "PrivateKeyPEM")]
    pub private_key: Str,
    pub service: Str,
    #[serde(rename = "ServiceURI")]
    pub service_uri: Str,
    pub valid_after: Str,
    pub valid_before: Str,
    pub create_index: u64,
    pub modify_index: u64,
}

record!(CaLeaf, "*api.LeafCert", {
    "SerialNumber" => serial_number,
    "CertPEM" => cert,
    "PrivateKeyPEM" => private_key,
    "Service" => service,
    "ServiceURI" => service_uri,
    "ValidAfter" => valid_after,
    "ValidBefore" => valid_before,
    "CreateIndex" => create_index,
    "ModifyIndex" => modify_index,
});

impl fmt::Debug for CaLeaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaLeaf")
            .field("serial_number", &self.serial_number)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// A peered cluster, with the names of the HTTP API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "named as in the HTTP API")]
pub struct Peering {
    #[serde(rename = "ID")]
    pub id: Str,
    pub name: Str,
    pub partition: Str,
    pub meta: Strings,
    pub state: Str,
    #[serde(rename = "PeerID")]
    pub peer_id: Str,
    pub peer_server_name: Str,
    pub peer_server_addresses: Tags,
    pub stream_status: StreamStatus,
    pub remote: Remote,
}

row!(Peering, "*dependency.Peering", {
    "ID" => id,
    "Name" => name,
    "Partition" => partition,
    "Meta" => meta,
    "PeeringState" => state,
    "PeerID" => peer_id,
    "PeerServerName" => peer_server_name,
    "PeerServerAddresses" => peer_server_addresses,
    "StreamStatus" => stream_status,
    "Remote" => remote,
});

/// What the stream from a peer carries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "named as in the HTTP API")]
pub struct StreamStatus {
    pub imported_services: Tags,
    pub exported_services: Tags,
    pub last_heartbeat: Str,
    pub last_receive: Str,
    pub last_send: Str,
}

record!(StreamStatus, "dependency.PeeringStreamStatus", {
    "ImportedServices" => imported_services,
    "ExportedServices" => exported_services,
    "LastHeartbeat" => last_heartbeat,
    "LastReceive" => last_receive,
    "LastSend" => last_send,
});

/// Where a peer is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[expect(missing_docs, reason = "named as in the HTTP API")]
pub struct Remote {
    pub partition: Str,
    pub datacenter: Str,
}

record!(Remote, "dependency.PeeringRemoteInfo", { "Partition" => partition, "Datacenter" => datacenter, });

impl ToValue for StreamStatus {
    fn to_value(&self) -> Value {
        Value::Record(Arc::new(self.clone()))
    }
}

impl ToValue for Remote {
    fn to_value(&self) -> Value {
        Value::Record(Arc::new(self.clone()))
    }
}
