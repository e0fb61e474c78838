//! What maps and records have in common: names and values.

use consul_template_language::{Map, Record, Text, Value};

/// Entries of a map, by the text of their keys.
pub(super) fn entries(map: &Map) -> Vec<(Text, Value)> {
    let entries = map.snapshot();
    let mut entries: Vec<(Text, Value)> =
        entries.iter().map(|(key, value)| (key.to_value().to_text(), value.clone())).collect();
    // Numbers are in the order of their values, which is not that of their digits.
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries
}

/// Fields of a record in its own order.
pub(super) fn fields(record: &dyn Record) -> Vec<(Text, Value)> {
    let names = record.fields();
    names.iter().map(|name| (Text::fixed(name), record.field(name).unwrap_or_default())).collect()
}
