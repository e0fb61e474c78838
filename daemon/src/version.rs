//! Which release this is. Clients choose features by it, so it names the API level that is served.

/// API level, without build metadata.
pub const API_LEVEL: &str = "1.22.0";
/// Build metadata: what tells this program from others of the same API level.
pub const METADATA: &str = concat!("rs.", env!("CARGO_PKG_VERSION"));
/// What `consul version` and the API report.
pub const HUMAN: &str = concat!("1.22.0+rs.", env!("CARGO_PKG_VERSION"));
