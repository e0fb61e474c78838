//! Building a state from records.

use std::io::Read;
use std::sync::Arc;

use consul_api::snapshot::records::{Record, RecordError, RecordReader, RecordType};
use consul_api::types::acl::AclToken;
use consul_api::types::catalog::{Node, NodeService};
use consul_api::types::coordinate::NodeCoordinate;
use consul_api::types::health::HealthCheck;
use consul_api::types::kv::KvPair;
use consul_api::types::session::Session;

use super::record::{
    IndexRecord, LegacyBootstrapRecord, LegacyTokenRecord, RegisterRecord, decode_config_entry, known,
};
use super::{OpaqueRecord, Restored, SnapshotError};
use crate::acl::{policy_hash, role_hash, token_hash};
use crate::catalog::NodeEntry;
use crate::id::{Uuid, UuidError};
use crate::kv::Tombstone;
use crate::names;
use crate::table::Table;
use crate::version::Version;
use crate::writer::Writer;

/// Before the names of catalog indexes in snapshots of releases that know peers: the local datacenter.
const LOCAL_PEER: &str = "peer.~:";

struct Builder {
    writer: Writer,
    last_index: u64,
    /// Indexes of tables and services that the snapshot names.
    indexes: Vec<IndexRecord>,
    opaque: Vec<OpaqueRecord>,
}

pub(crate) fn read(input: &mut dyn Read) -> Result<Restored, SnapshotError> {
    let mut records = RecordReader::new(input)?;
    let last_index = records.header().last_index;
    let mut builder = Builder {
        writer: Writer::new(&Arc::new(Version::default())),
        last_index,
        indexes: Vec::new(),
        opaque: Vec::new(),
    };
    while let Some(record) = records.next_record()? {
        builder.take(&record)?;
    }
    Ok(builder.finish())
}

fn valid<T>(record: &Record<'_>, result: Result<T, UuidError>) -> Result<T, SnapshotError> {
    result.map_err(|error| invalid(record, &error.to_string()))
}

fn invalid(record: &Record<'_>, reason: &str) -> SnapshotError {
    SnapshotError::Invalid { kind: record.kind, offset: record.offset, reason: reason.to_owned() }
}

impl Builder {
    fn take(&mut self, record: &Record<'_>) -> Result<(), SnapshotError> {
        match record.kind {
            RecordType::REGISTER => self.register(record),
            RecordType::KVS => self.key_value(record),
            RecordType::TOMBSTONE => self.tombstone(record),
            RecordType::SESSION => self.session(record),
            RecordType::COORDINATE_BATCH => self.coordinates(record),
            RecordType::PREPARED_QUERY => valid(record, self.writer.restore_query(record.decode()?)),
            RecordType::AUTOPILOT => {
                self.writer.tables.autopilot = Some(Arc::new(record.decode()?));
                Ok(())
            }
            RecordType::INTENTION => valid(record, self.writer.restore_intention(record.decode()?)),
            RecordType::CONFIG_ENTRY => self.config_entry(record),
            RecordType::INDEX => {
                self.indexes.push(record.decode()?);
                Ok(())
            }
            RecordType::ACL
            | RecordType::ACL_BOOTSTRAP
            | RecordType::ACL_TOKEN
            | RecordType::ACL_POLICY
            | RecordType::ACL_ROLE
            | RecordType::ACL_BINDING_RULE
            | RecordType::ACL_AUTH_METHOD => self.acl(record),
            // Derived from other records, or meaningless between commands.
            RecordType::KIND_SERVICE_NAMES | RecordType::CHUNKING_STATE | RecordType::AREA => Ok(()),
            RecordType::CONNECT_CA
            | RecordType::CONNECT_CA_PROVIDER_STATE
            | RecordType::CONNECT_CA_CONFIG
            | RecordType::FEDERATION_STATE
            | RecordType::SYSTEM_METADATA
            | RecordType::SERVICE_VIRTUAL_IP
            | RecordType::FREE_VIRTUAL_IP
            | RecordType::PEERING
            | RecordType::PEERING_TRUST_BUNDLE
            | RecordType::PEERING_SECRETS
            | RecordType::RESOURCE => {
                self.opaque.push(OpaqueRecord { kind: record.kind, value: record.value.into() });
                Ok(())
            }
            other if other.is_enterprise() => Err(SnapshotError::Enterprise { kind: other.0 }),
            other => Err(SnapshotError::UnknownType { kind: other.0, offset: record.offset }),
        }
    }

