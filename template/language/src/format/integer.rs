//! Whole numbers.

use super::quote::{self, Escapes};
use super::spec::Spec;

/// Room for the decimal digits of any 64-bit number and its sign.
const MAX_DECIMAL: usize = 20;

/// A whole number of either kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Integer {
    pub(crate) magnitude: u64,
    pub(crate) negative: bool,
}

impl From<i64> for Integer {
    fn from(number: i64) -> Self {
        Integer { magnitude: number.unsigned_abs(), negative: number < 0 }
    }
}

impl From<u64> for Integer {
    fn from(magnitude: u64) -> Self {
        Integer { magnitude, negative: false }
    }
}

/// Writes a number without any flags.
pub(crate) fn decimal(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0u8; MAX_DECIMAL];
    let mut at = digits.len();
    let mut magnitude = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (magnitude % 10) as u8;
        magnitude /= 10;
        if magnitude == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes a number; `false` if the verb is none for numbers.
pub(crate) fn format(out: &mut Vec<u8>, spec: &Spec, verb: char, number: Integer) -> bool {
    match verb {
        'd' | 'v' => digits(out, spec, verb, number, 10),
        'b' => digits(out, spec, verb, number, 2),
        'o' | 'O' => digits(out, spec, verb, number, 8),
        'x' | 'X' => digits(out, spec, verb, number, 16),
        'c' => spec.pad(out, to_char(number).encode_utf8(&mut [0; 4]).as_bytes()),
        'q' => {
            let escapes = if spec.plus { Escapes::NonAscii } else { Escapes::Unprintable };
            let char = to_char(number);
            spec.pad(out, quote::quote(char.encode_utf8(&mut [0; 4]).as_bytes(), '\'', escapes).as_bytes());
        }
        'U' => unicode(out, spec, number),
        _ => return false,
    }
    true
}

fn to_char(number: Integer) -> char {
    let code = if number.negative { None } else { u32::try_from(number.magnitude).ok() };
    code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn unicode(out: &mut Vec<u8>, spec: &Spec, number: Integer) {
    let code = if number.negative { number.magnitude.wrapping_neg() } else { number.magnitude };
    let digits = format!("{code:X}");
    let mut text = b"U+".to_vec();
    super::spec::fill(&mut text, b'0', spec.precision.unwrap_or(4).max(4).saturating_sub(digits.len()));
    text.extend_from_slice(digits.as_bytes());
    if spec.sharp
        && let Some(char) = u32::try_from(code).ok().and_then(char::from_u32)
        && quote::is_printable(char)
    {
        text.extend_from_slice(format!(" '{char}'").as_bytes());
    }
    spec.pad_with_spaces(out, &text);
}

fn digits(out: &mut Vec<u8>, spec: &Spec, verb: char, number: Integer, radix: u32) {
    if spec.precision == Some(0) && number.magnitude == 0 {
        return spec.pad_with_spaces(out, b"");
    }
    let magnitude = number.magnitude;
    let digits = match (radix, verb) {
        (2, _) => format!("{magnitude:b}"),
        (8, _) => format!("{magnitude:o}"),
        (16, 'X') => format!("{magnitude:X}"),
        (16, _) => format!("{magnitude:x}"),
        _ => magnitude.to_string(),
    };
    let signed = number.negative || spec.plus || spec.space;
    // A width filled with zeros is one more way to ask for digits; an explicit precision overrides it.
    let wanted = match (spec.precision, spec.width) {
        (Some(precision), _) => precision,
        (None, Some(width)) if spec.zero && !spec.minus => width - usize::from(signed && width > 0),
        _ => 0,
    };
    let zeros = wanted.saturating_sub(digits.len());
    let mut text = Vec::new();
    if number.negative {
        text.push(b'-');
    } else if spec.plus {
        text.push(b'+');
    } else if spec.space {
        text.push(b' ');
    }
    text.extend_from_slice(match (spec.sharp, radix, verb) {
        (_, _, 'O') => b"0o",
        (true, 2, _) => b"0b",
        (true, 8, _) if zeros == 0 && !digits.starts_with('0') => b"0",
        (true, 16, 'X') => b"0X",
        (true, 16, _) => b"0x",
        _ => b"",
    });
    super::spec::fill(&mut text, b'0', zeros);
    text.extend_from_slice(digits.as_bytes());
    spec.pad_with_spaces(out, &text);
}
