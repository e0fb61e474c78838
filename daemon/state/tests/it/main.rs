//! The store seen from outside: behaviour, model-based sequences, watches.

mod catalog;
mod kv;
mod session;
mod snapshot;
mod support;
mod txn;
mod watch;
