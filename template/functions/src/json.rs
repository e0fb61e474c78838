//! JSON in templates.

use consul_template_language::{List, Map, Value};

/// JSON as templates see it: every number is a floating-point number.
pub(crate) fn to_value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(truth) => Value::Bool(*truth),
        serde_json::Value::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => text.as_str().into(),
        serde_json::Value::Array(items) => List::any(items.iter().map(to_value).collect()).into(),
        serde_json::Value::Object(fields) => {
            Map::any(fields.iter().map(|(name, value)| (name.as_str(), to_value(value)))).into()
        }
    }
}
