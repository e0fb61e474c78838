//! JSON as Go reads and writes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use consul_template_language::{CallError, List, Map, Text, Value};

use super::fields::{entries, fields};
use super::{MAX_DEPTH, MAX_LENGTH};

/// Reads a text. Every number is a floating-point number.
pub(crate) fn read(text: &str) -> Result<Value, CallError> {
    let json: serde_json::Value = serde_json::from_str(text).map_err(CallError::from_error)?;
    Ok(to_value(&json))
}

/// JSON as templates see it. It is never deep, because there is a limit to what is read.
pub(crate) fn to_value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(truth) => Value::Bool(*truth),
        serde_json::Value::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => text.as_str().into(),
        serde_json::Value::Array(items) => List::any(items.iter().map(to_value).collect()).into(),
        serde_json::Value::Object(fields) => {
            Map::any(fields.iter().map(|(name, value)| (name.as_str(), to_value(value)))).into()
        }
    }
}

/// Which characters are escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// Those that mean something in HTML too.
    Html,
    /// Only those that cannot stand in a string.
    Needed,
}

/// How lines are broken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// All on one line.
    Compact,
    /// Every item on a line of its own.
    Indented,
}

/// Writes a value.
pub(crate) fn write(value: &Value, escape: Escape, layout: Layout) -> Result<String, CallError> {
    let mut writer = Writer { out: String::new(), escape, layout, depth: 0 };
    writer.value(value)?;
    Ok(writer.out)
}

struct Writer {
    out: String,
    escape: Escape,
    layout: Layout,
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), CallError> {
        if self.depth > MAX_DEPTH || self.out.len() > MAX_LENGTH {
            return Err("json: value is nested too deep or too large".into());
        }
        match value {
            Value::Nil | Value::NilPtr(_) => self.out.push_str("null"),
            Value::Bool(truth) => self.out.push_str(if *truth { "true" } else { "false" }),
            Value::Int(number) | Value::Duration(number) => self.out.push_str(&number.to_string()),
            Value::Uint(number) => self.out.push_str(&number.to_string()),
            Value::Float(number) => self.out.push_str(&float(*number)?),
            Value::Str(text) => self.string(text),
            Value::Bytes(bytes) => self.string(&BASE64.encode(bytes.as_bytes()).into()),
            Value::List(list) if list.is_nil() => self.out.push_str("null"),
            Value::List(list) => {
                self.group('[', ']', list.as_slice(), |writer, item| writer.value(item))?;
            }
            Value::Map(map) if map.is_nil() => self.out.push_str("null"),
            Value::Map(map) => self.object(&entries(map))?,
            Value::Record(record) => match record.display() {
                Some(text) => self.string(&text.into()),
                None => self.object(&fields(record.as_ref()))?,
            },
            Value::Func(_) | Value::Span(..) => {
                return Err(format!("json: unsupported type: {}", value.type_name()).into());
            }
        }
        Ok(())
    }

    fn object(&mut self, fields: &[(Text, Value)]) -> Result<(), CallError> {
        self.group('{', '}', fields, |writer, (name, value)| {
            writer.string(name);
            writer.out.push_str(if writer.layout == Layout::Compact { ":" } else { ": " });
            writer.value(value)
        })
    }

    fn group<T>(
        &mut self,
        open: char,
        close: char,
        items: &[T],
        write: impl Fn(&mut Self, &T) -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        self.out.push(open);
        self.depth += 1;
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.line();
            write(self, item)?;
        }
        self.depth -= 1;
        if !items.is_empty() {
            self.line();
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self) {
        if self.layout == Layout::Indented {
            self.out.push('\n');
            (0..self.depth).for_each(|_| self.out.push_str("  "));
        }
    }

    fn string(&mut self, text: &Text) {
        self.out.push('"');
        for char in text.to_str().chars() {
            match char {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                '\0'..'\u{20}' | '\u{2028}' | '\u{2029}' => self.escape(char),
                '<' | '>' | '&' if self.escape == Escape::Html => self.escape(char),
                char => self.out.push(char),
            }
        }
        self.out.push('"');
    }

    fn escape(&mut self, char: char) {
        self.out.push_str(&format!("\\u{:04x}", u32::from(char)));
    }
}

/// A number without an exponent unless it is very large or very small.
fn float(number: f64) -> Result<String, CallError> {
    if !number.is_finite() {
        return Err(format!("json: unsupported value: {}", Value::Float(number).to_text()).into());
    }
    if number != 0.0 && !(1e-6..1e21).contains(&number.abs()) {
        let text = format!("{number:e}");
        return Ok(if text.contains("e-") { text } else { text.replace('e', "e+") });
    }
    Ok(number.to_string())
}
