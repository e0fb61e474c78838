//! Tutorials that people follow, command by command as they print them. Only ports, paths and addresses are adapted,
//! and only what one machine can do is here.

mod container;
mod definitions;
mod quick_guide;
mod single_server;
mod tutorial;
