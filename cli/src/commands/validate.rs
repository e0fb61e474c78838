//! `consul validate` and its old form `consul configtest`: would an agent start with these files?

use std::path::PathBuf;

use consul_config::validate_paths;

use crate::command::{Body, Command, Http, Invocation, print_error};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::Flag;
use crate::output;

pub static COMMAND: Command = Command {
    name: "validate",
    synopsis: "Check configuration files",
    usage: "[options] FILE_OR_DIRECTORY...",
    about: "Reads configuration files as an agent would, all of them together, and says whether it would start with \
            them. Nothing is opened or changed.

    $ consul validate /etc/consul.d",
    http: Http::None,
    flags: &[
        Flag::text("config-format", "Syntax of all files, whatever their names: hcl or json."),
        Flag::switch("quiet", "Print errors only."),
    ],
    body: Body::Leaf(run),
};

pub static CONFIGTEST: Command = Command {
    name: "configtest",
    synopsis: "Check configuration files (old form of validate)",
    usage: "[options]",
    about: "Checks configuration files as \"consul validate\" does, and prints nothing if they are good. Scripts \
            written for releases before 1.0 use it.",
    http: Http::None,
    flags: &[
        Flag::list("config-dir", "Directory of configuration files.").shown_as("path"),
        Flag::list("config-file", "Configuration file.").shown_as("path"),
    ],
    body: Body::Leaf(configtest),
};

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    if flags.args.is_empty() {
        return Err(Failure::new("Must specify at least one config file or directory"));
    }
    let format = flags.text_if_set("config-format").filter(|format| !format.is_empty());
    if !matches!(format, None | Some("hcl" | "json")) {
        return Err(Failure::new("-config-format must be either 'hcl' or 'json'"));
    }
    let paths = flags.raw.iter().map(PathBuf::from).collect();
    let loaded = validate_paths(paths, format.map(str::to_owned))
        .map_err(Failure::of("Config validation failed: "))?;
    if flags.switch("quiet") {
        return Ok(Exit::SUCCESS);
    }
    for warning in &loaded.warnings {
        print_error(&warning.message);
    }
    output::done("Configuration is valid!")
}

fn configtest(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let paths: Vec<PathBuf> =
        flags.list("config-file").into_iter().chain(flags.list("config-dir")).map(PathBuf::from).collect();
    if paths.is_empty() {
        return Err(Failure::new("Must specify config using -config-file or -config-dir"));
    }
    validate_paths(paths, None).map_err(Failure::of("Config validation failed: "))?;
    Ok(Exit::SUCCESS)
}
