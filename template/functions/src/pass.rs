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

fn compile(source: &str) -> Result<Regex, CallError> {
    regex::RegexBuilder::new(&crate::pattern::translate(source))
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
