//! TOML as the most used library of Go writes it: plain keys first, then tables, the bodies of nested ones
//! indented.

use consul_template_language::{CallError, Text, Value};

use super::fields::{entries, fields};
use super::{MAX_DEPTH, MAX_LENGTH};

/// Writes a map or a record.
pub(crate) fn write(value: &Value) -> Result<String, CallError> {
    let mut writer = Writer { out: String::new() };
    let fields = table(value).ok_or("toml: top-level values must be Go maps or structs")?;
    writer.table(&mut Vec::new(), fields)?;
    Ok(writer.out.trim().to_owned())
}

/// The fields of what is written as a table.
fn table(value: &Value) -> Option<Vec<(Text, Value)>> {
    match value {
        Value::Map(map) => Some(entries(map)),
        Value::Record(record) if record.display().is_none() => Some(fields(record.as_ref())),
        _ => None,
    }
}

/// The tables of a list that has nothing else in it.
fn tables(value: &Value) -> Option<Vec<Vec<(Text, Value)>>> {
    let items = value.as_list().filter(|list| !list.is_empty())?;
    items.iter().map(table).collect()
}

struct Writer {
    out: String,
}

impl Writer {
    fn table(&mut self, path: &mut Vec<String>, fields: Vec<(Text, Value)>) -> Result<(), CallError> {
        if path.len() > MAX_DEPTH || self.out.len() > MAX_LENGTH {
            return Err("toml: value is nested too deep or too large".into());
        }
        let (sub, direct): (Vec<_>, Vec<_>) =
            fields.into_iter().partition(|(_, value)| table(value).is_some() || tables(value).is_some());
        for (name, value) in direct.iter().filter(|(_, value)| !value.is_nil()) {
            self.indent(path.len());
            self.out.push_str(&key(name));
            self.out.push_str(" = ");
            self.inline(value, 0)?;
            self.out.push('\n');
        }
        for (name, value) in sub {
            path.push(key(&name));
            if let Some(fields) = table(&value) {
                if path.len() == 1 {
                    self.blank_line();
                }
                self.header(path, "[", "]");
                self.table(path, fields)?;
            } else {
                for fields in tables(&value).unwrap_or_default() {
                    self.blank_line();
                    self.header(path, "[[", "]]");
                    self.table(path, fields)?;
                }
            }
            path.pop();
        }
        Ok(())
    }

    fn blank_line(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    fn header(&mut self, path: &[String], open: &str, close: &str) {
        self.indent(path.len().saturating_sub(1));
        self.out.push_str(open);
        self.out.push_str(&path.join("."));
        self.out.push_str(close);
        self.out.push('\n');
    }

    fn indent(&mut self, depth: usize) {
        (0..depth).for_each(|_| self.out.push_str("  "));
    }

    fn inline(&mut self, value: &Value, depth: usize) -> Result<(), CallError> {
        if depth > MAX_DEPTH || self.out.len() > MAX_LENGTH {
            return Err("toml: value is nested too deep or too large".into());
        }
        match value {
            Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Duration(_) => {
                self.out.push_str(&value.to_text().to_str());
            }
            Value::Float(number) => self.out.push_str(&float(*number)),
            Value::Str(text) | Value::Bytes(text) => self.out.push_str(&quote(text)),
            Value::List(list) => {
                self.out.push('[');
                for (index, item) in list.iter().enumerate() {
                    self.out.push_str(if index > 0 { ", " } else { "" });
                    self.inline(item, depth + 1)?;
                }
                self.out.push(']');
            }
            Value::Map(_) | Value::Record(_) => match table(value) {
                Some(fields) => self.inline_table(&fields, depth)?,
                None => self.out.push_str(&value.to_text().to_str()),
            },
            Value::Nil | Value::NilPtr(_) => return Err("toml: cannot encode array with nil element".into()),
            Value::Func(_) | Value::Span(..) => {
                return Err(format!("unsupported type: {}", value.type_name()).into());
            }
        }
        Ok(())
    }

    fn inline_table(&mut self, fields: &[(Text, Value)], depth: usize) -> Result<(), CallError> {
        self.out.push('{');
        for (index, (name, value)) in fields.iter().filter(|(_, value)| !value.is_nil()).enumerate() {
            self.out.push_str(if index > 0 { ", " } else { "" });
            self.out.push_str(&key(name));
            self.out.push_str(" = ");
            self.inline(value, depth + 1)?;
        }
        self.out.push('}');
        Ok(())
    }
}

fn key(name: &Text) -> String {
    let bare = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.is_empty() && name.as_bytes().iter().all(bare) { name.to_string() } else { quote(name) }
}

fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.into();
    }
    let text = number.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

fn quote(text: &Text) -> String {
    let mut out = String::from('"');
    for char in text.to_str().chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..'\u{20}' | '\u{7f}' => out.push_str(&format!("\\u{:04x}", u32::from(char))),
            char => out.push(char),
        }
    }
    out.push('"');
    out
}
