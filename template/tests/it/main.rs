//! The real program against a small agent of our own.

mod agent;
mod commands;
mod configuration;
mod guards;
mod program;
mod rendering;
mod sharing;
mod supervision;
