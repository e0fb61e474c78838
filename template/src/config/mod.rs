//! Configuration: layers of what users set, and the settings that follow from them.
//!
//! Every source (a file, `CT_LOCAL_CONFIG`, the command line) becomes a [`Layer`] in which nothing is decided yet.
//! Layers are laid over each other, and only the result is completed with the environment and the defaults
//! ([`finalize`]).

mod decode;
mod environment;
mod fields;
mod files;
mod finalize;
mod layer;
mod settings;
mod signal;
mod source;
mod wait;

pub use decode::decode;
pub use environment::Environment;
pub use files::read_path;
pub use finalize::{Refusal, finalize};
pub use layer::*;
pub use settings::*;
pub use source::parse_template_flag;
pub use wait::Wait;

/// Why there is no configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

impl From<String> for ConfigError {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// Reads a configuration text into a layer; `name` is what errors call it. Warnings are lines for the log.
pub fn parse(name: &str, text: &str, warnings: &mut Vec<String>) -> Result<Layer, ConfigError> {
    let root = consul_config::parse_tree(name, text)
        .map_err(|error| ConfigError(format!("error decoding config: {error}")))?;
    decode(&root, warnings)
}
