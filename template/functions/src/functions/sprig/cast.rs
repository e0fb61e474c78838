//! Values taken for what they are not.

use consul_template_language::{CallError, Text, Value};

/// A value as text.
pub(super) fn string(value: &Value) -> Text {
    match value {
        Value::Str(text) | Value::Bytes(text) => text.clone(),
        Value::Nil | Value::NilPtr(_) => Text::fixed("<nil>"),
        other => other.to_text(),
    }
}

/// A value as characters.
pub(super) fn chars(value: &Value) -> String {
    string(value).to_string()
}

/// A value as a whole number, 0 if it is none.
pub(super) fn int(value: &Value) -> i64 {
    match value {
        Value::Int(number) | Value::Duration(number) => *number,
        Value::Uint(number) => i64::try_from(*number).unwrap_or(i64::MAX),
        Value::Float(number) => *number as i64,
        Value::Bool(truth) => (*truth).into(),
        Value::Str(text) => parse_int(&text.to_str()).unwrap_or(0),
        _ => 0,
    }
}

fn parse_int(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, digits.get(2..)?),
        Some("0b" | "0B") => (2, digits.get(2..)?),
        Some("0o" | "0O") => (8, digits.get(2..)?),
        Some(two) if two.starts_with('0') && !digits.contains('.') => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    // A fraction of nothing but zeros does not make it less of a whole number.
    let digits = match digits.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|digit| digit == b'0') => whole,
        _ => digits,
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

/// A value as a floating-point number, 0 if it is none.
pub(super) fn float(value: &Value) -> f64 {
    match value {
        Value::Int(number) | Value::Duration(number) => *number as f64,
        Value::Uint(number) => *number as f64,
        Value::Float(number) => *number,
        Value::Bool(truth) => f64::from(u8::from(*truth)),
        Value::Str(text) => text.to_str().parse().unwrap_or(0.0),
        _ => 0.0,
    }
}

/// The items of a list.
pub(super) fn list<'v>(function: &str, value: &'v Value) -> Result<&'v [Value], CallError> {
    match value {
        Value::List(list) => Ok(list.as_slice()),
        Value::Nil => Err(format!("Cannot {function} on type nil").into()),
        other => Err(format!("Cannot {function} on type {}", kind(other)).into()),
    }
}

/// A value as texts: the items of a list, or itself.
pub(super) fn strings(value: &Value) -> Vec<Text> {
    match value {
        Value::Nil | Value::NilPtr(_) => Vec::new(),
        Value::List(list) => list.iter().filter(|item| !item.is_nil()).map(string).collect(),
        other => vec![string(other)],
    }
}

/// The kind of a value, as opposed to its type.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "invalid",
        Value::NilPtr(_) => "ptr",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Uint(_) => "uint64",
        Value::Float(_) => "float64",
        Value::Str(_) => "string",
        Value::Bytes(_) | Value::List(_) => "slice",
        Value::Map(_) => "map",
        Value::Record(record) if record.type_name().starts_with('*') => "ptr",
        Value::Record(_) => "struct",
        Value::Func(_) => "func",
        Value::Duration(_) => "int64",
        Value::Span(..) => "chan",
    }
}

/// A position as Go slices with it.
pub(super) fn index(number: i64, length: usize) -> Result<usize, CallError> {
    usize::try_from(number)
        .ok()
        .filter(|index| *index <= length)
        .ok_or_else(|| format!("slice bounds out of range [{number}] with length {length}").into())
}
