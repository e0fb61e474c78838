//! Literals to numbers and truth values, by the rules of Go's `strconv`, whose error texts clients see.

/// A literal that is not of the wanted type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("strconv.{function}: parsing {literal:?}: {reason}")]
pub struct CoerceError {
    /// The conversion's name in error texts.
    pub function: &'static str,
    /// The literal.
    pub literal: String,
    /// Why not.
    pub reason: CoerceReason,
}

/// Why a literal cannot be converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoerceReason {
    /// It is not spelled as the type is.
    #[error("invalid syntax")]
    Syntax,
    /// It does not fit 64 bits.
    #[error("value out of range")]
    Range,
}

fn error(function: &'static str, literal: &str, reason: CoerceReason) -> CoerceError {
    CoerceError { function, literal: literal.to_owned(), reason }
}

/// A whole number: decimal, `0x`, `0o` or `0` octal, `0b`, with `_` between digits of a prefixed one.
pub fn int(literal: &str) -> Result<i64, CoerceError> {
    let fail = |reason| error("ParseInt", literal, reason);
    let (negative, digits) = match literal.as_bytes() {
        [b'-', ..] => (true, literal.get(1..).unwrap_or_default()),
        [b'+', ..] => (false, literal.get(1..).unwrap_or_default()),
        _ => (false, literal),
    };
    let (radix, digits) = radix_of(digits);
    let digits = without_underscores(digits, radix).ok_or_else(|| fail(CoerceReason::Syntax))?;
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(fail(CoerceReason::Syntax));
    }
    let size = u64::from_str_radix(&digits, radix).map_err(|_| fail(CoerceReason::Range))?;
    let signed = if negative { -i128::from(size) } else { i128::from(size) };
    i64::try_from(signed).map_err(|_| fail(CoerceReason::Range))
}

fn radix_of(digits: &str) -> (u32, &str) {
    let after = |count| digits.get(count..).unwrap_or_default();
    match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, after(2)),
        [b'0', b'o' | b'O', ..] => (8, after(2)),
        [b'0', b'b' | b'B', ..] => (2, after(2)),
        [b'0', _, ..] => (8, after(1)),
        _ => (10, digits),
    }
}

/// Underscores may follow a base prefix and stand between digits; a decimal number has no prefix.
fn without_underscores(digits: &str, radix: u32) -> Option<String> {
    if !digits.contains('_') {
        return Some(digits.to_owned());
    }
    if radix == 10 || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    Some(digits.replace('_', ""))
}

/// A truth value in one of Go's dozen spellings.
pub fn bool(literal: &str) -> Result<bool, CoerceError> {
    match literal {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(error("ParseBool", literal, CoerceReason::Syntax)),
    }
}

/// A number with a fraction.
pub fn float(literal: &str) -> Result<f64, CoerceError> {
    literal.parse().map_err(|_| error("ParseFloat", literal, CoerceReason::Syntax))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_in_every_base() {
        for (literal, value) in
            [("80", 80), ("-5", -5), ("+5", 5), ("0x50", 80), ("0120", 80), ("0o120", 80), ("0b11", 3)]
        {
            assert_eq!(int(literal), Ok(value), "{literal}");
        }
        assert_eq!(int("0x5_0"), Ok(80));
        assert_eq!(int("-9223372036854775808"), Ok(i64::MIN));
    }

    #[test]
    fn what_is_no_number_says_why() {
        assert_eq!(int("abc").unwrap_err().to_string(), "strconv.ParseInt: parsing \"abc\": invalid syntax");
        for literal in ["", "-", "0x", "8_0_", "1__0", "80.5", "08", "--1", "0x-1"] {
            assert_eq!(int(literal).unwrap_err().reason, CoerceReason::Syntax, "{literal}");
        }
        for literal in ["9223372036854775808", "99999999999999999999", "-9223372036854775809"] {
            assert_eq!(int(literal).unwrap_err().reason, CoerceReason::Range, "{literal}");
        }
    }

    #[test]
    fn truth_values() {
        assert_eq!(bool("True"), Ok(true));
        assert_eq!(bool("f"), Ok(false));
        assert_eq!(bool("no").unwrap_err().to_string(), "strconv.ParseBool: parsing \"no\": invalid syntax");
    }
}
