//! String literals, decoded by Go's rules for interpreted and raw strings.

/// Decodes the inside of a double-quoted literal. `None` where Go's `strconv.Unquote` says `invalid syntax`.
///
/// Escapes can spell bytes that are no UTF-8; nothing that is filtered contains such bytes, and they become
/// the replacement character.
pub fn interpreted(inside: &str) -> Option<String> {
    if inside.contains('\n') {
        return None;
    }
    if !inside.contains('\\') {
        return Some(inside.to_owned());
    }
    let mut out = Vec::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        if c == '\\' { escape(&mut chars, &mut out)? } else { push(&mut out, c) }
    }
    Some(match String::from_utf8(out) {
        Ok(text) => text,
        Err(err) => String::from_utf8_lossy(err.as_bytes()).into_owned(),
    })
}

/// Decodes the inside of a raw literal: carriage returns are dropped, everything else is itself.
pub fn raw(inside: &str) -> String {
    inside.replace('\r', "")
}

fn push(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn escape(chars: &mut std::str::Chars<'_>, out: &mut Vec<u8>) -> Option<()> {
    match chars.next()? {
        'a' => out.push(0x07),
        'b' => out.push(0x08),
        'f' => out.push(0x0c),
        'n' => out.push(b'\n'),
        'r' => out.push(b'\r'),
        't' => out.push(b'\t'),
        'v' => out.push(0x0b),
        '\\' => out.push(b'\\'),
        'x' => out.push(u8::try_from(digits(chars, 2, 16)?).ok()?),
        'u' => push(out, char::from_u32(digits(chars, 4, 16)?)?),
        'U' => push(out, char::from_u32(digits(chars, 8, 16)?)?),
        first @ '0'..='7' => {
            let rest = digits(chars, 2, 8)?;
            out.push(u8::try_from(first.to_digit(8)? * 64 + rest).ok()?);
        }
        _ => return None,
    }
    Some(())
}

fn digits(chars: &mut std::str::Chars<'_>, count: usize, radix: u32) -> Option<u32> {
    let mut value: u32 = 0;
    for _ in 0..count {
        value = value.checked_mul(radix)?.checked_add(chars.next()?.to_digit(radix)?)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_as_go_does() {
        assert_eq!(interpreted(r"a\tb\u00e9\x41\101\U0001F600\\").as_deref(), Some("a\tbéAA😀\\"));
        assert_eq!(interpreted(r"\xc3\xa9").as_deref(), Some("é"), "bytes may spell a character");
        assert_eq!(interpreted(r"\xff").as_deref(), Some("\u{fffd}"));
    }

    #[test]
    fn broken_escapes_are_refused() {
        for text in [r"\q", r"\'", r"\", r"\x4", r"\u12", r"\ud800", r"\400", r"\8", "a\nb", r"\UFFFFFFFF"] {
            assert_eq!(interpreted(text), None, "{text:?}");
        }
    }

    #[test]
    fn raw_literals_lose_carriage_returns_only() {
        assert_eq!(raw("a\\n\r\nb"), "a\\n\nb");
    }
}
