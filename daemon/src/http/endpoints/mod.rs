//! One file for each family of endpoints. Each exports its rows of the route table.

mod agent_checks;
mod agent_health;
mod agent_node;
mod agent_self;
mod agent_services;
mod catalog;
mod event;
mod health;
mod kv;
mod local;
mod selection;
mod session;
mod status;

use super::route::Route;

/// Every row.
pub const ALL: &[&[Route]] = &[
    agent_checks::ROUTES,
    agent_health::ROUTES,
    agent_node::ROUTES,
    agent_self::ROUTES,
    agent_services::ROUTES,
    catalog::ROUTES,
    event::ROUTES,
    health::ROUTES,
    kv::ROUTES,
    session::ROUTES,
    status::ROUTES,
];
