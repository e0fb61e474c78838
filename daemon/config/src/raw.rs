//! What one source says, checked against the key tables: optional everywhere, ready to be merged.

use crate::error::Problem;
use crate::schema::{Key, Kind, Schema, Style};
use crate::value::{Entry, Pos, Spanned, Value};
use std::collections::BTreeMap;

/// Keys that were set, under the names of the tables.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Raw {
    pub fields: BTreeMap<&'static str, Field>,
}

/// One key's value and where it was set.
#[derive(Clone, PartialEq)]
pub(crate) struct Field {
    pub node: Node,
    pub pos: Pos,
}

#[derive(Clone, PartialEq)]
pub(crate) enum Node {
    /// Text, number, boolean or a value that is handed on unread.
    Leaf(Value),
    List(Vec<Spanned>),
    Map(BTreeMap<String, Spanned>),
    Block(Raw),
    Blocks(Vec<(Raw, Pos)>),
    BlockMap(BTreeMap<String, Raw>),
}

impl Raw {
    /// The block that holds a dotted path, made if need be, and the path's last name. Paths come from the tables.
    fn slot(&mut self, path: &'static str, pos: &Pos) -> Option<(&mut Self, &'static str)> {
        let Some((block, rest)) = path.split_once('.') else { return Some((self, path)) };
        let field = self
            .fields
            .entry(block)
            .or_insert_with(|| Field { node: Node::Block(Self::default()), pos: pos.clone() });
        match &mut field.node {
            Node::Block(inner) => inner.slot(rest, pos),
            _ => None,
        }
    }

    /// Sets a dotted path; the last call wins.
    pub fn set(&mut self, path: &'static str, field: Field) {
        let pos = field.pos.clone();
        if let Some((block, name)) = self.slot(path, &pos) {
            block.fields.insert(name, field);
        }
    }

    /// Sets a dotted path unless it is set.
    pub fn set_if_absent(&mut self, path: &'static str, field: Field) {
        let pos = field.pos.clone();
        if let Some((block, name)) = self.slot(path, &pos) {
            block.fields.entry(name).or_insert(field);
        }
    }

    /// Adds a text to the list at a dotted path.
    pub fn append(&mut self, path: &'static str, item: Spanned) {
        let pos = item.pos.clone();
        let Some((block, name)) = self.slot(path, &pos) else { return };
        let field = block.fields.entry(name).or_insert_with(|| Field { node: Node::List(Vec::new()), pos });
        if let Node::List(items) = &mut field.node {
            items.push(item);
        }
    }

    /// Adds a pair to the map at a dotted path.
    pub fn insert_pair(&mut self, path: &'static str, key: String, value: Spanned) {
        let pos = value.pos.clone();
        let Some((block, name)) = self.slot(path, &pos) else { return };
        let field =
            block.fields.entry(name).or_insert_with(|| Field { node: Node::Map(BTreeMap::new()), pos });
        if let Node::Map(map) = &mut field.node {
            map.insert(key, value);
        }
    }
}

/// The syntax a value was written in: error texts name number types by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    Json,
    Hcl,
}

/// Brings a tree into table form and collects what is wrong with it.
pub(crate) struct Decoder {
    syntax: Syntax,
    /// Values of the wrong type.
    pub types: Vec<Problem>,
    /// Keys no table knows.
    pub unknown: Vec<Problem>,
}

impl Decoder {
    pub fn new(syntax: Syntax) -> Self {
        Self { syntax, types: Vec::new(), unknown: Vec::new() }
    }

    /// Decodes an object. `path` is its dotted place, empty for the root.
    pub fn object(&mut self, schema: &'static Schema, entries: &[Entry], path: &str) -> Raw {
        let mut raw = Raw::default();
        for entry in entries {
            let Some(key) = schema.find(&entry.key) else {
                let path = join(path, &entry.key);
                let message = format!("invalid config key {path}");
                self.unknown.push(Problem::new(path, message, Some(entry.pos.clone())));
                continue;
            };
            if matches!(entry.value.value, Value::Null) {
                continue;
            }
            let path = join(path, key.name);
            if let Some(node) = self.node(key, schema.style, &entry.value, &path) {
                raw.fields.insert(key.name, Field { node, pos: entry.value.pos.clone() });
            }
        }
        raw
    }

    fn node(&mut self, key: &Key, style: Style, value: &Spanned, path: &str) -> Option<Node> {
        Some(match key.kind {
            Kind::Text | Kind::Int | Kind::Float | Kind::Bool => {
                Node::Leaf(self.scalar(key.kind, style, value, path)?)
            }
            Kind::Any => Node::Leaf(value.value.clone()),
            Kind::Texts => Node::List(self.texts(style, value, path)?),
            Kind::AnyList => Node::List(self.items(style, value, path)?.to_vec()),
            Kind::TextMap => Node::Map(self.text_map(style, value, path)?),
            Kind::TextsMap => Node::Map(self.texts_map(style, value, path)?),
            Kind::Block(schema) => Node::Block(self.block(schema, value, path)?),
            Kind::Blocks(schema) => Node::Blocks(self.blocks(schema, style, value, path)?),
            Kind::BlockMap(schema) => Node::BlockMap(self.block_map(schema, value, path)?),
        })
    }

