//! Durations as Go writes and reads them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use thiserror::Error;

/// A signed duration in nanoseconds. JSON: `"1m30s"` out; that or a number of nanoseconds in. Binary: an integer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(pub i64);

/// The same span, but a plain number of nanoseconds in JSON output too (session lock delay).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanoseconds(pub i64);

/// The text is not a duration.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ParseDurationError {
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit { unit: String, text: String },
}

const UNITS: [(&str, i64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

impl GoDuration {
    pub const ZERO: Self = Self(0);

    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds * 1_000_000_000)
    }

    pub const fn from_millis(milliseconds: i64) -> Self {
        Self(milliseconds * 1_000_000)
    }

    pub fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// As an unsigned span; a negative one becomes zero.
    pub fn to_std(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }
}

impl From<Duration> for GoDuration {
    /// Spans over 292 years are cut to that.
    fn from(span: Duration) -> Self {
        Self(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl FromStr for GoDuration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || ParseDurationError::Invalid(text.to_owned());
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut total: i128 = 0;
        while !rest.is_empty() {
            let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, after) = rest.split_at(number_len);
            let unit_len = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
            let (unit, next) = after.split_at(unit_len);
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || whole.len() > 19 {
                return Err(invalid());
            }
            if unit.is_empty() {
                return Err(ParseDurationError::MissingUnit(text.to_owned()));
            }
            let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
                return Err(ParseDurationError::UnknownUnit { unit: unit.to_owned(), text: text.to_owned() });
            };
            total += scaled(whole, fraction, *scale).ok_or_else(invalid)?;
            if total > i128::from(i64::MAX) {
                return Err(invalid());
            }
            rest = next;
        }
        let signed = if negative { -total } else { total };
        i64::try_from(signed).map(Self).map_err(|_| invalid())
    }
}

/// `whole.fraction` of a unit, in nanoseconds, rounded towards zero.
fn scaled(whole: &str, fraction: &str, scale: i64) -> Option<i128> {
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut nanoseconds = whole.checked_mul(i128::from(scale))?;
    let mut place = i128::from(scale);
    let mut remainder: i128 = 0;
    let mut divisor: i128 = 1;
    for digit in fraction.bytes().take(15) {
        divisor *= 10;
        remainder = remainder * 10 + i128::from(digit - b'0');
    }
    place *= remainder;
    nanoseconds += place / divisor;
    Some(nanoseconds)
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let total = self.0.unsigned_abs();
        if total < 1_000_000_000 {
            let (unit, scale) = match total {
                0..1_000 => ("ns", 1),
                1_000..1_000_000 => ("\u{b5}s", 1_000),
                _ => ("ms", 1_000_000),
            };
            return write_decimal(f, total / scale, total % scale, scale, unit);
        }
        let seconds = total / 1_000_000_000;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if seconds >= 60 {
            write!(f, "{minutes}m")?;
        }
        write_decimal(f, seconds % 60, total % 1_000_000_000, 1_000_000_000, "s")
    }
}

/// Writes `whole.fraction` without trailing zeros; `scale` is the value of one whole.
fn write_decimal(
    f: &mut fmt::Formatter<'_>,
    whole: u64,
    fraction: u64,
    scale: u64,
    unit: &str,
) -> fmt::Result {
    if fraction == 0 {
        return write!(f, "{whole}{unit}");
    }
    let width = scale.ilog10() as usize;
    let digits = format!("{fraction:0width$}");
    write!(f, "{whole}.{}{unit}", digits.trim_end_matches('0'))
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DurationVisitor)
    }
}

impl Serialize for Nanoseconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Nanoseconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DurationVisitor).map(|span| Self(span.0))
    }
}

struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = GoDuration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"10s\" or a number of nanoseconds")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<GoDuration, E> {
        if text.is_empty() {
            return Ok(GoDuration::ZERO);
        }
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<GoDuration, E> {
        Ok(GoDuration(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<GoDuration, E> {
        i64::try_from(number).map(GoDuration).map_err(|_| E::custom("duration out of range"))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<GoDuration, E> {
        Ok(GoDuration(number as i64))
    }

    fn visit_unit<E: de::Error>(self) -> Result<GoDuration, E> {
        Ok(GoDuration::ZERO)
    }

    fn visit_none<E: de::Error>(self) -> Result<GoDuration, E> {
        Ok(GoDuration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_as_go_does() {
        for (nanoseconds, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1\u{b5}s"),
            (200_000_000, "200ms"),
            (1_500_000_000, "1.5s"),
            (10_000_000_000, "10s"),
            (90_000_000_000, "1m30s"),
            (86_400_000_000_000, "24h0m0s"),
            (-1, "-1ns"),
            (3_661_000_000_001, "1h1m1.000000001s"),
        ] {
            assert_eq!(GoDuration(nanoseconds).to_string(), text);
            assert_eq!(text.parse(), Ok(GoDuration(nanoseconds)));
        }
    }

    #[test]
    fn reads_fractions_and_combinations() {
        assert_eq!("1h30m".parse(), Ok(GoDuration(5_400_000_000_000)));
        assert_eq!(".5s".parse(), Ok(GoDuration(500_000_000)));
        assert_eq!("+0".parse(), Ok(GoDuration(0)));
    }

    #[test]
    fn refuses_what_go_refuses() {
        assert_eq!(
            "10".parse::<GoDuration>().unwrap_err().to_string(),
            "time: missing unit in duration \"10\""
        );
        assert_eq!("xx".parse::<GoDuration>().unwrap_err().to_string(), "time: invalid duration \"xx\"");
        assert_eq!(
            "1d".parse::<GoDuration>().unwrap_err().to_string(),
            "time: unknown unit \"d\" in duration \"1d\""
        );
        assert!("".parse::<GoDuration>().is_err());
        assert!("1.2.3s".parse::<GoDuration>().is_err());
        assert!("9999999999999999999h".parse::<GoDuration>().is_err());
    }
}
