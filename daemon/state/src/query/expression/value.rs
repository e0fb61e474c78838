//! Values of template expressions and how one kind becomes another.

use std::cmp::Ordering;

use thiserror::Error;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
}

/// Why a value cannot be had.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ValueError {
    #[error("__builtin_StringToInt: strconv.ParseInt: parsing {0:?}: invalid syntax")]
    NoInt(String),
    #[error("__builtin_StringToFloat: strconv.ParseFloat: parsing {0:?}: invalid syntax")]
    NoFloat(String),
    #[error("__builtin_StringToBool: strconv.ParseBool: parsing {0:?}: invalid syntax")]
    NoBool(String),
    #[error("{0} cannot be used as {1}")]
    Kind(&'static str, &'static str),
    #[error("divide by zero")]
    DivideByZero,
    #[error("modulo cannot be used with floats")]
    FloatRemainder,
}

/// Two operands of the same kind.
enum Numbers {
    Ints(i64, i64),
    Floats(f64, f64),
}

impl Value {
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Int(number) => number.to_string(),
            Self::Float(number) => float_text(number),
            Self::Bool(is) => is.to_string(),
        }
    }

    /// A whole number; the fraction is cut off.
    pub fn into_int(self) -> Result<i64, ValueError> {
        match self {
            Self::Int(number) => Ok(number),
            // Saturates where the number is too large.
            Self::Float(number) => Ok(number as i64),
            Self::Text(text) => int(&text).ok_or(ValueError::NoInt(text)),
            Self::Bool(_) => Err(ValueError::Kind("bool", "int")),
        }
    }

    fn into_float(self) -> Result<f64, ValueError> {
        match self {
            Self::Float(number) => Ok(number),
            Self::Int(number) => Ok(number as f64),
            Self::Text(text) => text.parse().map_err(|_| ValueError::NoFloat(text)),
            Self::Bool(_) => Err(ValueError::Kind("bool", "float")),
        }
    }

    pub fn into_bool(self) -> Result<bool, ValueError> {
        match self {
            Self::Bool(is) => Ok(is),
            Self::Text(text) => match text.as_str() {
                "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
                "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
                _ => Err(ValueError::NoBool(text)),
            },
            Self::Int(_) => Err(ValueError::Kind("int", "bool")),
            Self::Float(_) => Err(ValueError::Kind("float", "bool")),
        }
    }

    /// Both sides as numbers: as floats if one of them is one.
    fn numbers(self, other: Self) -> Result<Numbers, ValueError> {
        if matches!(self, Self::Float(_)) || matches!(other, Self::Float(_)) {
            return Ok(Numbers::Floats(self.into_float()?, other.into_float()?));
        }
        Ok(Numbers::Ints(self.into_int()?, other.into_int()?))
    }

    pub fn calculate(
        self,
        other: Self,
        ints: fn(i64, i64) -> i64,
        floats: fn(f64, f64) -> f64,
    ) -> Result<Self, ValueError> {
        Ok(match self.numbers(other)? {
            Numbers::Ints(a, b) => Self::Int(ints(a, b)),
            Numbers::Floats(a, b) => Self::Float(floats(a, b)),
        })
    }

    pub fn negated(self) -> Result<Self, ValueError> {
        Self::Int(0).calculate(self, i64::wrapping_sub, |a, b| a - b)
    }

    pub fn divided(self, other: Self) -> Result<Self, ValueError> {
        match self.numbers(other)? {
            Numbers::Ints(_, 0) => Err(ValueError::DivideByZero),
            Numbers::Floats(_, 0.0) => Err(ValueError::DivideByZero),
            Numbers::Ints(a, b) => Ok(Self::Int(a.wrapping_div(b))),
            Numbers::Floats(a, b) => Ok(Self::Float(a / b)),
        }
    }

    pub fn remainder(self, other: Self) -> Result<Self, ValueError> {
        match self.numbers(other)? {
            Numbers::Floats(..) => Err(ValueError::FloatRemainder),
            Numbers::Ints(_, 0) => Err(ValueError::DivideByZero),
            Numbers::Ints(a, b) => Ok(Self::Int(a.wrapping_rem(b))),
        }
    }

    /// Whether both are the same once they are of one kind: of the other side's if this is a string.
    pub fn equals(self, other: Self) -> Result<bool, ValueError> {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => Ok(a == b),
            (Self::Bool(a), b) => Ok(a == b.into_bool()?),
            (a, Self::Bool(b)) => Ok(a.into_bool()? == b),
            (a, b) => Ok(a.order(b)? == Some(Ordering::Equal)),
        }
    }

    /// By number; `None` beside what is no number at all.
    pub fn order(self, other: Self) -> Result<Option<Ordering>, ValueError> {
        Ok(match self.numbers(other)? {
            Numbers::Ints(a, b) => Some(a.cmp(&b)),
            Numbers::Floats(a, b) => a.partial_cmp(&b),
        })
    }
}

/// Decimal, or octal with a leading zero, or with a prefix that names the base.
pub fn int(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", text.get(1..)?),
        b'+' => ("", text.get(1..)?),
        _ => ("", text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some(two) if two.starts_with('0') => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    // A second sign is none.
    if !digits.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), base).ok()
}

/// As short as it can be read back; with an exponent from a million on and below a ten-thousandth.
fn float_text(number: f64) -> String {
    let scientific = format!("{number:e}");
    let exponent: i32 = match scientific.split_once('e') {
        Some((_, exponent)) => exponent.parse().unwrap_or_default(),
        None => return go_special(number),
    };
    if (-4..6).contains(&exponent) {
        return number.to_string();
    }
    let mantissa = scientific.split('e').next().unwrap_or_default();
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

fn go_special(number: f64) -> String {
    match number {
        number if number.is_nan() => "NaN".to_owned(),
        number if number > 0.0 => "+Inf".to_owned(),
        _ => "-Inf".to_owned(),
    }
}
