//! The language from outside: what templates print, and how they fail.

mod calls;
mod control;
mod execution_errors;
mod fixtures;
mod limits;
mod missing;
mod parse_errors;
mod printing;
mod properties;
mod speed;
mod support;
mod syntax;
