//! Checks against real processes, sockets and servers.

mod docker;
mod grpc;
mod http;
mod monitor;
mod script;
mod sockets;
mod spec;
mod support;