    fn register(&mut self, record: &Record<'_>) -> Result<(), SnapshotError> {
        let register: RegisterRecord = record.decode()?;
        if register.node.is_empty() {
            return Err(invalid(record, "the node has no name"));
        }
        let lower: Arc<str> = names::lower(&register.node).into();
        self.put_node(&lower, register.to_node(self.last_index));
        if let Some(service) = register.service {
            self.put_service(record, &lower, service)?;
        }
        for check in register.check.into_iter().chain(register.checks.into_iter().flatten()) {
            self.put_check(record, &lower, check)?;
        }
        Ok(())
    }

    fn put_node(&mut self, lower: &Arc<str>, node: Node) {
        let catalog = self.writer.catalog();
        if let Ok(id) = Uuid::parse(&node.id) {
            catalog.ids.insert(id, Arc::clone(lower));
        }
        match catalog.nodes.get_mut(lower) {
            Some(entry) if *entry.node == node => {}
            Some(entry) => Arc::make_mut(entry).node = Arc::new(node),
            None => {
                catalog.nodes.insert(Arc::clone(lower), Arc::new(NodeEntry::new(Arc::new(node))));
            }
        }
    }

    fn put_service(
        &mut self,
        record: &Record<'_>,
        lower: &str,
        mut service: NodeService,
    ) -> Result<(), SnapshotError> {
        if service.id.is_empty() {
            service.id.clone_from(&service.service);
        }
        if service.service.is_empty() {
            return Err(invalid(record, "the service has no name"));
        }
        service.create_index = known(service.create_index, self.last_index);
        service.modify_index = known(service.modify_index, self.last_index);
        service.weights = Some(service.weights.unwrap_or_default());
        self.writer.with_entry(lower, |entry| {
            entry.services.insert(names::lower(&service.id).into(), Arc::new(service));
        });
        Ok(())
    }

    fn put_check(
        &mut self,
        record: &Record<'_>,
        lower: &str,
        mut check: HealthCheck,
    ) -> Result<(), SnapshotError> {
        if check.check_id.is_empty() {
            return Err(invalid(record, "the check has no id"));
        }
        check.create_index = known(check.create_index, self.last_index);
        check.modify_index = known(check.modify_index, self.last_index);
        self.writer.with_entry(lower, |entry| {
            entry.checks.insert(names::lower(&check.check_id).into(), Arc::new(check));
        });
        Ok(())
    }

    fn key_value(&mut self, record: &Record<'_>) -> Result<(), SnapshotError> {
        let entry: Arc<KvPair> = Arc::new(record.decode()?);
        if entry.key.is_empty() {
            return Err(invalid(record, "the entry has no key"));
        }
        let table = Arc::make_mut(&mut self.writer.tables.kv);
        if let Some(before) = table.entries.insert(Arc::clone(&entry)) {
            table.forget_holder(&before.session, before.key.as_slice());
        }
        table.note_holder(&entry);
        self.raise(Table::Kv, entry.modify_index);
        Ok(())
    }

    fn tombstone(&mut self, record: &Record<'_>) -> Result<(), SnapshotError> {
        let stone: KvPair = record.decode()?;
        let table = Arc::make_mut(&mut self.writer.tables.kv);
        table.tombstones.insert(Arc::new(Tombstone { key: stone.key, index: stone.modify_index }));
        self.raise(Table::Tombstones, stone.modify_index);
        Ok(())
    }

    fn session(&mut self, record: &Record<'_>) -> Result<(), SnapshotError> {
        let session: Session = record.decode()?;
        let id = valid(record, Uuid::parse(&session.id))?;
        self.raise(Table::Sessions, session.modify_index);
        Arc::make_mut(&mut self.writer.tables.sessions).insert(id, Arc::new(session));
        Ok(())
    }

    fn coordinates(&mut self, record: &Record<'_>) -> Result<(), SnapshotError> {
        let batch: Vec<NodeCoordinate> = record.decode()?;
        for coordinate in batch {
            let lower: Arc<str> = names::lower(&coordinate.node).into();
            let key = (lower, Arc::from(coordinate.segment.as_str()));
            self.writer.tables.coordinates.insert(key, Arc::new(coordinate));
        }
        Ok(())
    }

    fn config_entry(&mut self, record: &Record<'_>) -> Result<(), SnapshotError> {
        let damaged = |error| RecordError::Damaged { kind: record.kind, offset: record.offset, error };
        let entry = decode_config_entry(record.value).map_err(damaged)?;
        self.raise(Table::ConfigEntries, entry.modify_index);
        self.writer.restore_config_entry(entry);
        Ok(())
    }

