//! Floating-point numbers.

use super::spec::{Spec, fill};

/// No finite number has more digits than this on either side of the point, so more are zeros.
const MAX_DIGITS: usize = 1100;
/// Digits after the point where nothing else is asked for.
const DEFAULT_PRECISION: usize = 6;
/// Numbers from ten to the power of this on are written with an exponent where the shortest form is wanted.
const SHORTEST_EXPONENT: i32 = 6;

/// Writes a number; `false` if the verb is none for numbers of this kind.
pub(crate) fn format(out: &mut Vec<u8>, spec: &Spec, verb: char, number: f64) -> bool {
    let unsigned = match verb {
        _ if !number.is_finite() => if number.is_nan() { "NaN" } else { "Inf" }.into(),
        'v' | 'g' | 'G' => general(number.abs(), spec.precision),
        'e' | 'E' => exponent(number.abs(), spec.precision.unwrap_or(DEFAULT_PRECISION)),
        'f' | 'F' => fixed(number.abs(), spec.precision.unwrap_or(DEFAULT_PRECISION)),
        'b' => binary(number),
        'x' | 'X' => hexadecimal(number.abs(), spec.precision),
        _ => return false,
    };
    if !matches!(verb, 'v' | 'g' | 'G' | 'e' | 'E' | 'f' | 'F' | 'b' | 'x' | 'X') {
        return false;
    }
    let unsigned = if spec.sharp && verb != 'b' && number.is_finite() {
        sharpen(unsigned, spec, verb)
    } else {
        unsigned
    };
    let unsigned =
        if number.is_finite() && verb.is_ascii_uppercase() { unsigned.to_uppercase() } else { unsigned };
    write_signed(out, spec, number, &unsigned);
    true
}

fn write_signed(out: &mut Vec<u8>, spec: &Spec, number: f64, unsigned: &str) {
    let sign = match () {
        () if number.is_sign_negative() && !number.is_nan() => "-",
        () if spec.plus || (number.is_infinite() && !spec.space) => "+",
        () if spec.space => " ",
        () => "",
    };
    if !number.is_finite() {
        return spec.pad_with_spaces(out, format!("{sign}{unsigned}").as_bytes());
    }
    let length = sign.len() + unsigned.len();
    match spec.width {
        Some(width) if spec.zero && !spec.minus && width > length => {
            out.extend_from_slice(sign.as_bytes());
            fill(out, b'0', width - length);
            out.extend_from_slice(unsigned.as_bytes());
        }
        _ => spec.pad_with_spaces(out, format!("{sign}{unsigned}").as_bytes()),
    }
}

/// Digits and a power of ten: `0.d1d2d3… × 10^point`.
struct Decimal {
    digits: String,
    point: i32,
}

impl Decimal {
    /// The fewest digits that read back as the same number.
    fn shortest(number: f64) -> Decimal {
        Decimal::from_scientific(&format!("{number:e}"))
    }

    /// The number rounded to so many digits, without zeros at the end.
    fn rounded(number: f64, digits: usize) -> Decimal {
        let after_point = digits.clamp(1, MAX_DIGITS) - 1;
        Decimal::from_scientific(&format!("{number:.after_point$e}"))
    }

    fn from_scientific(text: &str) -> Decimal {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let digits = mantissa.replace('.', "");
        let digits = digits.trim_end_matches('0').to_owned();
        let point = if digits.is_empty() { 0 } else { exponent.parse::<i32>().unwrap_or(0) + 1 };
        Decimal { digits, point }
    }

    fn exponent(&self) -> i32 {
        self.point - 1
    }

    fn scientific(&self) -> String {
        let mut digits = self.digits.chars();
        let first = digits.next().unwrap_or('0');
        let rest = digits.as_str();
        let exponent = if self.digits.is_empty() { 0 } else { self.exponent() };
        let point = if rest.is_empty() { "" } else { "." };
        format!("{first}{point}{rest}e{}", signed_exponent(exponent))
    }

    fn plain(&self) -> String {
        let Ok(point) = usize::try_from(self.point) else {
            return format!("0.{}{}", "0".repeat(self.point.unsigned_abs() as usize), self.digits);
        };
        match self.digits.split_at_checked(point) {
            _ if self.digits.is_empty() => "0".into(),
            Some(("", fraction)) => format!("0.{fraction}"),
            Some((whole, "")) => whole.into(),
            Some((whole, fraction)) => format!("{whole}.{fraction}"),
            None => format!("{}{}", self.digits, "0".repeat(point - self.digits.len())),
        }
    }
}

