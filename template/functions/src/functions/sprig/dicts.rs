//! Maps.

use Param::{Any, String as Str, Typed};
use consul_template_language::{Args, CallError, CallResult, Key, List, Map, Param, Value};

use super::super::tree::{ANY_MAP, Keep, merge_maps};
use super::{Library, cast};
use crate::encode::Budget;

pub(super) fn register(library: &mut Library<'_>) {
    library.add("dict", ([], Any), |args| {
        let pairs = args.all().chunks(2);
        Ok(Map::any(pairs.map(|pair| match pair {
            [key, value] => (cast::string(key), value.clone()),
            [key, ..] => (cast::string(key), Value::fixed("")),
            [] => Default::default(),
        }))
        .into())
    });
    library.add("get", [Param::Map, Str], |args| {
        let found = args.map(0).and_then(|map| map.get(&Key::Str(args.text(1))));
        Ok(found.unwrap_or(Value::fixed("")))
    });
    library.add("set", [Typed(&ANY_MAP), Str, Any], |args| {
        if let Some(map) = args.map(0) {
            map.insert(args.text(1), args.value(2).clone());
        }
        Ok(args.value(0).clone())
    });
    library.add("unset", [Typed(&ANY_MAP), Str], |args| {
        args.map(0).and_then(|map| map.remove(&Key::Str(args.text(1))));
        Ok(args.value(0).clone())
    });
    library.add("hasKey", [Param::Map, Str], |args| {
        Ok(args.map(0).is_some_and(|map| map.get(&Key::Str(args.text(1))).is_some()).into())
    });
    library.add("keys", ([], Param::Map), |args| {
        let maps = args.all().iter().filter_map(Value::as_map);
        let keys = maps.flat_map(|map| map.snapshot().keys().map(Key::to_value).collect::<Vec<_>>());
        Ok(List::strings(keys).into())
    });
    library.add("values", [Param::Map], |args| {
        let values = args.map(0).map(|map| map.snapshot().values().cloned().collect());
        Ok(List::any(values.unwrap_or_default()).into())
    });
    library.add("pick", ([Param::Map], Str), |args| Ok(choose(args, true)));
    library.add("omit", ([Param::Map], Str), |args| Ok(choose(args, false)));
    library.add("pluck", ([Str], Param::Map), |args| {
        let key = Key::Str(args.text(0));
        let maps = args.rest(1).iter().filter_map(Value::as_map);
        Ok(List::any(maps.filter_map(|map| map.get(&key)).collect()).into())
    });
    library.add("dig", ([], Any), dig);
    library.add("merge mustMerge", ([Typed(&ANY_MAP)], Param::Map), |args| merged(args, Keep::First));
    library.add("mergeOverwrite mustMergeOverwrite", ([Typed(&ANY_MAP)], Param::Map), |args| {
        merged(args, Keep::Last)
    });
    library.add("deepCopy mustDeepCopy", [Any], |args| copy(args.value(0), 0, &mut Budget::copying()));
}

fn choose(args: Args<'_>, listed: bool) -> Value {
    let Some(map) = args.map(0) else { return Value::Nil };
    let entries = map.snapshot();
    let is_listed = |key: &Key| args.rest(1).iter().any(|name| key.to_value().as_text() == name.as_text());
    let chosen = entries.iter().filter(|(key, _)| is_listed(key) == listed);
    Map::any(chosen.map(|(key, value)| (key.clone(), value.clone()))).into()
}

fn dig(args: Args<'_>) -> CallResult {
    let [keys @ .., default, Value::Map(map)] = args.all() else {
        return Err("dig needs at least three arguments".into());
    };
    let mut map = map.clone();
    for (index, key) in keys.iter().enumerate() {
        match map.get(&Key::Str(cast::string(key))) {
            None => return Ok(default.clone()),
            Some(value) if index + 1 == keys.len() => return Ok(value),
            Some(Value::Map(next)) => map = next,
            Some(_) => return Err(format!("dig: {} is not a dict", cast::chars(key)).into()),
        }
    }
    Err("dig needs at least three arguments".into())
}

fn merged(args: Args<'_>, keep: Keep) -> CallResult {
    if let Some(target) = args.map(0) {
        for source in args.rest(1).iter().filter_map(Value::as_map) {
            merge_maps(target, source, keep)?;
        }
    }
    Ok(args.value(0).clone())
}

fn copy(value: &Value, depth: usize, budget: &mut Budget) -> Result<Value, CallError> {
    if !budget.allows(depth) {
        return Err("value is nested too deep or too large".into());
    }
    Ok(match value {
        Value::List(list) => {
            let items: Result<Vec<Value>, CallError> =
                list.iter().map(|item| copy(item, depth + 1, budget)).collect();
            List::new(list.kind(), items?).into()
        }
        Value::Map(map) => {
            let target = Map::new(map.kind(), Default::default());
            for (key, value) in map.snapshot().iter() {
                target.insert(key.clone(), copy(value, depth + 1, budget)?);
            }
            target.into()
        }
        other => other.clone(),
    })
}
