//! Escaping for HTML, JavaScript and the query of a URL.

use std::io::Write;

use crate::format::quote::is_printable;
use crate::lex::decode;

pub(super) fn html(out: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            byte => out.push(*byte),
        }
    }
}

pub(super) fn js(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some((char, width)) = decode(rest) {
        let (head, tail) = rest.split_at_checked(width).unwrap_or((rest, &[]));
        match char {
            '\\' | '\'' | '"' => out.extend_from_slice(&[b'\\', char as u8]),
            '<' | '>' | '&' | '=' => code_unit(out, char.into()),
            char if char < ' ' || (!char.is_ascii() && !is_printable(char)) => code_unit(out, char.into()),
            _ => out.extend_from_slice(head),
        }
        rest = tail;
    }
}

fn code_unit(out: &mut Vec<u8>, code: u32) {
    // Writing to memory cannot fail.
    let _ = write!(out, "\\u{code:04X}");
}

pub(super) fn query(out: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            b' ' => out.push(b'+'),
            // Writing to memory cannot fail.
            byte => drop(write!(out, "%{byte:02X}")),
        }
    }
}