/// An exponent with its sign and two digits at least.
fn signed_exponent(exponent: i32) -> String {
    format!("{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.unsigned_abs())
}

fn general(number: f64, precision: Option<usize>) -> String {
    let decimal = match precision {
        None => Decimal::shortest(number),
        Some(precision) => Decimal::rounded(number, precision.max(1)),
    };
    let digits = decimal.digits.len() as i32;
    let limit = match precision {
        None => SHORTEST_EXPONENT,
        Some(precision) => {
            let precision = i32::try_from(precision.max(1)).unwrap_or(i32::MAX);
            if precision > digits && digits >= decimal.point { digits } else { precision }
        }
    };
    let exponent = decimal.exponent();
    if !decimal.digits.is_empty() && (exponent < -4 || exponent >= limit) {
        decimal.scientific()
    } else {
        decimal.plain()
    }
}

fn exponent(number: f64, precision: usize) -> String {
    let kept = precision.min(MAX_DIGITS);
    let text = format!("{number:.kept$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let zeros = "0".repeat(precision - kept);
    format!("{mantissa}{zeros}e{}", signed_exponent(exponent.parse().unwrap_or(0)))
}

fn fixed(number: f64, precision: usize) -> String {
    let kept = precision.min(MAX_DIGITS);
    let zeros = "0".repeat(precision - kept);
    format!("{number:.kept$}{zeros}")
}

/// Mantissa and exponent of `mantissa × 2^exponent`.
fn parts(number: f64) -> (u64, i32) {
    let bits = number.to_bits();
    let mantissa = bits & ((1 << 52) - 1);
    match ((bits >> 52) & 0x7ff) as i32 {
        0 => (mantissa, -1074),
        exponent => (mantissa | (1 << 52), exponent - 1075),
    }
}

fn binary(number: f64) -> String {
    let (mantissa, exponent) = parts(number);
    format!("{mantissa}p{}{}", if exponent < 0 { '-' } else { '+' }, exponent.unsigned_abs())
}

fn hexadecimal(number: f64, precision: Option<usize>) -> String {
    let (mut mantissa, mut exponent) = parts(number);
    if mantissa == 0 {
        exponent = 0;
    } else {
        // Bring the first bit to where it stands before the point, with 15 digits after it.
        let shift = mantissa.leading_zeros() as i32 - 3;
        mantissa = if shift >= 0 { mantissa << shift } else { mantissa >> -shift };
        exponent += 60 - shift;
    }
    if let Some(precision) = precision
        && precision < 15
    {
        let cut = ((15 - precision) * 4) as u32;
        let (kept, rest) = (mantissa >> cut, mantissa & ((1 << cut) - 1));
        let half = 1u64 << (cut - 1);
        let up = rest > half || (rest == half && kept & 1 == 1);
        mantissa = (kept + u64::from(up)) << cut;
        if mantissa >> 61 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let digits = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let fraction = match precision {
        None => digits.trim_end_matches('0').to_owned(),
        Some(precision) if precision <= 15 => digits.get(..precision).unwrap_or("").to_owned(),
        Some(precision) => format!("{digits}{}", "0".repeat(precision - 15)),
    };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("0x{}{point}{fraction}p{}", mantissa >> 60, signed_exponent(exponent))
}

/// `#`: a point in any case, and for the general form all digits asked for.
fn sharpen(text: String, spec: &Spec, verb: char) -> String {
    let split = if matches!(verb, 'x' | 'X') { text.find('p') } else { text.find('e') };
    let (number, tail) = text.split_at(split.unwrap_or(text.len()));
    let mut wanted = match verb {
        'v' | 'g' | 'G' | 'x' => spec.precision.unwrap_or(DEFAULT_PRECISION),
        _ => 0,
    };
    let significant = number.trim_start_matches(['0', '.']).chars().filter(|char| *char != '.').count();
    wanted = wanted.saturating_sub(significant);
    let mut sharp = number.to_owned();
    if !number.contains('.') {
        wanted = wanted.saturating_sub(usize::from(number == "0"));
        sharp.push('.');
    }
    sharp.push_str(&"0".repeat(wanted));
    sharp.push_str(tail);
    sharp
}
