//! JSON as people write it in configuration files: comments and trailing commas are allowed.
//!
//! A general JSON library would do but for two things: values must know where they stand, and users compare
//! error texts with what the Go agent prints. Beyond comments, trailing commas and (with a warning) line breaks
//! inside strings nothing is tolerated: a file that is wrong is refused at the spot, never repaired by guessing.

use crate::cursor::{Cursor, Mark};
use crate::error::SyntaxError;
use crate::value::{DEPTH_MAX, Entry, Pos, Spanned, Value};

/// A parsed document and what its author should hear about it.
pub struct JsonDocument {
    pub root: Spanned,
    /// Strings that hold a raw line break: usually the leftover of a copied, wrapped listing.
    pub broken_strings: Vec<Pos>,
}

/// Reads one JSON object.
pub fn parse(source: &str, text: &str) -> Result<JsonDocument, SyntaxError> {
    let mut parser = Parser { cursor: Cursor::new(source, text), broken: Vec::new(), value_end: None };
    match parser.document() {
        Ok(root) => {
            let broken_strings = parser.broken.iter().map(|mark| parser.cursor.pos_at(*mark)).collect();
            Ok(JsonDocument { root, broken_strings })
        }
        Err(error) => Err(parser.blame(error)),
    }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    /// Raw line breaks inside strings, in order.
    broken: Vec<Mark>,
    /// Where the last complete value ended: a missing comma belongs there.
    value_end: Option<Mark>,
}

