//! One execution of a template, as its functions see it.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use consul_template_language::{CallError, Text};
use regex::Regex;

use crate::brain::Brain;
use crate::data::Data;
use crate::dependency::Dependency;
use crate::functions::Scratch;

/// Patterns kept between calls; a template that makes more of them than this compiles them again.
const PATTERNS: usize = 64;
/// What a compiled pattern may take, in bytes.
const PATTERN_SIZE: usize = 4 << 20;

/// What functions share while a template is executed.
pub(crate) struct Pass {
    pub(crate) brain: Arc<dyn Brain>,
    pub(crate) used: BTreeSet<Dependency>,
    pub(crate) missing: BTreeSet<Dependency>,
    pub(crate) scratch: Arc<Scratch>,
    /// The directory that files must be in.
    pub(crate) sandbox: Option<PathBuf>,
    patterns: HashMap<Text, Regex>,
}

impl Pass {
    pub(crate) fn new(brain: Arc<dyn Brain>, sandbox: Option<PathBuf>) -> Pass {
        Pass {
            brain,
            used: BTreeSet::new(),
            missing: BTreeSet::new(),
            scratch: Arc::default(),
            sandbox,
            patterns: HashMap::new(),
        }
    }

    /// Asks for data. What is not there yet keeps the template from being rendered.
    pub(crate) fn recall(&mut self, dependency: Dependency) -> Option<Data> {
        let data = self.brain.recall(&dependency);
        if data.is_none() {
            self.missing.insert(dependency.clone());
        }
        self.used.insert(dependency);
        data
    }

    /// A pattern with the classes of Go: `\w`, `\d`, `\s` and `\b` know ASCII only.
    pub(crate) fn pattern(&mut self, source: &Text) -> Result<Regex, CallError> {
        if let Some(known) = self.patterns.get(source) {
            return Ok(known.clone());
        }
        let pattern = compile(&source.to_str())?;
        if self.patterns.len() >= PATTERNS {
            self.patterns.clear();
        }
        self.patterns.insert(source.clone(), pattern.clone());
        Ok(pattern)
    }
}

/// Only the classes named by a letter are without Unicode, so that a dot still is a whole character.
fn compile(source: &str) -> Result<Regex, CallError> {
    let mut pattern = String::with_capacity(source.len());
    let mut chars = source.chars();
    let mut in_class = false;
    while let Some(char) = chars.next() {
        match char {
            '[' => in_class = true,
            ']' => in_class = false,
            _ => {}
        }
        if char != '\\' {
            pattern.push(char);
            continue;
        }
        match chars.next() {
            Some(class @ ('w' | 'd' | 's')) => {
                let inner = match class {
                    'w' => "0-9A-Za-z_",
                    'd' => "0-9",
                    _ => r"\t\n\x0C\r ",
                };
                pattern.push_str(&if in_class { inner.to_owned() } else { format!("[{inner}]") });
            }
            Some(class @ ('W' | 'D' | 'S')) => {
                let inner = match class {
                    'W' => "0-9A-Za-z_",
                    'D' => "0-9",
                    _ => r"\t\n\x0C\r ",
                };
                pattern.push_str(&format!("[^{inner}]"));
            }
            Some(edge @ ('b' | 'B')) => pattern.push_str(&format!(r"(?-u:\{edge})")),
            Some('Q') => {
                let rest = chars.as_str();
                let (literal, after) = rest.split_once("\\E").unwrap_or((rest, ""));
                pattern.push_str(&regex::escape(literal));
                chars = after.chars();
            }
            Some('C') => pattern.push_str("(?s:.)"),
            Some(other) => pattern.extend(['\\', other]),
            None => pattern.push('\\'),
        }
    }
    regex::RegexBuilder::new(&pattern)
        .size_limit(PATTERN_SIZE)
        .build()
        .map_err(|error| CallError::new(format!("error parsing regexp: {}", reason(&error))))
}

/// The last line says what is wrong; those before it draw where.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
