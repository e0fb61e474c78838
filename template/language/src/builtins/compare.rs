//! Comparison.

use std::cmp::Ordering;

use crate::error::CallError;
use crate::value::Value;

/// What decides whether two values can be compared.
#[derive(Clone, Copy)]
enum Basic<'v> {
    Bool(bool),
    /// Integers compare by value, whether they have a sign or not.
    Int(i128),
    Float(f64),
    Str(&'v [u8]),
    Other,
}

fn basic(value: &Value) -> Basic<'_> {
    match value {
        Value::Bool(truth) => Basic::Bool(*truth),
        Value::Int(number) | Value::Duration(number) => Basic::Int((*number).into()),
        Value::Uint(number) => Basic::Int((*number).into()),
        Value::Float(number) => Basic::Float(*number),
        Value::Str(text) => Basic::Str(text.as_bytes()),
        _ => Basic::Other,
    }
}

fn incompatible() -> CallError {
    "incompatible types for comparison".into()
}

fn invalid() -> CallError {
    "invalid type for comparison".into()
}

/// Whether a value equals any of others.
pub(super) fn equal_any(value: &Value, others: &[Value]) -> Result<bool, CallError> {
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        if equal(value, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn equal(left: &Value, right: &Value) -> Result<bool, CallError> {
    match (basic(left), basic(right)) {
        (Basic::Bool(left), Basic::Bool(right)) => Ok(left == right),
        (Basic::Int(left), Basic::Int(right)) => Ok(left == right),
        (Basic::Float(left), Basic::Float(right)) => Ok(left == right),
        (Basic::Str(left), Basic::Str(right)) => Ok(left == right),
        (Basic::Other, Basic::Other) => equal_others(left, right),
        // No value at all can be held against anything, and equals nothing.
        _ if matches!(left, Value::Nil) || matches!(right, Value::Nil) => Ok(false),
        _ => Err(incompatible()),
    }
}

fn equal_others(left: &Value, right: &Value) -> Result<bool, CallError> {
    match (left, right) {
        (left, right) if is_nil(left) || is_nil(right) => Ok(is_nil(left) && is_nil(right)),
        (Value::Record(left), Value::Record(right)) => {
            if left.type_name() != right.type_name() {
                return Ok(false);
            }
            if left.type_name().starts_with('*') {
                return Ok(std::sync::Arc::ptr_eq(left, right));
            }
            for name in left.fields() {
                let (left, right) =
                    (left.field(name).unwrap_or_default(), right.field(name).unwrap_or_default());
                if !equal(&left, &right)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (left, right) if std::mem::discriminant(left) == std::mem::discriminant(right) => {
            Err(format!("non-comparable type {}: {}", left.to_text(), left.type_name()).into())
        }
        (left, right) => {
            let (left_type, right_type) = (left.type_name(), right.type_name());
            let message = format!(
                "non-comparable types {}: {left_type}, {right_type}: {}",
                left.to_text(),
                right.to_text()
            );
            Err(message.into())
        }
    }
}

fn is_nil(value: &Value) -> bool {
    match value {
        Value::Nil | Value::NilPtr(_) => true,
        Value::List(list) => list.is_nil(),
        Value::Map(map) => map.is_nil(),
        _ => false,
    }
}

fn order(left: &Value, right: &Value) -> Result<Option<Ordering>, CallError> {
    match (basic(left), basic(right)) {
        (Basic::Other, _) | (_, Basic::Other) | (Basic::Bool(_), Basic::Bool(_)) => Err(invalid()),
        (Basic::Int(left), Basic::Int(right)) => Ok(Some(left.cmp(&right))),
        (Basic::Float(left), Basic::Float(right)) => Ok(left.partial_cmp(&right)),
        (Basic::Str(left), Basic::Str(right)) => Ok(Some(left.cmp(right))),
        _ => Err(incompatible()),
    }
}

pub(super) fn less(left: &Value, right: &Value) -> Result<bool, CallError> {
    Ok(order(left, right)? == Some(Ordering::Less))
}

pub(super) fn less_or_equal(left: &Value, right: &Value) -> Result<bool, CallError> {
    Ok(matches!(order(left, right)?, Some(Ordering::Less | Ordering::Equal)))
}
