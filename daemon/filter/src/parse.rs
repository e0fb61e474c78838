//! Text to [`Expression`], in one pass.
//!
//! The grammar is small enough that one word of look-ahead decides everything but `not`, which is also a
//! legal field name and bare value; trying it as an operator first costs at most one re-read of a word. So
//! the time is linear in the text, however it is nested.
//!
//! While reading, the parser keeps the furthest place where something could not be read and what would have
//! been accepted there: that is what a syntax error reports, in the form clients of the API know.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

use crate::ast::{Expression, Match, Operator, Selector};
use crate::unquote;

/// How deep parentheses and `not` may nest.
pub const DEPTH_MAX: usize = 128;

/// How long an expression may be, in bytes. No HTTP request line that we accept can carry more.
pub const LENGTH_MAX: usize = 1 << 20;

const SPACE: &str = r"[ \t\r\n]";
const LETTER: &str = "[a-zA-Z]";
const WORD: &str = "[a-zA-Z0-9_]";

/// Why a text is not an expression, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column} ({offset}): {reason}")]
pub struct ParseError {
    /// Line of the place, from 1.
    pub line: usize,
    /// Column of the place in characters, from 1 (0 for a line break itself).
    pub column: usize,
    /// Offset of the place in bytes.
    pub offset: usize,
    /// What is wrong there.
    pub reason: ParseReason,
}

/// What is wrong at the place a [`ParseError`] names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseReason {
    /// None of these can start here.
    Expected(Vec<&'static str>),
    /// The named rule cannot be completed.
    Rule(&'static str, &'static str),
}

impl Display for ParseReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let labels = match self {
            Self::Rule(rule, text) => return write!(f, "rule \"{rule}\": {text}"),
            Self::Expected(labels) => labels,
        };
        f.write_str("no match found, expected: ")?;
        for (at, label) in labels.iter().enumerate() {
            match at {
                0 => {}
                _ if at + 1 == labels.len() => f.write_str(" or ")?,
                _ => f.write_str(", ")?,
            }
            f.write_str(label)?;
        }
        Ok(())
    }
}

impl Expression {
    /// Same as [`parse`].
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse(text)
    }
}

/// Reads an expression.
pub fn parse(text: &str) -> Result<Expression, ParseError> {
    let mut parser = Parser { text, at: 0, depth: 0, furthest: 0, expected: BTreeSet::new(), at_end: false };
    parser.whole().map_err(|failure| parser.explain(failure))
}

/// How a rule ended without a result.
enum Failure {
    /// It does not fit here; another one may.
    NoMatch,
    /// The text is certainly wrong.
    Fatal(usize, &'static str, &'static str),
}

type Parsed<T> = Result<T, Failure>;

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    furthest: usize,
    expected: BTreeSet<&'static str>,
    at_end: bool,
}

impl<'a> Parser<'a> {
    fn whole(&mut self) -> Parsed<Expression> {
        if self.text.len() > LENGTH_MAX {
            return Err(Failure::Fatal(LENGTH_MAX, "input", "Expression is too long"));
        }
        self.spaces();
        let expression = self.or()?;
        self.spaces();
        if self.at == self.text.len() {
            return Ok(expression);
        }
        self.missing_end();
        Err(Failure::NoMatch)
    }

    fn or(&mut self) -> Parsed<Expression> {
        self.chain("\"or\"", "or", Self::and, Expression::Or)
    }

    fn and(&mut self) -> Parsed<Expression> {
        self.chain("\"and\"", "and", Self::not, Expression::And)
    }

    /// `term { ws word ws term }`; a single term is itself.
    fn chain(
        &mut self,
        label: &'static str,
        word: &'static str,
        term: fn(&mut Self) -> Parsed<Expression>,
        build: fn(Vec<Expression>) -> Expression,
    ) -> Parsed<Expression> {
        let first = term(self)?;
        let mut terms = Vec::new();
        loop {
            let end = self.at;
            if self.required_spaces().is_err() || self.word(label, word).is_err() {
                self.at = end;
                break;
            }
            self.required_spaces()?;
            terms.push(term(self)?);
        }
        if terms.is_empty() {
            return Ok(first);
        }
        terms.insert(0, first);
        Ok(build(terms))
    }

    fn not(&mut self) -> Parsed<Expression> {
        let start = self.at;
        if self.word("\"not\"", "not").is_ok() && self.required_spaces().is_ok() {
            match self.nested(Self::not) {
                Ok(term) => return Ok(Expression::Not(Box::new(term))),
                Err(Failure::NoMatch) => {}
                Err(fatal) => return Err(fatal),
            }
        }
        self.at = start;
        self.group()
    }

