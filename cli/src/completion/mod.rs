//! Shell completion: candidates for a half-typed line, and scripts that ask for them.

pub mod install;

use crate::command::Command;
use crate::failure::{Exit, Failure};
use crate::{command, commands, output};

/// Answers a shell that has put the line into `COMP_LINE` and the cursor's place into `COMP_POINT`.
pub fn answer(line: &str, point: Option<&str>) -> Exit {
    let end = point.and_then(|point| point.parse().ok()).unwrap_or(line.len());
    let typed = line.get(..end).unwrap_or(line);
    let text: String = candidates(typed).iter().map(|candidate| format!("{candidate}\n")).collect();
    command::report(output::print(&text).map(|()| Exit::SUCCESS).map_err(Failure::from))
}

/// What the last word of `typed` (which starts with the program's name) could become.
fn candidates(typed: &str) -> Vec<String> {
    let mut words: Vec<&str> = typed.split_whitespace().skip(1).collect();
    let last = if typed.ends_with(char::is_whitespace) { "" } else { words.pop().unwrap_or_default() };
    let mut command: &Command = &commands::ROOT;
    for word in words {
        match command.child(word) {
            Some(child) => command = child,
            None if command.children().is_empty() => break,
            None => return Vec::new(),
        }
    }
    let offered = if last.starts_with('-') { flags_of(command) } else { names_of(command) };
    offered.into_iter().filter(|candidate| candidate.starts_with(last)).collect()
}

fn names_of(command: &Command) -> Vec<String> {
    command.children().iter().map(|child| child.name.to_owned()).collect()
}

fn flags_of(command: &Command) -> Vec<String> {
    let own: Vec<&str> = if std::ptr::eq(command, &commands::ROOT) {
        vec!["version", "help", "autocomplete-install", "autocomplete-uninstall"]
    } else {
        let mut names: Vec<&str> = command.all_flags().iter().map(|flag| flag.name).collect();
        names.push("help");
        names
    };
    own.into_iter().map(|name| format!("-{name}")).collect()
}

/// The whole tree as clap sees it: what completion scripts are generated from.
pub fn clap_tree() -> clap::Command {
    clap_command(&commands::ROOT)
}

fn clap_command(command: &Command) -> clap::Command {
    let mut flags = command.all_flags();
    flags.sort_by_key(|flag| flag.name);
    clap::Command::new(command.name)
        .about(command.synopsis)
        .args(flags.iter().map(|flag| flag.to_arg()))
        .subcommands(command.children().iter().map(|child| clap_command(child)))
}

#[cfg(test)]
mod tests {
    use super::candidates;

    #[test]
    fn commands_and_flags_complete() {
        assert_eq!(candidates("consul keyg"), ["keygen"]);
        assert_eq!(candidates("consul version -f"), ["-format"]);
        assert_eq!(candidates("consul agent -dev -bootstrap-"), ["-bootstrap-expect"]);
        assert!(candidates("consul -").contains(&"-autocomplete-install".to_owned()));
        assert!(candidates("consul nothing ").is_empty());
    }
}
