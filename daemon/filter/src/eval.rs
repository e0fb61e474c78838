//! A compiled filter and how it judges an object.

use regex::bytes::Regex;

use crate::subject::{Subject, Value};

/// A compiled expression. Cheap to ask and safe to share.
#[derive(Debug)]
pub struct Filter {
    pub(crate) root: Node,
}

impl Filter {
    /// Whether the object satisfies the expression.
    pub fn matches(&self, subject: &dyn Subject) -> bool {
        self.root.holds(subject)
    }
}

#[derive(Debug)]
pub(crate) enum Node {
    Any(Vec<Node>),
    All(Vec<Node>),
    Not(Box<Node>),
    Test(Test),
}

impl Node {
    fn holds(&self, subject: &dyn Subject) -> bool {
        match self {
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(subject)),
            Self::All(nodes) => nodes.iter().all(|node| node.holds(subject)),
            Self::Not(node) => !node.holds(subject),
            Self::Test(test) => test.holds(Value::Object(subject), &test.steps),
        }
    }
}

/// One step from an object towards a value.
#[derive(Debug)]
pub(crate) enum Step {
    /// To a field of an object.
    Field(&'static str),
    /// To the value under a key of a map.
    Key(String),
    /// To every element of a list of objects: one that holds is enough.
    Each,
}

#[derive(Debug)]
pub(crate) struct Test {
    pub steps: Vec<Step>,
    pub condition: Condition,
    pub negated: bool,
}

#[derive(Debug)]
pub(crate) enum Condition {
    StrIs(String),
    StrContains(String),
    StrMatches(Regex),
    IntIs(i64),
    BoolIs(bool),
    FloatIs(f64),
    HasElement(String),
    HasKey(String),
    IsEmpty,
}

impl Test {
    fn holds(&self, mut value: Value<'_>, mut steps: &[Step]) -> bool {
        while let Some((step, rest)) = steps.split_first() {
            let next = match (step, value) {
                (Step::Each, Value::Objects(list)) => {
                    return list.any(&mut |element| self.holds(Value::Object(element), rest));
                }
                (Step::Each, _) => return false,
                (Step::Field(name), Value::Object(object)) => Some(object.field(name)),
                (Step::Field(_), _) => Some(Value::Zero),
                (Step::Key(key), Value::StringMap(map)) => map.get(key).map(Value::Str),
                (Step::Key(key), Value::ObjectMap(map)) => map.get(key).map(Value::Object),
                (Step::Key(_), _) => None,
            };
            // Under a key that is not there nothing is true, so every negation is.
            let Some(next) = next else { return self.negated };
            (value, steps) = (next, rest);
        }
        self.condition.holds(value) != self.negated
    }
}

impl Condition {
    fn holds(&self, value: Value<'_>) -> bool {
        match self {
            Self::StrIs(text) => text_of(value) == text,
            Self::StrContains(text) => text_of(value).contains(text.as_str()),
            Self::StrMatches(regex) => regex.is_match(text_of(value).as_bytes()),
            Self::IntIs(number) => *number == if let Value::Int(found) = value { found } else { 0 },
            Self::BoolIs(flag) => *flag == matches!(value, Value::Bool(true)),
            Self::FloatIs(number) => *number == if let Value::Float(found) = value { found } else { 0.0 },
            Self::HasElement(text) => matches!(value, Value::Strings(list) if list.has(text)),
            Self::HasKey(key) => match value {
                Value::StringMap(map) => map.get(key).is_some(),
                Value::ObjectMap(map) => map.get(key).is_some(),
                _ => false,
            },
            Self::IsEmpty => match value {
                Value::Strings(list) => list.is_empty(),
                Value::StringMap(map) => map.is_empty(),
                Value::Objects(list) => list.is_empty(),
                Value::ObjectMap(map) => map.is_empty(),
                _ => true,
            },
        }
    }
}

fn text_of(value: Value<'_>) -> &str {
    if let Value::Str(text) = value { text } else { "" }
}
