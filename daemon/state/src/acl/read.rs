//! Reads of the access-control tables.

use std::sync::Arc;

use consul_api::types::acl::{AclAuthMethod, AclBindingRule, AclLink, AclPolicy, AclRole, AclToken};

use crate::error::ApplyError;
use crate::id::Uuid;
use crate::names;
use crate::table::Table;
use crate::version::Version;
use crate::watch::WatchSet;

fn parse(id: &str, what: &'static str) -> Result<Uuid, ApplyError> {
    Uuid::parse(id).map_err(|reason| ApplyError::AclLookup { what, reason })
}

impl Version {
    /// The token with this secret. Records nothing: requests look up their token with every call.
    pub fn acl_token_by_secret(&self, secret: &str) -> Option<&Arc<AclToken>> {
        self.tables.acl.tokens.get(secret)
    }

    pub fn acl_token(
        &self,
        accessor: &str,
        watch: &mut WatchSet,
    ) -> Result<(u64, Option<&Arc<AclToken>>), ApplyError> {
        let accessor = parse(accessor, "token")?;
        let tables = &self.tables.acl;
        let token = tables.accessors.get(&accessor).and_then(|secret| tables.tokens.get(secret));
        Ok((self.table_index(Table::AclTokens, watch), token))
    }

    /// All tokens, in an order that says nothing.
    pub fn acl_tokens(&self, watch: &mut WatchSet) -> (u64, impl Iterator<Item = &Arc<AclToken>> + use<'_>) {
        (self.table_index(Table::AclTokens, watch), self.tables.acl.tokens.values())
    }

    pub fn acl_policy(
        &self,
        id: &str,
        watch: &mut WatchSet,
    ) -> Result<(u64, Option<&Arc<AclPolicy>>), ApplyError> {
        let id = parse(id, "policy")?;
        Ok((self.table_index(Table::AclPolicies, watch), self.tables.acl.policies.get(&id)))
    }

    pub fn acl_policy_by_name(&self, name: &str, watch: &mut WatchSet) -> (u64, Option<&Arc<AclPolicy>>) {
        let tables = &self.tables.acl;
        let policy = tables.policy_names.get(&*names::lower(name)).and_then(|id| tables.policies.get(id));
        (self.table_index(Table::AclPolicies, watch), policy)
    }

    /// All policies in order of their ids.
    pub fn acl_policies(
        &self,
        watch: &mut WatchSet,
    ) -> (u64, impl Iterator<Item = &Arc<AclPolicy>> + use<'_>) {
        (self.table_index(Table::AclPolicies, watch), self.tables.acl.policies.values())
    }

    pub fn acl_role(
        &self,
        id: &str,
        watch: &mut WatchSet,
    ) -> Result<(u64, Option<&Arc<AclRole>>), ApplyError> {
        let id = parse(id, "role")?;
        Ok((self.table_index(Table::AclRoles, watch), self.tables.acl.roles.get(&id)))
    }

    pub fn acl_role_by_name(&self, name: &str, watch: &mut WatchSet) -> (u64, Option<&Arc<AclRole>>) {
        let tables = &self.tables.acl;
        let role = tables.role_names.get(&*names::lower(name)).and_then(|id| tables.roles.get(id));
        (self.table_index(Table::AclRoles, watch), role)
    }

    /// All roles in order of their ids.
    pub fn acl_roles(&self, watch: &mut WatchSet) -> (u64, impl Iterator<Item = &Arc<AclRole>> + use<'_>) {
        (self.table_index(Table::AclRoles, watch), self.tables.acl.roles.values())
    }

    pub fn acl_binding_rule(
        &self,
        id: &str,
        watch: &mut WatchSet,
    ) -> Result<(u64, Option<&Arc<AclBindingRule>>), ApplyError> {
        let id = parse(id, "binding rule")?;
        Ok((self.table_index(Table::AclBindingRules, watch), self.tables.acl.binding_rules.get(&id)))
    }

    /// All binding rules in order of their ids.
    pub fn acl_binding_rules(
        &self,
        watch: &mut WatchSet,
    ) -> (u64, impl Iterator<Item = &Arc<AclBindingRule>> + use<'_>) {
        (self.table_index(Table::AclBindingRules, watch), self.tables.acl.binding_rules.values())
    }

    pub fn acl_auth_method(&self, name: &str, watch: &mut WatchSet) -> (u64, Option<&Arc<AclAuthMethod>>) {
        let method = self.tables.acl.auth_methods.get(&*names::lower(name));
        (self.table_index(Table::AclAuthMethods, watch), method)
    }

    /// All auth methods in order of their names.
    pub fn acl_auth_methods(
        &self,
        watch: &mut WatchSet,
    ) -> (u64, impl Iterator<Item = &Arc<AclAuthMethod>> + use<'_>) {
        (self.table_index(Table::AclAuthMethods, watch), self.tables.acl.auth_methods.values())
    }

    /// The index that a bootstrap reset must name, or none while bootstrapping is open.
    pub fn acl_bootstrap_index(&self) -> Option<u64> {
        Some(self.tables.indexes.get(Table::AclTokenBootstrap)).filter(|index| *index > 0)
    }

    /// Links to policies that still exist, under their present names.
    pub fn acl_policy_links(&self, links: Option<&Vec<AclLink>>) -> Vec<AclLink> {
        let current = |link: &AclLink| {
            let policy = self.tables.acl.policies.get(&Uuid::parse(&link.id).ok()?)?;
            Some(AclLink { id: policy.id.clone(), name: policy.name.clone() })
        };
        links.into_iter().flatten().filter_map(current).collect()
    }

    /// Links to roles that still exist, under their present names.
    pub fn acl_role_links(&self, links: Option<&Vec<AclLink>>) -> Vec<AclLink> {
        let current = |link: &AclLink| {
            let role = self.tables.acl.roles.get(&Uuid::parse(&link.id).ok()?)?;
            Some(AclLink { id: role.id.clone(), name: role.name.clone() })
        };
        links.into_iter().flatten().filter_map(current).collect()
    }
}
