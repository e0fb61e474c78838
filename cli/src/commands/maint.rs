//! `consul maint`: maintenance mode of the node or of one of its services.

use std::collections::BTreeMap;

use consul_api::types::health::{HealthCheck, NODE_MAINTENANCE, SERVICE_MAINTENANCE_PREFIX};
use serde::Deserialize;

use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::Flag;
use crate::output;

pub static COMMAND: Command = Command {
    name: "maint",
    synopsis: "Put the node or a service into maintenance",
    usage: "[options]",
    about:
        "What is in maintenance counts as critical and so disappears from DNS and from queries for healthy \
            instances. Without options, prints what is in maintenance.

    $ consul maint -enable -reason=\"new kernel\"
    $ consul maint -enable -service=web
    $ consul maint -disable",
    http: Http::Agent,
    flags: &[
        Flag::switch("enable", "Enter maintenance."),
        Flag::switch("disable", "Leave maintenance."),
        Flag::text("reason", "Why; shown with the check. Only with -enable."),
        Flag::text("service", "Id of a service of this agent, instead of the whole node.").shown_as("id"),
    ],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let (enable, disable) = (flags.switch("enable"), flags.switch("disable"));
    let (reason, service) = (flags.text("reason"), flags.text("service"));
    let refusal = match () {
        () if enable && disable => Some("Only one of -enable or -disable may be provided"),
        () if !enable && !reason.is_empty() => Some("Reason may only be provided with -enable"),
        () if !enable && !disable && !service.is_empty() => {
            Some("Service requires either -enable or -disable")
        }
        () => None,
    };
    if let Some(refusal) = refusal {
        return Err(Failure::new(refusal));
    }
    let agent = Agent::connect(invocation)?;
    if !enable && !disable {
        return show(&agent);
    }
    let kind = if service.is_empty() { "node" } else { "service" };
    let path = match kind {
        "node" => "/v1/agent/maintenance".to_owned(),
        _ => format!("/v1/agent/service/maintenance/{}", service),
    };
    let call = agent.put(path).query("enable", enable.to_string()).query_unless_empty("reason", reason);
    let (verb, state) = if enable { ("enabling", "enabled") } else { ("disabling", "disabled") };
    call.send().map_err(Failure::of(format!("Error {verb} {kind} maintenance: ")))?;
    match kind {
        "node" => output::done(&format!("Node maintenance is now {state}")),
        _ => output::done(&format!("Service maintenance is now {state} for {service:?}")),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AgentSelf {
    config: SelfConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SelfConfig {
    node_name: String,
}

fn show(agent: &Agent) -> Outcome {
    let querying = || Failure::of("Error querying Consul agent: ");
    let own: AgentSelf = agent.get("/v1/agent/self").json().map_err(querying())?;
    let checks: BTreeMap<String, HealthCheck> = agent.get("/v1/agent/checks").json().map_err(querying())?;
    for check in checks.values() {
        if check.check_id == NODE_MAINTENANCE {
            output::print(&block("Node", "Name", &own.config.node_name, &check.notes))?;
        } else if check.check_id.starts_with(SERVICE_MAINTENANCE_PREFIX) {
            output::print(&block("Service", "ID", &check.service_id, &check.notes))?;
        }
    }
    Ok(Exit::SUCCESS)
}

fn block(title: &str, label: &str, name: &str, reason: &str) -> String {
    format!("{title}:\n  {:<8}{name}\n  Reason: {reason}\n\n", format!("{label}:"))
}
