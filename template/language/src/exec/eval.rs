//! Pipelines, commands and literals.

use super::{At, Execution};
use crate::ast::{Command, Expr, ExprKind, Pipeline};
use crate::error::ExecError;
use crate::number::Number;
use crate::signature::Param;
use crate::value::Value;

type Evaluated = Result<Value, ExecError>;

impl<'t, C: ?Sized> Execution<'t, C> {
    /// Evaluates a pipeline and sets its variables.
    pub(super) fn pipeline(&mut self, dot: &Value, pipeline: &'t Pipeline) -> Evaluated {
        self.at = At::Pipeline(pipeline);
        self.nesting += 1;
        let result = self.commands(dot, &pipeline.commands);
        self.nesting -= 1;
        let value = result?;
        for target in &pipeline.targets {
            self.store(&target.name, target.store, value.clone())?;
        }
        Ok(value)
    }

    fn commands(&mut self, dot: &Value, commands: &'t [Command]) -> Evaluated {
        let Some((first, rest)) = commands.split_first() else { return Ok(Value::Nil) };
        let mut value = self.command(dot, first, None)?;
        value.settle();
        for command in rest {
            value = self.command(dot, command, Some(value))?;
            value.settle();
        }
        Ok(value)
    }

    fn command(&mut self, dot: &Value, command: &'t Command, piped: Option<Value>) -> Evaluated {
        let word = &command.word;
        match &word.kind {
            ExprKind::Function { name, id } => {
                self.at = At::Expr(word);
                return self.function(dot, name, *id, At::Command(command), &command.args, piped);
            }
            ExprKind::Field(_) | ExprKind::Chain { .. } => {
                return self.operand(dot, word, &command.args, piped);
            }
            ExprKind::Variable { fields, .. } if !fields.is_empty() => {
                return self.operand(dot, word, &command.args, piped);
            }
            // What is in parentheses has its arguments there.
            ExprKind::Pipeline(_) => {}
            _ => self.at = At::Expr(word),
        }
        if piped.is_some() || !command.args.is_empty() {
            return Err(self.fail(format_args!("can't give argument to non-function {}", At::Expr(word))));
        }
        match &word.kind {
            ExprKind::Nil => Err(self.fail("nil is not a command")),
            _ => self.operand(dot, word, &[], None),
        }
    }

    /// Evaluates what may be used as an argument. `args` and `piped` go to a method at the end of a chain.
    fn operand(&mut self, dot: &Value, expr: &'t Expr, args: &'t [Expr], piped: Option<Value>) -> Evaluated {
        if !matches!(expr.kind, ExprKind::Pipeline(_)) {
            self.at = At::Expr(expr);
        }
        match &expr.kind {
            ExprKind::Dot => Ok(dot.clone()),
            ExprKind::Nil => Ok(Value::Nil),
            ExprKind::Bool(truth) => Ok(Value::Bool(*truth)),
            ExprKind::Number(number) => self.ideal(number),
            ExprKind::Str { value, .. } => Ok(Value::Str(value.clone())),
            ExprKind::Field(fields) => self.chain(dot, dot, fields, expr, args, piped),
            ExprKind::Variable { name, slot, fields } => {
                let variable = slot.and_then(|slot| self.variables.get(self.base + slot)).cloned();
                let Some(value) = variable else {
                    return Err(self.fail(format_args!("undefined variable: {name}")));
                };
                if fields.is_empty() { Ok(value) } else { self.chain(dot, &value, fields, expr, args, piped) }
            }
            ExprKind::Chain { base, fields } => {
                if matches!(base.kind, ExprKind::Nil) {
                    return Err(self.fail(format_args!("indirection through explicit nil in {expr}")));
                }
                self.at = At::Expr(base);
                let receiver = self.operand(dot, base, &[], None)?;
                self.chain(dot, &receiver, fields, expr, args, piped)
            }
            ExprKind::Function { name, id } => self.function(dot, name, *id, At::Expr(expr), &[], None),
            ExprKind::Pipeline(pipeline) => self.pipeline(dot, pipeline),
        }
    }

    /// Evaluates an argument for a parameter. Literals take the type of the parameter if they can.
    pub(super) fn argument(&mut self, dot: &Value, param: Param, expr: &'t Expr) -> Evaluated {
        self.at = At::Expr(expr);
        match &expr.kind {
            ExprKind::Nil => {
                let message = || format!("cannot assign nil to {}", param.type_name());
                param.zero().ok_or_else(|| self.fail(message()))
            }
            ExprKind::Bool(_) | ExprKind::Number(_) | ExprKind::Str { .. } => self.literal(param, expr),
            _ => {
                let value = self.operand(dot, expr, &[], None)?;
                param.check(value).map_err(|message| self.fail(message))
            }
        }
    }

    fn literal(&mut self, param: Param, expr: &'t Expr) -> Evaluated {
        let (value, wanted) = match (param, &expr.kind) {
            (Param::Any, ExprKind::Number(number)) => return self.ideal(number),
            (Param::Any | Param::Bool, ExprKind::Bool(truth)) => (Some(Value::Bool(*truth)), "bool"),
            (Param::Any | Param::String, ExprKind::Str { value, .. }) => {
                (Some(Value::Str(value.clone())), "string")
            }
            (Param::Int, ExprKind::Number(number)) => (number.int.map(Value::Int), "integer"),
            (Param::Uint, ExprKind::Number(number)) => (number.uint.map(Value::Uint), "unsigned integer"),
            (Param::Float, ExprKind::Number(number)) => (number.float.map(Value::Float), "float"),
            (Param::Bool, _) => (None, "bool"),
            (Param::String, _) => (None, "string"),
            (Param::Int, _) => (None, "integer"),
            (Param::Uint, _) => (None, "unsigned integer"),
            (Param::Float, _) => (None, "float"),
            (param, kind) => return self.other_literal(param, kind, expr),
        };
        value.ok_or_else(|| self.fail(format_args!("expected {wanted}; found {expr}")))
    }

    /// A literal where a type of the program's own is wanted.
    fn other_literal(&mut self, param: Param, kind: &'t ExprKind, expr: &'t Expr) -> Evaluated {
        let value = match kind {
            ExprKind::Bool(truth) => Value::Bool(*truth),
            ExprKind::Number(number) => self.ideal(number)?,
            ExprKind::Str { value, .. } => Value::Str(value.clone()),
            _ => Value::Nil,
        };
        param
            .check(value)
            .map_err(|_| self.fail(format_args!("can't handle {expr} for arg of type {}", param.type_name())))
    }

    /// The value of a number where nothing says what type it has to be.
    fn ideal(&self, number: &Number) -> Evaluated {
        match (number.float, number.int) {
            (Some(float), _) if number.reads_as_float => Ok(Value::Float(float)),
            (_, Some(int)) => Ok(Value::Int(int)),
            _ => Err(self.fail(format_args!("{} overflows int", number.text))),
        }
    }
}
