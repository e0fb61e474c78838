//! Access-control tables: tokens, policies, roles, binding rules, auth methods. Storage only; what a token may do is
//! decided elsewhere.

mod hash;
mod read;
mod write;

use std::sync::Arc;

use consul_api::types::acl::{AclAuthMethod, AclBindingRule, AclPolicy, AclRole, AclToken};
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

pub use hash::{policy_hash, role_hash, token_hash};

use crate::id::Uuid;

/// A write to the access-control tables. Lists are stored together or not at all. Ids, secrets and times come with
/// the command; indexes and hashes are computed when it is applied.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum AclCommand {
    /// The first management token. `reset_index` reopens bootstrapping if it is the index of the last one; 0 if none
    /// was given.
    Bootstrap {
        token: Box<AclToken>,
        reset_index: u64,
    },
    SetTokens(Vec<AclToken>),
    /// By accessor.
    DeleteTokens(Vec<String>),
    SetPolicies(Vec<AclPolicy>),
    DeletePolicies(Vec<String>),
    SetRoles(Vec<AclRole>),
    DeleteRoles(Vec<String>),
    SetBindingRules(Vec<AclBindingRule>),
    DeleteBindingRules(Vec<String>),
    SetAuthMethods(Vec<AclAuthMethod>),
    /// By name, with their binding rules and tokens.
    DeleteAuthMethods(Vec<String>),
}

impl std::fmt::Debug for AclCommand {
    /// Commands hold secrets: only the kind is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bootstrap { .. } => "Bootstrap",
            Self::SetTokens(_) => "SetTokens",
            Self::DeleteTokens(_) => "DeleteTokens",
            Self::SetPolicies(_) => "SetPolicies",
            Self::DeletePolicies(_) => "DeletePolicies",
            Self::SetRoles(_) => "SetRoles",
            Self::DeleteRoles(_) => "DeleteRoles",
            Self::SetBindingRules(_) => "SetBindingRules",
            Self::DeleteBindingRules(_) => "DeleteBindingRules",
            Self::SetAuthMethods(_) => "SetAuthMethods",
            Self::DeleteAuthMethods(_) => "DeleteAuthMethods",
        })
    }
}

#[derive(Clone, Default)]
pub(crate) struct AclTables {
    /// By secret. Tokens of the oldest system have nothing else.
    pub tokens: OrdMap<Arc<str>, Arc<AclToken>>,
    /// Secret by accessor.
    pub accessors: OrdMap<Uuid, Arc<str>>,
    pub policies: OrdMap<Uuid, Arc<AclPolicy>>,
    /// Id by lower-case name.
    pub policy_names: OrdMap<Arc<str>, Uuid>,
    pub roles: OrdMap<Uuid, Arc<AclRole>>,
    pub role_names: OrdMap<Arc<str>, Uuid>,
    pub binding_rules: OrdMap<Uuid, Arc<AclBindingRule>>,
    /// By lower-case name.
    pub auth_methods: OrdMap<Arc<str>, Arc<AclAuthMethod>>,
}
