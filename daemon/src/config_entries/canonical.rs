//! Brings a document to the spelling of its schema.

use serde_json::{Map, Value};

use super::schema::{Empty, Key, Shape};

/// A key without what spellings differ in: letter case and underscores.
pub fn fold(key: &str) -> String {
    key.chars().filter(|c| *c != '_').collect::<String>().to_ascii_lowercase()
}

/// `document` with the keys of `schema`, or every key that it does not have.
pub fn object(document: &Map<String, Value>, schema: &[Key]) -> Result<Map<String, Value>, Vec<String>> {
    let mut problems = Vec::new();
    let fields = object_at("", document, schema, &mut problems);
    if problems.is_empty() { Ok(fields) } else { Err(problems) }
}

fn object_at(
    path: &str,
    document: &Map<String, Value>,
    schema: &[Key],
    problems: &mut Vec<String>,
) -> Map<String, Value> {
    let mut out = Map::new();
    for (spelled, value) in document {
        let here = if path.is_empty() { spelled.clone() } else { format!("{path}.{spelled}") };
        let folded = fold(spelled);
        match schema.iter().find(|key| key.name.to_ascii_lowercase() == folded) {
            None => problems.push(format!("invalid config key {here:?}")),
            Some(key) => {
                let value = shaped(&here, value, key.shape, problems);
                if !is_zero(&value) {
                    out.insert(key.name.to_owned(), value);
                }
            }
        }
    }
    for key in schema.iter().filter(|key| key.empty != Empty::Omit) {
        out.entry(key.name).or_insert_with(|| match key.empty {
            Empty::ShowText => Value::String(String::new()),
            Empty::ShowFalse => Value::Bool(false),
            Empty::ShowObject | Empty::Omit => Value::Object(Map::new()),
        });
    }
    out
}

fn shaped(path: &str, value: &Value, shape: Shape, problems: &mut Vec<String>) -> Value {
    match (shape, value) {
        (_, Value::Null) => Value::Null,
        (Shape::Opaque, value) => value.clone(),
        (Shape::Text, Value::String(_)) => value.clone(),
        (Shape::Text, Value::Number(number)) => Value::String(number.to_string()),
        (Shape::Text, Value::Bool(truth)) => Value::String(u8::from(*truth).to_string()),
        (Shape::Object(schema), Value::Object(document)) => {
            Value::Object(object_at(path, document, schema, problems))
        }
        (Shape::Objects(schema), Value::Array(items)) => {
            let mut item = |(at, item): (usize, &Value)| {
                shaped(&format!("{path}[{at}]"), item, Shape::Object(schema), problems)
            };
            Value::Array(items.iter().enumerate().map(&mut item).collect())
        }
        (Shape::ObjectsByName(schema), Value::Object(items)) => {
            let mut item = |(name, item): (&String, &Value)| {
                (name.clone(), shaped(&format!("{path}[{name}]"), item, Shape::Object(schema), problems))
            };
            Value::Object(items.iter().map(&mut item).collect())
        }
        (Shape::Text, _) => mistaken(path, "a string", problems),
        (Shape::Object(_) | Shape::ObjectsByName(_), _) => mistaken(path, "a map", problems),
        (Shape::Objects(_), _) => mistaken(path, "a list", problems),
    }
}

fn mistaken(path: &str, expected: &str, problems: &mut Vec<String>) -> Value {
    problems.push(format!("'{path}' expected {expected}"));
    Value::Null
}

/// Values that the API leaves out. Objects stay: that one is there can matter even if it is empty.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(items) => items.is_empty(),
        Value::Object(_) | Value::Bool(true) => false,
    }
}
