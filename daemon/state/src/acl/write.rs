//! Writes to the access-control tables.

use std::sync::Arc;

use consul_api::types::acl::{AclAuthMethod, AclBindingRule, AclPolicy, AclRole, AclToken};

use super::{AclCommand, AclTables, policy_hash, role_hash, token_hash};
use crate::command::Reply;
use crate::error::ApplyError;
use crate::id::{Uuid, UuidError};
use crate::names;
use crate::table::Table;
use crate::writer::Writer;

impl Writer {
    pub(crate) fn apply_acl(&mut self, command: &AclCommand) -> Result<Reply, ApplyError> {
        match command {
            AclCommand::Bootstrap { token, reset_index } => self.bootstrap_acl(token, *reset_index)?,
            AclCommand::SetTokens(tokens) => {
                for token in tokens {
                    self.set_acl_token(token)?;
                }
            }
            AclCommand::DeleteTokens(accessors) => {
                self.delete_acl(accessors, "token", Table::AclTokens, AclTables::remove_token)?;
            }
            AclCommand::SetPolicies(policies) => {
                for policy in policies {
                    self.set_acl_policy(policy)?;
                }
            }
            AclCommand::DeletePolicies(ids) => {
                self.delete_acl(ids, "policy", Table::AclPolicies, AclTables::remove_policy)?;
            }
            AclCommand::SetRoles(roles) => {
                for role in roles {
                    self.set_acl_role(role)?;
                }
            }
            AclCommand::DeleteRoles(ids) => {
                self.delete_acl(ids, "role", Table::AclRoles, AclTables::remove_role)?
            }
            AclCommand::SetBindingRules(rules) => {
                for rule in rules {
                    self.set_acl_binding_rule(rule)?;
                }
            }
            AclCommand::DeleteBindingRules(ids) => {
                let remove = |tables: &mut AclTables, id| tables.binding_rules.remove(&id).is_some();
                self.delete_acl(ids, "binding rule", Table::AclBindingRules, remove)?;
            }
            AclCommand::SetAuthMethods(methods) => {
                methods.iter().for_each(|method| self.set_acl_auth_method(method));
            }
            AclCommand::DeleteAuthMethods(names) => {
                names.iter().for_each(|name| self.delete_acl_auth_method(name));
            }
        }
        Ok(Reply::Done)
    }

    fn acl(&mut self) -> &mut AclTables {
        Arc::make_mut(&mut self.tables.acl)
    }

    fn bootstrap_acl(&mut self, token: &AclToken, reset_index: u64) -> Result<(), ApplyError> {
        let done = self.tables.indexes.get(Table::AclTokenBootstrap);
        if done > 0 && reset_index == 0 {
            return Err(ApplyError::BootstrapDone { reset_index: done });
        }
        if done > 0 && reset_index != done {
            return Err(ApplyError::BootstrapResetIndex { specified: reset_index, reset_index: done });
        }
        self.set_acl_token(token)?;
        self.touch(Table::AclTokenBootstrap);
        Ok(())
    }

    fn set_acl_token(&mut self, token: &AclToken) -> Result<(), ApplyError> {
        let accessor = lookup(&token.accessor_id, "token")?;
        if token.secret_id.is_empty() {
            return Err(ApplyError::TokenWithoutSecret);
        }
        let tables = &self.tables.acl;
        let existing = tables.accessors.get(&accessor).and_then(|secret| tables.tokens.get(secret));
        let holder = tables.tokens.get(token.secret_id.as_str());
        if holder.is_some_and(|other| {
            !other.accessor_id.is_empty() && Uuid::parse(&other.accessor_id) != Ok(accessor)
        }) {
            return Err(ApplyError::TokenSecretInUse);
        }
        let mut token = token.clone();
        // A token of the oldest system that gets an accessor keeps its age.
        token.create_index = existing.or(holder).map_or(self.index, |known| known.create_index);
        token.modify_index = self.index;
        token.hash = token_hash(&token);
        self.acl().insert_token(token);
        self.touch(Table::AclTokens);
        Ok(())
    }

    fn set_acl_policy(&mut self, policy: &AclPolicy) -> Result<(), ApplyError> {
        let id = lookup(&policy.id, "policy")?;
        let tables = &self.tables.acl;
        if tables.policy_names.get(&*names::lower(&policy.name)).is_some_and(|other| *other != id) {
            return Err(ApplyError::PolicyName(policy.name.clone()));
        }
        let mut policy = policy.clone();
        policy.create_index = tables.policies.get(&id).map_or(self.index, |known| known.create_index);
        policy.modify_index = self.index;
        policy.hash = policy_hash(&policy);
        self.acl().insert_policy(id, policy);
        self.touch(Table::AclPolicies);
        Ok(())
    }

