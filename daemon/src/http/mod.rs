//! The HTTP door: turns bytes into typed requests and typed answers into bytes.
//!
//! What every endpoint shares lives here, once: listeners and their limits (`server`), path rules (`path`), the route
//! table (`route`), query parameters (`params`), read options (`options`), replies with headers and compression
//! (`reply`), errors (`failure`). An endpoint file under `endpoints` holds only what is peculiar to it.

pub mod agent_view;
pub mod body;
pub mod connections;
pub mod decode;
pub mod endpoints;
pub mod failure;
mod metrics;
mod namespaces;
pub mod options;
pub mod params;
pub mod path;
mod refusal;
pub mod reply;
pub mod request;
mod request_body;
pub mod route;
pub mod server;
pub mod settings;
mod translate;
mod ui;
pub mod view;
