//! Whether values are the same through and through.

use consul_template_language::Value;

use crate::encode::Budget;

/// Whether two values have the same type and contents. Values nested too deep are not the same.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    nested(a, b, 0, &mut Budget::looking())
}

fn nested(a: &Value, b: &Value, depth: usize, budget: &mut Budget) -> bool {
    if !budget.allows(depth) {
        return false;
    }
    match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::NilPtr(a), Value::NilPtr(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) | (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::Uint(a), Value::Uint(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Str(a), Value::Str(b)) | (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| nested(a, b, depth + 1, budget))
        }
        (Value::Map(a), Value::Map(b)) => {
            let (a, b) = (a.snapshot(), b.snapshot());
            a.len() == b.len()
                && a.iter().zip(b.iter()).all(|(a, b)| a.0 == b.0 && nested(a.1, b.1, depth + 1, budget))
        }
        (Value::Record(a), Value::Record(b)) => {
            a.type_name() == b.type_name()
                && a.display() == b.display()
                && a.fields().iter().all(|name| {
                    nested(
                        &a.field(name).unwrap_or_default(),
                        &b.field(name).unwrap_or_default(),
                        depth + 1,
                        budget,
                    )
                })
        }
        _ => false,
    }
}
