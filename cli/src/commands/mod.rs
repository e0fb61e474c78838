//! Every command, one file each.

pub mod acl;
pub mod agent;
pub mod catalog;
pub mod completion;
pub mod config;
pub mod connect;
pub mod debug;
pub mod event;
pub mod exec;
pub mod force_leave;
pub mod info;
pub mod intention;
pub mod join;
pub mod keygen;
pub mod keyring;
pub mod kv;
pub mod leave;
pub mod lock;
pub mod login;
pub mod logout;
pub mod maint;
pub mod members;
pub mod monitor;
pub mod operator;
pub mod reload;
pub mod rtt;
pub mod services;
pub mod snapshot;
pub mod tls;
pub mod troubleshoot;
pub mod validate;
pub mod version;
pub mod watch;

use crate::command::Command;

/// The root of the tree.
pub static ROOT: Command = Command::group(
    "consul",
    "Service discovery",
    "",
    &[
        &acl::COMMAND,
        &agent::COMMAND,
        &catalog::COMMAND,
        &completion::COMMAND,
        &config::COMMAND,
        &connect::COMMAND,
        &debug::COMMAND,
        &event::COMMAND,
        &exec::COMMAND,
        &force_leave::COMMAND,
        &info::COMMAND,
        &intention::COMMAND,
        &join::COMMAND,
        &keygen::COMMAND,
        &keyring::COMMAND,
        &kv::COMMAND,
        &leave::COMMAND,
        &lock::COMMAND,
        &login::COMMAND,
        &logout::COMMAND,
        &maint::COMMAND,
        &members::COMMAND,
        &monitor::COMMAND,
        &operator::COMMAND,
        &reload::COMMAND,
        &rtt::COMMAND,
        &services::COMMAND,
        &snapshot::COMMAND,
        &tls::COMMAND,
        &troubleshoot::COMMAND,
        &validate::COMMAND,
        &validate::CONFIGTEST,
        &version::COMMAND,
        &watch::COMMAND,
    ],
);
