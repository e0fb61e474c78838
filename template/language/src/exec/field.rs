//! Fields, keys and methods.

use super::{At, Execution, MissingKey};
use crate::ast::{Expr, Name};
use crate::error::{CallError, ExecError};
use crate::format::quote::quoted;
use crate::map::{KeyKind, Map};
use crate::signature::{Param, Signature};
use crate::value::{INTERFACE, Value};

/// What follows a name: it can only be used by a method.
struct Given<'t> {
    args: &'t [Expr],
    piped: Option<Value>,
}

impl Given<'_> {
    fn nothing() -> Self {
        Given { args: &[], piped: None }
    }

    fn is_nothing(&self) -> bool {
        self.args.is_empty() && self.piped.is_none()
    }
}

impl<'t, C: ?Sized> Execution<'t, C> {
    /// Evaluates `.A.B.C` of a value. What is given to it goes to the last name.
    pub(super) fn chain(
        &mut self,
        dot: &Value,
        receiver: &Value,
        fields: &'t [Name],
        expr: &'t Expr,
        args: &'t [Expr],
        piped: Option<Value>,
    ) -> Result<Value, ExecError> {
        let mut given = Given { args, piped };
        // By far the most chains are one field of a record.
        if let ([name], Value::Record(record)) = (fields, receiver)
            && given.is_nothing()
            && let Some(value) = record.field(&name.text)
        {
            return Ok(value);
        }
        let mut current: Option<Value> = None;
        let mut declared: Option<&'static str> = None;
        for (index, name) in fields.iter().enumerate() {
            let receiver = current.as_ref().unwrap_or(receiver);
            let given = if index + 1 == fields.len() {
                std::mem::replace(&mut given, Given::nothing())
            } else {
                Given::nothing()
            };
            let value = self.field(dot, receiver, declared, name, expr, given)?;
            declared = match receiver {
                Value::Map(map) if map.kind().element == INTERFACE => Some(INTERFACE),
                _ => None,
            };
            current = Some(value);
        }
        Ok(current.unwrap_or_default())
    }

    /// Evaluates one name. `declared` is the type of the receiver if that is less than the type of its value.
    fn field(
        &mut self,
        dot: &Value,
        receiver: &Value,
        declared: Option<&'static str>,
        name: &'t Name,
        expr: &'t Expr,
        given: Given<'t>,
    ) -> Result<Value, ExecError> {
        match receiver {
            Value::Record(record) => {
                if let Some(value) = record.field(&name.text) {
                    if given.is_nothing() {
                        return Ok(value);
                    }
                    let message = format!("{} has arguments but cannot be invoked as function", name.text);
                    return Err(self.fail(message));
                }
                if let Some(signature) = record.method(&name.text) {
                    return self
                        .method(dot, &signature, name, expr, given, |args| record.call(&name.text, args));
                }
            }
            Value::Map(map) if map.kind().keys == KeyKind::Str => return self.key(map, name, &given),
            Value::List(list) => {
                if let Some(method) = list.method(&name.text) {
                    let call = |args: &[Value]| (method.call)(list, args);
                    return self.method(dot, &method.signature, name, expr, given, call);
                }
            }
            Value::Duration(nanoseconds) => {
                if let Some(value) = duration_method(*nanoseconds, &name.text) {
                    let none = Signature::fixed(&[]);
                    return self.method(dot, &none, name, expr, given, |_| Ok(value.clone()));
                }
            }
            Value::Nil if self.missing_key() == MissingKey::Error => {
                let key = quoted(name.text.as_bytes());
                return Err(self.fail(format_args!("nil data; no entry for key {key}")));
            }
            Value::Nil => return Ok(Value::Nil),
            Value::NilPtr(kind) => {
                return Err(self.fail(format_args!("nil pointer evaluating {kind}.{}", name.text)));
            }
            _ => {}
        }
        let kind = declared.map_or_else(|| receiver.type_name(), Into::into);
        Err(self.fail(format_args!("can't evaluate field {} in type {kind}", name.text)))
    }

    fn key(&self, map: &Map, name: &Name, given: &Given<'_>) -> Result<Value, ExecError> {
        if !given.is_nothing() {
            return Err(self.fail(format_args!("{} is not a method but has arguments", name.text)));
        }
        let value = match map.get(&name.key) {
            Some(value) => value,
            None => match self.missing_key() {
                MissingKey::Default => return Ok(Value::Nil),
                MissingKey::Zero => (map.kind().zero)(),
                MissingKey::Error => {
                    let key = quoted(name.text.as_bytes());
                    return Err(self.fail(format_args!("map has no entry for key {key}")));
                }
            },
        };
        Ok(if matches!(value, Value::Nil) { Value::NilPtr(INTERFACE) } else { value })
    }

    fn method(
        &mut self,
        dot: &Value,
        signature: &Signature,
        name: &'t Name,
        expr: &'t Expr,
        given: Given<'t>,
        call: impl Fn(&[Value]) -> Result<Value, CallError>,
    ) -> Result<Value, ExecError> {
        let args = self.arguments(dot, &name.text, signature, given.args, given.piped)?;
        call(&args).map_err(|error| {
            self.at = At::Expr(expr);
            self.fail(format_args!("error calling {}: {error}", name.text))
        })
    }

    /// Evaluates the arguments of a call, and holds them against the signature.
    pub(super) fn arguments(
        &mut self,
        dot: &Value,
        name: &str,
        signature: &Signature,
        args: &'t [Expr],
        piped: Option<Value>,
    ) -> Result<Vec<Value>, ExecError> {
        signature.check_count(name, args.len(), piped.is_some()).map_err(|message| self.fail(message))?;
        let mut values = Vec::with_capacity(args.len() + usize::from(piped.is_some()));
        for (index, arg) in args.iter().enumerate() {
            values.push(self.argument(dot, signature.param(index), arg)?);
        }
        if let Some(piped) = piped {
            let param: Param = signature.param(args.len());
            values.push(param.check(piped).map_err(|message| self.fail(message))?);
        }
        Ok(values)
    }
}

fn duration_method(nanoseconds: i64, name: &str) -> Option<Value> {
    const SECOND: f64 = 1e9;
    Some(match name {
        "Hours" => Value::Float(nanoseconds as f64 / (3600.0 * SECOND)),
        "Minutes" => Value::Float(nanoseconds as f64 / (60.0 * SECOND)),
        "Seconds" => Value::Float(nanoseconds as f64 / SECOND),
        "Milliseconds" => Value::Int(nanoseconds / 1_000_000),
        "Microseconds" => Value::Int(nanoseconds / 1_000),
        "Nanoseconds" => Value::Int(nanoseconds),
        "String" => Value::Str(Value::Duration(nanoseconds).to_text()),
        _ => return None,
    })
}
