//! What a plain scalar of YAML 1.1 stands for.

use std::sync::LazyLock;

use consul_template_language::Value;
use regex::Regex;

static FLOAT: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"));
static DATE: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}",
        r"(([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?[ \t]*(Z|[-+][0-9]{1,2}(:?[0-9]{2})?)?)?$"
    ))
});
/// Numbers to the base of sixty, which other readers of YAML 1.1 know.
static BASE_60: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$"));

fn regex(source: &str) -> Regex {
    Regex::new(source).expect("the patterns above are valid")
}

/// The value of a plain scalar. Dates stay text.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Nil,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if !text.starts_with(['+', '-', '.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
        return text.into();
    }
    let plain = text.replace('_', "");
    integer(&plain)
        .or_else(|| FLOAT.is_match(&plain).then(|| plain.parse().ok().map(Value::Float)).flatten())
        .unwrap_or_else(|| text.into())
}

fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(digits, radix).ok()?);
    let number = if negative { -magnitude } else { magnitude };
    match i64::try_from(number) {
        Ok(number) => Some(Value::Int(number)),
        Err(_) => u64::try_from(number).ok().map(Value::Uint),
    }
}

/// Whether a string has to be quoted lest it is read as something else.
pub(super) fn is_ambiguous(text: &str) -> bool {
    !matches!(resolve(text), Value::Str(_))
        || matches!(text, "<<" | "=")
        || DATE.is_match(text)
        || BASE_60.is_match(text)
}
