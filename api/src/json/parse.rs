//! Turns bytes into a tree that borrows from them.
//!
//! A tree and not a stream of tokens, because of two Go rules: the whole document is checked before any of it counts,
//! and of a field given twice the last one wins.

use std::borrow::Cow;

use super::error::DecodeError;

/// Deeper documents are refused: no body of the API comes near it, and reading recurses.
const DEPTH_MAX: usize = 200;

const VALUE: &str = "looking for beginning of value";

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node<'a> {
    Null,
    Bool(bool),
    /// The literal, known to follow JSON's grammar.
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// The first value of `bytes`, and what follows it.
pub(super) fn parse(bytes: &[u8]) -> Result<(Node<'_>, &[u8]), DecodeError> {
    let mut parser = Parser { bytes, at: 0 };
    parser.skip_space();
    if parser.peek().is_none() {
        return Err(DecodeError::Empty);
    }
    let node = parser.value(0)?;
    Ok((node, bytes.get(parser.at..).unwrap_or_default()))
}

/// Nothing but white space may remain.
pub(super) fn expect_end(rest: &[u8]) -> Result<(), DecodeError> {
    match rest.iter().find(|byte| !is_space(**byte)) {
        None => Ok(()),
        Some(&byte) => Err(DecodeError::Syntax { byte, context: "after top-level value" }),
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, DecodeError> {
        let byte = self.peek().ok_or(DecodeError::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn slice(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    fn value(&mut self, depth: usize) -> Result<Node<'a>, DecodeError> {
        if depth > DEPTH_MAX {
            return Err(DecodeError::TooDeep);
        }
        self.skip_space();
        match self.next()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string().map(Node::String),
            b't' => self.literal("true").map(|()| Node::Bool(true)),
            b'f' => self.literal("false").map(|()| Node::Bool(false)),
            b'n' => self.literal("null").map(|()| Node::Null),
            first @ (b'-' | b'0'..=b'9') => self.number(first),
            byte => Err(DecodeError::Syntax { byte, context: VALUE }),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Node<'a>, DecodeError> {
        let mut members = Vec::new();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Node::Object(members));
        }
        loop {
            self.skip_space();
            match self.next()? {
                b'"' => {}
                byte => {
                    return Err(DecodeError::Syntax {
                        byte,
                        context: "looking for beginning of object key string",
                    });
                }
            }
            let name = self.string()?;
            self.skip_space();
            match self.next()? {
                b':' => {}
                byte => return Err(DecodeError::Syntax { byte, context: "after object key" }),
            }
            members.push((name, self.value(depth + 1)?));
            self.skip_space();
            match self.next()? {
                b',' => {}
                b'}' => return Ok(Node::Object(members)),
                byte => return Err(DecodeError::Syntax { byte, context: "after object key:value pair" }),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Node<'a>, DecodeError> {
        let mut elements = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Node::Array(elements));
        }
        loop {
            elements.push(self.value(depth + 1)?);
            self.skip_space();
            match self.next()? {
                b',' => {}
                b']' => return Ok(Node::Array(elements)),
                byte => return Err(DecodeError::Syntax { byte, context: "after array element" }),
            }
        }
    }

    /// The rest of `word`, whose first letter was read.
    fn literal(&mut self, word: &'static str) -> Result<(), DecodeError> {
        for expected in word.bytes().skip(1) {
            let byte = self.next()?;
            if byte != expected {
                return Err(DecodeError::Syntax { byte, context: literal_context(word, expected) });
            }
        }
        Ok(())
    }

    fn number(&mut self, first: u8) -> Result<Node<'a>, DecodeError> {
        let start = self.at - 1;
        let mut first = first;
        if first == b'-' {
            first = self.next()?;
            if !first.is_ascii_digit() {
                return Err(DecodeError::Syntax { byte: first, context: "in numeric literal" });
            }
        }
        if first != b'0' {
            self.skip_digits();
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        let literal = std::str::from_utf8(self.slice(start)).unwrap_or_default();
        Ok(Node::Number(literal))
    }

    fn skip_digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn digits(&mut self, context: &'static str) -> Result<(), DecodeError> {
        let byte = self.next()?;
        if !byte.is_ascii_digit() {
            return Err(DecodeError::Syntax { byte, context });
        }
        self.skip_digits();
        Ok(())
    }

    /// A string whose opening quote was read. Borrows unless it has escapes or broken UTF-8.
    fn string(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        let start = self.at;
        loop {
            match self.next()? {
                b'"' => {
                    let text = self.bytes.get(start..self.at - 1).unwrap_or_default();
                    return Ok(String::from_utf8_lossy(text));
                }
                b'\\' => break,
                byte @ 0..0x20 => {
                    return Err(DecodeError::Syntax { byte, context: "in string literal" });
                }
                _ => {}
            }
        }
        let mut text = self.bytes.get(start..self.at - 1).unwrap_or_default().to_vec();
        self.escape(&mut text)?;
        loop {
            match self.next()? {
                b'"' => {
                    return Ok(Cow::Owned(match String::from_utf8(text) {
                        Ok(text) => text,
                        Err(broken) => String::from_utf8_lossy(broken.as_bytes()).into_owned(),
                    }));
                }
                b'\\' => self.escape(&mut text)?,
                byte @ 0..0x20 => {
                    return Err(DecodeError::Syntax { byte, context: "in string literal" });
                }
                byte => text.push(byte),
            }
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), DecodeError> {
        let plain = match self.next()? {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode_escape(text),
            byte => return Err(DecodeError::Syntax { byte, context: "in string escape code" }),
        };
        text.push(plain);
        Ok(())
    }

    /// `\uXXXX`; two make a character outside the basic plane, half a pair becomes U+FFFD.
    fn unicode_escape(&mut self, text: &mut Vec<u8>) -> Result<(), DecodeError> {
        let unit = self.hex4()?;
        let mut decoded = char::from_u32(unit);
        if (0xd800..0xdc00).contains(&unit) && self.bytes.get(self.at..self.at + 2) == Some(b"\\u") {
            let before = self.at;
            self.at += 2;
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                decoded = char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
            } else {
                self.at = before;
            }
        }
        let character = decoded.unwrap_or(char::REPLACEMENT_CHARACTER);
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn hex4(&mut self) -> Result<u32, DecodeError> {
        let mut unit = 0;
        for _ in 0..4 {
            let byte = self.next()?;
            let digit = char::from(byte)
                .to_digit(16)
                .ok_or(DecodeError::Syntax { byte, context: "in \\u hexadecimal character escape" })?;
            unit = unit * 16 + digit;
        }
        Ok(unit)
    }
}

fn literal_context(word: &str, expected: u8) -> &'static str {
    match (word, expected) {
        ("true", b'r') => "in literal true (expecting 'r')",
        ("true", b'u') => "in literal true (expecting 'u')",
        ("true", _) => "in literal true (expecting 'e')",
        ("false", b'a') => "in literal false (expecting 'a')",
        ("false", b'l') => "in literal false (expecting 'l')",
        ("false", b's') => "in literal false (expecting 's')",
        ("false", _) => "in literal false (expecting 'e')",
        (_, b'u') => "in literal null (expecting 'u')",
        _ => "in literal null (expecting 'l')",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn syntax_errors_read_as_in_go() {
        for (text, expected) in [
            ("", "EOF"),
            (" \n", "EOF"),
            ("{", "unexpected EOF"),
            ("{\"a\":", "unexpected EOF"),
            ("\"abc", "unexpected EOF"),
            ("x", "invalid character 'x' looking for beginning of value"),
            ("{x", "invalid character 'x' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 2}", "invalid character '2' after object key:value pair"),
            ("[1 2]", "invalid character '2' after array element"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("nul!", "invalid character '!' in literal null (expecting 'l')"),
            ("trie", "invalid character 'i' in literal true (expecting 'u')"),
            ("-x", "invalid character 'x' in numeric literal"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
            ("1ex", "invalid character 'x' in exponent of numeric literal"),
            ("\"a\nb\"", "invalid character '\\n' in string literal"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            ("\"\\u00g0\"", "invalid character 'g' in \\u hexadecimal character escape"),
            ("'a'", "invalid character '\\'' looking for beginning of value"),
        ] {
            assert_eq!(error(text), expected, "{text:?}");
        }
    }

    #[test]
    fn byte_order_mark_is_refused() {
        assert_eq!(error("\u{feff}{}"), "invalid character 'ï' looking for beginning of value");
    }

    #[test]
    fn broken_text_becomes_replacement_characters() {
        assert_eq!(parse(b"\"a\xffb\"").unwrap().0, Node::String("a\u{fffd}b".into()));
        assert_eq!(parse(br#""\ud800x""#).unwrap().0, Node::String("\u{fffd}x".into()));
        assert_eq!(parse(br#""\ud83d\ude00""#).unwrap().0, Node::String("\u{1f600}".into()));
        assert_eq!(parse(br#""\ud83dA""#).unwrap().0, Node::String("\u{fffd}A".into()));
    }

    #[test]
    fn deep_nesting_is_refused_not_followed() {
        assert_eq!(error(&"[".repeat(1_000_000)), "exceeded max depth");
        let fine = format!("{}{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
        assert!(parse(fine.as_bytes()).is_ok());
    }

    #[test]
    fn stops_after_the_first_value() {
        let (node, rest) = parse(b" 12 junk").unwrap();
        assert_eq!(node, Node::Number("12"));
        assert_eq!(rest, b" junk");
        assert!(expect_end(b" \n").is_ok());
        assert_eq!(expect_end(b" }").unwrap_err().to_string(), "invalid character '}' after top-level value");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]
        #[test]
        fn garbage_is_an_error_not_a_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn agrees_with_serde_json_on_validity(text in r#"[\[\]{}:,"a0-9\\eE.+ \-]{0,12}"#) {
            let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            let ours = parse(text.as_bytes()).is_ok_and(|(_, rest)| expect_end(rest).is_ok());
            // serde_json refuses numbers that do not fit a float and half surrogates; this grammar has no such text
            // except long exponents.
            if theirs {
                assert!(ours, "{text}");
            } else if ours {
                assert!(text.contains(['e', 'E']), "{text}");
            }
        }
    }
}
