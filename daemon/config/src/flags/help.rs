//! `consul agent -h`.

use super::table::{Action, FLAGS};

const WIDTH: usize = 72;
const INDENT: &str = "     ";

/// The help text: a short description and every flag with its meaning.
pub fn usage() -> String {
    let mut text = String::from(
        "Usage: consul agent [options]\n\n  \
         Runs an agent, the process that represents one node of a cluster, until it\n  \
         is told to stop.\n\nCommand Options\n",
    );
    for flag in FLAGS.iter().filter(|flag| !flag.help.is_empty()) {
        text.push_str("\n  -");
        text.push_str(flag.name);
        text.push_str(placeholder(flag.action));
        text.push('\n');
        for line in wrap(flag.help) {
            text.push_str(INDENT);
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

fn placeholder(action: Action) -> &'static str {
    match action {
        _ if action.is_switch() => "",
        Action::Int(_) => "=<int>",
        Action::Duration(_) => "=<duration>",
        Action::Pair(_) => "=<key:value>",
        _ => "=<value>",
    }
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
