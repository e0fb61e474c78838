//! Drops values that contain values that contain values.
//!
//! A template can wrap a list in a list a million times over. Dropping the outermost one the usual way would
//! recurse as deep, and overflow the stack.

use crate::value::Value;

/// Drops values, those inside them after them instead of within them.
pub(crate) fn drop_all(values: Vec<Value>) {
    if !values.iter().any(is_container) {
        return;
    }
    let mut pending = values;
    while let Some(value) = pending.pop() {
        match value {
            Value::List(mut list) => pending.extend(list.take_unshared()),
            Value::Map(map) => pending.extend(map.into_unshared()),
            _ => {}
        }
    }
}

fn is_container(value: &Value) -> bool {
    matches!(value, Value::List(_) | Value::Map(_))
}
