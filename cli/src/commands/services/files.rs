//! Service definitions in files, in the grammar of the agent's configuration.

use std::path::PathBuf;

use consul_api::types::agent::ServiceDefinition;
use consul_config::{AgentFlags, Sources, load};

use crate::command::print_error;
use crate::failure::Failure;

/// All services that the files define, in their order. Files of another kind are passed over with a note.
pub fn services(files: &[String]) -> Result<Vec<ServiceDefinition>, Failure> {
    let paths = files.iter().map(PathBuf::from).collect();
    // A dev agent needs no other settings, so nothing but the definitions can be found wrong.
    let mut flags = AgentFlags::for_files(paths, None);
    flags.dev = true;
    let sources = Sources::read(flags).map_err(Failure::of("Error: "))?;
    let loaded = load(&sources).map_err(Failure::of("Error: "))?;
    for warning in &sources.skipped {
        print_error(&warning.message);
    }
    Ok(loaded.config.service_definitions)
}
