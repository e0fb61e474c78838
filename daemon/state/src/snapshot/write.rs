//! Writing a version out, record by record. Runs beside the writer: the version does not change.

use std::collections::BTreeMap;
use std::io::{self, Write};

use consul_api::snapshot::records::{RecordType, RecordWriter, StateHeader};
use consul_api::types::kv::KvPair;
use serde::Serialize;

use super::record::{ChunkingRecord, IndexRecord, RegisterRecord, encode_config_entry};
use crate::catalog::{NodeEntry, ServiceGroup};
use crate::table::Table;
use crate::version::Version;

/// Records that belong between prepared queries and indexes, in the order of their numbers.
const OPAQUE_BEFORE_INDEXES: std::ops::RangeInclusive<u8> = 10..=33;

struct Output<'w> {
    records: RecordWriter<&'w mut dyn Write>,
    /// Records of later types are left out.
    newest: RecordType,
}

impl Output<'_> {
    fn put<T: Serialize + ?Sized>(&mut self, kind: RecordType, value: &T) -> io::Result<()> {
        self.records.record(kind, value)
    }

    fn put_all<'a, T: Serialize + 'a>(
        &mut self,
        kind: RecordType,
        values: impl Iterator<Item = &'a std::sync::Arc<T>>,
    ) -> io::Result<()> {
        for value in values {
            self.put(kind, &**value)?;
        }
        Ok(())
    }
}

/// Writes `version` with all record types up to `newest`.
pub(crate) fn write(version: &Version, newest: RecordType, out: &mut dyn Write) -> io::Result<()> {
    let records = RecordWriter::new(out, StateHeader { last_index: version.index() })?;
    let mut out = Output { records, newest };
    let tables = &version.tables;
    for entry in tables.catalog.nodes.values() {
        node(&mut out, entry)?;
    }
    for coordinate in tables.coordinates.values() {
        out.put(RecordType::COORDINATE_BATCH, std::slice::from_ref(&**coordinate))?;
    }
    out.put_all(RecordType::SESSION, tables.sessions.by_id.values())?;
    acl(&mut out, version)?;
    key_values(&mut out, version)?;
    out.put_all(RecordType::PREPARED_QUERY, tables.queries.by_id.values().map(|stored| &stored.query))?;
    out.put_all(RecordType::AUTOPILOT, tables.autopilot.iter())?;
    out.put_all(RecordType::INTENTION, tables.intentions.values())?;
    opaque(&mut out, version, |kind| kind < RecordType::CONFIG_ENTRY.0)?;
    for entry in tables.config_entries.values() {
        let value = encode_config_entry(entry).map_err(io::Error::other)?;
        out.put(RecordType::CONFIG_ENTRY, &value)?;
    }
    opaque(&mut out, version, |kind| {
        kind > RecordType::CONFIG_ENTRY.0 && OPAQUE_BEFORE_INDEXES.contains(&kind)
    })?;
    for (key, value) in indexes(version) {
        out.put(RecordType::INDEX, &IndexRecord { key, value })?;
    }
    opaque(&mut out, version, |kind| !OPAQUE_BEFORE_INDEXES.contains(&kind))?;
    out.put(RecordType::CHUNKING_STATE, &ChunkingRecord::default())
}

fn node(out: &mut Output<'_>, entry: &NodeEntry) -> io::Result<()> {
    let node = || RegisterRecord::of(&entry.node);
    out.put(RecordType::REGISTER, &node())?;
    for service in entry.services() {
        let service = Some((**service).clone());
        out.put(RecordType::REGISTER, &RegisterRecord { service, ..node() })?;
    }
    for check in entry.checks() {
        let check = Some((**check).clone());
        out.put(RecordType::REGISTER, &RegisterRecord { check, ..node() })?;
    }
    Ok(())
}

fn acl(out: &mut Output<'_>, version: &Version) -> io::Result<()> {
    let acl = &version.tables.acl;
    out.put_all(RecordType::ACL_TOKEN, acl.tokens.values())?;
    out.put_all(RecordType::ACL_POLICY, acl.policies.values())?;
    out.put_all(RecordType::ACL_ROLE, acl.roles.values())?;
    out.put_all(RecordType::ACL_BINDING_RULE, acl.binding_rules.values())?;
    out.put_all(RecordType::ACL_AUTH_METHOD, acl.auth_methods.values())
}

fn key_values(out: &mut Output<'_>, version: &Version) -> io::Result<()> {
    let kv = &version.tables.kv;
    out.put_all(RecordType::KVS, kv.entries.iter())?;
    for stone in kv.tombstones.iter() {
        let stone = KvPair { key: stone.key.clone(), modify_index: stone.index, ..KvPair::default() };
        out.put(RecordType::TOMBSTONE, &stone)?;
    }
    Ok(())
}

fn opaque(out: &mut Output<'_>, version: &Version, chosen: impl Fn(u8) -> bool) -> io::Result<()> {
    for record in version.tables.opaque.iter() {
        if chosen(record.kind.0) && record.kind <= out.newest {
            out.records.raw_record(record.kind, &record.value)?;
        }
    }
    Ok(())
}

/// Every index that cannot be told from the records alone, by key.
fn indexes(version: &Version) -> BTreeMap<String, u64> {
    let tables = &version.tables;
    let mut indexes = (*tables.extra_indexes).clone();
    for table in Table::ALL {
        let index = tables.indexes.get(table);
        if index > 0 {
            indexes.insert(table.as_str().to_owned(), index);
        }
    }
    for (name, group) in tables.catalog.services.iter() {
        indexes.insert(format!("service.{name}"), group.index);
        for instance in group.instances.values() {
            let kind = &instance.service.kind;
            let kind = if kind.is_empty() { "typical" } else { kind };
            let index = indexes.entry(format!("service_kind.{kind}")).or_default();
            *index = group.index.max(*index);
        }
    }
    let moved = |group: &ServiceGroup| group.index > group.newest();
    for (name, group) in tables.catalog.connect.iter().filter(|(_, group)| moved(group)) {
        indexes.insert(format!("connect.{name}"), group.index);
    }
    for (name, entry) in tables.catalog.nodes.iter().filter(|(_, entry)| entry.index > entry.newest()) {
        indexes.insert(format!("node.{name}"), entry.index);
    }
    indexes
}
