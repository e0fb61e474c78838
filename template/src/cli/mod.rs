//! The command line.

mod flag;
mod help;
mod parse;
mod table;

use std::path::PathBuf;

pub use help::usage;
pub use parse::parse;

use crate::config::Layer;

/// What was typed.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// What the flags say beside the configuration files.
    pub layer: Layer,
    /// Values of `-config`, in order.
    pub paths: Vec<PathBuf>,
    pub parse_only: bool,
    pub explain: bool,
    pub version: bool,
    pub help: bool,
    /// Old names that were used.
    pub warnings: Vec<String>,
}
