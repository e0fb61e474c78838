//! Help texts, drawn from the tables.

use crate::command::Command;
use crate::commands;
use crate::flags::{Flag, Takes};

const WIDTH_MAX: usize = 79;

/// What `consul` alone prints.
pub fn top() -> String {
    format!(
        "Usage: consul [--version] [--help] <command> [<args>]\n\nAvailable commands are:\n{}",
        list(&commands::ROOT)
    )
}

pub fn group(path: &[&str], command: &Command) -> String {
    format!(
        "Usage: consul {} {}\n\n{}\n\nSubcommands:\n\n{}",
        path.join(" "),
        command.usage,
        indented(command.about),
        list(command)
    )
}

pub fn leaf(path: &[&str], command: &Command) -> String {
    let mut text = format!("{}\n\n{}", usage_line(path, command), indented(command.about));
    for (title, flags) in
        [("HTTP API Options", command.http_flags()), ("Command Options", command.flags.to_vec())]
    {
        if !flags.is_empty() {
            text.push_str(&format!("\n\n{title}\n\n{}", rows(flags)));
        }
    }
    text
}

/// The short form for a command line that could not be read.
pub fn flag_list(path: &[&str], command: &Command) -> String {
    format!("{}\n\n{}", usage_line(path, command), rows(command.all_flags())).trim_end().to_owned()
}

fn usage_line(path: &[&str], command: &Command) -> String {
    format!("Usage: consul {} {}", path.join(" "), command.usage).trim_end().to_owned()
}

fn list(command: &Command) -> String {
    let mut children: Vec<_> = command.children().to_vec();
    children.sort_by_key(|child| child.name);
    let width = children.iter().map(|child| child.name.len()).max().unwrap_or(0);
    let lines = children.iter().map(|child| format!("    {:width$}    {}\n", child.name, child.synopsis));
    lines.collect()
}

fn rows(mut flags: Vec<Flag>) -> String {
    flags.sort_by_key(|flag| flag.name);
    let rows: Vec<String> = flags
        .iter()
        .map(|flag| {
            let value = match flag.takes {
                Takes::Switch => String::new(),
                _ => format!("=<{}>", flag.placeholder),
            };
            format!("  -{}{value}\n{}", flag.name, wrap(&described(flag), "     "))
        })
        .collect();
    rows.join("\n\n")
}

fn described(flag: &Flag) -> String {
    let mut text = flag.help.to_owned();
    if flag.takes == Takes::List || flag.takes == Takes::Pairs {
        text.push_str(" Can be given several times.");
    }
    if !flag.default.is_empty() {
        text.push_str(&format!(" Default: {}.", flag.default));
    }
    text
}

/// Breaks one paragraph into lines that fit a terminal of 80 columns.
fn wrap(text: &str, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent.len() + line.len() + 1 + word.len() > WIDTH_MAX {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.iter().map(|line| format!("{indent}{line}")).collect::<Vec<_>>().join("\n")
}

/// Paragraphs of a help body: wrapped, except those that are already indented (examples).
fn indented(about: &str) -> String {
    let paragraphs = about.trim_matches('\n').split("\n\n").map(|paragraph| {
        if paragraph.starts_with("  ") {
            paragraph.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
        } else {
            wrap(paragraph, "  ")
        }
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(
        command: &'static Command,
        path: &mut Vec<&'static str>,
        see: &mut impl FnMut(&[&str], &Command),
    ) {
        for child in command.children() {
            path.push(child.name);
            see(path, child);
            visit(child, path, see);
            path.pop();
        }
    }

    #[test]
    fn every_command_and_flag_is_explained() {
        visit(&commands::ROOT, &mut Vec::new(), &mut |path, command| {
            assert!(command.synopsis.len() > 5 && command.about.len() > 20, "{path:?} is not explained");
            for flag in command.all_flags() {
                assert!(flag.help.len() > 10 && flag.help.ends_with('.'), "{path:?} -{}", flag.name);
            }
        });
    }

    #[test]
    fn no_flag_is_defined_twice_and_every_default_parses() {
        visit(&commands::ROOT, &mut Vec::new(), &mut |path, command| {
            let mut names: Vec<_> = command.all_flags().iter().map(|flag| flag.name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{path:?}: {names:?}");
            for flag in command.all_flags().iter().filter(|flag| !flag.default.is_empty()) {
                let word = format!("-{}={}", flag.name, flag.default).into();
                crate::flags::Parsed::new(&[*flag], &[word]).unwrap();
            }
        });
    }

    #[test]
    fn help_fits_eighty_columns() {
        visit(&commands::ROOT, &mut Vec::new(), &mut |path, command| {
            for line in leaf(path, command).lines() {
                assert!(line.chars().count() <= 80, "{path:?}: {line}");
            }
        });
    }
}