impl Parser<'_> {
    /// A string that was never closed swallows the text up to the next quote and fails only there. If that is
    /// what happened the line break is the culprit.
    fn blame(&self, error: SyntaxError) -> SyntaxError {
        match self.broken.last() {
            Some(mark) => self.error_at(*mark, r"invalid character '\n' in string literal"),
            None => error,
        }
    }

    fn error_at(&self, mark: Mark, message: impl Into<String>) -> SyntaxError {
        SyntaxError::located(message.into(), self.cursor.pos_at(mark))
    }

    fn unexpected(&self, context: &str) -> SyntaxError {
        match self.cursor.peek() {
            Some(c) => {
                self.error_at(self.cursor.mark(), format!("invalid character {} {context}", quoted(c)))
            }
            None => self.error_at(self.cursor.mark(), "unexpected end of JSON input"),
        }
    }

    fn document(&mut self) -> Result<Spanned, SyntaxError> {
        self.space()?;
        let start = self.cursor.mark();
        let root = self.value(0)?;
        if !matches!(root.value, Value::Object(_)) {
            let kind = match root.value {
                Value::List(_) => "array",
                Value::Int(_) | Value::Float(_) => "number",
                ref other => other.type_name(),
            };
            let message =
                format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}");
            return Err(self.error_at(start, message));
        }
        self.space()?;
        if self.cursor.peek().is_some() {
            return Err(self.unexpected("after top-level value"));
        }
        Ok(root)
    }

    fn space(&mut self) -> Result<(), SyntaxError> {
        loop {
            self.cursor.take_while(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
            match (self.cursor.peek(), self.cursor.peek_second()) {
                (Some('/'), Some('/')) => self.cursor.skip_line(),
                (Some('#'), _) => self.cursor.skip_line(),
                (Some('/'), Some('*')) => {
                    let start = self.cursor.mark();
                    self.cursor.bump();
                    self.cursor.bump();
                    if !self.cursor.skip_block_comment() {
                        return Err(self.error_at(start, "comment not terminated"));
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Spanned, SyntaxError> {
        let start = self.cursor.mark();
        if depth > DEPTH_MAX {
            return Err(self.error_at(start, "exceeded max depth"));
        }
        let value = match self.cursor.peek() {
            Some('{') => self.object(depth)?,
            Some('[') => self.list(depth)?,
            Some('"') => Value::String(self.string()?),
            Some('-' | '0'..='9') => self.number()?,
            Some('t') => self.literal("true", Value::Bool(true))?,
            Some('f') => self.literal("false", Value::Bool(false))?,
            Some('n') => self.literal("null", Value::Null)?,
            _ => return Err(self.unexpected("looking for beginning of value")),
        };
        self.value_end = Some(self.cursor.mark());
        Ok(Spanned::new(value, self.cursor.pos_at(start)))
    }

    fn object(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        self.cursor.bump();
        let mut entries = Vec::new();
        loop {
            self.space()?;
            match self.cursor.peek() {
                Some('}') => break,
                Some('"') => {}
                _ => return Err(self.unexpected("looking for beginning of object key string")),
            }
            let pos = self.cursor.pos();
            let key = self.string()?;
            self.space()?;
            if self.cursor.peek() != Some(':') {
                return Err(self.unexpected("after object key"));
            }
            self.cursor.bump();
            self.space()?;
            let value = self.value(depth + 1)?;
            entries.push(Entry { key, pos, value });
            if !self.comma('}', "after object key:value pair")? {
                break;
            }
        }
        self.cursor.bump();
        Ok(Value::Object(entries))
    }

    fn list(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        self.cursor.bump();
        let mut items = Vec::new();
        loop {
            self.space()?;
            if self.cursor.peek() == Some(']') {
                break;
            }
            items.push(self.value(depth + 1)?);
            if !self.comma(']', "after array element")? {
                break;
            }
        }
        self.cursor.bump();
        Ok(Value::List(items))
    }

    /// Reads the comma after a member. False when the closing bracket comes instead.
    fn comma(&mut self, close: char, context: &str) -> Result<bool, SyntaxError> {
        self.space()?;
        match self.cursor.peek() {
            Some(',') => {
                self.cursor.bump();
                Ok(true)
            }
            Some(c) if c == close => Ok(false),
            Some('"' | '{' | '[') => Err(self.missing_comma(self.unexpected(context))),
            _ => Err(self.unexpected(context)),
        }
    }

    fn missing_comma(&self, error: SyntaxError) -> SyntaxError {
        match self.value_end {
            Some(end) => error.with_hint(format!(
                "a comma is missing after the value that ends on line {}, column {}",
                end.line,
                end.column.saturating_sub(1)
            )),
            None => error,
        }
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, SyntaxError> {
        for expected in word.chars() {
            if self.cursor.peek() != Some(expected) {
                return Err(self.unexpected(&format!("in literal {word} (expecting {})", quoted(expected))));
            }
            self.cursor.bump();
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, SyntaxError> {
        let before = self.cursor.rest();
        let start = self.cursor.mark();
        if self.cursor.peek() == Some('-') {
            self.cursor.bump();
        }
        self.integer_part()?;
        let mut integral = true;
        if self.cursor.peek() == Some('.') {
            integral = false;
            self.cursor.bump();
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.cursor.peek(), Some('e' | 'E')) {
            integral = false;
            self.cursor.bump();
            if matches!(self.cursor.peek(), Some('+' | '-')) {
                self.cursor.bump();
            }
            self.digits("in exponent of numeric literal")?;
        }
        let text = before.get(..before.len() - self.cursor.rest().len()).unwrap_or_default();
        if integral && let Ok(number) = text.parse::<i64>() {
            return Ok(Value::Int(number));
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => Err(self.error_at(start, "number out of range")),
        }
    }

    fn integer_part(&mut self) -> Result<(), SyntaxError> {
        if self.cursor.peek() == Some('0') {
            self.cursor.bump();
            return Ok(()); // a digit after a leading zero fails as the next token
        }
        self.digits("in numeric literal")
    }

    fn digits(&mut self, context: &str) -> Result<(), SyntaxError> {
        if self.cursor.take_while(|c| c.is_ascii_digit()).is_empty() {
            return Err(self.unexpected(context));
        }
        Ok(())
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        self.cursor.bump();
        let mut text = String::new();
        loop {
            let mark = self.cursor.mark();
            match self.cursor.peek() {
                None => return Err(self.error_at(mark, "unexpected end of JSON input")),
                Some('"') => {
                    self.cursor.bump();
                    return Ok(text);
                }
                Some('\\') => {
                    self.cursor.bump();
                    self.escape(&mut text)?;
                }
                Some('\n') => {
                    self.broken.push(mark);
                    self.cursor.bump();
                    text.push('\n');
                }
                // The first half of a line break; the second is noted in its turn.
                Some('\r') if self.cursor.peek_second() == Some('\n') => {
                    self.cursor.bump();
                }
                Some(c) if c < ' ' => return Err(self.unexpected("in string literal")),
                Some(c) => {
                    self.cursor.bump();
                    text.push(c);
                }
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Result<(), SyntaxError> {
        let c = match self.cursor.peek() {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                self.cursor.bump();
                text.push(self.unicode_escape()?);
                return Ok(());
            }
            _ => return Err(self.unexpected("in string escape code")),
        };
        self.cursor.bump();
        text.push(c);
        Ok(())
    }

    /// The character of `\uXXXX`, joining a surrogate pair. A lone half becomes U+FFFD, as Go decodes it.
    fn unicode_escape(&mut self) -> Result<char, SyntaxError> {
        let first = self.hex4()?;
        if !(0xD800..0xDC00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        if !self.cursor.rest().starts_with("\\u") {
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        let before = self.cursor.clone();
        self.cursor.bump();
        self.cursor.bump();
        let second = self.hex4()?;
        if !(0xDC00..0xE000).contains(&second) {
            self.cursor = before;
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        let joined = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        Ok(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u32, SyntaxError> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = self.cursor.peek().and_then(|c| c.to_digit(16)) else {
                return Err(self.unexpected("in \\u hexadecimal character escape"));
            };
            self.cursor.bump();
            code = code * 16 + digit;
        }
        Ok(code)
    }
}

/// A character between single quotes, control characters escaped.
fn quoted(c: char) -> String {
    match c {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        '\n' => r"'\n'".to_owned(),
        '\r' => r"'\r'".to_owned(),
        '\t' => r"'\t'".to_owned(),
        c if c.is_control() => format!("'\\x{:02x}'", u32::from(c)),
        c => format!("'{c}'"),
    }
}
