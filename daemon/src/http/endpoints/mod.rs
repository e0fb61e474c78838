//! One file for each family of endpoints. Each exports its rows of the route table.

mod catalog;
mod event;
mod health;
mod kv;
mod selection;
mod session;
mod status;

use super::route::Route;

/// Every row.
pub const ALL: &[&[Route]] =
    &[catalog::ROUTES, event::ROUTES, health::ROUTES, kv::ROUTES, session::ROUTES, status::ROUTES];
