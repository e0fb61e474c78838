//! `consul services deregister`.

use super::files;
use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::Flag;
use crate::http_flags::NAMESPACE;
use crate::output;

pub static COMMAND: Command = Command {
    name: "deregister",
    synopsis: "Take services off the agent",
    usage: "[options] [FILE...]",
    about:
        "Deregisters the services that the files define, or the one with the given id. Only services of this \
            agent, and not those of its configuration files, which would come back.

    $ consul services deregister -id=web",
    http: Http::Cluster,
    flags: &[Flag::text("id", "Id of the service.").shown_as("id"), NAMESPACE],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let ids = match (flags.args.is_empty(), flags.text("id").is_empty()) {
        (true, true) => {
            return Err(Failure::new("Service deregistration requires at least one argument or -id."));
        }
        (false, false) => {
            return Err(Failure::new("Service deregistration requires arguments or -id, not both."));
        }
        (true, false) => vec![flags.text("id").to_owned()],
        (false, true) => {
            let services = files::services(&flags.args)?.into_iter();
            services.map(|service| if service.id.is_empty() { service.name } else { service.id }).collect()
        }
    };
    let agent = Agent::connect(invocation)?;
    for id in ids {
        let failed = Failure::of(format!("Error deregistering service {id:?}: "));
        agent.put(format!("/v1/agent/service/deregister/{}", &id)).send().map_err(failed)?;
        output::print_line(&format!("Deregistered service: {id}"))?;
    }
    Ok(Exit::SUCCESS)
}
