//! The help text, made from the table of flags.

use super::flag::Takes;
use super::table::FLAGS;

const INTRODUCTION: &str = "\
Usage: consul-template [options]

  Fills in templates with data from Consul, writes the results to files, and
  does so again whenever the data change. Programs that read the files can be
  told by a command, or be supervised.

Options:

";

/// Width at which explanations are broken.
const WIDTH: usize = 80;

/// All of it.
pub fn usage() -> String {
    let mut text = INTRODUCTION.to_owned();
    for flag in FLAGS.iter().filter(|flag| !flag.help.is_empty()) {
        match flag.takes {
            Takes::Switch => text.push_str(&format!("  -{}\n", flag.name)),
            Takes::Value(what) => text.push_str(&format!("  -{}=<{what}>\n", flag.name)),
        }
        let mut width = 0;
        for word in flag.help.split_whitespace() {
            if width > 0 && width + 1 + word.len() > WIDTH {
                text.push('\n');
                width = 0;
            }
            if width == 0 {
                text.push_str("      ");
                width = 6;
            } else {
                text.push(' ');
                width += 1;
            }
            text.push_str(word);
            width += word.len();
        }
        text.push_str("\n\n");
    }
    text
}
