//! Defaults, choices and types.

use Param::{Any, Bool, String as Str};
use consul_template_language::{Args, CallResult, List, Param, Value};

use super::{Library, cast, equality};

pub(super) fn register(library: &mut Library<'_>) {
    library.add("default", ([Any], Any), |args| {
        Ok(args.rest(1).first().filter(|given| given.truth()).unwrap_or(args.value(0)).clone())
    });
    library.add("empty", [Any], |args| Ok((!args.value(0).truth()).into()));
    library.add("coalesce", ([], Any), |args| {
        Ok(args.all().iter().find(|value| value.truth()).cloned().unwrap_or_default())
    });
    library.add("all", ([], Any), |args| Ok(args.all().iter().all(Value::truth).into()));
    library.add("any", ([], Any), |args| Ok(args.all().iter().any(Value::truth).into()));
    library.add("ternary", [Any, Any, Bool], |args| Ok(args.value(usize::from(!args.bool(2))).clone()));
    library.add("compact mustCompact", [Any], |args| {
        let items = cast::list("compact", args.value(0))?;
        Ok(List::any(items.iter().filter(|item| item.truth()).cloned().collect()).into())
    });
    library.add("typeOf", [Any], |args| Ok(args.value(0).type_name().into()));
    library.add("typeIs", [Str, Any], |args| Ok((args.value(1).type_name() == args.str(0)).into()));
    library.add("typeIsLike", [Str, Any], |args| {
        let name = args.value(1).type_name();
        Ok((name == args.str(0) || name.strip_prefix('*') == Some(&*args.str(0))).into())
    });
    library.add("kindOf", [Any], |args| Ok(Value::fixed(cast::kind(args.value(0)))));
    library.add("kindIs", [Str, Any], |args| Ok((cast::kind(args.value(1)) == args.str(0)).into()));
    library.add("deepEqual", [Any, Any], |args| Ok(equality::equal(args.value(0), args.value(1)).into()));
    library.add("fail", [Str], fail);
    library.add("hello", [], |_| Ok(Value::fixed("Hello!")));
}

fn fail(args: Args<'_>) -> CallResult {
    Err(args.str(0).into_owned().into())
}