    fn acl(&mut self, record: &Record<'_>) -> Result<(), SnapshotError> {
        let tables = Arc::make_mut(&mut self.writer.tables.acl);
        match record.kind {
            RecordType::ACL_TOKEN => {
                let mut token: AclToken = record.decode()?;
                if token.secret_id.is_empty() {
                    return Err(invalid(record, "the token has no secret"));
                }
                if token.hash.is_empty() {
                    token.hash = token_hash(&token);
                }
                tables.insert_token(token);
            }
            RecordType::ACL_POLICY => {
                let mut policy: consul_api::types::acl::AclPolicy = record.decode()?;
                if policy.hash.is_empty() {
                    policy.hash = policy_hash(&policy);
                }
                tables.insert_policy(valid(record, Uuid::parse(&policy.id))?, policy);
            }
            RecordType::ACL_ROLE => {
                let mut role: consul_api::types::acl::AclRole = record.decode()?;
                if role.hash.is_empty() {
                    role.hash = role_hash(&role);
                }
                tables.insert_role(valid(record, Uuid::parse(&role.id))?, role);
            }
            RecordType::ACL_BINDING_RULE => valid(record, tables.restore_binding_rule(record.decode()?))?,
            RecordType::ACL_AUTH_METHOD => tables.restore_auth_method(record.decode()?),
            RecordType::ACL => tables.insert_token(from_legacy(record.decode()?)),
            _ => {
                let bootstrap: LegacyBootstrapRecord = record.decode()?;
                self.raise(Table::AclTokenBootstrap, bootstrap.modify_index);
            }
        }
        Ok(())
    }

    fn raise(&mut self, table: Table, index: u64) {
        self.writer.tables.indexes.raise(table, index);
    }

    /// Prepares the catalog's views, then puts the indexes in place.
    fn finish(mut self) -> Restored {
        self.writer.drop_stale_ids();
        self.writer.rebuild_views();
        self.raise_tables();
        let mut extra = std::collections::BTreeMap::new();
        for IndexRecord { key, value } in std::mem::take(&mut self.indexes) {
            let Some(key) = local(&key) else { continue };
            if let Some(table) = Table::parse(key) {
                self.raise(table, value);
            } else if !self.writer.raise_catalog_index(key, value) {
                extra.insert(key.to_owned(), value);
            }
        }
        self.writer.tables.extra_indexes = Arc::new(extra);
        self.writer.tables.opaque = Arc::new(self.opaque);
        self.writer.index = self.last_index;
        Restored(self.writer.finish().0)
    }

    /// Indexes that the snapshot lacks follow from the objects.
    fn raise_tables(&mut self) {
        let tables = &self.writer.tables;
        let nodes = || tables.catalog.nodes.values();
        let newest = [
            (Table::Nodes, nodes().map(|entry| entry.node.modify_index).max()),
            (Table::Services, nodes().flat_map(|entry| entry.services()).map(|s| s.modify_index).max()),
            (Table::Checks, nodes().flat_map(|entry| entry.checks()).map(|check| check.modify_index).max()),
            (Table::PreparedQueries, tables.queries.by_id.values().map(|q| q.query.modify_index).max()),
            (Table::Autopilot, tables.autopilot.as_ref().map(|config| config.modify_index)),
            (Table::Intentions, tables.intentions.values().map(|intention| intention.modify_index).max()),
            (Table::AclTokens, tables.acl.tokens.values().map(|token| token.modify_index).max()),
            (Table::AclPolicies, tables.acl.policies.values().map(|policy| policy.modify_index).max()),
            (Table::AclRoles, tables.acl.roles.values().map(|role| role.modify_index).max()),
            (Table::AclBindingRules, tables.acl.binding_rules.values().map(|rule| rule.modify_index).max()),
            (Table::AclAuthMethods, tables.acl.auth_methods.values().map(|method| method.modify_index).max()),
        ];
        for (table, index) in newest {
            self.raise(table, index.unwrap_or(0));
        }
    }
}

/// The key of an index of the local datacenter; none for those of peers.
fn local(key: &str) -> Option<&str> {
    match key.strip_prefix(LOCAL_PEER) {
        Some(key) => Some(key),
        None if key.starts_with("peer.") => None,
        None => Some(key),
    }
}

fn from_legacy(legacy: LegacyTokenRecord) -> AclToken {
    let mut token = AclToken {
        secret_id: legacy.id,
        description: legacy.name,
        r#type: legacy.r#type,
        rules: legacy.rules,
        create_index: legacy.create_index,
        modify_index: legacy.modify_index,
        ..AclToken::default()
    };
    token.hash = token_hash(&token);
    token
}
