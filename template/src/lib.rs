//! Renders templates with data from Consul, keeps the files up to date, and tells programs about it.
//!
//! What a template asks for is watched; when an answer changes, the templates that used it are evaluated again, and
//! files whose content changed are replaced in one step. Commands run after that, and a supervised program is told.
//!
//! The decisions are made in `core`, which has no clock and does no I/O; `runner` does what they say.

mod app;
mod brain;
mod cli;
mod config;
mod core;
mod dedup;
mod dry;
mod guard;
mod host;
mod log;
mod process;
mod runner;
mod signals;
mod source;
mod status;
mod watch;
mod words;
mod write;

pub use app::run;
