//! Everything that is tested from outside of the crate, in one binary.

mod hostile;
mod pool;
mod recorder;
mod reference;
mod sim;
mod statements;
mod vectors;
