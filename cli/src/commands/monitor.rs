//! `consul monitor`: the agent's log as it is written.

use std::io::Write;

use consul_api::client::LineStream;

use crate::agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::Flag;
use crate::output;
use crate::signals::Signals;

pub static COMMAND: Command = Command {
    name: "monitor",
    synopsis: "Follow the agent's log",
    usage: "[options]",
    about: "Prints the agent's log from now on until interrupted. The level may be lower than the one at which the \
            agent writes its own log.

    $ consul monitor -log-level=debug",
    http: Http::Agent,
    flags: &[
        Flag::switch("log-json", "Print JSON objects instead of text lines."),
        Flag::text("log-level", "Lowest level to print: trace, debug, info, warn or err.").or("INFO").shown_as("level"),
    ],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let client = agent::client(flags, "Error connecting to Consul agent: ")?;
    invocation.block_on(async {
        let mut signals = Signals::new()?;
        let opening = client.agent();
        let opening = opening.monitor(flags.text("log-level"), flags.switch("log-json"));
        let lines = tokio::select! {
            () = signals.received() => return Ok(Exit::SUCCESS),
            lines = opening => lines.map_err(Failure::of("Error starting monitor: "))?,
        };
        follow(lines, &mut signals).await
    })
}

async fn follow(mut lines: LineStream, signals: &mut Signals) -> Outcome {
    loop {
        let line = tokio::select! {
            () = signals.received() => return Ok(Exit::SUCCESS),
            line = lines.line() => line,
        };
        let Ok(Some(line)) = line else { break };
        if !line.is_empty() {
            writeln!(std::io::stdout(), "{line}")?;
        }
    }
    output::print(
        "\nRemote side ended the monitor! This usually means that the\nremote side has exited or crashed.\n",
    )?;
    Ok(Exit::FAILURE)
}
