//! Everything that is tested from outside of the crate, in one binary.

mod hostile;
mod live;
mod pool;
mod recorder;
mod reference;
mod serf_sim;
mod serf_wire;
mod sim;
mod statements;
mod vectors;