    fn set_acl_role(&mut self, role: &AclRole) -> Result<(), ApplyError> {
        let id = lookup(&role.id, "role")?;
        let tables = &self.tables.acl;
        if tables.role_names.get(&*names::lower(&role.name)).is_some_and(|other| *other != id) {
            return Err(ApplyError::RoleName(role.name.clone()));
        }
        let mut role = role.clone();
        role.create_index = tables.roles.get(&id).map_or(self.index, |known| known.create_index);
        role.modify_index = self.index;
        role.hash = role_hash(&role);
        self.acl().insert_role(id, role);
        self.touch(Table::AclRoles);
        Ok(())
    }

    fn set_acl_binding_rule(&mut self, rule: &AclBindingRule) -> Result<(), ApplyError> {
        let id = lookup(&rule.id, "binding rule")?;
        let tables = &self.tables.acl;
        if !tables.auth_methods.contains_key(&*names::lower(&rule.auth_method)) {
            return Err(ApplyError::UnknownAuthMethod(rule.auth_method.clone()));
        }
        let mut rule = rule.clone();
        rule.create_index = tables.binding_rules.get(&id).map_or(self.index, |known| known.create_index);
        rule.modify_index = self.index;
        self.acl().binding_rules.insert(id, Arc::new(rule));
        self.touch(Table::AclBindingRules);
        Ok(())
    }

    fn set_acl_auth_method(&mut self, method: &AclAuthMethod) {
        let lower: Arc<str> = names::lower(&method.name).into();
        let existing = self.tables.acl.auth_methods.get(&*lower);
        let mut method = method.clone();
        method.create_index = existing.map_or(self.index, |known| known.create_index);
        method.modify_index = self.index;
        self.acl().auth_methods.insert(lower, Arc::new(method));
        self.touch(Table::AclAuthMethods);
    }

    fn delete_acl_auth_method(&mut self, name: &str) {
        let lower = names::lower(name);
        if self.acl().auth_methods.remove(&*lower).is_none() {
            return;
        }
        self.touch(Table::AclAuthMethods);
        let tables = &self.tables.acl;
        let rules = tables.binding_rules.iter().filter(|(_, rule)| names::same(&rule.auth_method, name));
        let rules: Vec<Uuid> = rules.map(|(id, _)| *id).collect();
        let tokens = tables.tokens.values().filter(|token| names::same(&token.auth_method, name));
        let tokens: Vec<Uuid> = tokens.filter_map(|token| Uuid::parse(&token.accessor_id).ok()).collect();
        for id in rules {
            self.acl().binding_rules.remove(&id);
            self.touch(Table::AclBindingRules);
        }
        for accessor in tokens {
            self.acl().remove_token(accessor);
            self.touch(Table::AclTokens);
        }
    }

    /// What does not exist is deleted already.
    fn delete_acl(
        &mut self,
        ids: &[String],
        what: &'static str,
        table: Table,
        remove: impl Fn(&mut AclTables, Uuid) -> bool,
    ) -> Result<(), ApplyError> {
        for id in ids {
            let id = lookup(id, what)?;
            if remove(self.acl(), id) {
                self.touch(table);
            }
        }
        Ok(())
    }
}

fn lookup(id: &str, what: &'static str) -> Result<Uuid, ApplyError> {
    Uuid::parse(id).map_err(|reason| ApplyError::AclLookup { what, reason })
}

impl AclTables {
    pub fn insert_token(&mut self, token: AclToken) {
        let secret: Arc<str> = token.secret_id.as_str().into();
        if let Ok(accessor) = Uuid::parse(&token.accessor_id)
            && let Some(before) = self.accessors.insert(accessor, Arc::clone(&secret))
            && before != secret
        {
            self.tokens.remove(&before);
        }
        self.tokens.insert(secret, Arc::new(token));
    }

    fn remove_token(&mut self, accessor: Uuid) -> bool {
        self.accessors.remove(&accessor).is_some_and(|secret| self.tokens.remove(&secret).is_some())
    }

    pub fn insert_policy(&mut self, id: Uuid, policy: AclPolicy) {
        self.remove_policy(id);
        self.policy_names.insert(names::lower(&policy.name).into(), id);
        self.policies.insert(id, Arc::new(policy));
    }

    fn remove_policy(&mut self, id: Uuid) -> bool {
        let Some(policy) = self.policies.remove(&id) else { return false };
        self.policy_names.remove(&*names::lower(&policy.name));
        true
    }

    pub fn insert_role(&mut self, id: Uuid, role: AclRole) {
        self.remove_role(id);
        self.role_names.insert(names::lower(&role.name).into(), id);
        self.roles.insert(id, Arc::new(role));
    }

    fn remove_role(&mut self, id: Uuid) -> bool {
        let Some(role) = self.roles.remove(&id) else { return false };
        self.role_names.remove(&*names::lower(&role.name));
        true
    }

    pub fn restore_binding_rule(&mut self, rule: AclBindingRule) -> Result<(), UuidError> {
        self.binding_rules.insert(Uuid::parse(&rule.id)?, Arc::new(rule));
        Ok(())
    }

    pub fn restore_auth_method(&mut self, method: AclAuthMethod) {
        self.auth_methods.insert(names::lower(&method.name).into(), Arc::new(method));
    }
}
