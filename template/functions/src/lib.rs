//! The functions of Consul templates: data from a Consul cluster, and everything that makes text of it.
//!
//! Nothing here does I/O. A template asks a [`Brain`] for its data by [`Dependency`], and is executed again and
//! again until everything it asked for was there.
//!
//! * [`Template::parse`] reads a source in either [`Language`] under [`Settings`], and [`Template::execute`] runs it
//!   on a [`Brain`]. The [`Account`] of an execution says what was used and what was missing, also if it failed.
//! * [`Dependency::endpoint`] is where the HTTP API answers a dependency, [`Dependency::freshness`] how changes are
//!   noticed, [`Data::from_answer`] and [`Data::absent`] what an answer means.
//! * A dependency and its data can be serialised, for programs that fetch data for each other;
//!   [`Dependency::is_shareable`] says which of them make sense elsewhere.
//!
//! ```
//! use std::sync::Arc;
//! use consul_template_functions::{Brain, Data, Dependency, FileToWrite, Settings, Template};
//!
//! /// Knows one key.
//! struct Store;
//!
//! impl Brain for Store {
//!     fn recall(&self, dependency: &Dependency) -> Option<Data> {
//!         let body = br#"[{"Key": "app/name", "Value": "c2hvcA=="}]"#;
//!         (dependency.to_string() == "kv.block(app/name)")
//!             .then(|| Data::from_answer(dependency, body).ok())
//!             .flatten()
//!     }
//!     fn run_plugin(&self, _: &str, _: &[String]) -> Result<Vec<u8>, String> {
//!         Err("no programs here".into())
//!     }
//!     fn write_file(&self, _: &FileToWrite<'_>) -> Result<(), String> {
//!         Err("no files here".into())
//!     }
//!     fn show(&self, _: &str) {}
//! }
//!
//! let source = br#"{{ key "app/name" | toUpper }} {{ key "app/port" }}"#;
//! let rendered = Template::parse(source, &Settings::default())?.execute(Arc::new(Store))?;
//! assert_eq!(rendered.output, b"SHOP ");
//! let missing: Vec<String> = rendered.account.missing.iter().map(ToString::to_string).collect();
//! assert_eq!(missing, ["kv.block(app/port)"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod argument;
mod brain;
pub mod data;
mod dependency;
mod encode;
mod endpoint;
mod functions;
mod handlebars;
mod moment;
mod pass;
mod pattern;
mod template;

pub use argument::ArgumentError;
pub use brain::{Brain, FileToWrite};
pub use data::Data;
pub use dependency::{Dependency, Freshness, Scope, ServiceQuery, StatusFilter};
pub use endpoint::Endpoint;
pub use functions::shell_pattern;
pub use template::{Account, Failed, Language, RenderError, Rendered, Settings, Template, TemplateError};
