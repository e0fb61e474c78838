//! Values as JSON, YAML and TOML, and back.

mod fields;
pub(crate) mod json;
pub(crate) mod toml;
mod yaml_read;
mod yaml_resolve;
mod yaml_style;
mod yaml_write;

pub(crate) mod yaml {
    //! YAML 1.1.
    pub(crate) use super::yaml_read::read;
    pub(crate) use super::yaml_write::write;
}

/// How deep values may be nested. Keys of a store can hold a few hundred slashes, and a map may hold itself.
pub(crate) const MAX_DEPTH: usize = 600;
