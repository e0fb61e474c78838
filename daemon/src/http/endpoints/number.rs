//! Numbers and truth values in query parameters, refused with the words of Go's parsers, which clients know.

use crate::http::params;

/// A signed number.
pub fn parse_int(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let reason = if is_number { "value out of range" } else { "invalid syntax" };
    text.parse().ok().filter(|_| is_number).ok_or_else(|| format!("strconv.Atoi: parsing {text:?}: {reason}"))
}

/// An unsigned number.
pub fn parse_uint(text: &str) -> Result<u64, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let reason = if is_number { "value out of range" } else { "invalid syntax" };
    text.parse()
        .ok()
        .filter(|_| is_number)
        .ok_or_else(|| format!("strconv.ParseUint: parsing {text:?}: {reason}"))
}

/// Any of Go's spellings of a truth value.
pub fn parse_bool(text: &str) -> Result<bool, String> {
    params::parse_bool(text).ok_or_else(|| format!("strconv.ParseBool: parsing {text:?}: invalid syntax"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_worded_as_go_does() {
        assert_eq!(parse_int("-3"), Ok(-3));
        assert_eq!(parse_int("abc").unwrap_err(), "strconv.Atoi: parsing \"abc\": invalid syntax");
        assert_eq!(parse_uint("-3").unwrap_err(), "strconv.ParseUint: parsing \"-3\": invalid syntax");
        let large = "99999999999999999999";
        assert_eq!(
            parse_uint(large).unwrap_err(),
            format!("strconv.ParseUint: parsing \"{large}\": value out of range")
        );
        assert_eq!(parse_bool("True"), Ok(true));
        assert_eq!(parse_bool("yes").unwrap_err(), "strconv.ParseBool: parsing \"yes\": invalid syntax");
    }
}
