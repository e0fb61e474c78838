//! `consul-template` beside real agents: ours, and HashiCorp's where it is installed.

mod commands;
mod faults;
mod footprint;
mod nginx;
mod outages;
mod sharing;
mod sources;
mod upheaval;

use consul_tests::Agent;
use serde_json::{Value, json};

/// Registers an instance at the agent, without checks.
async fn register(agent: &Agent, id: &str, name: &str, port: u16, tags: &[&str]) {
    let body = json!({"ID": id, "Name": name, "Address": "127.0.0.1", "Port": port, "Tags": tags});
    agent.put_json("/v1/agent/service/register", &body).await.ok();
}

async fn deregister(agent: &Agent, id: &str) {
    agent.put(&format!("/v1/agent/service/deregister/{id}"), "").await.ok();
}

/// An instance on a node without an agent, with one check.
fn external(node: &str, service: &str, port: u16, status: &str) -> Value {
    json!({
        "Node": node,
        "Address": "10.1.0.1",
        "Service": {"ID": service, "Service": service, "Port": port},
        "Check": {"CheckID": service, "Name": service, "ServiceID": service, "Status": status},
    })
}
