//! What this agent answers when another one calls: method names and encoded arguments in, encoded answers out.
//!
//! A method decodes its arguments into a typed request, hands it to the same path that HTTP and DNS use, and encodes
//! what comes back. Which server answers, and who may ask, is decided on that path. So a method here holds only the
//! translation and the checks that its arguments need.

mod call;
mod catalog;
mod config_entry;
mod coordinate;
mod health;
mod intention;
mod internal;
mod kv;
mod operator;
mod query;
mod refused;
mod service_config;
mod session;
mod status;
mod txn;

use std::sync::Arc;

use consul_rpc::server::CallError;

use crate::agent::Agent;
use call::Call;

type Answer = Result<Vec<u8>, CallError>;

/// Answers one call.
pub async fn call(agent: &Arc<Agent>, method: &str, body: &[u8]) -> Answer {
    let Some((service, name)) = method.rsplit_once('.') else { return Err(CallError::UnknownService) };
    let call = Call { agent, body };
    match service {
        "Catalog" => catalog::call(call, name).await,
        "ConfigEntry" => config_entry::call(call, name).await,
        "Coordinate" => coordinate::call(call, name).await,
        "Health" => health::call(call, name).await,
        "Intention" => intention::call(call, name).await,
        "Internal" => internal::call(call, name).await,
        "KVS" => kv::call(call, name).await,
        "Operator" => operator::call(call, name).await,
        "PreparedQuery" => query::call(call, name).await,
        "Session" => session::call(call, name).await,
        "Status" => status::call(call, name).await,
        "Txn" => txn::call(call, name).await,
        _ => refused::call(call, service, name).await,
    }
}

#[cfg(test)]
pub mod tests;
