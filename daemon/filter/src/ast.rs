//! What an expression says, before anything is known about the objects it will meet.
//!
//! `Display` writes text that parses back to the same tree.

use std::fmt::{self, Display, Formatter, Write};

/// A parsed expression. `and` and `or` chains are flat, so that a chain of thousands of terms costs no depth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// At least one term holds. Two terms or more.
    Or(Vec<Expression>),
    /// Every term holds. Two terms or more.
    And(Vec<Expression>),
    /// The term does not hold.
    Not(Box<Expression>),
    /// One comparison.
    Match(Match),
}

/// One comparison of a selected value with a literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// What is looked at.
    pub selector: Selector,
    /// How it is looked at.
    pub operator: Operator,
    /// The literal's text; empty for the two `empty` operators.
    pub value: String,
}

/// The way to a value: `Meta.zone` and `Meta["zone"]` are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    pub(crate) path: Vec<String>,
}

impl Selector {
    /// The parts of the way, the first being a field of the object itself.
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// The first `count` parts, dotted, as error texts name a selector.
    pub(crate) fn dotted(&self, count: usize) -> String {
        self.path.iter().take(count).map(String::as_str).collect::<Vec<_>>().join(".")
    }
}

/// How a comparison compares. `x in Sel` and `Sel contains x` are the same operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `in`, `contains`
    In,
    /// `not in`, `not contains`
    NotIn,
    /// `is empty`
    IsEmpty,
    /// `is not empty`
    IsNotEmpty,
    /// `matches`
    Matches,
    /// `not matches`
    NotMatches,
}

impl Operator {
    /// Whether it is the negation of another operator.
    pub(crate) fn is_negation(self) -> bool {
        matches!(self, Self::NotEqual | Self::NotIn | Self::IsNotEmpty | Self::NotMatches)
    }

    /// The operator's name in error texts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Equal => "Equal",
            Self::NotEqual => "Not Equal",
            Self::In => "In",
            Self::NotIn => "Not In",
            Self::IsEmpty => "Is Empty",
            Self::IsNotEmpty => "Is Not Empty",
            Self::Matches => "Matches",
            Self::NotMatches => "Not Matches",
        }
    }
}

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Or(terms) => join(f, terms, " or ", |term| matches!(term, Self::Or(_))),
            Self::And(terms) => join(f, terms, " and ", |term| matches!(term, Self::Or(_) | Self::And(_))),
            Self::Not(term) => {
                f.write_str("not ")?;
                operand(f, term, matches!(**term, Self::Or(_) | Self::And(_)))
            }
            Self::Match(comparison) => comparison.fmt(f),
        }
    }
}

fn join(
    f: &mut Formatter<'_>,
    terms: &[Expression],
    word: &str,
    grouped: impl Fn(&Expression) -> bool,
) -> fmt::Result {
    for (at, term) in terms.iter().enumerate() {
        if at > 0 {
            f.write_str(word)?;
        }
        operand(f, term, grouped(term))?;
    }
    Ok(())
}

fn operand(f: &mut Formatter<'_>, term: &Expression, grouped: bool) -> fmt::Result {
    if grouped { write!(f, "({term})") } else { write!(f, "{term}") }
}

impl Display for Match {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { selector, operator, value } = self;
        let value = Literal(value);
        match operator {
            Operator::Equal => write!(f, "{selector} == {value}"),
            Operator::NotEqual => write!(f, "{selector} != {value}"),
            Operator::In => write!(f, "{value} in {selector}"),
            Operator::NotIn => write!(f, "{value} not in {selector}"),
            Operator::IsEmpty => write!(f, "{selector} is empty"),
            Operator::IsNotEmpty => write!(f, "{selector} is not empty"),
            Operator::Matches => write!(f, "{selector} matches {value}"),
            Operator::NotMatches => write!(f, "{selector} not matches {value}"),
        }
    }
}

impl Display for Selector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, part) in self.path.iter().enumerate() {
            match (at, is_identifier(part)) {
                (0, _) => f.write_str(part)?,
                (_, true) => write!(f, ".{part}")?,
                (_, false) => write!(f, "[{}]", Literal(part))?,
            }
        }
        Ok(())
    }
}

fn is_identifier(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_alphabetic())
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A text as a literal: raw where it can be, escaped where it contains what a raw literal cannot hold.
struct Literal<'a>(&'a str);

impl Display for Literal<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.0.contains(['`', '\r']) {
            return write!(f, "`{}`", self.0);
        }
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                // A quoted literal ends at the first quote, escaped or not.
                '"' => f.write_str("\\x22")?,
                c if c.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}
