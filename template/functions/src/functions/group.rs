//! Lists turned into maps by something their items have.

use std::collections::BTreeMap;

use consul_template_language::{
    CallError, CallResult, Functions, Key, KeyKind, List, ListType, Map, MapType, Param, ParamType, Text,
    Value,
};

use super::access::{field, is_list_of, text};
use crate::data::{HealthService, KeyPair, Row};
use crate::pass::Pass;

const INSTANCES: &str = "*dependency.HealthService";
const PAIRS: &str = "*dependency.KeyPair";

/// Lists of key pairs.
pub(super) static KEY_PAIRS: ParamType =
    ParamType { name: "[]*dependency.KeyPair", accepts: |value| is_list_of(value, &[PAIRS]), nilable: true };
static HEALTH_SERVICES: ParamType = ParamType {
    name: "[]*dependency.HealthService",
    accepts: |value| is_list_of(value, &[INSTANCES]),
    nilable: true,
};

static PAIR_BY_KEY: MapType = MapType {
    name: "map[string]*dependency.KeyPair",
    keys: KeyKind::Str,
    element: PAIRS,
    zero: || Value::NilPtr(PAIRS),
};
static PAIRS_BY_KEY: MapType = MapType {
    name: "map[string]map[string]*dependency.KeyPair",
    keys: KeyKind::Str,
    element: "map[string]*dependency.KeyPair",
    zero: || Value::Map(Map::nil(&PAIR_BY_KEY)),
};
static LISTS: MapType = MapType {
    name: "map[string][]interface {}",
    keys: KeyKind::Str,
    element: "[]interface {}",
    zero: || Value::List(List::nil(ListType::ANY)),
};
static LISTS_BY_NUMBER: MapType = MapType {
    name: "map[int][]interface {}",
    keys: KeyKind::Int,
    element: "[]interface {}",
    zero: || Value::List(List::nil(ListType::ANY)),
};
static INSTANCE_LISTS: MapType = MapType {
    name: "map[string][]*dependency.HealthService",
    keys: KeyKind::Str,
    element: "[]*dependency.HealthService",
    zero: || Value::List(List::nil(HealthService::list_type())),
};

pub(super) fn register(functions: &mut Functions<Pass>) {
    functions.pure("byKey", [Param::Typed(&KEY_PAIRS)], |args| by_key(args.list(0)));
    functions.try_pure("byTag", [Param::Any], |args| by_tag(args.value(0)));
    functions.try_pure("byPort", [Param::Any], |args| by_port(args.value(0)));
    functions.try_pure("byMeta", [Param::String, Param::Typed(&HEALTH_SERVICES)], |args| {
        by_meta(&args.str(0), args.list(1))
    });
}

/// Pairs by the first part of their keys, then by the rest.
fn by_key(pairs: &[Value]) -> Map {
    let mut folders: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
    for pair in pairs {
        let Some(key) = text(pair, "Key") else { continue };
        let key = key.to_str();
        let Some((folder, rest)) = key.split_once('/') else { continue };
        folders.entry(folder.to_owned()).or_default().push((rest.to_owned(), renamed(pair, rest)));
    }
    let folders = folders.into_iter().map(|(folder, pairs)| (folder, Map::collect(&PAIR_BY_KEY, pairs)));
    Map::collect(&PAIRS_BY_KEY, folders)
}

fn renamed(pair: &Value, key: &str) -> Value {
    match pair {
        Value::Map(map) => {
            let copy = Map::new(map.kind(), map.snapshot().as_ref().clone());
            copy.insert("Key", key);
            copy.into()
        }
        pair => pair.as_record::<KeyPair>().map(|pair| pair.renamed(key)).unwrap_or_default(),
    }
}

fn wrong_type(function: &str, value: &Value) -> CallError {
    format!("{function}: wrong argument type {}", value.type_name()).into()
}

fn by_tag(services: &Value) -> CallResult {
    const TAGGED: &[&str] = &[INSTANCES, "*dependency.CatalogSnippet", "*dependency.CatalogService"];
    if !services.is_nil() && !is_list_of(services, TAGGED) {
        return Err(wrong_type("byTag", services));
    }
    let mut groups: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
    for service in services.as_list().map(List::as_slice).unwrap_or_default() {
        let tags = field(service, "Tags").or_else(|| field(service, "ServiceTags"));
        let Some(Value::List(tags)) = tags else { continue };
        for tag in tags.iter().filter_map(Value::as_text) {
            groups.entry(Key::Str(tag.clone())).or_default().push(service.clone());
        }
    }
    Ok(Map::collect(&LISTS, groups.into_iter().map(|(tag, list)| (tag, List::any(list)))).into())
}

fn by_port(services: &Value) -> CallResult {
    const WITH_PORT: &[&str] = &[INSTANCES, "*dependency.CatalogService"];
    if !services.is_nil() && !is_list_of(services, WITH_PORT) {
        return Err(wrong_type("byPort", services));
    }
    let mut groups: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
    for service in services.as_list().map(List::as_slice).unwrap_or_default() {
        let port = match field(service, "Port").or_else(|| field(service, "ServicePort")) {
            Some(Value::Int(port)) => port,
            Some(Value::Float(port)) => port as i64,
            _ => continue,
        };
        groups.entry(Key::Int(port)).or_default().push(service.clone());
    }
    Ok(Map::collect(&LISTS_BY_NUMBER, groups.into_iter().map(|(port, list)| (port, List::any(list)))).into())
}

/// Instances by the values of one or more keys of their metadata.
fn by_meta(keys: &str, services: &[Value]) -> CallResult {
    let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for service in services {
        let meta = field(service, "ServiceMeta");
        let parts: Result<Vec<String>, CallError> =
            keys.split(',').map(|key| meta_part(meta.as_ref(), key)).collect();
        groups.entry(parts?.join("_")).or_default().push(service.clone());
    }
    let lists = groups.into_iter().map(|(key, list)| (key, List::new(HealthService::list_type(), list)));
    Ok(Map::collect(&INSTANCE_LISTS, lists).into())
}

fn meta_part(meta: Option<&Value>, key: &str) -> Result<String, CallError> {
    let (name, is_number) = match key.strip_suffix("|int") {
        Some(name) => (name, true),
        None => (key, false),
    };
    let value = meta
        .and_then(Value::as_map)
        .and_then(|meta| meta.get(&name.into()))
        .map(|value| value.to_text())
        .filter(|value: &Text| !value.is_empty())
        .map(|value| value.to_string());
    let value = match (value, is_number) {
        (value, true) => {
            let value = value.unwrap_or_else(|| "0".to_owned());
            let number: i64 = value.parse().map_err(|_| {
                format!("cannot parse {value} as number : strconv.Atoi: parsing {value:?}: invalid syntax")
            })?;
            // The sign takes one of the five places.
            format!("{number:05}")
        }
        (Some(value), false) => value,
        (None, false) => format!("_no_{name}_"),
    };
    let normal =
        |char: char| if char.is_ascii_alphanumeric() || matches!(char, '_' | '-') { char } else { '_' };
    Ok(value.chars().map(normal).collect())
}
