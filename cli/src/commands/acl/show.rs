//! How access control objects look on paper.

use std::fmt::Write as _;

use consul_api::types::acl::{
    AclAuthMethod, AclBindingRule, AclLink, AclPolicy, AclRole, AclToken, NodeIdentity, ServiceIdentity,
};
use consul_api::types::bytes::Blob;
use consul_api::types::time::GoTime;
use time::OffsetDateTime;
use time::macros::format_description;

use super::View;
use crate::output;

/// Rows of `label: value`, the values in one column.
struct Rows {
    text: String,
    indent: &'static str,
    width: usize,
}

impl Rows {
    fn new(indent: &'static str, width: usize) -> Self {
        Self { text: String::new(), indent, width }
    }

    fn row(&mut self, label: &str, value: impl std::fmt::Display) -> &mut Self {
        let label = format!("{label}:");
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{}{label:<width$}{value}", self.indent, width = self.width);
        self
    }

    fn row_if_set(&mut self, label: &str, value: &str) -> &mut Self {
        if !value.is_empty() {
            self.row(label, value);
        }
        self
    }

    fn meta(&mut self, view: View, hash: Option<&Blob>, create: u64, modify: u64) -> &mut Self {
        if view.meta {
            if let Some(hash) = hash {
                self.row("Hash", hex(hash.as_slice()));
            }
            self.row("Create Index", create).row("Modify Index", modify);
        }
        self
    }

    /// A title and one indented line for each entry; nothing without entries.
    fn section<T>(
        &mut self,
        title: &str,
        entries: Option<&Vec<T>>,
        line: impl Fn(&T) -> String,
    ) -> &mut Self {
        if let Some(entries) = entries.filter(|entries| !entries.is_empty()) {
            let _ = writeln!(self.text, "{}{title}:", self.indent);
            for entry in entries {
                let _ = writeln!(self.text, "{}   {}", self.indent, line(entry));
            }
        }
        self
    }

