//! Functions that are known but must not be called.

use consul_template_language::{CallResult, Functions, Param};
use regex::Regex;

use crate::pass::Pass;

/// Makes every function whose name matches one of these shell patterns fail. Those of the language itself stay.
pub(crate) fn deny(functions: &mut Functions<Pass>, patterns: &[String]) {
    if patterns.is_empty() {
        return;
    }
    let language = Functions::<Pass>::new();
    let builtin: Vec<&str> = language.names().collect();
    let patterns: Vec<Regex> = patterns.iter().filter_map(|pattern| shell_pattern(pattern)).collect();
    let denied: Vec<String> = functions
        .names()
        .filter(|name| !builtin.contains(name) && patterns.iter().any(|pattern| pattern.is_match(name)))
        .map(str::to_owned)
        .collect();
    for name in denied {
        functions.add(&name, ([], Param::Any), |_, _| -> CallResult { Err("function is disabled".into()) });
    }
}

/// Whether a name matches one of these shell patterns.
pub(crate) fn is_denied(name: &str, patterns: &[String]) -> bool {
    patterns.iter().filter_map(|pattern| shell_pattern(pattern)).any(|pattern| pattern.is_match(name))
}

/// A pattern as of a shell: `*`, `?` and `[…]`; nothing matches one that is malformed.
pub fn shell_pattern(pattern: &str) -> Option<Regex> {
    let mut source = String::from(r"(?s)\A");
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            '*' => source.push_str(".*"),
            '?' => source.push('.'),
            '[' => {
                let (class, rest) = chars.as_str().split_once(']')?;
                let (not, class) = match class.strip_prefix(['!', '^']) {
                    Some(class) => ("^", class),
                    None => ("", class),
                };
                let class = class.replace('\\', r"\\").replace('[', r"\[").replace('^', r"\^");
                source.push_str(&format!("[{not}{class}]"));
                chars = rest.chars();
            }
            '\\' => source.push_str(&regex::escape(chars.next()?.encode_utf8(&mut [0; 4]))),
            char => source.push_str(&regex::escape(char.encode_utf8(&mut [0; 4]))),
        }
    }
    source.push_str(r"\z");
    Regex::new(&source).ok()
}
