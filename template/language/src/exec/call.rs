//! Calls of functions.

use super::{At, Execution};
use crate::ast::Expr;
use crate::error::{CallError, ExecError};
use crate::functions::{Args, Body, Function, FunctionId};
use crate::signature::Param;
use crate::templates::Templates;
use crate::value::Value;

impl<C: ?Sized> Templates<C> {
    /// Calls a function from outside of any template, with arguments as if they were piped into it: `and`,
    /// `or` and `call` are part of the syntax and cannot be called.
    ///
    /// # Errors
    /// If there is no such function, the arguments do not match it, or it fails.
    pub fn call(&self, name: &str, context: &mut C, args: Vec<Value>) -> Result<Value, CallError> {
        let id = self.functions().find(name);
        let function = id.and_then(|id| self.functions().get(id));
        let Some(Function { signature, body: Body::Native(body) }) = function else {
            return Err(format!("{} is not a defined function", crate::quoted(name.as_bytes())).into());
        };
        signature.check_count(name, args.len(), false)?;
        let checked: Result<Vec<Value>, String> =
            args.into_iter().enumerate().map(|(index, arg)| signature.param(index).check(arg)).collect();
        let program = self.find("").map_err(CallError::from_error)?;
        body(&mut Execution::new(self, context, program), Args::new(&checked?))
    }
}

impl<'t, C: ?Sized> Execution<'t, C> {
    /// Calls a function; `call` is what an error of it is reported for.
    pub(super) fn function(
        &mut self,
        dot: &Value,
        name: &str,
        id: FunctionId,
        call: At<'t>,
        args: &'t [Expr],
        piped: Option<Value>,
    ) -> Result<Value, ExecError> {
        let functions = self.functions();
        let Some(function) = functions.get(id) else {
            return Err(self.fail(format_args!(
                "{} is not a defined function",
                crate::format::quote::quoted(name.as_bytes())
            )));
        };
        let result = match &function.body {
            Body::And => return self.logic(dot, name, function, args, piped, false),
            Body::Or => return self.logic(dot, name, function, args, piped, true),
            Body::Call => {
                let values = self.arguments(dot, name, &function.signature, args, piped)?;
                let callee = args.first().map(ToString::to_string);
                crate::builtins::call(callee.as_deref(), &values)
            }
            Body::Native(body) => {
                let values = self.arguments(dot, name, &function.signature, args, piped)?;
                body(self, Args::new(&values))
            }
        };
        match result {
            Ok(value) => self.check_size(value),
            Err(error) => {
                self.at = call;
                Err(self.fail(format_args!("error calling {name}: {error}")))
            }
        }
    }

    /// `and` and `or`: evaluates arguments up to the first that is `decisive`.
    fn logic(
        &mut self,
        dot: &Value,
        name: &str,
        function: &Function<C>,
        args: &'t [Expr],
        piped: Option<Value>,
        decisive: bool,
    ) -> Result<Value, ExecError> {
        let signature = &function.signature;
        signature.check_count(name, args.len(), piped.is_some()).map_err(|message| self.fail(message))?;
        let mut value = Value::Nil;
        for arg in args {
            value = self.argument(dot, Param::Any, arg)?;
            if value.truth() == decisive {
                return Ok(value);
            }
        }
        Ok(piped.unwrap_or(value))
    }

    /// Strings can be doubled in a loop, and must not be allowed to eat all memory.
    fn check_size(&self, value: Value) -> Result<Value, ExecError> {
        let limit = self.limits().output;
        match &value {
            Value::Str(text) if text.len() > limit => {
                Err(self.fail(format_args!("exceeded maximum length of a string ({limit} bytes)")))
            }
            _ => Ok(value),
        }
    }
}
