//! Reads texts and expressions by recursive descent.
//!
//! Every function gives `None` where the grammar is broken: no more than that is ever reported. Depth and size are
//! limited, since definitions come from outside and the tree is walked by recursion.

use super::value::{self, Value};
use super::{Binary, DEPTH_MAX, Expression, Part, Text, Unary};

/// Operators and choices in a text; chains of them are as deep as they are long.
const OPERATORS_MAX: usize = 200;

/// Operators by how strongly they bind, the weakest first. Longer signs stand before those they begin with.
const LEVELS: &[&[(&str, Binary)]] = &[
    &[("||", Binary::Or)],
    &[("&&", Binary::And)],
    &[("==", Binary::Equal), ("!=", Binary::NotEqual)],
    &[
        ("<=", Binary::LessOrEqual),
        (">=", Binary::GreaterOrEqual),
        ("<", Binary::Less),
        (">", Binary::Greater),
    ],
    &[("+", Binary::Add), ("-", Binary::Subtract)],
    &[("*", Binary::Multiply), ("/", Binary::Divide), ("%", Binary::Remainder)],
];

pub struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    operators: usize,
}

/// Where a text ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Input,
    Quote,
}

impl<'a> Parser<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0, operators: 0 }
    }

    /// The whole input.
    pub fn text(mut self) -> Option<Text> {
        self.parts(End::Input)
    }

    fn parts(&mut self, end: End) -> Option<Text> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        loop {
            if self.takes("$$") {
                literal.push('$');
            } else if self.takes("${") {
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                self.skip_blanks();
                parts.push(Part::Expression(self.nested(Self::choice)?));
                self.sign("}").then_some(())?;
            } else if end == End::Quote && self.takes("\"") {
                break;
            } else if end == End::Quote && self.takes("\\") {
                match self.next()? {
                    'n' => literal.push('\n'),
                    quoted @ ('"' | '\\') => literal.push(quoted),
                    other => literal.extend(['\\', other]),
                }
            } else {
                match (self.next(), end) {
                    (Some(letter), _) => literal.push(letter),
                    (None, End::Input) => break,
                    (None, End::Quote) => return None,
                }
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Some(Text(parts))
    }

    /// `condition ? yes : no`, or what binds stronger.
    fn choice(&mut self) -> Option<Expression> {
        let condition = self.level(LEVELS)?;
        if !self.sign("?") {
            return Some(condition);
        }
        self.count()?;
        let yes = self.nested(Self::choice)?;
        self.sign(":").then_some(())?;
        let no = self.nested(Self::choice)?;
        Some(Expression::Choice(Box::new([condition, yes, no])))
    }

    fn level(&mut self, levels: &[&[(&str, Binary)]]) -> Option<Expression> {
        let Some((operators, stronger)) = levels.split_first() else { return self.unary() };
        let mut left = self.level(stronger)?;
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.sign(sign)) {
            self.count()?;
            let right = self.level(stronger)?;
            left = Expression::Binary(*operator, Box::new([left, right]));
        }
        Some(left)
    }

    fn unary(&mut self) -> Option<Expression> {
        let operator = if self.sign("-") {
            Unary::Minus
        } else if self.sign("!") {
            Unary::Not
        } else {
            return self.operand();
        };
        let operand = self.nested(Self::unary)?;
        Some(Expression::Unary(operator, Box::new(operand)))
    }

    fn operand(&mut self) -> Option<Expression> {
        if self.sign("(") {
            let inner = self.nested(Self::choice)?;
            return self.sign(")").then_some(inner);
        }
        if self.sign("\"") {
            return self.nested(|parser| parser.parts(End::Quote)).map(Expression::Text);
        }
        if self.rest().starts_with(|first: char| first.is_ascii_digit()) {
            return self.number();
        }
        self.named()
    }

    fn number(&mut self) -> Option<Expression> {
        let digits = self.run(|letter| letter.is_ascii_digit());
        if !self.takes(".") {
            return value::int(digits).map(|number| Expression::Value(Value::Int(number)));
        }
        let fraction = self.run(|letter| letter.is_ascii_digit());
        if fraction.is_empty() {
            return None;
        }
        format!("{digits}.{fraction}").parse().ok().map(|number| Expression::Value(Value::Float(number)))
    }

    /// A variable, perhaps with an index, or a call.
    fn named(&mut self) -> Option<Expression> {
        let column = self.column();
        let name = self.name()?.to_owned();
        match name.as_str() {
            "true" => return Some(Expression::Value(Value::Bool(true))),
            "false" => return Some(Expression::Value(Value::Bool(false))),
            _ => {}
        }
        if self.sign("(") {
            let arguments = self.arguments()?;
            return Some(Expression::Call { name, arguments, column });
        }
        if self.sign("[") {
            self.nested(Self::choice)?;
            self.sign("]").then_some(())?;
            return Some(Expression::Index { column });
        }
        Some(Expression::Variable { name, column })
    }

    fn name(&mut self) -> Option<&'a str> {
        if !self.rest().starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            return None;
        }
        let mut last = ' ';
        Some(self.run(|letter| {
            let is_part = letter.is_ascii_alphanumeric()
                || matches!(letter, '_' | '-' | '.')
                || (letter == '*' && last == '.');
            last = letter;
            is_part
        }))
    }

    fn arguments(&mut self) -> Option<Vec<Expression>> {
        let mut arguments = Vec::new();
        if self.sign(")") {
            return Some(arguments);
        }
        loop {
            self.count()?;
            arguments.push(self.nested(Self::choice)?);
            if self.sign(")") {
                return Some(arguments);
            }
            self.sign(",").then_some(())?;
        }
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth == DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn count(&mut self) -> Option<()> {
        self.operators += 1;
        (self.operators <= OPERATORS_MAX).then_some(())
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Of what comes next, in characters, from 1.
    fn column(&self) -> usize {
        self.text.get(..self.at).map_or(0, |before| before.chars().count()) + 1
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest().chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn run(&mut self, mut belongs: impl FnMut(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|letter| !belongs(letter)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn takes(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    fn skip_blanks(&mut self) {
        self.run(|letter| letter.is_ascii_whitespace());
    }

    /// A sign inside an expression, with blanks before and behind it.
    fn sign(&mut self, wanted: &str) -> bool {
        let start = self.at;
        self.skip_blanks();
        let found = self.takes(wanted);
        match (found, wanted) {
            (false, _) => self.at = start,
            // Behind these begins text, where blanks count.
            (true, "}" | "\"") => {}
            (true, _) => self.skip_blanks(),
        }
        found
    }
}