    fn group(&mut self) -> Parsed<Expression> {
        if self.word("\"(\"", "(").is_err() {
            return self.comparison().map(Expression::Match);
        }
        self.spaces();
        let inside = self.nested(Self::or)?;
        self.spaces();
        if self.word("\")\"", ")").is_err() {
            return Err(Failure::Fatal(self.at, "grouping", "Unmatched parentheses"));
        }
        Ok(inside)
    }

    fn nested(&mut self, rule: fn(&mut Self) -> Parsed<Expression>) -> Parsed<Expression> {
        if self.depth == DEPTH_MAX {
            return Err(Failure::Fatal(self.at, "grouping", "Expression is nested too deeply"));
        }
        self.depth += 1;
        let inside = rule(self);
        self.depth -= 1;
        inside
    }

    fn comparison(&mut self) -> Parsed<Match> {
        let Ok(selector) = self.selector_unless_fatal()? else {
            let value = self.literal()?;
            return self.membership(value);
        };
        let start = self.at;
        self.spaces();
        let spaced = self.at > start;
        for (label, sign, operator) in
            [("\"==\"", "==", Operator::Equal), ("\"!=\"", "!=", Operator::NotEqual)]
        {
            if self.word(label, sign).is_ok() {
                self.spaces();
                return self.with_value(selector, operator);
            }
        }
        if !spaced {
            return Err(Failure::NoMatch);
        }
        if self.word("\"is\"", "is").is_ok() {
            return self.emptiness(selector);
        }
        if self.word("\"contains\"", "contains").is_ok() {
            self.required_spaces()?;
            return self.with_value(selector, Operator::In);
        }
        if self.word("\"matches\"", "matches").is_ok() {
            self.required_spaces()?;
            return self.with_value(selector, Operator::Matches);
        }
        let end = self.at;
        if self.word("\"not\"", "not").is_ok() {
            self.required_spaces()?;
            for (label, word, operator) in [
                ("\"contains\"", "contains", Operator::NotIn),
                ("\"matches\"", "matches", Operator::NotMatches),
            ] {
                if self.word(label, word).is_ok() {
                    self.required_spaces()?;
                    return self.with_value(selector, operator);
                }
            }
        }
        self.at = end;
        self.membership_after_spaces(bare(selector))
    }

    fn with_value(&mut self, selector: Selector, operator: Operator) -> Parsed<Match> {
        let value = match self.selector_unless_fatal()? {
            Ok(selector) => bare(selector),
            Err(_) => self.literal()?,
        };
        Ok(Match { selector, operator, value })
    }

    fn emptiness(&mut self, selector: Selector) -> Parsed<Match> {
        self.required_spaces()?;
        let mut operator = Operator::IsEmpty;
        if self.word("\"not\"", "not").is_ok() {
            self.required_spaces()?;
            operator = Operator::IsNotEmpty;
        }
        self.word("\"empty\"", "empty")?;
        Ok(Match { selector, operator, value: String::new() })
    }

    fn membership(&mut self, value: String) -> Parsed<Match> {
        self.required_spaces()?;
        self.membership_after_spaces(value)
    }

    fn membership_after_spaces(&mut self, value: String) -> Parsed<Match> {
        let mut operator = Operator::In;
        if self.word("\"not\"", "not").is_ok() {
            self.required_spaces()?;
            operator = Operator::NotIn;
        }
        self.word("\"in\"", "in")?;
        self.required_spaces()?;
        let start = self.at;
        match self.selector_unless_fatal()? {
            Ok(selector) => Ok(Match { selector, operator, value }),
            Err(_) => Err(Failure::Fatal(start, "match", "Invalid selector")),
        }
    }

    /// Reads a selector; the outer error is fatal, the inner one says that there is none here.
    fn selector_unless_fatal(&mut self) -> Parsed<Result<Selector, Failure>> {
        match self.selector() {
            Err(Failure::NoMatch) => Ok(Err(Failure::NoMatch)),
            Err(fatal) => Err(fatal),
            Ok(selector) => Ok(Ok(selector)),
        }
    }

    fn selector(&mut self) -> Parsed<Selector> {
        let mut path = vec![self.identifier()?];
        loop {
            let end = self.at;
            if self.word("\".\"", ".").is_ok() {
                match self.identifier() {
                    Ok(part) => path.push(part),
                    Err(_) => {
                        self.at = end;
                        break;
                    }
                }
            } else if self.word("\"[\"", "[").is_ok() {
                path.push(self.index()?);
            } else {
                break;
            }
        }
        Ok(Selector { path })
    }

