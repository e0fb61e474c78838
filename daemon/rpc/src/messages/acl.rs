//! `ACL.*`: what resolving tokens and managing them sends.

use consul_api::types::acl::{AclLink, AclPolicy, AclRole, AclToken, NodeIdentity, ServiceIdentity};
use consul_api::types::bytes::Blob;
use consul_api::types::time::GoTime;
use serde::{Deserialize, Serialize};

/// `ACL.TokenRead`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TokenGetRequest {
    pub datacenter: String,
    /// A secret, if the type says so.
    #[serde(rename = "TokenID")]
    pub token_id: String,
    /// `secret` or `accessor`.
    #[serde(rename = "TokenIDType")]
    pub token_id_type: String,
}

#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TokenResponse {
    /// Nil, without an error, if there is no such token.
    pub token: Option<AclToken>,
    /// The secret is hidden.
    pub redacted: bool,
    pub source_datacenter: String,
}

/// `ACL.TokenSet` and `ACL.TokenClone`; answer with the token.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TokenSetRequest {
    pub datacenter: String,
    #[serde(rename = "ACLToken")]
    pub token: AclToken,
    pub create: bool,
}

/// `ACL.TokenList`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TokenListRequest {
    pub datacenter: String,
    pub include_local: bool,
    pub include_global: bool,
    pub policy: String,
    pub role: String,
    pub auth_method: String,
}

#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TokenListResponse {
    pub tokens: Option<Vec<TokenListStub>>,
}

/// A token without its secrets.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TokenListStub {
    #[serde(rename = "AccessorID")]
    pub accessor_id: String,
    pub description: String,
    pub policies: Option<Vec<AclLink>>,
    pub roles: Option<Vec<AclLink>>,
    pub service_identities: Option<Vec<ServiceIdentity>>,
    pub node_identities: Option<Vec<NodeIdentity>>,
    pub local: bool,
    pub auth_method: String,
    pub expiration_time: Option<GoTime>,
    pub create_time: GoTime,
    pub hash: Blob,
    pub create_index: u64,
    pub modify_index: u64,
    pub legacy: bool,
}

/// `ACL.PolicyResolve` and `ACL.PolicyBatchRead`. The token of the options is the one that is resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PolicyBatchRequest {
    pub datacenter: String,
    #[serde(rename = "PolicyIDs")]
    pub policy_ids: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PolicyBatchResponse {
    pub policies: Option<Vec<AclPolicy>>,
}

/// `ACL.PolicySet`; answers with the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PolicySetRequest {
    pub datacenter: String,
    pub policy: AclPolicy,
}

/// `ACL.RoleResolve` and `ACL.RoleBatchRead`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RoleBatchRequest {
    pub datacenter: String,
    #[serde(rename = "RoleIDs")]
    pub role_ids: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RoleBatchResponse {
    pub roles: Option<Vec<AclRole>>,
}

/// `ACL.RoleSet`; answers with the role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RoleSetRequest {
    pub datacenter: String,
    pub role: AclRole,
}
