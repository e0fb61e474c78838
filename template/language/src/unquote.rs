//! Literals of strings and characters.

use crate::text::Text;

/// A literal that does not follow the rules.
pub(crate) struct BadLiteral;

/// The string that a literal with its quotes stands for.
pub(crate) fn string(literal: &[u8]) -> Result<Text, BadLiteral> {
    let (quote, body) = match literal {
        [first, body @ .., last] if first == last => (*first, body),
        _ => return Err(BadLiteral),
    };
    if quote == b'`' {
        return Ok(body.iter().copied().filter(|&byte| byte != b'\r').collect::<Vec<u8>>().into());
    }
    if !body.contains(&b'\\') {
        return Ok(body.into());
    }
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let [first, after @ ..] = rest {
        if *first != b'\\' {
            out.push(*first);
            rest = after;
            continue;
        }
        let (unit, after) = escape(after, b'"')?;
        match unit {
            Unit::Byte(byte) => out.push(byte),
            Unit::Char(char) => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        rest = after;
    }
    Ok(out.into())
}

/// The code point that a literal such as `'a'` or `'\n'` stands for; nothing if there is more than one.
pub(crate) fn character(literal: &[u8]) -> Result<Option<u32>, BadLiteral> {
    let [b'\'', body @ .., b'\''] = literal else { return Err(BadLiteral) };
    let (code, rest) = match body {
        [b'\\', after @ ..] => match escape(after, b'\'')? {
            (Unit::Byte(byte), rest) => (u32::from(byte), rest),
            (Unit::Char(char), rest) => (u32::from(char), rest),
        },
        _ => {
            let (char, width) = crate::lex::decode(body).ok_or(BadLiteral)?;
            (u32::from(char), body.get(width..).unwrap_or(&[]))
        }
    };
    Ok(rest.is_empty().then_some(code))
}

enum Unit {
    Byte(u8),
    Char(char),
}

/// What the escape after a backslash stands for, and what follows it.
fn escape(rest: &[u8], quote: u8) -> Result<(Unit, &[u8]), BadLiteral> {
    let (&first, after) = rest.split_first().ok_or(BadLiteral)?;
    let byte = match first {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'\\' => b'\\',
        first if first == quote => quote,
        b'x' => return number(after, 2, 16).and_then(|(code, rest)| Ok((Unit::Byte(to_byte(code)?), rest))),
        b'0'..=b'7' => {
            return number(rest, 3, 8).and_then(|(code, rest)| Ok((Unit::Byte(to_byte(code)?), rest)));
        }
        b'u' => return number(after, 4, 16).and_then(|(code, rest)| Ok((Unit::Char(to_char(code)?), rest))),
        b'U' => return number(after, 8, 16).and_then(|(code, rest)| Ok((Unit::Char(to_char(code)?), rest))),
        _ => return Err(BadLiteral),
    };
    Ok((Unit::Byte(byte), after))
}

fn number(rest: &[u8], digits: usize, radix: u32) -> Result<(u32, &[u8]), BadLiteral> {
    let (text, after) = rest.split_at_checked(digits).ok_or(BadLiteral)?;
    let mut code: u32 = 0;
    for &byte in text {
        let digit = char::from(byte).to_digit(radix).ok_or(BadLiteral)?;
        code = code.checked_mul(radix).and_then(|code| code.checked_add(digit)).ok_or(BadLiteral)?;
    }
    Ok((code, after))
}

fn to_byte(code: u32) -> Result<u8, BadLiteral> {
    u8::try_from(code).map_err(|_| BadLiteral)
}

fn to_char(code: u32) -> Result<char, BadLiteral> {
    char::from_u32(code).ok_or(BadLiteral)
}
