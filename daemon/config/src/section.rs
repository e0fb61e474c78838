//! Typed reading of the merged configuration.
//!
//! Every read names its key; a name the tables do not hold is a programming error that tests catch. What cannot be
//! understood is collected, so that one start reports all bad values.

use crate::error::Problem;
use crate::raw::{Field, Node, Raw, join};
use crate::schema::{Kind, Schema, Status};
use crate::value::{Pos, Spanned, Value};
use consul_api::types::duration::GoDuration;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What reading has found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub problems: RefCell<Vec<Problem>>,
    /// Paths that were asked for: a test holds them against the tables.
    pub read: RefCell<BTreeSet<String>>,
}

/// One block of the configuration, present or not.
pub(crate) struct Section<'a> {
    path: String,
    raw: Option<&'a Raw>,
    schema: &'static Schema,
    findings: &'a Findings,
}

impl<'a> Section<'a> {
    pub fn root(raw: &'a Raw, schema: &'static Schema, findings: &'a Findings) -> Self {
        Self { path: String::new(), raw: Some(raw), schema, findings }
    }

    fn field(&self, key: &str) -> Option<&'a Field> {
        debug_assert!(self.schema.find(key).is_some(), "no table holds {key}");
        if cfg!(test) {
            self.findings.read.borrow_mut().insert(join(&self.path, key));
        }
        self.raw?.fields.get(key)
    }

    fn leaf(&self, key: &str) -> Option<(&'a Value, &'a Pos)> {
        match self.field(key) {
            Some(Field { node: Node::Leaf(value), pos }) => Some((value, pos)),
            _ => None,
        }
    }

    /// Dotted path of a key of this block.
    pub fn path(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Where a key was set.
    pub fn pos(&self, key: &str) -> Option<Pos> {
        self.raw?.fields.get(key).map(|field| field.pos.clone())
    }

    /// What the tables say of a key of this block.
    pub fn status(&self, key: &str) -> Option<Status> {
        if cfg!(test) {
            self.findings.read.borrow_mut().insert(join(&self.path, key));
        }
        self.schema.find(key).map(|row| row.status)
    }

    /// True if any source set this block.
    pub fn is_present(&self) -> bool {
        self.raw.is_some()
    }

    /// Reports a value that cannot be understood; the message is prefixed with the key.
    pub fn fail(&self, key: &str, message: impl std::fmt::Display) {
        self.fail_in_words(key, format!("{}: {message}", self.path(key)));
    }

    /// The same for a message that names the key in its own way.
    pub fn fail_in_words(&self, key: &str, message: impl Into<String>) {
        let problem = Problem::new(self.path(key), message, self.pos(key));
        self.findings.problems.borrow_mut().push(problem);
    }

    /// Reports a value that is understood but breaks a rule, in words of its own.
    pub fn report(&self, key: &str, message: impl Into<String>) {
        let problem = Problem { is_rule: true, ..Problem::new(self.path(key), message, self.pos(key)) };
        self.findings.problems.borrow_mut().push(problem);
    }

    /// How many problems were found so far: tells whether reading a part went well.
    pub fn problem_count(&self) -> usize {
        self.findings.problems.borrow().len()
    }

    pub fn text(&self, key: &str) -> Option<String> {
        self.leaf(key)?.0.as_str().map(str::to_owned)
    }

    /// A text, empty if not set.
    pub fn text_or_empty(&self, key: &str) -> String {
        self.text(key).unwrap_or_default()
    }

    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.leaf(key)?.0 {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    pub fn int(&self, key: &str) -> Option<i64> {
        match self.leaf(key)?.0 {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub fn float(&self, key: &str) -> Option<f64> {
        match self.leaf(key)?.0 {
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// A count: a whole number that cannot be negative.
    pub fn count<T: TryFrom<i64>>(&self, key: &str) -> Option<T> {
        let number = self.int(key)?;
        match T::try_from(number) {
            Ok(count) if number >= 0 => Some(count),
            _ => {
                let limit =
                    if number < 0 { "Must be greater than or equal to zero" } else { "It is too large" };
                self.report(key, format!("{} cannot be {number}. {limit}", self.path(key)));
                None
            }
        }
    }

    /// A duration in Go's syntax; it cannot be negative.
    pub fn duration(&self, key: &str) -> Option<Duration> {
        let text = self.text(key)?;
        match text.parse::<GoDuration>() {
            Ok(span) if span.0 >= 0 => Some(span.to_std()),
            Ok(_) => {
                self.fail(key, format!("duration cannot be negative: {text:?}"));
                None
            }
            Err(error) => {
                self.fail(key, format!("invalid duration: {text:?}: {error}"));
                None
            }
        }
    }

    /// A list of texts, empty if not set.
    pub fn texts(&self, key: &str) -> Vec<String> {
        self.list(key).iter().filter_map(|item| item.value.as_str().map(str::to_owned)).collect()
    }

    pub fn list(&self, key: &str) -> &'a [Spanned] {
        match self.field(key) {
            Some(Field { node: Node::List(items), .. }) => items,
            _ => &[],
        }
    }

    pub fn map(&self, key: &str) -> BTreeMap<String, String> {
        let Some(Field { node: Node::Map(map), .. }) = self.field(key) else { return BTreeMap::new() };
        map.iter().filter_map(|(k, v)| Some((k.clone(), v.value.as_str()?.to_owned()))).collect()
    }

    /// A map of lists of texts.
    pub fn texts_map(&self, key: &str) -> BTreeMap<String, Vec<String>> {
        let Some(Field { node: Node::Map(map), .. }) = self.field(key) else { return BTreeMap::new() };
        let texts = |value: &Value| match value {
            Value::List(items) => items.iter().filter_map(|i| i.value.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        };
        map.iter().map(|(k, v)| (k.clone(), texts(&v.value))).collect()
    }

    /// A value that is handed on unread.
    pub fn any(&self, key: &str) -> Option<&'a Value> {
        Some(self.leaf(key)?.0)
    }

    pub fn block(&self, key: &'static str) -> Section<'a> {
        let raw = match self.field(key) {
            Some(Field { node: Node::Block(raw), .. }) => Some(raw),
            _ => None,
        };
        let schema = match self.schema.find(key).map(|row| row.kind) {
            Some(Kind::Block(schema)) => schema,
            _ => self.schema,
        };
        Section { path: self.path(key), raw, schema, findings: self.findings }
    }

    /// The members of a list of objects.
    pub fn blocks(&self, key: &'static str) -> Vec<(Section<'a>, Pos)> {
        let Some(Field { node: Node::Blocks(blocks), .. }) = self.field(key) else { return Vec::new() };
        let Some(Kind::Blocks(schema)) = self.schema.find(key).map(|row| row.kind) else { return Vec::new() };
        let section = |(at, (raw, pos)): (usize, &'a (Raw, Pos))| {
            let path = format!("{}[{at}]", self.path(key));
            (Section { path, raw: Some(raw), schema, findings: self.findings }, pos.clone())
        };
        blocks.iter().enumerate().map(section).collect()
    }

    /// The members of a map of objects.
    pub fn block_map(&self, key: &'static str) -> Option<Vec<(String, Section<'a>)>> {
        let Some(Field { node: Node::BlockMap(blocks), .. }) = self.field(key) else { return None };
        let Some(Kind::BlockMap(schema)) = self.schema.find(key).map(|row| row.kind) else { return None };
        let section = |(name, raw): (&String, &'a Raw)| {
            let path = format!("{}[{name}]", self.path(key));
            (name.clone(), Section { path, raw: Some(raw), schema, findings: self.findings })
        };
        Some(blocks.iter().map(section).collect())
    }
}
