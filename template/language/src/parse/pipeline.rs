//! Pipelines, commands and operands.

use super::{MAX_PARENTHESES, Parsed, Parser};
use crate::ast::{Command, Expr, ExprKind, Name, Pipeline, Store, Target};
use crate::format::quote::quoted;
use crate::number::Number;
use crate::token::{Kind, Token};
use crate::unquote;

/// Names on the left of a pipeline, and whether they are made by it.
struct Targets {
    names: Vec<Box<str>>,
    assigns: bool,
}

impl<'s> Parser<'s> {
    /// Parses up to and including `end`; `context` names the pipeline in errors.
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipeline> {
        let pos = self.peek_non_space().pos;
        let targets = self.targets(context)?;
        let mut commands = Vec::new();
        loop {
            let token = self.next_non_space();
            if token.kind == end {
                break;
            }
            if !starts_operand(token.kind) {
                return Err(self.unexpected(token, context));
            }
            self.put_back(token);
            commands.push(self.command()?);
        }
        self.check_commands(&commands, context)?;
        let targets = targets.names.into_iter().map(|name| self.target(name, targets.assigns)).collect();
        Ok(Pipeline { pos, targets, commands })
    }

    fn target(&mut self, name: Box<str>, assigns: bool) -> Target {
        let scope = &mut self.draft().scope;
        let store =
            if assigns { Store::Assign(scope.slot(&name)) } else { Store::Declare(scope.create(&name)) };
        Target { name, store }
    }

    /// The variables before `:=` or `=`, if there are any.
    fn targets(&mut self, context: &str) -> Parsed<Targets> {
        let mut targets = Targets { names: Vec::new(), assigns: false };
        loop {
            let variable = self.peek_non_space();
            if variable.kind != Kind::Variable {
                return Ok(targets);
            }
            self.next();
            let adjacent = self.peek();
            let next = self.peek_non_space();
            let is_comma = next.kind == Kind::Char && next.text == b",";
            if !is_comma && !matches!(next.kind, Kind::Assign | Kind::Declare) {
                // An operand, not a target: whether a space follows it matters to the command it is part of.
                if adjacent.kind == Kind::Space {
                    self.put_back(adjacent);
                }
                self.put_back(variable);
                return Ok(targets);
            }
            self.next_non_space();
            self.draft().scope.declare(&variable.word());
            targets.names.push(variable.word().into());
            if !is_comma {
                targets.assigns = next.kind == Kind::Assign;
                return Ok(targets);
            }
            if context != "range" || targets.names.len() > 1 {
                return Err(self.error(format_args!("too many declarations in {context}")));
            }
            let follows = self.peek_non_space().kind;
            if !matches!(follows, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                return Err(self.error("range can only initialize variables"));
            }
        }
    }

    fn check_commands(&self, commands: &[Command], context: &str) -> Parsed<()> {
        if commands.is_empty() {
            return Err(self.error(format_args!("missing value for {context}")));
        }
        let literal = commands.iter().skip(1).position(|command| command.word.kind.is_literal());
        match literal {
            Some(index) => {
                Err(self.error(format_args!("non executable command in pipeline stage {}", index + 2)))
            }
            None => Ok(()),
        }
    }

    /// Operands separated by spaces, up to `|` or the end of the pipeline.
    fn command(&mut self) -> Parsed<Command> {
        let pos = self.peek_non_space().pos;
        let mut operands = Vec::new();
        loop {
            self.peek_non_space();
            operands.extend(self.operand()?);
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.put_back(token),
                Kind::Pipe => {}
                _ => return Err(self.unexpected(token, "operand")),
            }
            break;
        }
        let mut operands = operands.into_iter();
        let word = operands.next().ok_or_else(|| self.error("empty command"))?;
        Ok(Command { pos, word, args: operands.collect() })
    }

    /// A term and the fields after it; nothing if what comes next is no term.
    fn operand(&mut self) -> Parsed<Option<Expr>> {
        let Some(mut term) = self.term()? else { return Ok(None) };
        let pos = self.peek().pos;
        let mut added = Vec::new();
        while self.peek().kind == Kind::Field {
            added.push(field_name(&self.next()));
        }
        if added.is_empty() {
            return Ok(Some(term));
        }
        match &mut term.kind {
            ExprKind::Field(fields) | ExprKind::Variable { fields, .. } => {
                fields.append(&mut added);
                Ok(Some(Expr { pos, kind: term.kind }))
            }
            kind if kind.is_literal() => {
                let shown = quoted(term.to_string().as_bytes());
                Err(self.error(format_args!("unexpected . after term {shown}")))
            }
            _ => Ok(Some(Expr { pos, kind: ExprKind::Chain { base: Box::new(term), fields: added } })),
        }
    }

    fn term(&mut self) -> Parsed<Option<Expr>> {
        let token = self.next_non_space();
        let kind = match token.kind {
            Kind::Identifier => self.function(&token)?,
            Kind::Dot => ExprKind::Dot,
            Kind::Nil => ExprKind::Nil,
            Kind::Variable => self.variable(&token)?,
            Kind::Field => ExprKind::Field(vec![field_name(&token)]),
            Kind::Bool => ExprKind::Bool(token.text == b"true"),
            Kind::CharConstant => {
                ExprKind::Number(Number::character(&token.word()).map_err(|e| self.error(e))?)
            }
            Kind::Number => ExprKind::Number(Number::parse(&token.word()).map_err(|e| self.error(e))?),
            Kind::LeftParen => ExprKind::Pipeline(self.parenthesized()?),
            Kind::String | Kind::RawString => {
                let value = unquote::string(token.text).map_err(|_| self.error("invalid syntax"))?;
                ExprKind::Str { literal: token.word().into(), value }
            }
            _ => {
                self.put_back(token);
                return Ok(None);
            }
        };
        // A parenthesized pipeline is where its first operand is, not where the parenthesis is.
        let pos = if let ExprKind::Pipeline(pipeline) = &kind { pipeline.pos } else { token.pos };
        Ok(Some(Expr { pos, kind }))
    }

    fn parenthesized(&mut self) -> Parsed<Pipeline> {
        if self.parentheses == MAX_PARENTHESES {
            return Err(self.error(format_args!("parentheses nested more than {MAX_PARENTHESES} deep")));
        }
        self.parentheses += 1;
        let pipeline = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
        self.parentheses -= 1;
        Ok(pipeline)
    }

    fn function(&self, token: &Token<'s>) -> Parsed<ExprKind> {
        let name = token.word();
        match (self.functions)(&name) {
            Some(id) => Ok(ExprKind::Function { name: name.into(), id }),
            None => Err(self.error(format_args!("function {} not defined", quoted(token.text)))),
        }
    }

    fn variable(&mut self, token: &Token<'s>) -> Parsed<ExprKind> {
        let name = token.word();
        let scope = &self.draft().scope;
        if !scope.is_declared(&name) {
            return Err(self.error(format_args!("undefined variable {}", quoted(token.text))));
        }
        Ok(ExprKind::Variable { slot: scope.slot(&name), name: name.into(), fields: Vec::new() })
    }
}

fn field_name(token: &Token<'_>) -> Name {
    Name::new(token.word().trim_start_matches('.'))
}

fn starts_operand(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Bool
            | Kind::CharConstant
            | Kind::Dot
            | Kind::Field
            | Kind::Identifier
            | Kind::Number
            | Kind::Nil
            | Kind::RawString
            | Kind::String
            | Kind::Variable
            | Kind::LeftParen
    )
}
