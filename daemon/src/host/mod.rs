//! What the operating system tells about this host and this process.
//!
//! Everything is read from `/proc` and similar files at the time of asking. What a system does not tell stays zero or
//! empty: reports must not fail on an unusual host.

pub mod cpu;
pub mod disk;
pub mod memory;
pub mod system;
pub mod threads;

use std::path::Path;

/// A small file as text; empty if it cannot be read.
fn text(path: impl AsRef<Path>) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The number at the beginning of `text`, 0 if there is none.
fn number(text: &str) -> u64 {
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}
