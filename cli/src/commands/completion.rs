//! `consul completion`: a completion script for a shell.

use clap_complete::Shell;

use crate::command::{Body, Command, Http, Invocation};
use crate::completion::clap_tree;
use crate::failure::{Exit, Failure, Outcome};

pub static COMMAND: Command = Command {
    name: "completion",
    synopsis: "Print a completion script for a shell",
    usage: "bash|zsh|fish",
    about: "Prints a script that completes commands and flags, for package builders and for those who do not want \
            \"consul -autocomplete-install\" to edit their files.

    $ consul completion bash > /etc/bash_completion.d/consul",
    http: Http::None,
    flags: &[],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let [name] = invocation.flags.args.as_slice() else {
        return Err(Failure::usage("One shell must be named: bash, zsh or fish"));
    };
    let shell = match name.as_str() {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        other => return Err(Failure::new(format!("Unknown shell: {other}"))),
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut clap_tree(), "consul", &mut script);
    std::io::Write::write_all(&mut std::io::stdout(), &script)?;
    Ok(Exit::SUCCESS)
}
