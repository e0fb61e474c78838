//! Functions as values, for the `call` function.

use crate::error::CallError;
use crate::functions::Args;
use crate::signature::Signature;
use crate::value::Value;

type Body = Box<dyn Fn(Args<'_>) -> Result<Value, CallError> + Send + Sync>;

/// A function that a record or a map holds. Unlike the functions of [`Functions`](crate::Functions) it is
/// called by `call`, never by its own name.
pub struct Callable {
    type_name: &'static str,
    signature: Signature,
    body: Body,
}

impl Callable {
    /// A function of the type `type_name`, spelled as in Go: `func(string) string`.
    pub fn new(
        type_name: &'static str,
        signature: impl Into<Signature>,
        body: impl Fn(Args<'_>) -> Result<Value, CallError> + Send + Sync + 'static,
    ) -> Callable {
        Callable { type_name, signature: signature.into(), body: Box::new(body) }
    }

    pub(crate) fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// Checks the arguments and calls the function; `name` is what the template calls it.
    pub(crate) fn call(&self, name: &str, args: &[Value]) -> Result<Value, CallError> {
        self.check_count(name, args.len())?;
        let mut checked = Vec::with_capacity(args.len());
        for (index, arg) in args.iter().enumerate() {
            let param = self.signature.param(index);
            let value = param.check(arg.clone()).map_err(|_| match arg {
                Value::Nil => format!("arg {index}: value is nil; should be of type {}", param.type_name()),
                _ => format!(
                    "arg {index}: value has type {}; should be {}",
                    arg.type_name(),
                    param.type_name()
                ),
            })?;
            checked.push(value);
        }
        (self.body)(Args::new(&checked))
    }

    fn check_count(&self, name: &str, given: usize) -> Result<(), CallError> {
        match self.signature.arity() {
            (want, false) if given != want => {
                Err(format!("wrong number of args for {name}: got {given} want {want}").into())
            }
            (want, true) if given < want => {
                Err(format!("wrong number of args for {name}: got {given} want at least {want}").into())
            }
            _ => Ok(()),
        }
    }
}
