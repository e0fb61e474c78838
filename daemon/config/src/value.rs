//! The tree that both syntaxes are read into, with the place every value came from.
//!
//! Positions outlive parsing: a rule that fails long after the files were merged can still name the file,
//! line and column of the value it refuses.

use std::fmt;
use std::sync::Arc;

/// Longest text of one source. A configuration is written by people; anything near this is a mistake.
pub const SOURCE_LEN_MAX: usize = 16 << 20;
/// Deepest nesting of objects and lists. Parsers recurse, so this also bounds their stack.
pub const DEPTH_MAX: usize = 64;

/// A place in a source: file name (or `flags`, `-hcl`, …), line and column, both counted from 1.
///
/// Columns count characters, as editors show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pos {
    pub source: Arc<str>,
    pub line: u32,
    pub column: u32,
}

impl Pos {
    /// The place for a source that has no lines, such as the command line.
    pub fn whole(source: &str) -> Self {
        Self { source: source.into(), line: 0, column: 0 }
    }
}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return f.write_str(&self.source);
        }
        write!(f, "{}:{}:{}", self.source, self.line, self.column)
    }
}

/// A value together with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned {
    pub value: Value,
    pub pos: Pos,
}

/// What a configuration source can hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(String),
    List(Vec<Spanned>),
    Object(Vec<Entry>),
}

/// One `key = value` of an object. Keys keep their spelling and may repeat.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: String,
    pub pos: Pos,
    pub value: Spanned,
}

impl Value {
    /// The type's name as decoding errors call it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::String(_) => "string",
            Self::List(_) => "slice",
            Self::Object(_) => "map",
        }
    }

    /// The text of a string value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of an object.
    pub fn as_object(&self) -> Option<&[Entry]> {
        match self {
            Self::Object(entries) => Some(entries),
            _ => None,
        }
    }

    /// The tree as plain JSON, for parts that are handed on unread (watch parameters, proxy settings).
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Null => Json::Null,
            Self::Bool(b) => Json::Bool(*b),
            Self::Int(n) => Json::from(*n),
            Self::Float(x) => Json::from(*x),
            Self::String(s) => Json::String(s.clone()),
            Self::List(items) => Json::Array(items.iter().map(|item| item.value.to_json()).collect()),
            Self::Object(entries) => {
                Json::Object(entries.iter().map(|e| (e.key.clone(), e.value.value.to_json())).collect())
            }
        }
    }
}

impl Spanned {
    /// A value that was not written in a file.
    pub fn new(value: Value, pos: Pos) -> Self {
        Self { value, pos }
    }
}
