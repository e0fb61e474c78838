//! Literals of numbers.
//!
//! What a literal is depends on where it stands: `1` is a whole number when it is printed, and a
//! floating-point number where a function wants one. So a literal keeps every reading it has.

use crate::format::quote;

/// A literal, with every type of number that can hold its value exactly.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Number {
    /// As written.
    pub(crate) text: Box<str>,
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
    /// Whether it is a floating-point number where nothing decides.
    pub(crate) reads_as_float: bool,
}

impl Number {
    /// Reads `'a'`.
    pub(crate) fn character(text: &str) -> Result<Number, String> {
        let code = match crate::unquote::character(text.as_bytes()) {
            Ok(Some(code)) => code,
            Ok(None) => return Err(format!("malformed character constant: {text}")),
            Err(_) => return Err("invalid syntax".into()),
        };
        Ok(Number {
            text: text.into(),
            int: Some(code.into()),
            uint: Some(code.into()),
            float: Some(code.into()),
            reads_as_float: false,
        })
    }

    /// Reads a number in any of the forms of Go, except imaginary ones.
    pub(crate) fn parse(text: &str) -> Result<Number, String> {
        let has_point = text.contains(['.', 'e', 'E', 'p', 'P']);
        let is_hex_int = text.len() > 2
            && (text.starts_with("0x") || text.starts_with("0X"))
            && !text.contains(['p', 'P']);
        let mut number = Number {
            text: text.into(),
            int: parse_int(text),
            uint: parse_uint(text),
            float: None,
            reads_as_float: has_point && !is_hex_int,
        };
        if number.int == Some(0) {
            number.uint = Some(0);
        }
        match (number.int, number.uint) {
            (Some(int), _) => number.float = Some(int as f64),
            (None, Some(uint)) => number.float = Some(uint as f64),
            (None, None) => {
                let float =
                    parse_float(text).ok_or_else(|| format!("illegal number syntax: {}", quoted(text)))?;
                if !has_point {
                    return Err(format!("integer overflow: {}", quoted(text)));
                }
                number.float = Some(float);
                number.int = exact(float, -(2f64.powi(63)), 2f64.powi(63)).then_some(float as i64);
                number.uint = exact(float, 0.0, 2f64.powi(64)).then_some(float as u64);
            }
        }
        Ok(number)
    }
}

fn quoted(text: &str) -> String {
    quote::quoted(text.as_bytes())
}

/// Whether a float is whole and within `from..to`.
fn exact(float: f64, from: f64, to: f64) -> bool {
    float.fract() == 0.0 && float >= from && float < to
}

fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    let magnitude = i128::from(parse_uint(digits)?);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Reads a whole number without a sign, its base given by its prefix.
pub(crate) fn parse_uint(text: &str) -> Option<u64> {
    let (radix, digits) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, text.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, text.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, text.get(2..)?),
        [b'0', _, ..] => (8, text.get(1..)?),
        _ => (10, text),
    };
    if !underscores_separate(text) || digits.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(&digits.replace('_', ""), radix).ok()
}

/// Whether every underscore stands between two digits, or between a base prefix and a digit.
fn underscores_separate(text: &str) -> bool {
    let (_, text) = split_sign(text);
    let prefixed = matches!(text.as_bytes(), [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', ..]);
    let body = if prefixed { text.get(1..).unwrap_or("") } else { text };
    let mut before_is_digit = false;
    let mut pending = false;
    for (at, byte) in body.bytes().enumerate() {
        let is_digit = byte.is_ascii_hexdigit() || (prefixed && at == 0);
        if byte == b'_' {
            if !before_is_digit {
                return false;
            }
            pending = true;
        } else if pending {
            if !is_digit {
                return false;
            }
            pending = false;
        }
        before_is_digit = is_digit;
    }
    !pending
}

fn parse_float(text: &str) -> Option<f64> {
    if !underscores_separate(text) {
        return None;
    }
    let plain = text.replace('_', "");
    let (negative, digits) = split_sign(&plain);
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => parse_hex_float(hex)?,
        None => {
            // The standard parser also reads words such as `inf`, which are no literals.
            if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
                return None;
            }
            digits.parse::<f64>().ok()?
        }
    };
    value.is_finite().then_some(if negative { -value } else { value })
}

/// Reads `1.8p3`; the exponent is not optional.
fn parse_hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 {
        return None;
    }
    let mut value = 0f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let shift = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    Some(value * 2f64.powi(exponent.checked_sub(shift)?))
}
