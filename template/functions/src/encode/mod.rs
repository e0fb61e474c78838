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

/// Longest text that is written, in bytes: the same map can be in another many times over.
pub(crate) const MAX_LENGTH: usize = 64 << 20;

/// Counts values that are visited, because a value that is in others many times over is visited as often.
pub(crate) struct Budget(u32);

impl Budget {
    /// For values that are only looked at.
    pub(crate) fn looking() -> Budget {
        Budget(4_000_000)
    }

    /// For values that are copied.
    pub(crate) fn copying() -> Budget {
        Budget(500_000)
    }

    /// Whether another value may be visited, so deep inside of others.
    pub(crate) fn allows(&mut self, depth: usize) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 > 0 && depth <= MAX_DEPTH
    }
}
