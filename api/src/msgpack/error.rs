//! Why bytes were not decoded, or a value not encoded.

use std::fmt;

use serde::{de, ser};
use thiserror::Error;

/// Why bytes are not the value that was asked for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    #[error("unexpected EOF")]
    Truncated,
    #[error("{bytes} bytes follow the value")]
    Trailing { bytes: usize },
    #[error("value is nested too deeply")]
    TooDeep,
    /// The first byte of a value starts something else, or nothing at all.
    #[error("expected {expected}, found type byte 0x{found:02x}")]
    Unexpected { expected: &'static str, found: u8 },
    /// What the target type had to say.
    #[error("{0}")]
    Value(String),
}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Value(message.to_string())
    }
}

/// Why a value has no form in this dialect.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EncodeError {
    #[error("a string, list or map is too long")]
    TooLong,
    #[error("128-bit integers cannot be written")]
    WideInteger,
    /// What the value's own type had to say.
    #[error("{0}")]
    Value(String),
}

impl ser::Error for EncodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Value(message.to_string())
    }
}
