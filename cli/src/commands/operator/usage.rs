//! `consul operator usage`: how much is registered.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::connect;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::Flag;
use crate::output;

pub static COMMAND: Command = Command::group(
    "usage",
    "Count what is registered",
    "Counts what is registered in one datacenter or in all.",
    &[&INSTANCES],
);

static INSTANCES: Command = Command {
    name: "instances",
    synopsis: "Count services and their instances",
    usage: "[options]",
    about: "Counts services and service instances, the ordinary ones and those of the mesh.",
    http: Http::Cluster,
    flags: &[
        Flag::switch("billable", "Count only ordinary service instances."),
        Flag::switch("connect", "Count only mesh instances."),
        Flag::switch("all-datacenters", "Count in every known datacenter."),
    ],
    body: Body::Leaf(instances),
};

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Reply {
    usage: BTreeMap<String, Usage>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Usage {
    services: i64,
    service_instances: i64,
    connect_service_instances: BTreeMap<String, i64>,
    billable_service_instances: i64,
}

fn instances(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let (billable, mesh) = (flags.switch("billable"), flags.switch("connect"));
    if billable && mesh {
        return Err(Failure::new("Cannot specify both -billable and -connect flags"));
    }
    let agent = connect(invocation)?;
    let mut call = agent.get("/v1/operator/usage");
    let everywhere = flags.switch("all-datacenters");
    if everywhere {
        call = call.query("global", "");
    }
    let reply: Reply = call.json().map_err(Failure::of("Error fetching usage information: "))?;
    let mut text = String::new();
    if !mesh {
        text.push_str(&billable_text(&reply.usage, everywhere));
    }
    if !billable {
        text.push_str(if mesh { "" } else { "\n" });
        text.push_str(&connect_text(&reply.usage, everywhere));
    }
    output::print(&text)?;
    Ok(Exit::SUCCESS)
}

fn billable_text(usage: &BTreeMap<String, Usage>, everywhere: bool) -> String {
    let total: i64 = usage.values().map(|usage| usage.billable_service_instances).sum();
    let mut text = format!("Billable Service Instances Total: {total}\n");
    for (datacenter, usage) in usage.iter().filter(|_| everywhere) {
        text.push_str(&format!("  {datacenter}: {}\n", usage.billable_service_instances));
    }
    let head = ["Services", "Service instances"].map(str::to_owned);
    let mut rows = vec![with_datacenter(everywhere, "Datacenter", head)];
    for (datacenter, usage) in usage {
        let cells = [usage.services.to_string(), usage.service_instances.to_string()];
        rows.push(with_datacenter(everywhere, datacenter, cells));
    }
    text + "\nBillable Services\n" + &table(&rows)
}

fn connect_text(usage: &BTreeMap<String, Usage>, everywhere: bool) -> String {
    let head = ["Type", "Service instances"].map(str::to_owned);
    let mut rows = vec![with_datacenter(everywhere, "Datacenter", head)];
    for (datacenter, usage) in usage {
        for (kind, count) in &usage.connect_service_instances {
            rows.push(with_datacenter(everywhere, datacenter, [kind.clone(), count.to_string()]));
        }
    }
    "Connect Services\n".to_owned() + &table(&rows)
}

fn with_datacenter(everywhere: bool, datacenter: &str, cells: [String; 2]) -> Vec<String> {
    let first = everywhere.then(|| datacenter.to_owned());
    first.into_iter().chain(cells).collect()
}

/// Columns six spaces apart.
fn table(rows: &[Vec<String>]) -> String {
    let spread: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let last = row.len() - 1;
            let cells = row.iter().enumerate();
            cells.map(|(at, cell)| if at < last { format!("{cell}    ") } else { cell.clone() }).collect()
        })
        .collect();
    output::columns(&spread)
}
