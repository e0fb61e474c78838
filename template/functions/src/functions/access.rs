//! Fields of values, whether they are records or objects from elsewhere.

use consul_template_language::{Text, Value};

/// A field of a record, or the value of a key of a map.
pub(super) fn field(value: &Value, name: &'static str) -> Option<Value> {
    match value {
        Value::Record(record) => record.field(name),
        Value::Map(map) => map.get(&name.into()),
        _ => None,
    }
}

/// A field that is a string.
pub(super) fn text(value: &Value, name: &'static str) -> Option<Text> {
    field(value, name)?.as_text().cloned()
}

/// Whether this is a list of values of these types, or of maps: those come from other languages.
pub(super) fn is_list_of(value: &Value, types: &[&str]) -> bool {
    let Value::List(list) = value else { return false };
    let element = list.kind().element;
    let is_one = |item: &Value| {
        matches!(item, Value::Map(_))
            || matches!(item, Value::Record(record) if types.contains(&record.type_name()))
    };
    types.contains(&element) || (element == "interface {}" && list.iter().all(is_one))
}
