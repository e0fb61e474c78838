//! Agent configuration: from files and flags as users have them to one typed, checked [`RuntimeConfig`].
//!
//! [`AgentFlags::parse`] reads the command line, [`Sources::read`] the files it names, and [`load`] turns both into
//! a configuration without touching anything: a reload calls the same two again and, if they succeed, applies
//! what [`reload::plan`] says can change in a running agent.

mod addr_template;
mod cursor;
mod definition;
mod document;
mod error;
mod flags;
mod hcl;
mod host;
mod json;
mod keys;
mod legacy;
mod load;
mod merge;
pub mod node_id;
mod raw;
pub mod reload;
mod runtime;
mod sanitize;
mod schema;
mod section;
mod source;
mod unserved;
mod validate;
mod value;
mod warnings;

pub use addr_template::{TemplateError, expand as expand_addresses};
pub use document::{parse_document, parse_tree};
pub use error::{ConfigError, ConfigErrors, Problem, SyntaxError};
pub use flags::{AgentFlags, FlagError, FlagRow, flag_rows, usage};
pub use host::{Host, Interface, Secret};
pub use load::{Loaded, load, validate_paths};
pub use raw::Syntax;
pub use runtime::*;
pub use sanitize::Identity;
pub use source::{Document, Sources};
pub use validate::check_data_dir;
pub use value::{Entry, Pos, SOURCE_LEN_MAX, Spanned, Value};
pub use warnings::Warning;
