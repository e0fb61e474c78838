//! Quoted strings and characters.

use std::fmt::Write;

use crate::lex::decode;

/// Which characters are written as escapes besides those that have to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// Those that cannot be seen.
    Unprintable,
    /// All that are not ASCII.
    NonAscii,
}

/// A string between double quotes.
pub fn quoted(text: &[u8]) -> String {
    quote(text, '"', Escapes::Unprintable)
}

/// A string between quotes, with escapes for what cannot stand there.
pub(crate) fn quote(text: &[u8], delimiter: char, escapes: Escapes) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(delimiter);
    let mut rest = text;
    while let Some((char, width)) = decode(rest) {
        let (head, tail) = rest.split_at_checked(width).unwrap_or((rest, &[]));
        match head {
            [byte] if !byte.is_ascii() => push_escape(&mut out, 'x', u32::from(*byte), 2),
            _ => push_char(&mut out, char, delimiter, escapes),
        }
        rest = tail;
    }
    out.push(delimiter);
    out
}

fn push_char(out: &mut String, char: char, delimiter: char, escapes: Escapes) {
    match char {
        '\\' => out.push_str("\\\\"),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        char if char == delimiter => {
            out.push('\\');
            out.push(char);
        }
        char if is_printable(char) && (char.is_ascii() || escapes == Escapes::Unprintable) => out.push(char),
        char if char < ' ' || char == '\x7f' => push_escape(out, 'x', char.into(), 2),
        char if u32::from(char) < 0x1_0000 => push_escape(out, 'u', char.into(), 4),
        char => push_escape(out, 'U', char.into(), 8),
    }
}

fn push_escape(out: &mut String, letter: char, code: u32, digits: usize) {
    // Writing to a string cannot fail.
    let _ = write!(out, "\\{letter}{code:0digits$x}");
}

/// Whether a character can be seen; of all spaces, only the ASCII one can.
pub(crate) fn is_printable(char: char) -> bool {
    if char.is_ascii() {
        return matches!(char, ' '..='~');
    }
    // The standard library knows which characters are printable, but tells only by how it escapes them, and
    // it escapes combining characters only where they come first.
    let mut text = String::from("a");
    text.push(char);
    text.escape_debug().count() == 2
}

/// A character the way errors name it: `U+0040 '@'`.
pub(crate) fn code_point(char: char) -> String {
    let code = u32::from(char);
    if is_printable(char) { format!("U+{code:04X} '{char}'") } else { format!("U+{code:04X}") }
}

/// Whether text can stand between back quotes as it is.
pub(crate) fn can_backquote(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    text.chars().all(|char| match char {
        '\u{feff}' | '`' | '\x7f' => false,
        '\t' => true,
        char => char >= ' ',
    })
}