    fn carried(
        &mut self,
        policies: Option<&Vec<AclLink>>,
        roles: Option<&Vec<AclLink>>,
        services: Option<&Vec<ServiceIdentity>>,
        nodes: Option<&Vec<NodeIdentity>>,
    ) -> &mut Self {
        let link = |link: &AclLink| format!("{} - {}", link.id, link.name);
        self.section("Policies", policies, link).section("Roles", roles, link);
        self.section("Service Identities", services, |identity| {
            let datacenters = identity.datacenters.as_ref().filter(|list| !list.is_empty());
            let shown = datacenters.map_or_else(|| "all".to_owned(), |list| list.join(", "));
            format!("{} (Datacenters: {shown})", identity.service_name)
        });
        self.section("Node Identities", nodes, |identity| {
            format!("{} (Datacenter: {})", identity.node_name, identity.datacenter)
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A time as Go prints it: `2026-11-21 05:11:22.566264849 +0000 UTC`.
fn shown_time(time: GoTime) -> String {
    let pattern = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let seconds = OffsetDateTime::from_unix_timestamp(time.unix_seconds()).ok();
    let mut text = seconds.and_then(|seconds| seconds.format(pattern).ok()).unwrap_or_default();
    if time.nanoseconds() > 0 {
        let fraction = format!("{:09}", time.nanoseconds());
        let _ = write!(text, ".{}", fraction.trim_end_matches('0'));
    }
    text + " +0000 UTC"
}

const TOKEN_WIDTH: usize = 18;
const POLICY_WIDTH: usize = 14;
const METHOD_WIDTH: usize = 15;

/// A whole token, secret included.
pub fn token(token: &AclToken, view: View) -> String {
    let mut rows = Rows::new("", TOKEN_WIDTH);
    rows.row("AccessorID", &token.accessor_id).row("SecretID", &token.secret_id);
    token_facts(&mut rows, token);
    token_rest(&mut rows, token, view);
    if !token.rules.is_empty() {
        let _ = writeln!(rows.text, "Rules:\n{}", token.rules);
    }
    rows.text + "\n"
}

fn token_facts(rows: &mut Rows, token: &AclToken) {
    rows.row("Description", &token.description).row("Local", token.local);
    rows.row_if_set("Auth Method", &token.auth_method).row("Create Time", shown_time(token.create_time));
    if let Some(expiration) = token.expiration_time.filter(|time| !time.is_zero()) {
        rows.row("Expiration Time", shown_time(expiration));
    }
}

fn token_rest(rows: &mut Rows, token: &AclToken, view: View) {
    rows.meta(view, Some(&token.hash), token.create_index, token.modify_index).carried(
        token.policies.as_ref(),
        token.roles.as_ref(),
        token.service_identities.as_ref(),
        token.node_identities.as_ref(),
    );
}

/// Tokens one after the other, without their secrets.
pub fn tokens(tokens: &[AclToken], view: View) -> String {
    let blocks = tokens.iter().map(|token| {
        let mut rows = Rows::new("", TOKEN_WIDTH);
        rows.row("AccessorID", &token.accessor_id);
        token_facts(&mut rows, token);
        rows.row("Legacy", matches!(token.r#type.as_str(), "client" | "management"));
        token_rest(&mut rows, token, view);
        rows.text + "\n"
    });
    blocks.collect()
}

fn datacenters(policy: &AclPolicy) -> String {
    policy.datacenters.as_ref().map(|list| list.join(", ")).unwrap_or_default()
}

pub fn policy(policy: &AclPolicy, view: View) -> String {
    let mut rows = Rows::new("", POLICY_WIDTH);
    rows.row("ID", &policy.id)
        .row("Name", &policy.name)
        .row("Description", &policy.description)
        .row("Datacenters", datacenters(policy))
        .meta(view, Some(&policy.hash), policy.create_index, policy.modify_index);
    format!("{}Rules:\n{}\n", rows.text, policy.rules)
}

pub fn policies(policies: &[AclPolicy], view: View) -> String {
    list(policies, |policy| {
        let mut rows = Rows::new("   ", POLICY_WIDTH);
        rows.row("ID", &policy.id)
            .row("Description", &policy.description)
            .row("Datacenters", datacenters(policy));
        rows.meta(view, Some(&policy.hash), policy.create_index, policy.modify_index);
        (policy.name.clone(), rows.text)
    })
}

pub fn role(role: &AclRole, view: View) -> String {
    let mut rows = Rows::new("", POLICY_WIDTH);
    rows.row("ID", &role.id).row("Name", &role.name);
    role_rest(&mut rows, role, view);
    rows.text + "\n"
}

fn role_rest(rows: &mut Rows, role: &AclRole, view: View) {
    rows.row("Description", &role.description)
        .meta(view, Some(&role.hash), role.create_index, role.modify_index)
        .carried(
            role.policies.as_ref(),
            None,
            role.service_identities.as_ref(),
            role.node_identities.as_ref(),
        );
}

pub fn roles(roles: &[AclRole], view: View) -> String {
    list(roles, |role| {
        let mut rows = Rows::new("   ", POLICY_WIDTH);
        rows.row("ID", &role.id);
        role_rest(&mut rows, role, view);
        (role.name.clone(), rows.text)
    })
}

pub fn auth_method(method: &AclAuthMethod, view: View) -> String {
    let mut rows = Rows::new("", METHOD_WIDTH);
    rows.row("Name", &method.name);
    auth_method_rest(&mut rows, method, view);
    let config = output::json(&method.config, "  ");
    format!("{}Config:\n{config}\n\n", rows.text)
}

fn auth_method_rest(rows: &mut Rows, method: &AclAuthMethod, view: View) {
    rows.row("Type", &method.r#type)
        .row_if_set("DisplayName", &method.display_name)
        .row("Description", &method.description);
    if !method.max_token_ttl.is_zero() {
        rows.row("MaxTokenTTL", method.max_token_ttl);
    }
    rows.row_if_set("TokenLocality", &method.token_locality);
    rows.meta(view, None, method.create_index, method.modify_index);
}

pub fn auth_methods(methods: &[AclAuthMethod], view: View) -> String {
    list(methods, |method| {
        let mut rows = Rows::new("   ", METHOD_WIDTH);
        auth_method_rest(&mut rows, method, view);
        (method.name.clone(), rows.text)
    })
}

pub fn binding_rule(rule: &AclBindingRule, view: View) -> String {
    let mut rows = Rows::new("", POLICY_WIDTH);
    rows.row("ID", &rule.id);
    binding_rule_rest(&mut rows, rule, view);
    rows.text + "\n"
}

fn binding_rule_rest(rows: &mut Rows, rule: &AclBindingRule, view: View) {
    rows.row("AuthMethod", &rule.auth_method)
        .row("Description", &rule.description)
        .row("BindType", &rule.bind_type)
        .row("BindName", &rule.bind_name)
        .row("Selector", &rule.selector)
        .meta(view, None, rule.create_index, rule.modify_index);
}

pub fn binding_rules(rules: &[AclBindingRule], view: View) -> String {
    list(rules, |rule| {
        let mut rows = Rows::new("   ", POLICY_WIDTH);
        binding_rule_rest(&mut rows, rule, view);
        (rule.id.clone(), rows.text)
    })
}

/// Each object's name, then its rows; a blank line ends the list, an empty list is nothing.
fn list<T>(objects: &[T], block: impl Fn(&T) -> (String, String)) -> String {
    if objects.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    for object in objects {
        let (name, rows) = block(object);
        let _ = write!(text, "{name}:\n{rows}");
    }
    text + "\n"
}
