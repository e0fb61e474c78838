//! Logs and metrics as their readers meet them.

mod logs;
mod metrics;
mod sinks;
