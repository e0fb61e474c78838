//! Expressions.
//!
//! An expression prints itself the way errors quote it, which is close to, but not the same as, the source:
//! spaces are normalized. Functions and variables are resolved when a template is parsed, so that running it
//! looks up neither by name.

use std::fmt;

use crate::functions::FunctionId;
use crate::map::Key;
use crate::number::Number;
use crate::text::Text;

/// Offset in the source of a template.
pub(crate) type Pos = usize;

/// Commands, the value of each being the last argument of the next.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) pos: Pos,
    pub(crate) targets: Vec<Target>,
    pub(crate) commands: Vec<Command>,
}

/// A variable that gets the value of a pipeline.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: Box<str>,
    pub(crate) store: Store,
}

/// How a variable gets its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// `:=` makes the variable in this slot.
    Declare(usize),
    /// `=` changes what is in this slot, if the variable exists.
    Assign(Option<usize>),
}

/// A word and its arguments.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) pos: Pos,
    pub(crate) word: Expr,
    pub(crate) args: Vec<Expr>,
}

#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) pos: Pos,
    pub(crate) kind: ExprKind,
}

#[derive(Debug)]
pub(crate) enum ExprKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    Str {
        /// As written, with the quotes.
        literal: Box<str>,
        value: Text,
    },
    /// `.A.B`
    Field(Vec<Name>),
    /// `$x.A.B`; without a slot if the variable cannot exist when this runs.
    Variable {
        name: Box<str>,
        slot: Option<usize>,
        fields: Vec<Name>,
    },
    /// `(…).A.B`
    Chain {
        base: Box<Expr>,
        fields: Vec<Name>,
    },
    Function {
        name: Box<str>,
        id: FunctionId,
    },
    Pipeline(Pipeline),
}

/// The name of a field, which is also the key of a map.
#[derive(Debug)]
pub(crate) struct Name {
    pub(crate) text: Box<str>,
    pub(crate) key: Key,
}

impl Name {
    pub(crate) fn new(text: &str) -> Name {
        Name { text: text.into(), key: text.into() }
    }
}

impl ExprKind {
    /// Whether nothing but a value can come of it, so that it cannot take what is piped into it.
    pub(crate) fn is_literal(&self) -> bool {
        matches!(
            self,
            ExprKind::Dot | ExprKind::Nil | ExprKind::Bool(_) | ExprKind::Number(_) | ExprKind::Str { .. }
        )
    }
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, target) in self.targets.iter().enumerate() {
            write!(f, "{}{}", if index > 0 { ", " } else { "" }, target.name)?;
        }
        match self.targets.first().map(|target| target.store) {
            Some(Store::Declare(_)) => f.write_str(" := ")?,
            Some(Store::Assign(_)) => f.write_str(" = ")?,
            None => {}
        }
        for (index, command) in self.commands.iter().enumerate() {
            write!(f, "{}{command}", if index > 0 { " | " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.word.fmt(f)?;
        self.args.iter().try_for_each(|arg| write!(f, " {arg}"))
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Dot => f.write_str("."),
            ExprKind::Nil => f.write_str("nil"),
            ExprKind::Bool(truth) => truth.fmt(f),
            ExprKind::Number(number) => f.write_str(&number.text),
            ExprKind::Str { literal, .. } => f.write_str(literal),
            ExprKind::Field(fields) => write_fields(f, fields),
            ExprKind::Variable { name, fields, .. } => {
                f.write_str(name)?;
                write_fields(f, fields)
            }
            ExprKind::Chain { base, fields } => {
                base.fmt(f)?;
                write_fields(f, fields)
            }
            ExprKind::Function { name, .. } => f.write_str(name),
            ExprKind::Pipeline(pipeline) => write!(f, "({pipeline})"),
        }
    }
}

fn write_fields(f: &mut fmt::Formatter<'_>, fields: &[Name]) -> fmt::Result {
    fields.iter().try_for_each(|field| write!(f, ".{}", field.text))
}
