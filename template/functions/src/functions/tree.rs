//! Nested maps: made of keys with slashes, and merged.

use consul_template_language::{CallError, CallResult, Functions, Key, Map, Param, ParamType, Value, quoted};

use super::access;
use super::group::KEY_PAIRS;
use crate::encode::{Budget, MAX_DEPTH};
use crate::pass::Pass;

/// Maps of values of any type; others must not be written to.
pub(super) static ANY_MAP: ParamType = ParamType {
    name: "map[string]interface {}",
    accepts: |value| value.as_map().is_some_and(is_any),
    nilable: false,
};

fn is_any(map: &Map) -> bool {
    map.kind().name == "map[string]interface {}"
}

pub(super) fn register(functions: &mut Functions<Pass>) {
    functions.try_pure("explode", [Param::Typed(&KEY_PAIRS)], |args| {
        let root = Map::any::<&str, Value>([]);
        for pair in args.list(0) {
            let key = access::text(pair, "Key").unwrap_or_default();
            put(&root, &key.to_str(), access::field(pair, "Value").unwrap_or_default())?;
        }
        Ok::<_, CallError>(root)
    });
    functions.try_pure("explodeMap", [Param::Map], |args| {
        let root = Map::any::<&str, Value>([]);
        if let Some(source) = args.map(0) {
            for (key, value) in source.snapshot().iter() {
                put(&root, &key.to_value().to_text().to_str(), value.clone())?;
            }
        }
        Ok::<_, CallError>(root)
    });
    functions.try_pure("mergeMap", [Param::Typed(&ANY_MAP), Param::Map], |args| {
        merged(args.map(0), args.map(1), Keep::First)
    });
    functions.try_pure("mergeMapWithOverride", [Param::Typed(&ANY_MAP), Param::Map], |args| {
        merged(args.map(0), args.map(1), Keep::Last)
    });
}

/// Puts a value under a key whose slashes lead into nested maps.
fn put(root: &Map, key: &str, value: Value) -> Result<(), CallError> {
    let mut map = root.clone();
    let mut rest = key;
    let mut depth = 0;
    while let Some((top, below)) = rest.split_once('/') {
        let next = match map.get(&top.into()) {
            Some(Value::Map(next)) if is_any(&next) => next,
            Some(other) => return Err(not_a_map(rest, top, &other)),
            None => {
                let next = Map::any::<&str, Value>([]);
                map.insert(top, next.clone());
                next
            }
        };
        depth += 1;
        if depth > MAX_DEPTH {
            return Err(format!("explode: key has more than {MAX_DEPTH} parts").into());
        }
        (map, rest) = (next, below);
    }
    if !rest.is_empty() {
        map.insert(rest, value);
    }
    Ok(())
}

fn not_a_map(path: &str, top: &str, value: &Value) -> CallError {
    let value = consul_template_language::sprintf(b"%q", std::slice::from_ref(value));
    format!(
        "explode: not a map: {}: {} already has value {}",
        quoted(path.as_bytes()),
        quoted(top.as_bytes()),
        String::from_utf8_lossy(&value)
    )
    .into()
}

/// Which of two values stays.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    First,
    Last,
}

fn merged(target: Option<&Map>, source: Option<&Map>, keep: Keep) -> CallResult {
    let (Some(target), Some(source)) = (target, source) else { return Ok(Value::Nil) };
    merge_maps(target, source, keep)?;
    Ok(target.clone().into())
}

/// Merges `source` into `target`; empty values give way to others in any case.
pub(super) fn merge_maps(target: &Map, source: &Map, keep: Keep) -> Result<(), CallError> {
    merge(target, source, keep, 0, &mut Budget::copying())
}

fn merge(target: &Map, source: &Map, keep: Keep, depth: usize, budget: &mut Budget) -> Result<(), CallError> {
    if !budget.allows(depth) {
        return Err("map is nested too deep or too large".into());
    }
    for (key, value) in source.snapshot().iter() {
        merge_entry(target, key, value, keep, depth, budget)?;
    }
    Ok(())
}

fn merge_entry(
    target: &Map,
    key: &Key,
    value: &Value,
    keep: Keep,
    depth: usize,
    budget: &mut Budget,
) -> Result<(), CallError> {
    let present = target.get(key);
    if let (Some(Value::Map(present)), Value::Map(value)) = (&present, value)
        && is_any(present)
    {
        return merge(present, value, keep, depth + 1, budget);
    }
    let replace = match (&present, keep) {
        (None, _) => true,
        (Some(present), Keep::First) => !present.truth() && value.truth(),
        (Some(_), Keep::Last) => value.truth(),
    };
    if replace {
        target.insert(key.clone(), copy(value, depth, budget)?);
    }
    Ok(())
}

/// A map of its own, so that merging into the result does not change the source.
fn copy(value: &Value, depth: usize, budget: &mut Budget) -> CallResult {
    let Value::Map(map) = value else { return Ok(value.clone()) };
    if !budget.allows(depth) {
        return Err("map is nested too deep or too large".into());
    }
    if !is_any(map) {
        return Ok(value.clone());
    }
    let target = Map::any::<&str, Value>([]);
    for (key, value) in map.snapshot().iter() {
        target.insert(key.clone(), copy(value, depth + 1, budget)?);
    }
    Ok(target.into())
}