    fn scalar(&mut self, kind: Kind, style: Style, value: &Spanned, path: &str) -> Option<Value> {
        let loose = style == Style::Loose;
        let expected = match (kind, &value.value) {
            (Kind::Text, Value::String(_)) => return Some(value.value.clone()),
            (Kind::Text, Value::Int(n)) if loose => return Some(Value::String(n.to_string())),
            (Kind::Text, _) => "string",
            (Kind::Bool, Value::Bool(_)) => return Some(value.value.clone()),
            (Kind::Bool, Value::String(s)) if loose && matches!(s.as_str(), "true" | "false") => {
                return Some(Value::Bool(s == "true"));
            }
            (Kind::Bool, _) => "bool",
            (Kind::Int, Value::Int(_)) => return Some(value.value.clone()),
            // The fraction of a number that must be whole has always been dropped.
            (Kind::Int, Value::Float(x)) if x.abs() < 9e18 => return Some(Value::Int(x.trunc() as i64)),
            (Kind::Int, Value::String(s)) if loose && s.trim().parse::<i64>().is_ok() => {
                return s.trim().parse().ok().map(Value::Int);
            }
            (Kind::Int, _) => "int",
            (Kind::Float, Value::Int(_) | Value::Float(_)) => return Some(value.value.clone()),
            _ => "float64",
        };
        let got = self.go_type(&value.value);
        self.mismatch(path, &format!(" expected type '{expected}', got unconvertible type '{got}'"), value);
        None
    }

    /// The members of a list. Loose tables take a single object for a list of one.
    fn items<'v>(&mut self, style: Style, value: &'v Spanned, path: &str) -> Option<&'v [Spanned]> {
        match &value.value {
            Value::List(items) => Some(items),
            // HCL writes a list of one object as a block.
            Value::Object(_) if style == Style::Loose || self.syntax == Syntax::Hcl => {
                Some(std::slice::from_ref(value))
            }
            other => {
                let got = if matches!(other, Value::Object(_)) { "map" } else { self.go_type(other) };
                self.mismatch(path, &format!(": source data must be an array or slice, got {got}"), value);
                None
            }
        }
    }

    fn texts(&mut self, style: Style, value: &Spanned, path: &str) -> Option<Vec<Spanned>> {
        let items = self.items(style, value, path)?;
        let mut texts = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let text = self.scalar(Kind::Text, style, item, &format!("{path}[{at}]"))?;
            texts.push(Spanned::new(text, item.pos.clone()));
        }
        Some(texts)
    }

    fn entries<'v>(&mut self, value: &'v Spanned, path: &str) -> Option<&'v [Entry]> {
        match &value.value {
            Value::Object(entries) => Some(entries),
            // A list of one object is that object: the inverse of the rule for lists.
            Value::List(items)
                if let [only] = items.as_slice()
                    && let Some(entries) = only.value.as_object() =>
            {
                Some(entries)
            }
            other => {
                let got = match other {
                    // A list of one stands for its member.
                    Value::List(items) if let [only] = items.as_slice() => self.go_type(&only.value),
                    Value::List(_) => "slice",
                    other => self.go_type(other),
                };
                self.mismatch(path, &format!(" expected a map, got '{got}'"), value);
                None
            }
        }
    }

    fn text_map(&mut self, style: Style, value: &Spanned, path: &str) -> Option<BTreeMap<String, Spanned>> {
        let mut map = BTreeMap::new();
        for entry in self.entries(value, path)? {
            let path = format!("{path}[{}]", entry.key);
            let text = self.scalar(Kind::Text, style, &entry.value, &path)?;
            map.insert(entry.key.clone(), Spanned::new(text, entry.value.pos.clone()));
        }
        Some(map)
    }

    fn texts_map(&mut self, style: Style, value: &Spanned, path: &str) -> Option<BTreeMap<String, Spanned>> {
        let mut map = BTreeMap::new();
        for entry in self.entries(value, path)? {
            let path = format!("{path}[{}]", entry.key);
            let texts = self.texts(style, &entry.value, &path)?;
            map.insert(entry.key.clone(), Spanned::new(Value::List(texts), entry.value.pos.clone()));
        }
        Some(map)
    }

    fn block(&mut self, schema: &'static Schema, value: &Spanned, path: &str) -> Option<Raw> {
        let entries = self.entries(value, path)?;
        Some(self.object(schema, entries, path))
    }

    fn blocks(
        &mut self,
        schema: &'static Schema,
        style: Style,
        value: &Spanned,
        path: &str,
    ) -> Option<Vec<(Raw, Pos)>> {
        let style = if schema.style == Style::Loose { Style::Loose } else { style };
        let items = self.items(style, value, path)?;
        let mut blocks = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            blocks.push((self.block(schema, item, &format!("{path}[{at}]"))?, item.pos.clone()));
        }
        Some(blocks)
    }

    fn block_map(
        &mut self,
        schema: &'static Schema,
        value: &Spanned,
        path: &str,
    ) -> Option<BTreeMap<String, Raw>> {
        let mut map = BTreeMap::new();
        for entry in self.entries(value, path)? {
            let path = format!("{path}[{}]", entry.key);
            map.insert(entry.key.clone(), self.block(schema, &entry.value, &path)?);
        }
        Some(map)
    }

    fn mismatch(&mut self, path: &str, what: &str, value: &Spanned) {
        self.types.push(Problem::new(path, format!("'{path}'{what}"), Some(value.pos.clone())));
    }

    fn go_type(&self, value: &Value) -> &'static str {
        match value {
            Value::Int(_) if self.syntax == Syntax::Json => "float64",
            Value::List(_) => "[]interface {}",
            Value::Object(_) => "map[string]interface {}",
            other => other.type_name(),
        }
    }
}

pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
