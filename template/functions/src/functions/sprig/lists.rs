//! Lists.

use Param::{Any, Int};
use consul_template_language::{Args, CallError, CallResult, List, Param, Value};

use super::{Library, cast, equality};

pub(super) fn register(library: &mut Library<'_>) {
    library.add("list tuple", ([], Any), |args| list(args.all().to_vec()));
    library.add("first mustFirst", [Any], |args| {
        Ok(cast::list("find first", args.value(0))?.first().cloned().unwrap_or_default())
    });
    library.add("last mustLast", [Any], |args| {
        Ok(cast::list("find last", args.value(0))?.last().cloned().unwrap_or_default())
    });
    library.add("rest mustRest", [Any], |args| match cast::list("find rest", args.value(0))? {
        [_, rest @ ..] => list(rest.to_vec()),
        [] => Ok(Value::Nil),
    });
    library.add("initial mustInitial", [Any], |args| match cast::list("find initial", args.value(0))? {
        [initial @ .., _] => list(initial.to_vec()),
        [] => Ok(Value::Nil),
    });
    library.add("append push mustAppend mustPush", [Any, Any], |args| {
        let items = cast::list("push", args.value(0))?;
        list(items.iter().chain([args.value(1)]).cloned().collect())
    });
    library.add("prepend mustPrepend", [Any, Any], |args| {
        let items = cast::list("prepend", args.value(0))?;
        list([args.value(1)].into_iter().chain(items).cloned().collect())
    });
    library.add("concat", ([], Any), |args| {
        let lists: Result<Vec<&[Value]>, CallError> =
            args.all().iter().map(|arg| cast::list("concat", arg)).collect();
        list(lists?.concat())
    });
    library.add("reverse mustReverse", [Any], |args| {
        list(cast::list("find reverse", args.value(0))?.iter().rev().cloned().collect())
    });
    library.add("uniq mustUniq", [Any], |args| {
        let mut found: Vec<Value> = Vec::new();
        for item in cast::list("find uniq", args.value(0))? {
            if !has(&found, item) {
                found.push(item.clone());
            }
        }
        list(found)
    });
    library.add("without mustWithout", ([Any], Any), |args| {
        let items = cast::list("find without", args.value(0))?;
        list(items.iter().filter(|item| !has(args.rest(1), item)).cloned().collect())
    });
    library.add("has mustHas", [Any, Any], |args| {
        if args.value(1).is_nil() {
            return Ok(false.into());
        }
        Ok(has(cast::list("find has", args.value(1))?, args.value(0)).into())
    });
    library.add("slice mustSlice", ([Any], Any), slice);
    library.add("chunk mustChunk", [Int, Any], |args| {
        let size = usize::try_from(args.int(0)).ok().filter(|size| *size > 0);
        let size = size.ok_or("chunk size must be greater than 0")?;
        let items = cast::list("chunk", args.value(1))?;
        list(items.chunks(size).map(|chunk| List::any(chunk.to_vec()).into()).collect())
    });
    library.add("sortAlpha", [Any], |args| {
        let mut texts = cast::strings(args.value(0));
        texts.sort();
        Ok(List::strings(texts).into())
    });
    library.add("toStrings", [Any], |args| Ok(List::strings(cast::strings(args.value(0))).into()));
}

fn list(items: Vec<Value>) -> CallResult {
    Ok(List::any(items).into())
}

fn has(items: &[Value], wanted: &Value) -> bool {
    items.iter().any(|item| equality::equal(item, wanted))
}

fn slice(args: Args<'_>) -> CallResult {
    let items = cast::list("slice", args.value(0))?;
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let bound = |at: usize, default: usize| match args.rest(1).get(at) {
        Some(value) => cast::index(cast::int(value), items.len()),
        None => Ok(default),
    };
    let (from, to) = (bound(0, 0)?, bound(1, items.len())?);
    match items.get(from..to) {
        Some(part) => list(part.to_vec()),
        None => Err(format!("slice bounds out of range [{from}:{to}]").into()),
    }
}
