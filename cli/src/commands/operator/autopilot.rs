//! `consul operator autopilot`: how the leader keeps the quorum healthy.

use std::collections::BTreeMap;

use consul_api::types::operator::AutopilotConfig;
use serde::Deserialize;
use serde_json::Value;

use super::connect;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::output;

pub static COMMAND: Command = Command::group(
    "autopilot",
    "See and set how the quorum is kept healthy",
    "The leader watches the other servers, lets new ones vote once they are stable and removes dead ones that have \
     been replaced. These commands show and change the rules.",
    &[&GET_CONFIG, &SET_CONFIG, &STATE],
);

static GET_CONFIG: Command = Command {
    name: "get-config",
    synopsis: "Print the rules",
    usage: "[options]",
    about: "Prints the rules that the leader follows at present.",
    http: Http::Cluster,
    flags: &[],
    body: Body::Leaf(get_config),
};

static SET_CONFIG: Command = Command {
    name: "set-config",
    synopsis: "Change the rules",
    usage: "[options]",
    about: "Changes the given rules and leaves the others as they are.

    $ consul operator autopilot set-config -cleanup-dead-servers=false",
    http: Http::Cluster,
    flags: &[
        Flag::bool(
            "cleanup-dead-servers",
            "Whether failed servers are removed once they have been replaced.",
        ),
        Flag::duration("last-contact-threshold", "How long a healthy server may be without the leader."),
        Flag::uint("max-trailing-logs", "How many log entries a healthy server may be behind."),
        Flag::uint("min-quorum", "Number of servers below which none is removed."),
        Flag::duration("server-stabilization-time", "How long a new server must be healthy before it votes."),
        Flag::bool(
            "disable-upgrade-migration",
            "Whether servers of a newer version must not take over [Enterprise].",
        ),
        Flag::text("redundancy-zone-tag", "Node metadata key that names a server's zone [Enterprise]."),
        Flag::text("upgrade-version-tag", "Node metadata key that names a server's version [Enterprise]."),
    ],
    body: Body::Leaf(set_config),
};

static STATE: Command = Command {
    name: "state",
    synopsis: "Print the health of the servers",
    usage: "[options]",
    about: "Prints what the leader thinks of each server of the quorum, and how many may fail.",
    http: Http::Cluster,
    flags: &[Flag::text("format", "Output format: pretty or json.").or("pretty")],
    body: Body::Leaf(state),
};

const PATH: &str = "/v1/operator/autopilot/configuration";
const QUERYING: &str = "Error querying Autopilot configuration: ";

fn get_config(invocation: &Invocation) -> Outcome {
    let agent = connect(invocation)?;
    let config: AutopilotConfig = agent.get(PATH).json().map_err(Failure::of(QUERYING))?;
    output::print(&format!(
        "CleanupDeadServers = {}\nLastContactThreshold = {}\nMaxTrailingLogs = {}\nMinQuorum = {}\n\
         ServerStabilizationTime = {}\nRedundancyZoneTag = {:?}\nDisableUpgradeMigration = {}\n\
         UpgradeVersionTag = {:?}\n",
        config.cleanup_dead_servers,
        config.last_contact_threshold,
        config.max_trailing_logs,
        config.min_quorum,
        config.server_stabilization_time,
        config.redundancy_zone_tag,
        config.disable_upgrade_migration,
        config.upgrade_version_tag,
    ))?;
    Ok(Exit::SUCCESS)
}

fn set_config(invocation: &Invocation) -> Outcome {
    let agent = connect(invocation)?;
    let mut config: AutopilotConfig = agent.get(PATH).json().map_err(Failure::of(QUERYING))?;
    change(&mut config, &invocation.flags);
    let setting = || Failure::of("Error setting Autopilot configuration: ");
    let call = agent.put(PATH).query("cas", config.modify_index.to_string());
    let written = call.json_body(&config).and_then(|call| call.send()).map_err(setting())?;
    if !written.text().contains("true") {
        return Err(Failure::new("Configuration could not be atomically updated, please try again"));
    }
    output::done("Configuration updated!")
}

