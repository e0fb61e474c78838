//! The values of the language.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::callable::Callable;
use crate::list::List;
use crate::map::Map;
use crate::record::Record;
use crate::text::Text;

/// Type name of the nil that comes out of a container of values of any type.
pub(crate) const INTERFACE: &str = "interface {}";

/// A value; cloning one never copies more than a pointer.
///
/// Whole numbers have one width: what Go tells apart as `int` and `int64` is `int` here.
// The tag takes a whole word, so that values are moved as words: they are moved all the time.
#[derive(Clone, Default)]
#[repr(u64)]
pub enum Value {
    /// No value at all. Prints `<no value>`.
    #[default]
    Nil,
    /// A pointer to nothing, with its type spelled as in Go. Looking at a field of it is an error.
    NilPtr(&'static str),
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i64),
    /// `uint64`
    Uint(u64),
    /// `float64`
    Float(f64),
    /// `string`
    Str(Text),
    /// `[]uint8`: the same bytes as in a string, printed as a list of numbers.
    Bytes(Text),
    /// A list.
    List(List),
    /// A map.
    Map(Map),
    /// A value with fields.
    Record(Arc<dyn Record>),
    /// A function, for the `call` function.
    Func(Arc<Callable>),
    /// `time.Duration`, in nanoseconds. Prints as `1m30s`.
    Duration(i64),
    /// The whole numbers from the first to before the second, made one by one: only `range` can use them.
    Span(i64, i64),
}

impl Value {
    /// A string that lives as long as the program; never allocates.
    pub const fn fixed(text: &'static str) -> Value {
        Value::Str(Text::fixed(text))
    }

    /// A record.
    pub fn record(record: impl Record) -> Value {
        Value::Record(Arc::new(record))
    }

    /// Whether this is nil: no value, or a pointer to nothing.
    pub fn is_nil(&self) -> bool {
        matches!(self, Value::Nil | Value::NilPtr(_))
    }

    /// Whether conditions take the value for true: it is not the zero of its type and not empty.
    pub fn truth(&self) -> bool {
        match self {
            Value::Nil | Value::NilPtr(_) => false,
            Value::Bool(truth) => *truth,
            Value::Int(number) | Value::Duration(number) => *number != 0,
            Value::Uint(number) => *number != 0,
            Value::Float(number) => *number != 0.0,
            Value::Str(text) | Value::Bytes(text) => !text.is_empty(),
            Value::List(list) => !list.is_empty(),
            Value::Map(map) => !map.is_empty(),
            Value::Record(_) | Value::Func(_) | Value::Span(..) => true,
        }
    }

    /// The type of the value, spelled as in Go.
    pub fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Value::Nil => "<nil>",
            Value::NilPtr(name) => name,
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Uint(_) => "uint64",
            Value::Float(_) => "float64",
            Value::Str(_) => "string",
            Value::Bytes(_) => "[]uint8",
            Value::List(list) => return Cow::Owned(format!("[]{}", list.kind().element)),
            Value::Map(map) => map.kind().name,
            Value::Record(record) => record.type_name(),
            Value::Func(function) => function.type_name(),
            Value::Duration(_) => "time.Duration",
            Value::Span(..) => "<-chan int64",
        })
    }

    /// The string, if it is one.
    pub fn as_text(&self) -> Option<&Text> {
        if let Value::Str(text) = self { Some(text) } else { None }
    }

    /// The elements, if it is a list.
    pub fn as_list(&self) -> Option<&List> {
        if let Value::List(list) = self { Some(list) } else { None }
    }

    /// The map, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        if let Value::Map(map) = self { Some(map) } else { None }
    }

    /// The record, if it is one of the type `R`.
    pub fn as_record<R: Record>(&self) -> Option<&R> {
        let Value::Record(record) = self else { return None };
        let record: &dyn Any = record.as_ref();
        record.downcast_ref()
    }

    /// The value as printed by a template: `<no value>` for nil, a record as its fields.
    pub fn to_text(&self) -> Text {
        let mut out = Vec::new();
        crate::format::print_value(&mut out, self);
        out.into()
    }

    /// A nil that came out of a container of values of any type is plain nil for whoever gets it whole; only a
    /// chain of fields has to tell the two apart.
    pub(crate) fn settle(&mut self) {
        if let Value::NilPtr(INTERFACE) = self {
            *self = Value::Nil;
        }
    }
}

macro_rules! from {
    ($($source:ty => |$name:ident| $value:expr;)*) => {$(
        impl From<$source> for Value {
            fn from($name: $source) -> Self {
                $value
            }
        }
    )*};
}

from! {
    bool => |truth| Value::Bool(truth);
    i32 => |number| Value::Int(number.into());
    i64 => |number| Value::Int(number);
    u32 => |number| Value::Uint(number.into());
    u64 => |number| Value::Uint(number);
    usize => |number| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    f64 => |number| Value::Float(number);
    &str => |text| Value::Str(text.into());
    String => |text| Value::Str(text.into());
    Cow<'_, str> => |text| Value::Str(text.into());
    Arc<str> => |text| Value::Str(text.into());
    Text => |text| Value::Str(text);
    List => |list| Value::List(list);
    Map => |map| Value::Map(map);
    Arc<dyn Record> => |record| Value::Record(record);
    Vec<Text> => |strings| Value::List(List::strings(strings));
    Vec<String> => |strings| Value::List(List::strings(strings));
    Vec<Value> => |values| Value::List(List::any(values));
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.type_name(), self.to_text())
    }
}
