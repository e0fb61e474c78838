//! JSON, which is all that Handlebars knows, and values of functions.

use consul_template_language::{CallError, List, Map, Record, Text, Value};
use serde_json::{Map as Object, Number, Value as Json};

use crate::encode::Budget;
use crate::functions::listed;

/// A parameter of a helper. Whole numbers stay whole, and lists of nothing but strings are lists of strings. A list of
/// nothing could be of any type, so it becomes nil unless `keep_empty`.
pub(super) fn argument(json: &Json, keep_empty: bool) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::Int(number),
            (None, Some(number)) => Value::Uint(number),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(items) if items.is_empty() && !keep_empty => Value::Nil,
        Json::Array(items) if !items.is_empty() && items.iter().all(Json::is_string) => {
            List::strings(items.iter().filter_map(Json::as_str)).into()
        }
        Json::Array(items) => List::any(items.iter().map(|item| argument(item, true)).collect()).into(),
        Json::Object(fields) => {
            Map::any(fields.iter().map(|(name, value)| (name.as_str(), argument(value, true)))).into()
        }
    }
}

/// What a function returned.
pub(super) fn result(value: &Value) -> Result<Json, CallError> {
    nested(value, 0, &mut Budget::looking())
}

fn nested(value: &Value, depth: usize, budget: &mut Budget) -> Result<Json, CallError> {
    if !budget.allows(depth) {
        return Err("value is nested too deep or too large".into());
    }
    Ok(match value {
        Value::Nil | Value::NilPtr(_) => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Int(number) => Json::Number((*number).into()),
        Value::Uint(number) => Json::Number((*number).into()),
        Value::Float(number) => float(*number),
        Value::Str(text) | Value::Bytes(text) => string(text),
        Value::Duration(_) | Value::Func(_) => string(&value.to_text()),
        Value::List(list) => {
            list.iter().map(|item| nested(item, depth + 1, budget)).collect::<Result<_, _>>()?
        }
        Value::Map(map) => {
            let mut object = Object::new();
            for (key, value) in map.snapshot().iter() {
                object.insert(key.to_value().to_text().to_string(), nested(value, depth + 1, budget)?);
            }
            Json::Object(object)
        }
        Value::Record(record) => record_json(record.as_ref(), depth, budget)?,
        Value::Span(start, end) => nested(&listed(*start, *end)?, depth + 1, budget)?,
    })
}

fn record_json(record: &dyn Record, depth: usize, budget: &mut Budget) -> Result<Json, CallError> {
    if let Some(text) = record.display() {
        return Ok(Json::String(text));
    }
    let mut object = Object::new();
    for name in record.fields() {
        object
            .insert((*name).to_owned(), nested(&record.field(name).unwrap_or_default(), depth + 1, budget)?);
    }
    Ok(Json::Object(object))
}

fn string(text: &Text) -> Json {
    Json::String(text.to_string())
}

/// Whole numbers without a point, as people write them.
fn float(number: f64) -> Json {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        return Json::Number((number as i64).into());
    }
    Number::from_f64(number).map_or(Json::Null, Json::Number)
}
