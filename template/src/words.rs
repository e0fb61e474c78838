//! What is said to people: errors of the operating system in the words they know, and lines outside of the log.

use std::io::{self, Write};

/// `no such file or directory` and the like, without the error's number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map(|first| first.to_ascii_lowercase().to_string() + chars.as_str()).unwrap_or_default()
}

/// Writes to standard output. A reader that went away is no reason to fail.
pub fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Writes a line to standard error, on the same terms.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
