//! Regular expressions from the command line.

use regex::Regex;

/// Compiles `text`; the error fits on one line.
pub fn compile(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| {
        let report = error.to_string();
        let reason = report.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("error parsing regexp: {reason}: `{text}`")
    })
}
