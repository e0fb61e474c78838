//! `consul catalog`: what is registered in a datacenter.

mod datacenters;
mod nodes;
mod services;

use crate::command::Command;

pub static COMMAND: Command = Command::group(
    "catalog",
    "List datacenters, nodes and services",
    "Lists what the catalog knows.

    $ consul catalog datacenters
    $ consul catalog nodes -service=web
    $ consul catalog services -tags",
    &[&datacenters::COMMAND, &nodes::COMMAND, &services::COMMAND],
);
