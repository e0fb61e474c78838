//! The functions every template has.

mod compare;
mod escape;
mod index;

use crate::error::CallError;
use crate::format;
use crate::functions::{Args, Body, Functions};
use crate::signature::{Param, Signature};
use crate::value::Value;
use Param::{Any, String};

const ANY_AND_MORE: Signature = Signature::variadic(&[Any], Any);
const ANY_NUMBER: Signature = Signature::variadic(&[], Any);

/// Adds them to `functions`.
pub(crate) fn register<C: ?Sized>(functions: &mut Functions<C>) {
    functions.insert("and", ANY_AND_MORE, Body::And);
    functions.insert("or", ANY_AND_MORE, Body::Or);
    functions.insert("call", ANY_AND_MORE, Body::Call);
    functions.pure("not", [Any], |args| !args.value(0).truth());

    functions.try_pure("len", [Any], |args| index::len(args.value(0)));
    functions.try_pure("index", ANY_AND_MORE, |args| index::index(args.value(0), args.rest(1)));
    functions.try_pure("slice", ANY_AND_MORE, |args| index::slice(args.value(0), args.rest(1)));

    functions.pure("print", ANY_NUMBER, |args| text(|out| format::print(out, args.all())));
    functions.pure("println", ANY_NUMBER, |args| text(|out| format::println(out, args.all())));
    functions.pure("printf", Signature::variadic(&[String], Any), |args| {
        text(|out| format::printf(out, args.bytes(0), args.rest(1)))
    });

    functions.pure("html", ANY_NUMBER, |args| escaped(args, escape::html));
    functions.pure("js", ANY_NUMBER, |args| escaped(args, escape::js));
    functions.pure("urlquery", ANY_NUMBER, |args| escaped(args, escape::query));

    functions.try_pure("eq", ANY_AND_MORE, |args| compare::equal_any(args.value(0), args.rest(1)));
    functions
        .try_pure("ne", [Any, Any], |args| compare::equal(args.value(0), args.value(1)).map(|equal| !equal));
    functions.try_pure("lt", [Any, Any], |args| compare::less(args.value(0), args.value(1)));
    functions.try_pure("le", [Any, Any], |args| compare::less_or_equal(args.value(0), args.value(1)));
    functions.try_pure("gt", [Any, Any], |args| {
        compare::less_or_equal(args.value(0), args.value(1)).map(|less_or_equal| !less_or_equal)
    });
    functions
        .try_pure("ge", [Any, Any], |args| compare::less(args.value(0), args.value(1)).map(|less| !less));
}

/// `call`: the first value is the function, which the template calls `name`.
pub(crate) fn call(name: Option<&str>, values: &[Value]) -> Result<Value, CallError> {
    let (function, args) = values.split_first().unwrap_or((&Value::Nil, &[]));
    let shown = || name.map_or_else(|| function.to_text().to_string(), str::to_owned);
    match function {
        Value::Func(function) => function.call(&shown(), args),
        Value::Nil => Err("call of nil".into()),
        other => Err(format!("non-function {} of type {}", shown(), other.type_name()).into()),
    }
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> Value {
    let mut out = Vec::new();
    write(&mut out);
    Value::Str(out.into())
}

/// What the arguments look like when printed, with what is special in some syntax escaped.
fn escaped(args: Args<'_>, escape: fn(&mut Vec<u8>, &[u8])) -> Value {
    let mut out = Vec::new();
    if let [Value::Str(only)] = args.all() {
        escape(&mut out, only.as_bytes());
    } else {
        escape(&mut out, &format::print_as_actions(args.all()));
    }
    Value::Str(out.into())
}
