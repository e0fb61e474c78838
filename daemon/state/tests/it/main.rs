//! The store seen from outside: behaviour, model-based sequences, watches.

mod kv;
mod support;
