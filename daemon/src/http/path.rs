//! Path rules: decode once, refuse what cannot be printed, redirect what is not clean.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

/// What to do with a request path before any route is looked up.
#[derive(Debug, PartialEq, Eq)]
pub enum Cleaned<'a> {
    /// Decoded and clean: ready for routing.
    Path(Cow<'a, [u8]>),
    /// The client must repeat the request at this (encoded) path.
    Redirect(String),
    /// A percent escape that is no escape.
    BadEscape,
    /// A character that does not print.
    Unprintable,
}

/// Characters escaped in the path of a redirect.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// Applies the rules to the path as it stands in the request line.
pub fn clean(raw: &str, allow_unprintable: bool) -> Cleaned<'_> {
    let Some(decoded) = decode(raw.as_bytes(), false) else { return Cleaned::BadEscape };
    if !allow_unprintable && !decoded.is_ascii() && !is_printable(&decoded) {
        return Cleaned::Unprintable;
    }
    if !allow_unprintable && decoded.iter().any(|byte| *byte < 0x20 || *byte == 0x7f) {
        return Cleaned::Unprintable;
    }
    match collapse(&decoded) {
        Some(collapsed) => Cleaned::Redirect(encode(&collapsed)),
        None => Cleaned::Path(decoded),
    }
}

/// Percent-encodes a path for a `Location` header.
pub fn encode(path: &[u8]) -> String {
    percent_encode(path, PATH).to_string()
}

/// Decodes percent escapes; `+` becomes a blank only in query strings. `None` if an escape is malformed.
pub fn decode(raw: &[u8], plus_is_blank: bool) -> Option<Cow<'_, [u8]>> {
    let special = |byte: &u8| *byte == b'%' || (plus_is_blank && *byte == b'+');
    let Some(first) = raw.iter().position(special) else { return Some(Cow::Borrowed(raw)) };
    let mut out = Vec::with_capacity(raw.len());
    out.extend_from_slice(&raw[..first]);
    let mut rest = raw[first..].iter();
    while let Some(&byte) = rest.next() {
        match byte {
            b'%' => {
                let high = char::from(*rest.next()?).to_digit(16)?;
                let low = char::from(*rest.next()?).to_digit(16)?;
                out.push((high * 16 + low) as u8);
            }
            b'+' if plus_is_blank => out.push(b' '),
            other => out.push(other),
        }
    }
    Some(Cow::Owned(out))
}

fn is_printable(path: &[u8]) -> bool {
    String::from_utf8_lossy(path)
        .chars()
        .all(|c| c == ' ' || !(c.is_control() || c.is_whitespace() || is_format(c)))
}

/// Invisible formatting characters and private-use areas.
fn is_format(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' | '\u{f0000}'..='\u{10ffff}')
}

/// Removes empty, `.` and `..` segments. `None` if the path is clean already.
fn collapse(path: &[u8]) -> Option<Vec<u8>> {
    let dirty = |segment: &[u8]| segment.is_empty() || segment == b"." || segment == b"..";
    let body = path.strip_prefix(b"/").unwrap_or(path);
    let trimmed = body.strip_suffix(b"/").unwrap_or(body);
    if path.starts_with(b"/") && (body.is_empty() || !trimmed.split(|byte| *byte == b'/').any(dirty)) {
        return None;
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in body.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let mut out = Vec::with_capacity(path.len() + 1);
    for segment in &kept {
        out.push(b'/');
        out.extend_from_slice(segment);
    }
    if out.is_empty() || path.ends_with(b"/") {
        out.push(b'/');
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Cleaned<'_> {
        Cleaned::Path(Cow::Borrowed(text.as_bytes()))
    }

    #[test]
    fn clean_paths_pass() {
        for text in ["/", "/v1/kv/", "/v1/kv/a", "/v1/kv/a/", "/v1/kv/a.b/..c", "/v1/kv/.a"] {
            assert_eq!(clean(text, false), path(text), "{text}");
        }
    }

    #[test]
    fn escapes_are_decoded_once() {
        assert_eq!(clean("/v1/kv/a%2Fb", false), path("/v1/kv/a/b"));
        assert_eq!(clean("/v1/kv/a%252F", false), path("/v1/kv/a%2F"));
        assert_eq!(clean("/v1/kv/a+b", false), path("/v1/kv/a+b"));
    }

    #[test]
    fn double_slashes_and_dots_redirect() {
        for (dirty, to) in [
            ("//v1/kv/a", "/v1/kv/a"),
            ("/v1//kv/a", "/v1/kv/a"),
            ("/v1/kv/a//", "/v1/kv/a/"),
            ("/v1/./kv/a", "/v1/kv/a"),
            ("/v1/kv/../kv/x", "/v1/kv/x"),
            ("/v1/kv/a%2F%2Fb", "/v1/kv/a/b"),
            ("/v1/kv/%2F..%2Fb c", "/v1/b%20c"),
            ("/..", "/"),
        ] {
            assert_eq!(clean(dirty, false), Cleaned::Redirect(to.to_owned()), "{dirty}");
        }
    }

    #[test]
    fn what_does_not_print_is_refused_unless_allowed() {
        for text in ["/v1/kv/a%0Ab", "/v1/kv/a%00", "/v1/kv/a%09", "/v1/kv/a%7F", "/v1/kv/%E2%80%8B"] {
            assert_eq!(clean(text, false), Cleaned::Unprintable, "{text}");
            assert!(matches!(clean(text, true), Cleaned::Path(_)), "{text}");
        }
        assert!(matches!(clean("/v1/kv/%C3%A9%20%FF", false), Cleaned::Path(_)));
    }

    #[test]
    fn bad_escapes_are_told_apart() {
        for text in ["/v1/kv/%zz", "/v1/kv/%", "/v1/kv/%2"] {
            assert_eq!(clean(text, false), Cleaned::BadEscape, "{text}");
        }
    }
}