fn change(config: &mut AutopilotConfig, flags: &Parsed) {
    fn set<T>(field: &mut T, given: Option<T>) {
        if let Some(value) = given {
            *field = value;
        }
    }
    set(&mut config.cleanup_dead_servers, flags.bool_if_set("cleanup-dead-servers"));
    set(&mut config.last_contact_threshold, flags.duration_if_set("last-contact-threshold"));
    set(&mut config.max_trailing_logs, flags.uint_if_set("max-trailing-logs"));
    set(&mut config.min_quorum, flags.uint_if_set("min-quorum"));
    set(&mut config.server_stabilization_time, flags.duration_if_set("server-stabilization-time"));
    set(&mut config.disable_upgrade_migration, flags.bool_if_set("disable-upgrade-migration"));
    set(&mut config.redundancy_zone_tag, flags.text_if_set("redundancy-zone-tag").map(str::to_owned));
    set(&mut config.upgrade_version_tag, flags.text_if_set("upgrade-version-tag").map(str::to_owned));
}

/// The parts of the state that the table shows; `-format=json` prints the whole document.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct State {
    healthy: bool,
    failure_tolerance: i64,
    optimistic_failure_tolerance: i64,
    leader: String,
    voters: Option<Vec<String>>,
    servers: BTreeMap<String, Server>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Server {
    name: String,
    address: String,
    version: String,
    status: String,
    node_type: String,
    node_status: String,
    healthy: bool,
    last_contact: Value,
    last_term: u64,
    last_index: u64,
    redundancy_zone: String,
    upgrade_version: String,
    read_replica: bool,
    meta: Option<BTreeMap<String, String>>,
}

fn state(invocation: &Invocation) -> Outcome {
    let format = invocation.flags.text("format");
    if !matches!(format, "pretty" | "json") {
        return Err(Failure::new(format!("Unknown format: {format}")));
    }
    let agent = connect(invocation)?;
    let reply = agent.get("/v1/operator/autopilot/state").send();
    let reply = reply.map_err(Failure::of("Error querying Autopilot state: "))?;
    if format == "json" {
        let document: Value = reply.json().map_err(Failure::of(""))?;
        return output::done(&output::json(&document, output::FOUR_SPACES));
    }
    let state: State = reply.json().map_err(Failure::of(""))?;
    output::print(&state_text(&state))?;
    Ok(Exit::SUCCESS)
}

fn state_text(state: &State) -> String {
    let mut text = format!(
        "Healthy:                      {}\nFailure Tolerance:            {}\n\
         Optimistic Failure Tolerance: {}\nLeader:                       {}\nVoters:\n",
        state.healthy, state.failure_tolerance, state.optimistic_failure_tolerance, state.leader
    );
    for id in state.voters.iter().flatten() {
        text.push_str(&format!("   {id}\n"));
    }
    text.push_str("Servers:\n");
    for (id, server) in &state.servers {
        text.push_str(&format!("   {id}\n{}", server_text(server)));
    }
    text
}

fn server_text(server: &Server) -> String {
    let contact = server.last_contact.as_str().map_or_else(|| server.last_contact.to_string(), str::to_owned);
    let mut rows = vec![
        ("Name", server.name.clone()),
        ("Address", server.address.clone()),
        ("Version", server.version.clone()),
        ("Status", server.status.clone()),
        ("Node Type", server.node_type.clone()),
        ("Node Status", server.node_status.clone()),
        ("Healthy", server.healthy.to_string()),
        ("Last Contact", contact),
        ("Last Term", server.last_term.to_string()),
        ("Last Index", server.last_index.to_string()),
    ];
    for (label, value) in
        [("Redundancy Zone", &server.redundancy_zone), ("Upgrade Version", &server.upgrade_version)]
    {
        if !value.is_empty() {
            rows.push((label, value.clone()));
        }
    }
    if server.read_replica {
        rows.push(("Read Replica", "true".to_owned()));
    }
    let mut text: String =
        rows.iter().map(|(label, value)| format!("      {:<17}{value}\n", format!("{label}:"))).collect();
    if let Some(meta) = server.meta.as_ref().filter(|meta| !meta.is_empty()) {
        text.push_str("      Meta\n");
        text.extend(meta.iter().map(|(key, value)| format!("         {key:?}: {value:?}\n")));
    }
    text
}