    fn index(&mut self) -> Parsed<String> {
        self.spaces();
        let start = self.at;
        let key = match self.string() {
            Err(Failure::NoMatch) => return Err(Failure::Fatal(start, "index", "Invalid index")),
            other => other?,
        };
        self.spaces();
        match self.word("\"]\"", "]") {
            Ok(()) => Ok(key),
            Err(_) => Err(Failure::Fatal(self.at, "index", "Unclosed index expression")),
        }
    }

    fn identifier(&mut self) -> Parsed<String> {
        let start = self.at;
        if !self.class(LETTER, |b| b.is_ascii_alphabetic()) {
            return Err(Failure::NoMatch);
        }
        while self.class(WORD, |b| b.is_ascii_alphanumeric() || b == b'_') {}
        Ok(self.since(start).to_owned())
    }

    fn literal(&mut self) -> Parsed<String> {
        match self.number() {
            Err(Failure::NoMatch) => self.string(),
            other => other,
        }
    }

    fn number(&mut self) -> Parsed<String> {
        let start = self.at;
        let _ = self.word("\"-\"", "-");
        if self.word("\"0\"", "0").is_err() {
            if !self.class("[1-9]", |b| matches!(b, b'1'..=b'9')) {
                self.at = start;
                return Err(Failure::NoMatch);
            }
            while self.class("[0-9]", |b| b.is_ascii_digit()) {}
        }
        let whole = self.at;
        if self.word("\".\"", ".").is_ok() {
            let fraction = self.at;
            while self.class("[0-9]", |b| b.is_ascii_digit()) {}
            if self.at == fraction {
                self.at = whole;
            }
        }
        match self.peek() {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b')') => Ok(self.since(start).to_owned()),
            Some(_) => Err(Failure::Fatal(self.at, "number", "Invalid number literal")),
        }
    }

    fn string(&mut self) -> Parsed<String> {
        let start = self.at;
        let quote = if self.word("\"`\"", "`").is_ok() {
            '`'
        } else if self.word(r#""\"""#, "\"").is_ok() {
            '"'
        } else {
            return Err(Failure::NoMatch);
        };
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(length) = rest.find(quote) else {
            return Err(Failure::Fatal(self.text.len(), "string", "Unterminated string literal"));
        };
        let inside = rest.get(..length).unwrap_or_default();
        self.at += length + 1;
        if quote == '`' {
            return Ok(unquote::raw(inside));
        }
        unquote::interpreted(inside).ok_or(Failure::Fatal(start, "string", "invalid syntax"))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The text from `start`, which was a position of this parser, to here.
    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn spaces(&mut self) {
        while self.class(SPACE, |b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')) {}
    }

    fn required_spaces(&mut self) -> Parsed<()> {
        let start = self.at;
        self.spaces();
        if self.at == start { Err(Failure::NoMatch) } else { Ok(()) }
    }

    fn word(&mut self, label: &'static str, word: &str) -> Parsed<()> {
        if self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            self.at += word.len();
            return Ok(());
        }
        self.missing(label);
        Err(Failure::NoMatch)
    }

    fn class(&mut self, label: &'static str, accepts: impl Fn(u8) -> bool) -> bool {
        if self.peek().is_some_and(accepts) {
            self.at += 1;
            return true;
        }
        self.missing(label);
        false
    }

    fn missing(&mut self, label: &'static str) {
        if self.reached() {
            self.expected.insert(label);
        }
    }

    fn missing_end(&mut self) {
        if self.reached() {
            self.at_end = true;
        }
    }

    /// Whether a failure here is worth reporting: none so far was further on.
    fn reached(&mut self) -> bool {
        if self.at > self.furthest {
            self.furthest = self.at;
            self.expected.clear();
            self.at_end = false;
        }
        self.at == self.furthest
    }

    fn explain(&self, failure: Failure) -> ParseError {
        let (offset, reason) = match failure {
            Failure::Fatal(at, rule, text) => (at, ParseReason::Rule(rule, text)),
            Failure::NoMatch => {
                let mut labels: Vec<_> = self.expected.iter().copied().collect();
                if self.at_end {
                    labels.push("EOF");
                }
                (self.furthest, ParseReason::Expected(labels))
            }
        };
        let (line, column) = self.place(offset);
        ParseError { line, column, offset, reason }
    }

    /// Line and column; the character at the place counts too, so a line break is column 0 of the next line.
    fn place(&self, offset: usize) -> (usize, usize) {
        let (mut line, mut column) = (1, 0);
        for (at, c) in self.text.char_indices() {
            if at > offset {
                return (line, column);
            }
            column += 1;
            if c == '\n' {
                (line, column) = (line + 1, 0);
            }
        }
        if offset >= self.text.len() {
            column += 1;
        }
        (line, column)
    }
}

/// A selector in a value's place means its own text.
fn bare(selector: Selector) -> String {
    selector.dotted(selector.path.len())
}
