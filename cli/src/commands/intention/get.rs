//! `consul intention get`.

use time::OffsetDateTime;
use time::macros::format_description;

use super::find;
use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::output;

pub static COMMAND: Command = Command {
    name: "get",
    synopsis: "Print an intention",
    usage: "[options] SRC DST | ID",
    about: "Prints an intention, found by its services or by its id.",
    http: Http::Cluster,
    flags: &[],
    body: Body::Leaf(run),
};

const WIDTH: usize = 14;

fn run(invocation: &Invocation) -> Outcome {
    let args = &invocation.flags.args;
    if !matches!(args.len(), 1 | 2) {
        return Err(Failure::new("Error: command requires exactly 1 or 2 arguments"));
    }
    let agent = Agent::connect(invocation)?;
    let intention = find(&agent, args).map_err(Failure::of("Error: "))?;
    let pattern = format_description!(
        "[weekday], [day]-[month repr:short]-[year repr:last_two] [hour]:[minute]:[second] UTC"
    );
    let created = OffsetDateTime::from_unix_timestamp(intention.created_at.unix_seconds()).ok();
    let created = created.and_then(|time| time.format(pattern).ok()).unwrap_or_default();
    let mut rows = vec![
        ("Source".to_owned(), intention.source_name),
        ("Destination".to_owned(), intention.destination_name),
        ("Action".to_owned(), intention.action),
        ("ID".to_owned(), intention.id),
    ];
    if !intention.description.is_empty() {
        rows.push(("Description".to_owned(), intention.description));
    }
    rows.extend(intention.meta.into_iter().flatten().map(|(key, value)| (format!("Meta[{key}]"), value)));
    rows.push(("Created At".to_owned(), created));
    for (label, value) in rows {
        output::print_line(&format!("{:<WIDTH$}{value}", format!("{label}:")))?;
    }
    Ok(Exit::SUCCESS)
}
