//! Lays one source over another.
//!
//! Scalars: the later one wins. Lists: the later one is appended, without removing duplicates. Maps: united, the
//! later one wins key by key. Blocks: field by field.

use crate::raw::{Field, Node, Raw};

/// Lays `over` on top of `base`.
pub(crate) fn merge(base: &mut Raw, over: Raw) {
    for (name, field) in over.fields {
        match base.fields.get_mut(name) {
            Some(old) => merge_field(old, field),
            None => {
                base.fields.insert(name, field);
            }
        }
    }
}

fn merge_field(old: &mut Field, new: Field) {
    match (&mut old.node, new.node) {
        (Node::List(items), Node::List(more)) => items.extend(more),
        (Node::Blocks(items), Node::Blocks(more)) => items.extend(more),
        (Node::Map(map), Node::Map(more)) => map.extend(more),
        (Node::BlockMap(map), Node::BlockMap(more)) => map.extend(more),
        (Node::Block(block), Node::Block(more)) => merge(block, more),
        (slot, node) => {
            *slot = node;
            old.pos = new.pos;
        }
    }
}

/// Appends a file's single `service` and `check` to its `services` and `checks`.
///
/// Done per file, before merging: otherwise a second file's `service` would be laid over the first one's.
pub(crate) fn gather_definitions(raw: &mut Raw) {
    for (single, plural) in [("service", "services"), ("check", "checks")] {
        let Some(Field { node: Node::Block(one), pos }) = raw.fields.remove(single) else { continue };
        let list = raw
            .fields
            .entry(plural)
            .or_insert_with(|| Field { node: Node::Blocks(Vec::new()), pos: pos.clone() });
        if let Node::Blocks(list) = &mut list.node {
            list.push((one, pos));
        }
    }
}
