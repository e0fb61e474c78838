//! The filter language from text to verdict.

mod errors;
mod properties;
mod semantics;
