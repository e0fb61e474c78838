//! Tokens, policies, roles, binding rules and auth methods.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::bytes::Blob;
use super::duration::GoDuration;
use super::omit;
use super::time::GoTime;

/// Id of the policy that allows everything.
pub const GLOBAL_MANAGEMENT_POLICY: &str = "00000000-0000-0000-0000-000000000001";
/// Accessor of the token that requests without one act under.
pub const ANONYMOUS_TOKEN: &str = "00000000-0000-0000-0000-000000000002";

#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AclToken {
    #[serde(rename = "AccessorID")]
    pub accessor_id: String,
    #[serde(rename = "SecretID")]
    pub secret_id: String,
    pub description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<Vec<AclLink>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<AclLink>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_identities: Option<Vec<ServiceIdentity>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_identities: Option<Vec<NodeIdentity>>,
    /// `client` or `management` for tokens of the oldest system, else empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub r#type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rules: String,
    pub local: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub auth_method: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<GoTime>,
    #[serde(rename = "ExpirationTTL", skip_serializing_if = "GoDuration::is_zero")]
    pub expiration_ttl: GoDuration,
    #[serde(skip_serializing_if = "omit::default")]
    pub create_time: GoTime,
    pub hash: Blob,
    pub create_index: u64,
    pub modify_index: u64,
}

impl fmt::Debug for AclToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AclToken").field("accessor_id", &self.accessor_id).finish_non_exhaustive()
    }
}

/// A reference to a policy or a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AclLink {
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceIdentity {
    pub service_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datacenters: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeIdentity {
    pub node_name: String,
    pub datacenter: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AclPolicy {
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
    pub description: String,
    pub rules: String,
    /// 0 for the current rule language, 1 for the oldest.
    #[serde(skip_serializing_if = "omit::default")]
    pub syntax: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datacenters: Option<Vec<String>>,
    pub hash: Blob,
    pub create_index: u64,
    pub modify_index: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AclRole {
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
    pub description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<Vec<AclLink>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_identities: Option<Vec<ServiceIdentity>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_identities: Option<Vec<NodeIdentity>>,
    pub hash: Blob,
    pub create_index: u64,
    pub modify_index: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AclBindingRule {
    #[serde(rename = "ID")]
    pub id: String,
    pub description: String,
    pub auth_method: String,
    pub selector: String,
    pub bind_type: String,
    pub bind_name: String,
    pub create_index: u64,
    pub modify_index: u64,
}

#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AclAuthMethod {
    pub name: String,
    pub r#type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(rename = "MaxTokenTTL", skip_serializing_if = "GoDuration::is_zero")]
    pub max_token_ttl: GoDuration,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token_locality: String,
    /// May hold secrets.
    pub config: Option<serde_json::Map<String, serde_json::Value>>,
    pub create_index: u64,
    pub modify_index: u64,
}

impl fmt::Debug for AclAuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AclAuthMethod")
            .field("name", &self.name)
            .field("type", &self.r#type)
            .finish_non_exhaustive()
    }
}
