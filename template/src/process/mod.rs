//! Programs: commands that run after a change, checks that run before one, and the supervised child.

mod command;
mod environment;
mod supervisor;

pub use command::{Purpose, plugin, run};
pub use supervisor::{ChildReport, Orders, Supervisor};
