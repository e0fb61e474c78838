//! Snapshots: the archive that operators save and restore, and the records of its state file.
//!
//! Layered so that each part can be used alone: [`archive`] knows gzip, tar and checksums but not what the state file
//! means; [`records`] splits the state file but decodes nothing; [`inspect`] counts what is in it.

pub mod archive;
pub mod inspect;
pub mod meta;
pub mod records;

#[cfg(test)]
mod tests;
