//! The template language of Go's `text/template`, as of Go 1.24.
//!
//! Written for templates that were written for Go: what they print, which of them are rejected, and how errors
//! read follow the original. Nothing here does I/O; data comes from functions that the program registers with
//! [`Functions`], which can ask it for anything through the context they share.
//!
//! The published crates for this language could not be used: they accept unbalanced control structures,
//! have no values with fields and methods of their own and no positions in errors, treat all maps alike, and
//! hold strings to be UTF-8.
//!
//! A source is split into tokens (`lex`), parsed into programs (`parse`, `program`, `ast`) and executed
//! (`exec`) on [`Value`]s, which `format` turns into text. Imaginary numbers and functions as iterators are the
//! only parts of the language that are absent, and there is one type of integers with a sign, called `int`,
//! and one without, called `uint64`.
//!
//! ```
//! use consul_template_language::{Functions, List, Templates, Value};
//!
//! let mut templates = Templates::new("list", Functions::<()>::new());
//! templates.parse("{{range $i, $e := .}}{{if $i}}, {{end}}{{$e | printf \"%q\"}}{{else}}none{{end}}")?;
//! let output = templates.render(&mut (), List::strings(["a", "b"]).into())?;
//! assert_eq!(output, br#""a", "b""#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ast;
mod builtins;
mod callable;
mod error;
mod exec;
mod format;
mod functions;
mod lex;
mod list;
mod map;
mod number;
mod parse;
mod program;
mod record;
mod signature;
mod teardown;
mod templates;
mod text;
mod token;
mod unquote;
mod value;

pub use callable::Callable;
pub use error::{CallError, ExecError, Failure, NotFound, ParseError};
pub use exec::{Execution, Limits, MissingKey};
pub use format::quote::quoted;
pub use format::sprintf;
pub use functions::{Args, CallResult, Functions};
pub use list::{List, ListMethod, ListType};
pub use map::{Key, KeyKind, Map, MapType};
pub use record::Record;
pub use signature::{Param, ParamType, Signature};
pub use templates::Templates;
pub use text::Text;
pub use value::Value;
