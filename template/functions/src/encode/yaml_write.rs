//! YAML as the most used library of Go writes it.

use std::cmp::Ordering;

use consul_template_language::{CallError, Text, Value};

use super::fields::{entries, fields};
use super::yaml_style::{Place, Style, style};
use super::{MAX_DEPTH, MAX_LENGTH};

/// Writes a value, without the newline at its end.
pub(crate) fn write(value: &Value) -> Result<String, CallError> {
    let mut writer = Writer { out: String::new(), depth: 0 };
    writer.value(value, 0)?;
    Ok(writer.out.trim().to_owned())
}

struct Writer {
    out: String,
    depth: usize,
}

/// What holds other values.
enum Shape {
    List(Vec<Value>),
    Map(Vec<(Text, Value)>),
}

impl Shape {
    fn of(value: &Value) -> Option<Shape> {
        Some(match value {
            Value::List(list) => Shape::List(list.as_slice().to_vec()),
            Value::Bytes(bytes) => {
                Shape::List(bytes.as_bytes().iter().map(|byte| Value::Int((*byte).into())).collect())
            }
            Value::Map(map) => {
                let mut entries = entries(map);
                entries.sort_by(|a, b| natural(&a.0.to_str(), &b.0.to_str()));
                Shape::Map(entries)
            }
            Value::Record(record) if record.display().is_none() => {
                let mut fields = fields(record.as_ref());
                fields.iter_mut().for_each(|(name, _)| *name = name.to_str().to_lowercase().into());
                Shape::Map(fields)
            }
            _ => return None,
        })
    }

    fn is_empty(&self) -> bool {
        match self {
            Shape::List(items) => items.is_empty(),
            Shape::Map(fields) => fields.is_empty(),
        }
    }
}

impl Writer {
    /// Writes a value at a column where the cursor stands already.
    fn value(&mut self, value: &Value, column: usize) -> Result<(), CallError> {
        match Shape::of(value) {
            Some(shape) => self.nested(shape, column),
            None => self.scalar(value, column),
        }
    }

