//! `consul config`: centralised configuration entries.

mod delete;
mod list;
mod read;
mod write;

use crate::command::Command;
use crate::failure::Failure;
use crate::flags::{Flag, Parsed};

pub static COMMAND: Command = Command::group(
    "config",
    "Read and write configuration entries",
    "Configuration entries are documents that a datacenter keeps for all its agents, such as the defaults of a \
     service.

    $ consul config write web.hcl
    $ consul config read -kind=service-defaults -name=web",
    &[&delete::COMMAND, &list::COMMAND, &read::COMMAND, &write::COMMAND],
);

const KIND: Flag = Flag::text("kind", "Kind of the entry, such as service-defaults.").shown_as("kind");
const NAME: Flag = Flag::text("name", "Name of the entry.").shown_as("name");

/// The flags that say which entry is meant; all are required.
fn required<'a, const N: usize>(flags: &'a Parsed, names: [&str; N]) -> Result<[&'a str; N], Failure> {
    for name in names {
        if flags.text(name).is_empty() {
            return Err(Failure::new(format!("Must specify the -{name} parameter")));
        }
    }
    Ok(names.map(|name| flags.text(name)))
}
