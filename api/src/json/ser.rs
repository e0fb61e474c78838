//! Writes JSON as Go does: HTML-safe strings, Go's floats, four spaces when pretty.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, PrettyFormatter};

/// Compact, without a newline.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::with_capacity(256);
    to_writer(&mut out, value)?;
    Ok(out)
}

/// [`to_vec`] as text.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    let out = to_vec(value)?;
    String::from_utf8(out).map_err(|_| serde::ser::Error::custom("not UTF-8"))
}

/// Compact, without a newline.
pub fn to_writer<W: Write, T: Serialize + ?Sized>(out: W, value: &T) -> Result<(), serde_json::Error> {
    value.serialize(&mut serde_json::Serializer::with_formatter(out, GoFormatter(CompactFormatter)))
}

/// Indented by four spaces, without a newline at the end.
pub fn to_vec_pretty<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::with_capacity(512);
    to_writer_pretty(&mut out, value)?;
    Ok(out)
}

/// Indented by four spaces, without a newline at the end.
pub fn to_writer_pretty<W: Write, T: Serialize + ?Sized>(out: W, value: &T) -> Result<(), serde_json::Error> {
    let formatter = GoFormatter(PrettyFormatter::with_indent(b"    "));
    value.serialize(&mut serde_json::Serializer::with_formatter(out, formatter))
}

/// Indented by `indent`, without a newline at the end: some commands print tabs or three spaces.
pub fn to_vec_indented<T: Serialize + ?Sized>(value: &T, indent: &str) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::with_capacity(512);
    let formatter = GoFormatter(PrettyFormatter::with_indent(indent.as_bytes()));
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter))?;
    Ok(out)
}

/// Any formatter, with strings and floats done Go's way.
struct GoFormatter<F>(F);

macro_rules! delegate {
    ($($method:ident ( $($arg:ident : $kind:ty),* );)*) => {$(
        fn $method<W: ?Sized + Write>(&mut self, out: &mut W $(, $arg: $kind)*) -> io::Result<()> {
            self.0.$method(out $(, $arg)*)
        }
    )*};
}

impl<F: Formatter> Formatter for GoFormatter<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let bytes = fragment.as_bytes();
        if !bytes.iter().any(|byte| matches!(byte, b'<' | b'>' | b'&' | 0xe2)) {
            return out.write_all(bytes);
        }
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, special) = rest.split_at(at);
            out.write_all(plain.as_bytes())?;
            let Some(character) = special.chars().next() else { break };
            out.write_all(match character {
                '<' => br"\u003c",
                '>' => br"\u003e",
                '&' => br"\u0026",
                '\u{2028}' => br"\u2028",
                _ => br"\u2029",
            })?;
            rest = special.get(character.len_utf8()..).unwrap_or_default();
        }
        out.write_all(rest.as_bytes())
    }

    fn write_f64<W: ?Sized + Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        let size = value.abs();
        if size != 0.0 && !(1e-6..1e21).contains(&size) {
            // Rust leaves out the sign of a positive exponent, Go does not.
            let text = format!("{value:e}");
            let signed = if size >= 1e21 { text.replacen('e', "e+", 1) } else { text };
            return out.write_all(signed.as_bytes());
        }
        write!(out, "{value}")
    }

    fn write_f32<W: ?Sized + Write>(&mut self, out: &mut W, value: f32) -> io::Result<()> {
        write!(out, "{value}")
    }

    delegate! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
        write_char_escape(escape: CharEscape);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written<T: Serialize>(value: T) -> String {
        to_string(&value).unwrap()
    }

    #[test]
    fn strings_are_safe_inside_html() {
        assert_eq!(written("<a href=\"x\">&</a>"), r#""\u003ca href=\"x\"\u003e\u0026\u003c/a\u003e""#);
        assert_eq!(written("a\u{2028}b\u{2029}c\u{20ac}"), "\"a\\u2028b\\u2029c\u{20ac}\"");
        assert_eq!(written("\u{1}\n\t\u{7f}"), "\"\\u0001\\n\\t\u{7f}\"");
        assert_eq!(written(json!({"a<b": 1})), r#"{"a\u003cb":1}"#);
    }

    #[test]
    fn floats_are_as_short_as_in_go() {
        for (number, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (1e-5, "0.00001"),
            (1e-6, "0.000001"),
            (1.25e-7, "1.25e-7"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (0.1, "0.1"),
        ] {
            assert_eq!(written(number), text);
        }
        assert_eq!(written(u64::MAX), "18446744073709551615");
    }

    #[test]
    fn pretty_form_indents_by_four() {
        let value = json!({"a": [1, {"b": "<"}], "c": [], "d": {}});
        let expected = "{\n    \"a\": [\n        1,\n        {\n            \"b\": \"\\u003c\"\n        }\n    ],\n    \"c\": [],\n    \"d\": {}\n}";
        assert_eq!(String::from_utf8(to_vec_pretty(&value).unwrap()).unwrap(), expected);
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(text in ".*", number in proptest::prelude::any::<i64>()) {
            let value = json!({"t": text, "n": number});
            let back: serde_json::Value = crate::json::from_slice(&to_vec(&value).unwrap(), crate::json::Unknown::Reject).unwrap();
            assert_eq!(back, value);
        }
    }
}
