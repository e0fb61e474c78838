//! Texts read as numbers, truth values, JSON and YAML.

use Param::String as Str;
use consul_template_language::{CallError, Functions, Map, Param, Value, quoted};

use crate::encode::{json, yaml};
use crate::pass::Pass;

pub(super) fn register(functions: &mut Functions<Pass>) {
    functions
        .try_pure("parseBool", [Str], |args| parsed("parseBool", &args.str(0), false, bool).map(Value::Bool));
    functions.try_pure("parseFloat", [Str], |args| {
        parsed("parseFloat", &args.str(0), 0.0, float).map(Value::Float)
    });
    functions.try_pure("parseInt", [Str], |args| parsed("parseInt", &args.str(0), 0, int).map(Value::Int));
    functions
        .try_pure("parseUint", [Str], |args| parsed("parseUint", &args.str(0), 0, uint).map(Value::Uint));
    functions.try_pure("parseJSON", [Str], |args| {
        parsed("parseJSON", &args.str(0), empty(), |text| json::read(text).map_err(|error| error.to_string()))
    });
    functions.try_pure("parseYAML", [Str], |args| {
        parsed("parseYAML", &args.str(0), empty(), |text| yaml::read(text).map_err(|error| error.to_string()))
    });
}

fn empty() -> Value {
    Map::any::<&str, Value>([]).into()
}

fn parsed<T>(
    name: &str,
    text: &str,
    empty: T,
    parse: impl Fn(&str) -> Result<T, std::string::String>,
) -> Result<T, CallError> {
    if text.is_empty() {
        return Ok(empty);
    }
    parse(text).map_err(|error| format!("{name}: {error}").into())
}

fn failure(function: &str, text: &str, reason: &str) -> std::string::String {
    format!("strconv.{function}: parsing {}: {reason}", quoted(text.as_bytes()))
}

fn bool(text: &str) -> Result<bool, std::string::String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(failure("ParseBool", text, "invalid syntax")),
    }
}

fn float(text: &str) -> Result<f64, std::string::String> {
    let number: f64 = text.parse().map_err(|_| failure("ParseFloat", text, "invalid syntax"))?;
    let spelled = text.trim_start_matches(['+', '-']).starts_with(['i', 'I']);
    if number.is_infinite() && !spelled {
        return Err(failure("ParseFloat", text, "value out of range"));
    }
    Ok(number)
}

fn reason(error: &std::num::ParseIntError) -> &'static str {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    if matches!(error.kind(), PosOverflow | NegOverflow) { "value out of range" } else { "invalid syntax" }
}

/// A whole number in decimal digits.
pub(super) fn int(text: &str) -> Result<i64, std::string::String> {
    text.parse().map_err(|error| failure("ParseInt", text, reason(&error)))
}

fn uint(text: &str) -> Result<u64, std::string::String> {
    if text.starts_with('+') {
        return Err(failure("ParseUint", text, "invalid syntax"));
    }
    text.parse().map_err(|error| failure("ParseUint", text, reason(&error)))
}
