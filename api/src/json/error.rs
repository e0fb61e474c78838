//! Why a document was refused, in the words that Go's decoder uses: users and scripts know them.

use std::fmt;

use serde::de;
use thiserror::Error;

/// Why a JSON document was not accepted.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// Nothing but white space.
    #[error("EOF")]
    Empty,
    /// The document ends inside a value.
    #[error("unexpected EOF")]
    Truncated,
    /// `context` completes the sentence: "looking for beginning of value".
    #[error("invalid character {} {context}", quoted(*.byte))]
    Syntax { byte: u8, context: &'static str },
    #[error("exceeded max depth")]
    TooDeep,
    #[error("json: unknown field {0:?}")]
    UnknownField(String),
    /// A value of the wrong kind. `path` names the field, outermost first, and is empty for the document itself.
    #[error("json: cannot unmarshal {value} into Go {} of type {expected}", place(.path))]
    Type { value: String, path: String, expected: String },
    /// What a field's own type had to say, unchanged.
    #[error("{0}")]
    Field(String),
}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Field(message.to_string())
    }
}

fn quoted(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        _ => format!("'{}'", char::from(byte).escape_debug()),
    }
}

fn place(path: &str) -> String {
    if path.is_empty() { "value".to_owned() } else { format!("struct field .{path}") }
}
