//! One file for each family of endpoints. Each exports its rows of the route table.

mod acl;
mod agent_checks;
mod agent_health;
mod agent_node;
mod agent_self;
mod agent_services;
mod authorize;
mod autopilot;
mod catalog;
mod config;
mod connect;
mod coordinate;
mod event;
mod health;
mod internal;
mod keyring;
mod kv;
mod local;
mod monitor;
mod number;
mod operator;
mod pprof;
mod query;
mod selection;
mod session;
mod snapshot;
mod status;
mod telemetry;
mod txn;

use super::route::Route;

/// Every row.
pub const ALL: &[&[Route]] = &[
    acl::ROUTES,
    agent_checks::ROUTES,
    agent_health::ROUTES,
    agent_node::ROUTES,
    agent_self::ROUTES,
    agent_services::ROUTES,
    authorize::ROUTES,
    autopilot::ROUTES,
    catalog::ROUTES,
    config::ROUTES,
    connect::ROUTES,
    coordinate::ROUTES,
    event::ROUTES,
    health::ROUTES,
    internal::ROUTES,
    keyring::ROUTES,
    kv::ROUTES,
    monitor::ROUTES,
    operator::ROUTES,
    pprof::ROUTES,
    query::ROUTES,
    session::ROUTES,
    snapshot::ROUTES,
    status::ROUTES,
    telemetry::ROUTES,
    txn::ROUTES,
];
