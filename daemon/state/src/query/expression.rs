//! The language inside `${...}` of a query template: literals, variables, calls and operators.
//!
//! A text is read into a tree first and evaluated then, so that a mistake in its grammar is reported as such even
//! where an unknown variable comes before it. Operators bind as in most languages. Strings become numbers where
//! numbers are needed: what a variable holds is always a string.

mod parse;
mod value;

use parse::Parser;
use thiserror::Error;
pub use value::Value;

/// Nesting that a text may have; each level costs a few stack frames.
const DEPTH_MAX: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The text is not of the language.
    Syntax,
    /// It is, but means nothing.
    Meaning(String),
}

/// Where names in a text lead to.
pub trait Names {
    fn variable(&self, name: &str) -> Option<&str>;
    /// The n-th group of what matched; empty if there is none.
    fn group(&self, number: i64) -> &str;
}

/// A text with `${...}` in it, ready to evaluate.
#[derive(Clone, Debug, PartialEq)]
pub struct Text(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Literal(String),
    Expression(Expression),
}

#[derive(Clone, Debug, PartialEq)]
enum Expression {
    Value(Value),
    Text(Text),
    Variable { name: String, column: usize },
    Call { name: String, arguments: Vec<Expression>, column: usize },
    Index { column: usize },
    Unary(Unary, Box<Expression>),
    Binary(Binary, Box<[Expression; 2]>),
    Choice(Box<[Expression; 3]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unary {
    Minus,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Why a well-formed expression has no value.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
enum Meaningless {
    #[error("1:{column}: unknown variable accessed: {name}")]
    Variable { name: String, column: usize },
    #[error("1:{column}: unknown function called: {name}")]
    Function { name: String, column: usize },
    #[error("1:{column}: match: expected 1 arguments, got {count}")]
    Arguments { column: usize, count: usize },
    #[error("At column {column}, line 1: invalid index operation into non-indexable type: TypeString")]
    Index { column: usize },
    #[error("{0}")]
    Value(#[from] value::ValueError),
}

impl Text {
    /// Reads a text. `Err` if its grammar is broken.
    pub fn read(text: &str) -> Result<Self, Problem> {
        Parser::new(text).text().ok_or(Problem::Syntax)
    }

    /// The text with every expression replaced by its value.
    pub fn evaluate(&self, names: &dyn Names) -> Result<String, Problem> {
        self.join(names).map_err(|error| Problem::Meaning(error.to_string()))
    }

    fn join(&self, names: &dyn Names) -> Result<String, Meaningless> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Expression(expression) => out.push_str(&expression.value(names)?.into_text()),
            }
        }
        Ok(out)
    }
}

impl Expression {
    fn value(&self, names: &dyn Names) -> Result<Value, Meaningless> {
        Ok(match self {
            Self::Value(value) => value.clone(),
            Self::Text(text) => Value::Text(text.join(names)?),
            Self::Variable { name, column } => match names.variable(name) {
                Some(text) => Value::Text(text.to_owned()),
                None => return Err(Meaningless::Variable { name: name.clone(), column: *column }),
            },
            Self::Call { name, arguments, column } => call(name, arguments, *column, names)?,
            Self::Index { column } => return Err(Meaningless::Index { column: *column }),
            Self::Unary(Unary::Minus, operand) => operand.value(names)?.negated()?,
            Self::Unary(Unary::Not, operand) => Value::Bool(!operand.value(names)?.into_bool()?),
            Self::Binary(operator, operands) => binary(*operator, operands, names)?,
            Self::Choice(parts) => {
                let [condition, yes, no] = parts.as_ref();
                let chosen = if condition.value(names)?.into_bool()? { yes } else { no };
                chosen.value(names)?
            }
        })
    }
}

fn call(
    name: &str,
    arguments: &[Expression],
    column: usize,
    names: &dyn Names,
) -> Result<Value, Meaningless> {
    if name != "match" {
        return Err(Meaningless::Function { name: name.to_owned(), column });
    }
    let [argument] = arguments else {
        return Err(Meaningless::Arguments { column, count: arguments.len() });
    };
    let number = argument.value(names)?.into_int()?;
    Ok(Value::Text(names.group(number).to_owned()))
}

fn binary(operator: Binary, operands: &[Expression; 2], names: &dyn Names) -> Result<Value, Meaningless> {
    let [left, right] = operands;
    let left = left.value(names)?;
    // Both sides are always evaluated, so that a mistake does not hide behind the name that was asked for.
    let right = right.value(names)?;
    Ok(match operator {
        Binary::Or => Value::Bool(left.into_bool()? | right.into_bool()?),
        Binary::And => Value::Bool(left.into_bool()? & right.into_bool()?),
        Binary::Equal => Value::Bool(left.equals(right)?),
        Binary::NotEqual => Value::Bool(!left.equals(right)?),
        Binary::Less => Value::Bool(left.order(right)?.is_some_and(|order| order.is_lt())),
        Binary::LessOrEqual => Value::Bool(left.order(right)?.is_some_and(|order| order.is_le())),
        Binary::Greater => Value::Bool(left.order(right)?.is_some_and(|order| order.is_gt())),
        Binary::GreaterOrEqual => Value::Bool(left.order(right)?.is_some_and(|order| order.is_ge())),
        Binary::Add => left.calculate(right, i64::wrapping_add, |a, b| a + b)?,
        Binary::Subtract => left.calculate(right, i64::wrapping_sub, |a, b| a - b)?,
        Binary::Multiply => left.calculate(right, i64::wrapping_mul, |a, b| a * b)?,
        Binary::Divide => left.divided(right)?,
        Binary::Remainder => left.remainder(right)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Groups;

    impl Names for Groups {
        fn variable(&self, name: &str) -> Option<&str> {
            (name == "name.full").then_some("a-12")
        }

        fn group(&self, number: i64) -> &str {
            match number {
                0 => "a-12",
                1 => "12",
                _ => "",
            }
        }
    }

    fn evaluate(text: &str) -> Result<String, Problem> {
        Text::read(text)?.evaluate(&Groups)
    }

    #[track_caller]
    fn gives(cases: &[(&str, &str)]) {
        for (text, value) in cases {
            assert_eq!(evaluate(text).as_deref(), Ok(*value), "{text}");
        }
    }

    #[test]
    fn text_around_expressions_is_kept() {
        gives(&[
            ("", ""),
            ("a$", "a$"),
            ("}", "}"),
            ("$a", "$a"),
            ("<${name.full}>", "<a-12>"),
            ("${match(0)}${match(1)}", "a-1212"),
            ("$${a}", "${a}"),
            ("$$${match(1)}", "$12"),
            ("$$$a", "$$a"),
            ("héé${1}", "héé1"),
        ]);
    }

    #[test]
    fn literals() {
        gives(&[
            ("${010}", "8"),
            ("${1.5}", "1.5"),
            ("${2.0}", "2"),
            (r#"${"a"}"#, "a"),
            (r#"${"a${match(1)}b"}"#, "a12b"),
            (r#"${"a\"b\n\t"}"#, "a\"b\n\\t"),
            (r#"${ " a " }"#, " a "),
            ("${1234567.0}", "1.234567e+06"),
            ("${0.00001}", "1e-05"),
            (r#"${"$${x}"}"#, "${x}"),
            ("${true}", "true"),
        ]);
    }

    #[test]
    fn calls_take_anything_that_is_a_number() {
        gives(&[
            ("${match(1+0)}", "12"),
            ("${match (1)}", "12"),
            (r#"${match("1")}"#, "12"),
            ("${match(1.5)}", "12"),
            ("${match(-1)}", ""),
            ("${match(9)}", ""),
            ("${match(match(1)-11)}", "12"),
        ]);
    }

    #[test]
    fn arithmetic() {
        gives(&[
            ("${1+2}", "3"),
            ("${1 + 2 * 3}", "7"),
            ("${(1 + 2) * 3}", "9"),
            ("${10-2-3}", "5"),
            ("${2*-3}", "-6"),
            ("${1 - -2}", "3"),
            ("${7/2}", "3"),
            ("${7.0/2}", "3.5"),
            ("${1+1.5}", "2.5"),
            ("${7%4}", "3"),
            ("${match(1)+1}", "13"),
            (r#"${"5"+1}"#, "6"),
            ("${9223372036854775807+1}", "-9223372036854775808"),
        ]);
    }

    #[test]
    fn comparisons_and_choices() {
        gives(&[
            (r#"${name.full == "a-12" ? "yes" : "no"}"#, "yes"),
            (r#"${match(1) > 9 && match(1) < 20 ? "teens" : "other"}"#, "teens"),
            (r#"${!(1 >= 2) || false ? match(1) : "x"}"#, "12"),
            ("${1 != 1.0}", "false"),
            (r#"${true ? false ? 1 : 2 : 3}"#, "2"),
        ]);
    }

    #[test]
    fn broken_grammar_is_told_from_missing_meaning() {
        let broken = [
            "${",
            "${}",
            "${ }",
            "${1",
            "${1+}",
            "${+1}",
            "${a b}",
            "${match(1",
            "${match(1) match(2)}",
            "${1e3}",
            "${0x10}",
            "${99999999999999999999}",
            "${\"",
            "${\"a",
            "${ name . full }",
            "${1 ? 2}",
            "${match(1,)}",
        ];
        for text in broken {
            assert_eq!(evaluate(text), Err(Problem::Syntax), "{text}");
        }
        let meaningless = [
            ("${bogus}", "1:3: unknown variable accessed: bogus"),
            ("x${name.*.x}", "1:4: unknown variable accessed: name.*.x"),
            ("${foo(1)}", "1:3: unknown function called: foo"),
            ("x${match()}", "1:4: match: expected 1 arguments, got 0"),
            ("${1/0}", "divide by zero"),
            ("${7%0}", "divide by zero"),
            ("${match(2)+1}", "__builtin_StringToInt: strconv.ParseInt: parsing \"\": invalid syntax"),
            ("${7.5%2}", "modulo cannot be used with floats"),
        ];
        for (text, reason) in meaningless {
            assert_eq!(evaluate(text), Err(Problem::Meaning(reason.to_owned())), "{text}");
        }
    }

    #[test]
    fn nesting_has_an_end() {
        for open in ["(", "-", "!", "match(", "\"${", "true ? ", "1 ? 2 : "] {
            let text = format!("${{{}", open.repeat(100_000));
            assert_eq!(evaluate(&text), Err(Problem::Syntax), "{open}");
        }
        assert_eq!(evaluate(&format!("${{{}1}}", "1+".repeat(150))).as_deref(), Ok("151"));
        assert_eq!(evaluate(&format!("${{{}1}}", "1+".repeat(10_000))), Err(Problem::Syntax));
        assert_eq!(evaluate(&format!("${{match({}1)}}", "1,".repeat(10_000))), Err(Problem::Syntax));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in r#"[${}()"\\a1.+*/%!?:<>=&| -]{0,40}"#) {
            let _ = evaluate(&text);
        }
    }
}
