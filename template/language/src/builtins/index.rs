//! Length, elements and parts of values.

use crate::error::CallError;
use crate::list::List;
use crate::map::{Key, KeyKind, Map};
use crate::text::Text;
use crate::value::Value;

pub(super) fn len(value: &Value) -> Result<i64, CallError> {
    let length = match value {
        Value::Str(text) | Value::Bytes(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Span(from, to) => usize::try_from(to.saturating_sub(*from)).unwrap_or(0),
        Value::NilPtr(_) => return Err("len of nil pointer".into()),
        Value::Nil => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        other => return Err(format!("len of type {}", other.type_name()).into()),
    };
    Ok(i64::try_from(length).unwrap_or(i64::MAX))
}

/// `value[a][b][c]`
pub(super) fn index(value: &Value, indexes: &[Value]) -> Result<Value, CallError> {
    if matches!(value, Value::Nil) {
        return Err("index of untyped nil".into());
    }
    let mut current = value.clone();
    for index in indexes {
        current = element(&current, index)?;
    }
    Ok(current)
}

fn element(value: &Value, index: &Value) -> Result<Value, CallError> {
    match value {
        Value::List(list) => {
            list.get(position(index, list.len())?).cloned().ok_or_else(|| out_of_range("slice"))
        }
        Value::Str(text) => byte(text, index).ok_or_else(|| out_of_range("string"))?,
        Value::Bytes(text) => byte(text, index).ok_or_else(|| out_of_range("slice"))?,
        Value::Map(map) => entry(map, index),
        Value::Nil | Value::NilPtr(_) => Err("index of nil pointer".into()),
        other => Err(format!("can't index item of type {}", other.type_name()).into()),
    }
}

fn byte(text: &Text, index: &Value) -> Option<Result<Value, CallError>> {
    match position(index, text.len()) {
        Ok(at) => text.as_bytes().get(at).map(|byte| Ok(Value::Uint(u64::from(*byte)))),
        Err(error) => Some(Err(error)),
    }
}

/// The index just after the last element passes the check of the language and fails in the container.
fn out_of_range(container: &str) -> CallError {
    format!("reflect: {container} index out of range").into()
}

/// An index from 0 to `length`, which it may equal.
fn position(index: &Value, length: usize) -> Result<usize, CallError> {
    let number = match index {
        Value::Int(number) | Value::Duration(number) => *number,
        // As in Go, where a number that is too large wraps around.
        Value::Uint(number) => *number as i64,
        Value::Nil => return Err("cannot index slice/array with nil".into()),
        other => return Err(format!("cannot index slice/array with type {}", other.type_name()).into()),
    };
    match usize::try_from(number) {
        Ok(at) if at <= length => Ok(at),
        _ => Err(format!("index out of range: {number}").into()),
    }
}

fn entry(map: &Map, index: &Value) -> Result<Value, CallError> {
    let wanted = map.kind().keys;
    let key = match (wanted, index) {
        (KeyKind::Str, Value::Str(text)) => Key::Str(text.clone()),
        (KeyKind::Int, Value::Int(number) | Value::Duration(number)) => Key::Int(*number),
        (KeyKind::Int, Value::Uint(number)) => Key::Int(*number as i64),
        (_, Value::Nil) => {
            return Err(format!("value is nil; should be of type {}", wanted.type_name()).into());
        }
        (_, other) => {
            let message = format!("value has type {}; should be {}", other.type_name(), wanted.type_name());
            return Err(message.into());
        }
    };
    Ok(map.get(&key).unwrap_or_else(|| (map.kind().zero)()))
}

/// `value[a:b]`
pub(super) fn slice(value: &Value, indexes: &[Value]) -> Result<Value, CallError> {
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()).into());
    }
    let length = match value {
        Value::Nil => return Err("slice of untyped nil".into()),
        Value::Str(_) if indexes.len() == 3 => return Err("cannot 3-index slice a string".into()),
        Value::Str(text) | Value::Bytes(text) => text.len(),
        Value::List(list) => list.len(),
        other => return Err(format!("can't slice item of type {}", other.type_name()).into()),
    };
    let mut bounds = [0, length, length];
    for (bound, index) in bounds.iter_mut().zip(indexes) {
        *bound = position(index, length)?;
    }
    let [from, to, capacity] = bounds;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}").into());
    }
    if to > capacity {
        return Err(format!("invalid slice index: {to} > {capacity}").into());
    }
    Ok(match value {
        Value::Str(text) => Value::Str(part(text.as_bytes(), from, to).into()),
        Value::Bytes(text) => Value::Bytes(part(text.as_bytes(), from, to).into()),
        Value::List(list) => Value::List(List::new(list.kind(), part(list, from, to).to_vec())),
        _ => Value::Nil,
    })
}

fn part<T>(items: &[T], from: usize, to: usize) -> &[T] {
    items.get(from..to).unwrap_or(&[])
}
