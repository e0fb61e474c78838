//! The functions of Consul templates: data from a Consul cluster, and everything that makes text of it.
//!
//! Nothing here does I/O. A template asks a [`Brain`] for its data by [`Dependency`], and is executed again and
//! again until everything it asked for was there.

mod argument;
mod brain;
pub mod data;
mod dependency;
mod encode;
mod endpoint;
mod functions;
mod moment;
mod pass;
mod template;

pub use argument::ArgumentError;
pub use brain::{Brain, FileToWrite};
pub use data::Data;
pub use dependency::{Dependency, Freshness, Scope, ServiceQuery, StatusFilter};
pub use endpoint::Endpoint;
pub use functions::shell_pattern;
pub use template::{Account, Failed, Language, RenderError, Rendered, Settings, Template, TemplateError};
