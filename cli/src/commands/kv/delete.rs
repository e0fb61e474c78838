//! `consul kv delete`.

use super::Typed;
use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::flags::Flag;
use crate::http_flags::NAMESPACE;
use crate::output;

pub static COMMAND: Command = Command {
    name: "delete",
    synopsis: "Remove a key, or everything below a prefix",
    usage: "[options] KEY_OR_PREFIX",
    about: "Removes a key; a key that is not there counts as removed. With -recurse the argument is a prefix and \
            everything below it goes. Beware: the empty prefix is the whole store.

    $ consul kv delete redis/config/minconns
    $ consul kv delete -recurse redis/",
    http: Http::Cluster,
    flags: &[
        Flag::switch("cas", "Remove only if the key's modify index still is -modify-index."),
        Flag::uint("modify-index", "Modify index that -cas compares with."),
        Flag::switch("recurse", "Remove every key below the prefix."),
        NAMESPACE,
    ],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    invocation.at_most(1)?;
    let key = Typed::first(flags);
    let (cas, recurse, index) = (flags.switch("cas"), flags.switch("recurse"), flags.uint("modify-index"));
    let refusal = match () {
        () if key.is_empty() && !recurse => Some("Error! Missing KEY argument"),
        () if cas && recurse => Some("Cannot specify both -cas and -recurse!"),
        () if cas && index == 0 => Some("Must specify -modify-index with -cas!"),
        () if !cas && index != 0 => Some("Cannot specify -modify-index without -cas!"),
        () => None,
    };
    if let Some(refusal) = refusal {
        return Err(Failure::new(refusal));
    }
    let agent = Agent::connect(invocation)?;
    let call = agent.delete(key.path());
    if recurse {
        call.query("recurse", "")
            .send()
            .map_err(Failure::of(format!("Error! Did not delete prefix {key}: ")))?;
        return output::done(&format!("Success! Deleted keys with prefix: {key}"));
    }
    let call = if cas { call.query("cas", index.to_string()) } else { call };
    let reply = call.send().map_err(Failure::of(format!("Error deleting key {key}: ")))?;
    if cas && !reply.text().contains("true") {
        return Err(Failure::new(format!("Error! Did not delete key {key}: CAS failed")));
    }
    output::done(&format!("Success! Deleted key: {key}"))
}
