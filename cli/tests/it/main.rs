//! Runs the real program: what it prints, where, and how it ends. Nothing here needs an agent.

mod completion;
mod help;
mod offline;
mod program;
mod tls;
