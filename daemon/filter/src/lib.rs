//! The expression language of `?filter=`.
//!
//! An expression goes through three stages, each with its own error: text is parsed into an
//! [`Expression`], that is compiled against the [`Schema`] of the objects to be listed, and the resulting
//! [`Filter`] is asked once per object. Everything that can be wrong with an expression is found before the
//! first object is seen, so [`Filter::matches`] cannot fail.
//!
//! Objects are read in place through [`Subject`]: nothing is serialized to be filtered.
//!
//! ```
//! use consul_filter::{Expression, Schema, Subject, Value};
//!
//! struct Host(&'static str);
//! impl Subject for Host {
//!     fn field(&self, name: &str) -> Value<'_> {
//!         match name {
//!             "Node" => Value::Str(self.0),
//!             _ => Value::Zero,
//!         }
//!     }
//! }
//!
//! let filter = Expression::parse("Node matches `^web` and Node != web2")?.compile(Schema::Node)?;
//! assert!(filter.matches(&Host("web1")));
//! assert!(!filter.matches(&Host("web2")));
//! # Ok::<(), consul_filter::FilterError>(())
//! ```

mod ast;
mod coerce;
mod compile;
mod eval;
mod objects;
mod parse;
mod pattern;
mod schema;
mod subject;
mod unquote;

pub use ast::{Expression, Match, Operator, Selector};
pub use coerce::{CoerceError, CoerceReason};
pub use compile::{CompileError, REGEX_COUNT_MAX};
pub use eval::Filter;
pub use objects::{HealthRow, ServiceRow};
pub use parse::{DEPTH_MAX, LENGTH_MAX, ParseError, ParseReason, parse};
pub use pattern::PatternError;
pub use schema::{Field, Kind, Schema};
pub use subject::{ObjectMap, Objects, StringMap, Strings, Subject, Value};

/// Why a filter text cannot be used. Displays as the reason alone; most endpoints answer with
/// [`FilterError::with_prefix`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// The text is not an expression.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The expression does not fit the objects to be filtered.
    #[error(transparent)]
    Compile(#[from] CompileError),
}

impl FilterError {
    /// The text that every filtering endpoint but `/v1/agent/checks` answers with.
    pub fn with_prefix(&self) -> String {
        format!("Failed to create boolean expression evaluator: {self}")
    }
}

/// Parses and compiles the value of a `filter` parameter. An empty one means that there is no filter.
pub fn filter(text: &str, schema: Schema) -> Result<Option<Filter>, FilterError> {
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(parse(text)?.compile(schema)?))
}
