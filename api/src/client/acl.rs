//! `/v1/acl`: tokens, policies, roles, auth methods and binding rules.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::options::{Answer, QueryOptions, WriteOptions};
use super::secret::Secret;
use super::{Client, ClientError};
use crate::types::StringMap;
use crate::types::acl::{AclAuthMethod, AclBindingRule, AclPolicy, AclRole, AclToken};
use crate::types::time::GoTime;

/// Which tokens to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TokenFilter {
    #[default]
    All,
    /// Linked to the policy of this id.
    Policy(String),
    /// Linked to the role of this id.
    Role(String),
    /// Made by logins with the auth method of this name.
    AuthMethod(String),
}

/// Trades a third party's token for one of ours.
#[derive(Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LoginRequest {
    pub auth_method: String,
    pub bearer_token: String,
    #[serde(skip_serializing_if = "StringMap::is_empty")]
    pub meta: StringMap,
}

impl fmt::Debug for LoginRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginRequest").field("auth_method", &self.auth_method).finish_non_exhaustive()
    }
}

/// How far a secondary datacenter follows the primary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ReplicationStatus {
    pub enabled: bool,
    pub running: bool,
    pub source_datacenter: String,
    pub replication_type: String,
    pub replicated_index: u64,
    pub replicated_role_index: u64,
    pub replicated_token_index: u64,
    pub last_success: GoTime,
    pub last_error: GoTime,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CloneBody<'b> {
    description: &'b str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BootstrapBody<'b> {
    bootstrap_secret: &'b str,
}

pub struct Acl<'c>(pub(super) &'c Client);

