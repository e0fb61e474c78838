//! Reads YAML 1.1 with the types that Go gives to scalars.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use consul_template_language::{CallError, Key, List, Map, Text, Value};
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::yaml_resolve::resolve;

/// How deep a document may be nested.
const MAX_DEPTH: usize = 200;
/// How many values there may be, counting those behind aliases every time they are used.
const MAX_VALUES: usize = 1_000_000;

/// Reads the first document of a text; nil if there is none.
pub(crate) fn read(text: &str) -> Result<Value, CallError> {
    let mut reader = Reader { open: Vec::new(), anchors: HashMap::new(), result: Value::Nil, values: 0 };
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| CallError::new(format!("yaml: {error}")))?;
        if let Event::DocumentEnd = event {
            break;
        }
        reader.event(event)?;
    }
    Ok(reader.result)
}

/// A list or a map that is not complete yet.
struct Open {
    anchor: usize,
    /// Values, counting nested ones.
    size: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Value>),
    Map { map: Map, key: Option<Value>, merged: Vec<Value> },
}

struct Reader {
    open: Vec<Open>,
    anchors: HashMap<usize, (Value, usize)>,
    result: Value,
    values: usize,
}

impl Reader {
    fn event(&mut self, event: Event<'_>) -> Result<(), CallError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref())?;
                self.complete(value, anchor, 1)
            }
            Event::SequenceStart(anchor, _) => self.begin(anchor, Kind::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                let map = Map::any::<&str, Value>([]);
                self.begin(anchor, Kind::Map { map, key: None, merged: Vec::new() })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                self.complete(finish(open.kind), open.anchor, open.size + 1)
            }
            Event::Alias(anchor) => {
                let (value, size) = self.anchors.get(&anchor).cloned().ok_or("yaml: unknown anchor")?;
                self.complete(value, 0, size)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, anchor: usize, kind: Kind) -> Result<(), CallError> {
        if self.open.len() >= MAX_DEPTH {
            return Err("yaml: exceeded max depth of a document".into());
        }
        self.open.push(Open { anchor, size: 0, kind });
        Ok(())
    }

    fn complete(&mut self, value: Value, anchor: usize, size: usize) -> Result<(), CallError> {
        self.values += size;
        if self.values > MAX_VALUES {
            return Err("yaml: document contains excessive aliasing".into());
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            self.result = value;
            return Ok(());
        };
        open.size += size;
        match &mut open.kind {
            Kind::List(items) => items.push(value),
            Kind::Map { map, key, merged } => match key.take() {
                None => *key = Some(value),
                Some(key) if is_merge(&key) => merged.push(value),
                Some(key) => map.insert(name(&key), value),
            },
        }
        Ok(())
    }
}

fn is_merge(key: &Value) -> bool {
    key.as_text().is_some_and(|text| text.as_bytes() == b"<<")
}

/// Every key becomes a string, whatever it is.
fn name(key: &Value) -> Key {
    match key {
        Value::Nil => "null".into(),
        key => Key::Str(key.to_text()),
    }
}

fn finish(kind: Kind) -> Value {
    match kind {
        Kind::List(items) => List::any(items).into(),
        Kind::Map { map, merged, .. } => {
            for source in merged {
                let sources = match source.as_list() {
                    Some(list) => list.as_slice().to_vec(),
                    None => vec![source],
                };
                sources.iter().filter_map(Value::as_map).for_each(|source| merge(&map, source));
            }
            map.into()
        }
    }
}

fn merge(map: &Map, source: &Map) {
    for (key, value) in source.snapshot().iter() {
        if map.get(key).is_none() {
            map.insert(key.clone(), value.clone());
        }
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, CallError> {
    let Some(tag) = tag.filter(|tag| tag.is_yaml_core_schema()) else {
        return Ok(if style == ScalarStyle::Plain { resolve(text) } else { text.into() });
    };
    let bad = || CallError::new(format!("yaml: cannot decode {text:?} as !!{}", tag.suffix));
    Ok(match (tag.suffix.as_str(), resolve(text)) {
        ("str", _) => text.into(),
        ("binary", _) => {
            let packed: String = text.split_ascii_whitespace().collect();
            Text::from(BASE64.decode(packed).map_err(|_| bad())?).into()
        }
        ("float", Value::Int(number)) => Value::Float(number as f64),
        ("int", value @ (Value::Int(_) | Value::Uint(_)))
        | ("float", value @ Value::Float(_))
        | ("bool", value @ Value::Bool(_)) => value,
        ("null", _) => Value::Nil,
        ("int" | "float" | "bool", _) => return Err(bad()),
        (_, value) => value,
    })
}
