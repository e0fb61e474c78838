//! The tree of commands, and how one of them is found and run.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use crate::completion;
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::http_flags::{CLIENT_FLAGS, SERVER_FLAGS};
use crate::{commands, help};

/// Which of the common flags a command takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http {
    /// It opens no connection.
    None,
    /// It asks the agent about the agent itself.
    Agent,
    /// Its requests can go to another datacenter or to any server.
    Cluster,
}

/// A command or a group of commands.
#[derive(Debug)]
pub struct Command {
    pub name: &'static str,
    /// One line for the list of commands.
    pub synopsis: &'static str,
    /// What follows the name in the usage line.
    pub usage: &'static str,
    /// The body of the help text.
    pub about: &'static str,
    pub http: Http,
    pub flags: &'static [Flag],
    pub body: Body,
}

pub enum Body {
    Leaf(fn(&Invocation) -> Outcome),
    Group(&'static [&'static Command]),
    /// A program of its own: it reads its flags and explains them itself. They are listed for completion only.
    Program {
        run: fn(&[OsString]) -> ExitCode,
        flags: fn() -> Vec<Flag>,
    },
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Leaf(_) => f.write_str("Leaf"),
            Self::Program { .. } => f.write_str("Program"),
            Self::Group(children) => f.debug_list().entries(*children).finish(),
        }
    }
}

/// A command about to run: where it stands in the tree and what was typed.
pub struct Invocation {
    pub path: Vec<&'static str>,
    pub command: &'static Command,
    pub flags: Parsed,
}

impl Command {
    pub const fn group(
        name: &'static str,
        synopsis: &'static str,
        about: &'static str,
        children: &'static [&'static Command],
    ) -> Self {
        Self {
            name,
            synopsis,
            usage: "<subcommand> [options] [args]",
            about,
            http: Http::None,
            flags: &[],
            body: Body::Group(children),
        }
    }

    pub fn children(&self) -> &'static [&'static Command] {
        match self.body {
            Body::Group(children) => children,
            Body::Leaf(_) | Body::Program { .. } => &[],
        }
    }

    pub fn child(&self, name: &str) -> Option<&'static Command> {
        self.children().iter().copied().find(|child| child.name == name)
    }

    /// The common flags and the command's own.
    pub fn all_flags(&self) -> Vec<Flag> {
        let mut flags = self.http_flags();
        flags.extend_from_slice(self.flags);
        if let Body::Program { flags: of_program, .. } = self.body {
            flags.extend(of_program());
        }
        flags
    }

    pub fn http_flags(&self) -> Vec<Flag> {
        match self.http {
            Http::None => Vec::new(),
            Http::Agent => CLIENT_FLAGS.to_vec(),
            Http::Cluster => [CLIENT_FLAGS, SERVER_FLAGS].concat(),
        }
    }
}

impl Invocation {
    /// The positionals, of which there may be at most `max`.
    pub fn at_most(&self, max: usize) -> Result<&[String], Failure> {
        let args = &self.flags.args;
        if args.len() > max {
            return Err(Failure::new(format!("Too many arguments (expected {max}, got {})", args.len())));
        }
        Ok(args)
    }

    /// Runs asynchronous work on a runtime that exists only for it.
    pub fn block_on<F: Future<Output = Outcome>>(&self, work: F) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let outcome = runtime.block_on(work);
        runtime.shutdown_background();
        outcome
    }
}

/// Runs what `words` (without the program's name) ask for.
pub fn run(words: &[OsString]) -> ExitCode {
    if let Some(line) = std::env::var_os("COMP_LINE") {
        let point = std::env::var("COMP_POINT").ok();
        return completion::answer(&line.to_string_lossy(), point.as_deref()).into();
    }
    let first = words.first().and_then(|word| word.to_str());
    match first {
        None if words.is_empty() => return complain(&help::top()).into(),
        Some("-v" | "-version" | "--version") => return report(commands::version::print_default()).into(),
        Some("-autocomplete-install" | "--autocomplete-install") => {
            return completion::install::install().into();
        }
        Some("-autocomplete-uninstall" | "--autocomplete-uninstall") => {
            return completion::install::uninstall().into();
        }
        _ => {}
    }
    let start = words.iter().position(|word| !is_help(word)).unwrap_or(words.len());
    if start == words.len() {
        return show(&help::top()).into();
    }
    let Some(command) = words[start].to_str().and_then(|name| commands::ROOT.child(name)) else {
        return complain(&help::top()).into();
    };
    let asked_for_help = start > 0 || wants_help(&words[start + 1..]);
    if let Body::Program { run, .. } = command.body {
        let help = [OsString::from("-help")];
        return run(if asked_for_help { &help } else { &words[start + 1..] });
    }
    descend(command, &words[start + 1..], asked_for_help).into()
}