impl Acl<'_> {
    /// Makes the first management token, once. A `secret` of the caller's choice works from release 1.15.
    pub async fn bootstrap(&self, secret: Option<&Secret>) -> Result<AclToken, ClientError> {
        let request = self.0.put("/v1/acl/bootstrap");
        match secret {
            Some(secret) => {
                request.json(&BootstrapBody { bootstrap_secret: secret.expose() }).fetch_value().await
            }
            None => request.fetch_value().await,
        }
    }

    pub async fn replication(&self, options: &QueryOptions) -> Result<ReplicationStatus, ClientError> {
        self.0.get("/v1/acl/replication").query(options).fetch_value().await
    }

    pub async fn login(&self, login: &LoginRequest, options: &WriteOptions) -> Result<AclToken, ClientError> {
        self.0.post("/v1/acl/login").write(options).json(login).fetch_value().await
    }

    /// Destroys the token that the request carries; it must come from a login.
    pub async fn logout(&self, options: &WriteOptions) -> Result<(), ClientError> {
        self.0.post("/v1/acl/logout").write(options).done().await
    }

    /// Brings rules of the oldest language into the current one.
    pub async fn translate_rules(&self, rules: &str) -> Result<String, ClientError> {
        self.0.post("/v1/acl/rules/translate").bytes(rules.as_bytes().to_vec()).fetch_text().await
    }

    /// The rules of a token of the oldest system, in the current language.
    pub async fn translate_token_rules(&self, accessor: &str) -> Result<String, ClientError> {
        self.0.get("/v1/acl/rules/translate/").segment(accessor).fetch_text().await
    }

    pub async fn create_token(
        &self,
        token: &AclToken,
        options: &WriteOptions,
    ) -> Result<AclToken, ClientError> {
        self.0.put("/v1/acl/token").write(options).json(token).fetch_value().await
    }

    /// Replaces the token of the same accessor.
    pub async fn update_token(
        &self,
        token: &AclToken,
        options: &WriteOptions,
    ) -> Result<AclToken, ClientError> {
        let request = self.0.put("/v1/acl/token/").segment(&token.accessor_id);
        request.write(options).json(token).fetch_value().await
    }

    pub async fn clone_token(
        &self,
        accessor: &str,
        description: &str,
        options: &WriteOptions,
    ) -> Result<AclToken, ClientError> {
        let request = self.0.put("/v1/acl/token/").segment(accessor).segment("/clone");
        request.write(options).json(&CloneBody { description }).fetch_value().await
    }

    pub async fn token(&self, accessor: &str, options: &QueryOptions) -> Result<AclToken, ClientError> {
        self.0.get("/v1/acl/token/").segment(accessor).query(options).fetch_value().await
    }

    /// The token that the request carries.
    pub async fn own_token(&self, options: &QueryOptions) -> Result<AclToken, ClientError> {
        self.0.get("/v1/acl/token/self").query(options).fetch_value().await
    }

    /// Without secrets.
    pub async fn tokens(
        &self,
        filter: &TokenFilter,
        options: &QueryOptions,
    ) -> Result<Answer<Vec<AclToken>>, ClientError> {
        let request = self.0.get("/v1/acl/tokens");
        let request = match filter {
            TokenFilter::All => request,
            TokenFilter::Policy(id) => request.param("policy", id.as_str()),
            TokenFilter::Role(id) => request.param("role", id.as_str()),
            TokenFilter::AuthMethod(name) => request.param("authmethod", name.as_str()),
        };
        request.query(options).fetch().await
    }

    pub async fn delete_token(&self, accessor: &str, options: &WriteOptions) -> Result<(), ClientError> {
        self.0.delete("/v1/acl/token/").segment(accessor).write(options).done().await
    }

    pub async fn create_policy(
        &self,
        policy: &AclPolicy,
        options: &WriteOptions,
    ) -> Result<AclPolicy, ClientError> {
        self.0.put("/v1/acl/policy").write(options).json(policy).fetch_value().await
    }

    /// Replaces the policy of the same id.
    pub async fn update_policy(
        &self,
        policy: &AclPolicy,
        options: &WriteOptions,
    ) -> Result<AclPolicy, ClientError> {
        self.0.put("/v1/acl/policy/").segment(&policy.id).write(options).json(policy).fetch_value().await
    }

    pub async fn policy(&self, id: &str, options: &QueryOptions) -> Result<AclPolicy, ClientError> {
        self.0.get("/v1/acl/policy/").segment(id).query(options).fetch_value().await
    }

    /// None if there is none of that name. Agents before 1.8 do not have it.
    pub async fn policy_by_name(
        &self,
        name: &str,
        options: &QueryOptions,
    ) -> Result<Option<AclPolicy>, ClientError> {
        self.by_name("/v1/acl/policy/name/", name, options).await
    }

    /// Without rules.
    pub async fn policies(&self, options: &QueryOptions) -> Result<Answer<Vec<AclPolicy>>, ClientError> {
        self.0.get("/v1/acl/policies").query(options).fetch().await
    }

    pub async fn delete_policy(&self, id: &str, options: &WriteOptions) -> Result<(), ClientError> {
        self.0.delete("/v1/acl/policy/").segment(id).write(options).done().await
    }

    pub async fn create_role(&self, role: &AclRole, options: &WriteOptions) -> Result<AclRole, ClientError> {
        self.0.put("/v1/acl/role").write(options).json(role).fetch_value().await
    }

    /// Replaces the role of the same id.
    pub async fn update_role(&self, role: &AclRole, options: &WriteOptions) -> Result<AclRole, ClientError> {
        self.0.put("/v1/acl/role/").segment(&role.id).write(options).json(role).fetch_value().await
    }

    pub async fn role(&self, id: &str, options: &QueryOptions) -> Result<Option<AclRole>, ClientError> {
        self.by_name("/v1/acl/role/", id, options).await
    }

    pub async fn role_by_name(
        &self,
        name: &str,
        options: &QueryOptions,
    ) -> Result<Option<AclRole>, ClientError> {
        self.by_name("/v1/acl/role/name/", name, options).await
    }

    pub async fn roles(&self, options: &QueryOptions) -> Result<Answer<Vec<AclRole>>, ClientError> {
        self.0.get("/v1/acl/roles").query(options).fetch().await
    }

    pub async fn delete_role(&self, id: &str, options: &WriteOptions) -> Result<(), ClientError> {
        self.0.delete("/v1/acl/role/").segment(id).write(options).done().await
    }

    pub async fn create_auth_method(
        &self,
        method: &AclAuthMethod,
        options: &WriteOptions,
    ) -> Result<AclAuthMethod, ClientError> {
        self.0.put("/v1/acl/auth-method").write(options).json(method).fetch_value().await
    }

    /// Replaces the method of the same name.
    pub async fn update_auth_method(
        &self,
        method: &AclAuthMethod,
        options: &WriteOptions,
    ) -> Result<AclAuthMethod, ClientError> {
        let request = self.0.put("/v1/acl/auth-method/").segment(&method.name);
        request.write(options).json(method).fetch_value().await
    }

    pub async fn auth_method(
        &self,
        name: &str,
        options: &QueryOptions,
    ) -> Result<Option<AclAuthMethod>, ClientError> {
        self.by_name("/v1/acl/auth-method/", name, options).await
    }

    /// Without configuration.
    pub async fn auth_methods(
        &self,
        options: &QueryOptions,
    ) -> Result<Answer<Vec<AclAuthMethod>>, ClientError> {
        self.0.get("/v1/acl/auth-methods").query(options).fetch().await
    }

    pub async fn delete_auth_method(&self, name: &str, options: &WriteOptions) -> Result<(), ClientError> {
        self.0.delete("/v1/acl/auth-method/").segment(name).write(options).done().await
    }

    pub async fn create_binding_rule(
        &self,
        rule: &AclBindingRule,
        options: &WriteOptions,
    ) -> Result<AclBindingRule, ClientError> {
        self.0.put("/v1/acl/binding-rule").write(options).json(rule).fetch_value().await
    }

    /// Replaces the rule of the same id.
    pub async fn update_binding_rule(
        &self,
        rule: &AclBindingRule,
        options: &WriteOptions,
    ) -> Result<AclBindingRule, ClientError> {
        self.0.put("/v1/acl/binding-rule/").segment(&rule.id).write(options).json(rule).fetch_value().await
    }

    pub async fn binding_rule(
        &self,
        id: &str,
        options: &QueryOptions,
    ) -> Result<Option<AclBindingRule>, ClientError> {
        self.by_name("/v1/acl/binding-rule/", id, options).await
    }

    /// Rules of one auth method, or of all if it is empty.
    pub async fn binding_rules(
        &self,
        auth_method: &str,
        options: &QueryOptions,
    ) -> Result<Answer<Vec<AclBindingRule>>, ClientError> {
        let request = self.0.get("/v1/acl/binding-rules").optional("authmethod", auth_method);
        request.query(options).fetch().await
    }

    pub async fn delete_binding_rule(&self, id: &str, options: &WriteOptions) -> Result<(), ClientError> {
        self.0.delete("/v1/acl/binding-rule/").segment(id).write(options).done().await
    }

    async fn by_name<T: DeserializeOwned>(
        &self,
        path: &str,
        name: &str,
        options: &QueryOptions,
    ) -> Result<Option<T>, ClientError> {
        Ok(self.0.get(path).segment(name).query(options).find().await?.value)
    }
}
