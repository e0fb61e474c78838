//! A place where a template keeps values while it is executed.

use std::sync::{Mutex, PoisonError};

use consul_template_language::{
    CallResult, Functions, Key, List, Map, MapType, Param, Record, Signature, Text, Value, quoted,
};

use crate::pass::Pass;

/// Values by name.
pub(crate) struct Scratch(Map, Mutex<()>);

impl Default for Scratch {
    fn default() -> Self {
        Scratch(Map::new(MapType::ANY, Default::default()), Mutex::new(()))
    }
}

pub(super) fn register(functions: &mut Functions<Pass>) {
    functions.add("scratch", [], |run, _| {
        let scratch = std::sync::Arc::clone(&run.context().scratch);
        Ok(Value::Record(scratch as std::sync::Arc<dyn Record>))
    });
}

impl Scratch {
    /// The map under `name`, which is made if there is nothing under that name.
    fn map(&self, name: Text) -> Result<Map, String> {
        match self.0.get(&Key::Str(name.clone())) {
            Some(Value::Map(map)) if map.kind().element == MapType::ANY.element => Ok(map),
            Some(_) => Err(format!("{} is not a map", quoted(name.as_bytes()))),
            None => {
                let map = Map::new(MapType::ANY, Default::default());
                self.0.insert(name, map.clone());
                Ok(map)
            }
        }
    }

    fn values(&self, name: Text) -> Result<Value, String> {
        match self.0.get(&Key::Str(name.clone())) {
            None => Ok(Value::Nil),
            Some(Value::Map(map)) => Ok(List::any(map.snapshot().values().cloned().collect()).into()),
            Some(_) => Ok(Value::Nil),
        }
    }
}

fn insert_if_absent(map: &Map, key: Text, value: &Value) {
    if map.get(&Key::Str(key.clone())).is_none() {
        map.insert(key, value.clone());
    }
}

impl Record for Scratch {
    fn type_name(&self) -> &'static str {
        "*template.Scratch"
    }

    fn fields(&self) -> &'static [&'static str] {
        &[]
    }

    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    fn method(&self, name: &str) -> Option<Signature> {
        Some(match name {
            "Key" | "Get" | "MapValues" => Signature::fixed(&[Param::String]),
            "Set" | "SetX" => Signature::fixed(&[Param::String, Param::Any]),
            "MapSet" | "MapSetX" => Signature::fixed(&[Param::String, Param::String, Param::Any]),
            _ => return None,
        })
    }

    fn call(&self, name: &str, args: &[Value]) -> CallResult {
        let _whole = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        let text = |index: usize| args.get(index).and_then(Value::as_text).cloned().unwrap_or_default();
        let last = args.last().unwrap_or(&Value::Nil);
        match name {
            "Key" => return Ok(self.0.get(&Key::Str(text(0))).is_some().into()),
            "Get" => return Ok(self.0.get(&Key::Str(text(0))).unwrap_or_default()),
            "MapValues" => return Ok(self.values(text(0))?),
            "Set" => self.0.insert(text(0), last.clone()),
            "SetX" => insert_if_absent(&self.0, text(0), last),
            "MapSet" => self.map(text(0))?.insert(text(1), last.clone()),
            _ => insert_if_absent(&self.map(text(0))?, text(1), last),
        }
        Ok(Value::fixed(""))
    }
}