/// Follows the words down to a leaf. A group without a valid leaf explains itself.
fn descend(top: &'static Command, words: &[OsString], asked_for_help: bool) -> Exit {
    let (mut command, mut path, mut rest) = (top, vec![top.name], words);
    while let Body::Group(_) = command.body {
        let next = rest.first().and_then(|word| word.to_str()).and_then(|name| command.child(name));
        let Some(child) = next else {
            let text = help::group(&path, command);
            return if asked_for_help && rest.first().is_none_or(is_help) {
                show(&text)
            } else {
                print_error(&text);
                Exit::FAILURE
            };
        };
        (command, rest) = (child, &rest[1..]);
        path.push(child.name);
    }
    if asked_for_help {
        return show(&help::leaf(&path, command));
    }
    invoke(path, command, rest)
}

fn invoke(path: Vec<&'static str>, command: &'static Command, words: &[OsString]) -> Exit {
    let flags = match Parsed::new(&command.all_flags(), words) {
        Ok(flags) => flags,
        Err(error) => return refuse_flags(&path, command, &error.to_string()),
    };
    let invocation = Invocation { path, command, flags };
    let Body::Leaf(run) = command.body else { return Exit::FAILURE };
    match run(&invocation) {
        Err(Failure::Usage(text)) => {
            print_error(&format!("{text}\n\n{}", help::leaf(&invocation.path, command)));
            Exit::FAILURE
        }
        Err(Failure::Flags(error)) => refuse_flags(&invocation.path, command, &error.to_string()),
        outcome => report(outcome),
    }
}

/// `intention check` and `match` keep status 1 for the answer "denied"; `tls` and `operator` repeat the reason.
fn refuse_flags(path: &[&'static str], command: &Command, reason: &str) -> Exit {
    let mut text = format!("{reason}\n{}", help::flag_list(path, command));
    if matches!(path.first(), Some(&"tls" | &"operator")) {
        text.push_str(&format!("\nFailed to parse args: {reason}"));
    }
    print_error(&text);
    match path {
        ["intention", "check" | "match"] => Exit::NEGATIVE,
        _ => Exit::FAILURE,
    }
}

/// Turns an outcome into an exit status, telling the user what went wrong.
pub fn report(outcome: Outcome) -> Exit {
    match outcome {
        Ok(exit) => exit,
        Err(Failure::Closed) => Exit::SUCCESS,
        Err(Failure::WithStatus(exit, text)) => {
            print_error(&text);
            exit
        }
        Err(Failure::Message(text) | Failure::Usage(text)) => {
            print_error(&text);
            Exit::FAILURE
        }
        Err(Failure::Flags(error)) => {
            print_error(&error.to_string());
            Exit::FAILURE
        }
    }
}

fn is_help(word: &OsString) -> bool {
    matches!(word.to_str(), Some("-h" | "-help" | "--help"))
}

/// Help is asked for anywhere before a `--`, also among the words meant for a child.
fn wants_help(words: &[OsString]) -> bool {
    words.iter().take_while(|word| word.as_os_str() != "--").any(is_help)
}

fn show(text: &str) -> Exit {
    report(writeln!(std::io::stdout(), "{text}").map(|()| Exit::SUCCESS).map_err(Failure::from))
}

fn complain(text: &str) -> Exit {
    print_error(text);
    Exit::UNKNOWN_COMMAND
}

/// A closed standard error is nothing that could still be reported.
pub fn print_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
