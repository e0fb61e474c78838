//! What a function takes, and the one place where arguments are held against it.

use std::borrow::Cow;

use crate::list::{List, ListType};
use crate::map::{Map, MapType};
use crate::value::{INTERFACE, Value};

/// What a function accepts in one place.
#[derive(Clone, Copy, Debug)]
pub enum Param {
    /// A value of any type, or none.
    Any,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `uint64`
    Uint,
    /// `float64`; an integer literal will do, an integer value will not.
    Float,
    /// `string`
    String,
    /// `[]uint8`
    Bytes,
    /// A list of strings, `[]string`; nil becomes an empty one.
    Strings,
    /// A list of anything, called `[]interface {}` in errors; nil becomes an empty one.
    List,
    /// A map with string keys, called `map[string]interface {}` in errors; nil becomes an empty one.
    Map,
    /// A type of the program's own.
    Typed(&'static ParamType),
}

/// A type that a program's own functions take.
#[derive(Debug)]
pub struct ParamType {
    /// The type, spelled as in Go.
    pub name: &'static str,
    /// Which values are of it.
    pub accepts: fn(&Value) -> bool,
    /// Whether nil will do; it is handed on as [`Value::Nil`].
    pub nilable: bool,
}

impl Param {
    /// The type, spelled as in Go.
    pub fn type_name(self) -> &'static str {
        match self {
            Param::Any => INTERFACE,
            Param::Bool => "bool",
            Param::Int => "int",
            Param::Uint => "uint64",
            Param::Float => "float64",
            Param::String => "string",
            Param::Bytes => "[]uint8",
            Param::Strings => "[]string",
            Param::List => "[]interface {}",
            Param::Map => "map[string]interface {}",
            Param::Typed(kind) => kind.name,
        }
    }

    /// What nil becomes in this place, `None` if it cannot stand here.
    pub(crate) fn zero(self) -> Option<Value> {
        Some(match self {
            Param::Any => Value::Nil,
            Param::Bytes => Value::Bytes(crate::text::Text::EMPTY),
            Param::Strings => Value::List(List::nil(ListType::STRINGS)),
            Param::List => Value::List(List::nil(ListType::ANY)),
            Param::Map => Value::Map(Map::nil(MapType::ANY)),
            Param::Typed(kind) if kind.nilable => Value::Nil,
            _ => return None,
        })
    }

    /// Holds a value that was computed, as opposed to written as a literal, against the parameter.
    pub(crate) fn check(self, mut value: Value) -> Result<Value, String> {
        if let Param::Any = self {
            value.settle();
            return Ok(value);
        }
        let fits = match (self, &value) {
            (_, Value::Nil) => {
                return self.zero().ok_or_else(|| format!("invalid value; expected {}", self.type_name()));
            }
            (Param::Bool, Value::Bool(_))
            | (Param::Int, Value::Int(_))
            | (Param::Uint, Value::Uint(_))
            | (Param::Float, Value::Float(_))
            | (Param::String, Value::Str(_))
            | (Param::Bytes, Value::Bytes(_))
            | (Param::List, Value::List(_)) => true,
            (Param::Strings, Value::List(list)) => list.kind().element == "string",
            (Param::Map, Value::Map(map)) => map.kind().keys == crate::map::KeyKind::Str,
            (Param::Typed(kind), value) => (kind.accepts)(value),
            _ => false,
        };
        if fits {
            return Ok(value);
        }
        Err(format!("wrong type for value; expected {}; got {}", self.type_name(), value.type_name()))
    }
}

/// The parameters of a function.
///
/// An array stands for exactly that many parameters, an array and one more parameter for a function that
/// takes any number of further arguments.
///
/// ```
/// use consul_template_language::{Param, Signature};
///
/// let replace: Signature = [Param::String, Param::String, Param::String].into();
/// let printf: Signature = ([Param::String], Param::Any).into();
/// ```
#[derive(Clone, Debug)]
pub struct Signature {
    fixed: Cow<'static, [Param]>,
    rest: Option<Param>,
}

impl Signature {
    /// Exactly these parameters.
    pub const fn fixed(params: &'static [Param]) -> Signature {
        Signature { fixed: Cow::Borrowed(params), rest: None }
    }

    /// These parameters and any number of `rest`.
    pub const fn variadic(params: &'static [Param], rest: Param) -> Signature {
        Signature { fixed: Cow::Borrowed(params), rest: Some(rest) }
    }

    /// The parameter at `index`.
    pub(crate) fn param(&self, index: usize) -> Param {
        self.fixed.get(index).copied().or(self.rest).unwrap_or(Param::Any)
    }

    /// Number of arguments that must be there, and whether there may be more.
    pub(crate) fn arity(&self) -> (usize, bool) {
        (self.fixed.len(), self.rest.is_some())
    }

    /// Complains about a wrong number of arguments: `written` in the call, one more if `piped` into it.
    pub(crate) fn check_count(&self, name: &str, written: usize, piped: bool) -> Result<(), String> {
        let (want, given) = (self.fixed.len(), written + usize::from(piped));
        match self.rest {
            None if given != want => Err(format!("wrong number of args for {name}: want {want} got {given}")),
            Some(_) if given < want => {
                Err(format!("wrong number of args for {name}: want at least {want} got {written}"))
            }
            _ => Ok(()),
        }
    }
}

impl<const N: usize> From<[Param; N]> for Signature {
    fn from(params: [Param; N]) -> Self {
        Signature { fixed: Cow::Owned(params.into()), rest: None }
    }
}

impl<const N: usize> From<([Param; N], Param)> for Signature {
    fn from((params, rest): ([Param; N], Param)) -> Self {
        Signature { fixed: Cow::Owned(params.into()), rest: Some(rest) }
    }
}
