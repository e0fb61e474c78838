//! Arithmetic on two numbers, of which the second is the one that was piped in.

use consul_template_language::{CallError, CallResult, Functions, Param, Value, sprintf};

use crate::pass::Pass;

/// An operation on each kind of numbers.
struct Operation {
    name: &'static str,
    ints: fn(i64, i64) -> Option<i64>,
    uints: fn(u64, u64) -> Option<u64>,
    /// Absent if the operation is for whole numbers only.
    floats: Option<fn(f64, f64) -> f64>,
}

/// The argument that was piped in comes first here.
const OPERATIONS: &[Operation] = &[
    Operation {
        name: "add",
        ints: |a, b| Some(a.wrapping_add(b)),
        uints: |a, b| Some(a.wrapping_add(b)),
        floats: Some(|a, b| a + b),
    },
    Operation {
        name: "subtract",
        ints: |a, b| Some(a.wrapping_sub(b)),
        uints: |a, b| Some(a.wrapping_sub(b)),
        floats: Some(|a, b| a - b),
    },
    Operation {
        name: "multiply",
        ints: |a, b| Some(a.wrapping_mul(b)),
        uints: |a, b| Some(a.wrapping_mul(b)),
        floats: Some(|a, b| a * b),
    },
    Operation {
        name: "divide",
        ints: |a, b| (b != 0).then(|| a.wrapping_div(b)),
        uints: u64::checked_div,
        floats: Some(|a, b| a / b),
    },
    Operation {
        name: "modulo",
        ints: |a, b| (b != 0).then(|| a.wrapping_rem(b)),
        uints: u64::checked_rem,
        floats: None,
    },
];

pub(super) fn register(functions: &mut Functions<Pass>) {
    for operation in OPERATIONS {
        functions.try_pure(operation.name, [Param::Any, Param::Any], |args| {
            apply(operation, args.value(1), args.value(0))
        });
    }
    functions.try_pure("minimum", [Param::Any, Param::Any], |args| {
        choose("minimum", args.value(1), args.value(0), |a, b| a < b)
    });
    functions.try_pure("maximum", [Param::Any, Param::Any], |args| {
        choose("maximum", args.value(1), args.value(0), |a, b| a > b)
    });
}

fn apply(operation: &Operation, a: &Value, b: &Value) -> CallResult {
    let divided =
        |result: Option<Value>| result.ok_or_else(|| "runtime error: integer divide by zero".into());
    match (a, b) {
        (Value::Uint(a), Value::Uint(b)) => divided((operation.uints)(*a, *b).map(Value::Uint)),
        (Value::Int(_) | Value::Uint(_), Value::Int(_) | Value::Uint(_)) => {
            divided((operation.ints)(signed(a), signed(b)).map(Value::Int))
        }
        _ => {
            let floats = operation.floats.ok_or_else(|| {
                unknown(operation.name, if matches!(a, Value::Int(_) | Value::Uint(_)) { b } else { a })
            })?;
            Ok(Value::Float(floats(float(operation.name, a)?, float(operation.name, b)?)))
        }
    }
}

fn choose(name: &str, a: &Value, b: &Value, better: fn(f64, f64) -> bool) -> CallResult {
    let first = match (a, b) {
        // Floating-point numbers do not tell all whole numbers apart.
        (Value::Int(_) | Value::Uint(_), Value::Int(_) | Value::Uint(_)) => {
            let ordering = whole(a).cmp(&whole(b));
            better(f64::from(ordering as i8), 0.0)
        }
        _ => better(float(name, a)?, float(name, b)?),
    };
    Ok(if first { a.clone() } else { b.clone() })
}

fn whole(value: &Value) -> i128 {
    match value {
        Value::Uint(number) => (*number).into(),
        Value::Int(number) => (*number).into(),
        _ => 0,
    }
}

fn signed(value: &Value) -> i64 {
    whole(value) as i64
}

fn float(name: &str, value: &Value) -> Result<f64, CallError> {
    match value {
        Value::Float(number) => Ok(*number),
        Value::Int(number) => Ok(*number as f64),
        Value::Uint(number) => Ok(*number as f64),
        other => Err(unknown(name, other)),
    }
}

fn unknown(name: &str, value: &Value) -> CallError {
    let shown = sprintf(b"%q (%T)", &[value.clone(), value.clone()]);
    format!("{name}: unknown type for {}", String::from_utf8_lossy(&shown)).into()
}
