//! What the data types of a program have to offer to be used in templates.

use std::any::Any;

use crate::error::CallError;
use crate::signature::Signature;
use crate::value::Value;

/// A value with named fields, and perhaps methods.
///
/// Fields are asked for one at a time and by name, so a list of ten thousand instances costs nothing until a
/// template looks at one of them. Keep strings as [`Text`](crate::Text): then handing one out copies a pointer.
///
/// ```
/// use consul_template_language::{Record, Text, Value};
///
/// struct Node { name: Text, port: i64 }
///
/// impl Record for Node {
///     fn type_name(&self) -> &'static str { "*catalog.Node" }
///     fn fields(&self) -> &'static [&'static str] { &["Name", "Port"] }
///     fn field(&self, name: &str) -> Option<Value> {
///         Some(match name {
///             "Name" => self.name.clone().into(),
///             "Port" => self.port.into(),
///             _ => return None,
///         })
///     }
/// }
/// ```
pub trait Record: Any + Send + Sync {
    /// The type, spelled as in Go: `*catalog.Node` if records are the same only when they are one and the
    /// same object, `catalog.Node` if they are the same when their fields are.
    fn type_name(&self) -> &'static str;

    /// Names of the fields, in the order in which they are printed.
    fn fields(&self) -> &'static [&'static str];

    /// The value of a field, `None` if there is no field of that name.
    fn field(&self, name: &str) -> Option<Value>;

    /// The parameters of a method, `None` if there is no method of that name.
    fn method(&self, _name: &str) -> Option<Signature> {
        None
    }

    /// Calls a method, with arguments that already match what [`Record::method`] said.
    fn call(&self, name: &str, _args: &[Value]) -> Result<Value, CallError> {
        Err(CallError::new(format!("no method {name}")))
    }

    /// The text printed for the record, `None` to print its fields between braces.
    fn display(&self) -> Option<String> {
        None
    }
}