    fn nested(&mut self, shape: Shape, column: usize) -> Result<(), CallError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH || self.out.len() > MAX_LENGTH {
            return Err("yaml: value is nested too deep or too large".into());
        }
        match shape {
            Shape::List(items) if items.is_empty() => self.out.push_str("[]\n"),
            Shape::Map(fields) if fields.is_empty() => self.out.push_str("{}\n"),
            Shape::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.start(index, column);
                    self.out.push_str("- ");
                    self.value(item, column + 2)?;
                }
            }
            Shape::Map(fields) => {
                for (index, (name, value)) in fields.iter().enumerate() {
                    self.start(index, column);
                    self.string(&name.to_str(), column, Place::Key);
                    self.out.push(':');
                    self.field(value, column)?;
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// The cursor already is where the first item goes.
    fn start(&mut self, index: usize, column: usize) {
        if index > 0 {
            self.indent(column);
        }
    }

    fn indent(&mut self, column: usize) {
        (0..column).for_each(|_| self.out.push(' '));
    }

    fn field(&mut self, value: &Value, column: usize) -> Result<(), CallError> {
        match Shape::of(value) {
            Some(shape) if !shape.is_empty() => {
                // Items of a list stand right below the name of the list.
                let column = if matches!(shape, Shape::List(_)) { column } else { column + 2 };
                self.out.push('\n');
                self.indent(column);
                self.nested(shape, column)
            }
            Some(shape) => {
                self.out.push(' ');
                self.nested(shape, column)
            }
            None => {
                self.out.push(' ');
                self.scalar(value, column + 2)
            }
        }
    }

    fn scalar(&mut self, value: &Value, column: usize) -> Result<(), CallError> {
        match value {
            Value::Nil | Value::NilPtr(_) => self.out.push_str("null"),
            Value::Float(number) if number.is_nan() => self.out.push_str(".nan"),
            Value::Float(number) if number.is_infinite() => {
                self.out.push_str(if *number > 0.0 { ".inf" } else { "-.inf" });
            }
            Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) | Value::Duration(_) => {
                self.out.push_str(&value.to_text().to_str());
            }
            Value::Func(_) | Value::Span(..) => {
                return Err(format!("cannot marshal type: {}", value.type_name()).into());
            }
            other => self.string(&other.to_text().to_str(), column.max(2), Place::Value),
        }
        if !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        Ok(())
    }

    fn string(&mut self, text: &str, column: usize, place: Place) {
        match style(text, place) {
            Style::Plain => self.out.push_str(text),
            Style::Single => {
                self.out.push('\'');
                self.out.push_str(&text.replace('\'', "''"));
                self.out.push('\'');
            }
            Style::Double => self.double(text),
            Style::Literal => self.literal(text, column),
        }
    }

    fn double(&mut self, text: &str) {
        self.out.push('"');
        for char in text.chars() {
            match char {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\0' => self.out.push_str("\\0"),
                '\u{7}' => self.out.push_str("\\a"),
                '\u{8}' => self.out.push_str("\\b"),
                '\t' => self.out.push_str("\\t"),
                '\n' => self.out.push_str("\\n"),
                '\u{b}' => self.out.push_str("\\v"),
                '\u{c}' => self.out.push_str("\\f"),
                '\r' => self.out.push_str("\\r"),
                '\u{1b}' => self.out.push_str("\\e"),
                '\u{85}' => self.out.push_str("\\N"),
                '\u{2028}' => self.out.push_str("\\L"),
                '\u{2029}' => self.out.push_str("\\P"),
                '\u{feff}' => self.out.push_str("\\uFEFF"),
                '\0'..'\u{20}' | '\u{7f}'..'\u{a0}' => {
                    self.out.push_str(&format!("\\x{:02X}", u32::from(char)));
                }
                '\u{10000}'.. => self.out.push_str(&format!("\\U{:08X}", u32::from(char))),
                '\u{fffe}' | '\u{ffff}' => self.out.push_str(&format!("\\u{:04X}", u32::from(char))),
                char => self.out.push(char),
            }
        }
        self.out.push('"');
    }

    fn literal(&mut self, text: &str, column: usize) {
        self.out.push('|');
        if text.starts_with([' ', '\n']) {
            self.out.push('2');
        }
        let body = text.trim_end_matches('\n');
        match text.len() - body.len() {
            0 => self.out.push('-'),
            1 if !body.is_empty() => {}
            _ => self.out.push('+'),
        }
        self.out.push('\n');
        let lines = text.strip_suffix('\n').unwrap_or(text);
        for line in lines.split('\n') {
            if !line.is_empty() {
                self.indent(column);
                self.out.push_str(line);
            }
            self.out.push('\n');
        }
    }
}

/// An order in which numbers inside of names count as numbers, and letters come after everything else.
fn natural(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(a, b)| a != b) else { return a.len().cmp(&b.len()) };
    let (Some(x), Some(y)) = (a.get(at), b.get(at)) else { return Ordering::Equal };
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => return x.cmp(y),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // Zeros count once a digit that is not zero stands before them.
    let inside = (*x == '0' || *y == '0')
        && a.get(..at)
            .unwrap_or_default()
            .iter()
            .rev()
            .take_while(|char| char.is_ascii_digit())
            .any(|char| *char != '0');
    let number = |chars: &[char]| {
        let digits = chars.get(at..).unwrap_or_default();
        let digits = digits.iter().map_while(|char| char.to_digit(10));
        digits.fold((u64::from(inside), 0_usize), |(number, length), digit| {
            (number.wrapping_mul(10).wrapping_add(digit.into()), length + 1)
        })
    };
    number(&a).cmp(&number(&b)).then_with(|| x.cmp(y))
}
