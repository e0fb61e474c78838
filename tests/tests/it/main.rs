//! End-to-end tests of the `consul` and `consul-template` binaries on one machine.

mod clients;
mod cluster;
mod command_line;
mod durability;
mod faults;
mod garbage;
mod gateways;
mod operations;
mod overload;
mod ports;
mod resolvers;
mod template;
mod walkthroughs;
