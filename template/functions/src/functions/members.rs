//! What is in a list or a string.

use Param::Any;
use consul_template_language::{CallError, CallResult, Functions, List, Param, Value};

use crate::pass::Pass;

pub(super) fn register(functions: &mut Functions<Pass>) {
    functions.pure("contains", [Any, Any], |args| contains(args.value(1), args.value(0)));
    functions.pure("in", [Any, Any], |args| contains(args.value(0), args.value(1)));
    functions.try_pure("containsAll", [Any, Any], |args| {
        Ok::<_, CallError>(wanted(args.value(0))?.iter().all(|item| contains(args.value(1), item)))
    });
    functions.try_pure("containsAny", [Any, Any], |args| {
        Ok::<_, CallError>(wanted(args.value(0))?.iter().any(|item| contains(args.value(1), item)))
    });
    functions.try_pure("containsNone", [Any, Any], |args| {
        Ok::<_, CallError>(!wanted(args.value(0))?.iter().any(|item| contains(args.value(1), item)))
    });
    functions.try_pure("containsNotAll", [Any, Any], |args| {
        Ok::<_, CallError>(!wanted(args.value(0))?.iter().all(|item| contains(args.value(1), item)))
    });
    functions.try_pure("loop", ([], Any), |args| span(args.all()));
}

fn wanted(items: &Value) -> Result<&[Value], CallError> {
    match items {
        Value::List(list) => Ok(list.as_slice()),
        Value::Nil => Ok(&[]),
        other => {
            Err(format!("wrong type for value; expected []interface {{}}; got {}", other.type_name()).into())
        }
    }
}

/// Whether `item` is in a list, or part of a string. Only what is of the same kind is the same.
fn contains(whole: &Value, item: &Value) -> bool {
    match (whole, item) {
        (Value::List(list), item) => list.iter().any(|other| same(other, item)),
        (Value::Str(text), Value::Str(part)) => contains_bytes(text.as_bytes(), part.as_bytes()),
        _ => false,
    }
}

fn contains_bytes(whole: &[u8], part: &[u8]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        _ => false,
    }
}

fn span(args: &[Value]) -> CallResult {
    let bounds: Result<Vec<i64>, CallError> = args.iter().map(bound).collect();
    match bounds?.as_slice() {
        [end] => Ok(Value::Span(0, *end)),
        [start, end] => Ok(Value::Span(*start, *end)),
        other => {
            Err(format!("loop: wrong number of arguments, expected 1 or 2, but got {}", other.len()).into())
        }
    }
}

fn bound(value: &Value) -> Result<i64, CallError> {
    let bad = || CallError::new(format!("loop: bad argument type: {}", value.type_name()));
    match value {
        Value::Int(number) => Ok(*number),
        Value::Uint(number) => i64::try_from(*number).map_err(|_| bad()),
        Value::Str(text) => {
            super::parse::int(&text.to_str()).map_err(|error| format!("loop: {error}").into())
        }
        _ => Err(bad()),
    }
}

/// The numbers of a span as a list, for languages that have no spans.
pub(crate) fn listed(start: i64, end: i64) -> Result<Value, CallError> {
    const MAX: i64 = 1_000_000;
    if end.saturating_sub(start) > MAX {
        return Err(format!("loop: more than {MAX} numbers").into());
    }
    Ok(List::any((start..end).map(Value::Int).collect()).into())
}
