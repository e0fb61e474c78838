//! The store seen from outside: behaviour, model-based sequences, watches.

mod catalog;
mod kv;
mod model;
mod query;
mod session;
mod snapshot;
mod support;
mod tables;
mod txn;
mod watch;
