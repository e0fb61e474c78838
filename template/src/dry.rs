//! Shows what would be written.

use std::io::{IsTerminal, Write};
use std::path::Path;

use similar::TextDiff;

/// Prints new content. People get to see what changes, programs get all of it.
pub fn show(destination: Option<&Path>, output: &[u8]) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let name = destination.map(|path| path.display().to_string()).unwrap_or_default();
    let old = destination.and_then(|path| std::fs::read(path).ok());
    match old {
        Some(old) if stdout.is_terminal() => stdout.write_all(diff(&name, &old, output).as_bytes())?,
        _ => {
            writeln!(stdout, "> {name}")?;
            stdout.write_all(output)?;
        }
    }
    stdout.flush()
}

fn diff(name: &str, old: &[u8], new: &[u8]) -> String {
    let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(new));
    let diff = TextDiff::from_lines(old.as_ref(), new.as_ref());
    diff.unified_diff().header(name, &format!("{name} (rendered)")).to_string()
}

#[cfg(test)]
mod tests {
    use super::diff;

    #[test]
    fn a_diff_has_the_lines_that_change() {
        let shown = diff("/x", b"a\nb\nc\n", b"a\nB\nc\n");
        assert!(shown.contains("-b\n") && shown.contains("+B\n") && shown.contains("--- /x"), "{shown}");
    }
}
