//! Points in time: RFC 3339 in JSON, Go's fifteen-byte form in binary.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Seconds between year 1 (Go's zero time) and 1970.
const UNIX_TO_YEAR_ONE_SECONDS: i64 = 62_135_596_800;

/// A UTC instant. The default is Go's zero time, year 1, which means "never set".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoTime {
    /// Seconds since year 1.
    seconds: i64,
    nanoseconds: u32,
}

impl GoTime {
    pub fn from_unix(seconds: i64, nanoseconds: u32) -> Self {
        Self { seconds: seconds.saturating_add(UNIX_TO_YEAR_ONE_SECONDS), nanoseconds }
    }

    pub fn now() -> Self {
        let now = OffsetDateTime::now_utc();
        Self::from_unix(now.unix_timestamp(), now.nanosecond())
    }

    /// Seconds since 1970.
    pub fn unix_seconds(&self) -> i64 {
        self.seconds - UNIX_TO_YEAR_ONE_SECONDS
    }

    pub fn nanoseconds(&self) -> u32 {
        self.nanoseconds
    }

    pub fn is_zero(&self) -> bool {
        self.seconds == 0 && self.nanoseconds == 0
    }

    fn to_bytes(self) -> [u8; 15] {
        let mut bytes = [0; 15];
        bytes[0] = 1;
        bytes[1..9].copy_from_slice(&self.seconds.to_be_bytes());
        bytes[9..13].copy_from_slice(&self.nanoseconds.to_be_bytes());
        bytes[13..15].copy_from_slice(&(-1i16).to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let expected = match bytes.first()? {
            1 => 15,
            2 => 16,
            _ => return None,
        };
        if bytes.len() != expected {
            return None;
        }
        let seconds = i64::from_be_bytes(bytes.get(1..9)?.try_into().ok()?);
        let nanoseconds = u32::from_be_bytes(bytes.get(9..13)?.try_into().ok()?);
        (nanoseconds < 1_000_000_000).then_some(Self { seconds, nanoseconds })
    }
}

impl fmt::Display for GoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = OffsetDateTime::from_unix_timestamp(self.unix_seconds())
            .and_then(|instant| instant.replace_nanosecond(self.nanoseconds))
            .map_err(|_| fmt::Error)?;
        f.write_str(&instant.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for GoTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(&self.to_bytes())
        }
    }
}

impl<'de> Deserialize<'de> for GoTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(TimeVisitor)
        } else {
            deserializer.deserialize_bytes(TimeVisitor)
        }
    }
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = GoTime;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an RFC 3339 time")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<GoTime, E> {
        if let Some(time) = GoTime::from_bytes(text.as_bytes()) {
            return Ok(time);
        }
        let instant =
            OffsetDateTime::parse(text, &Rfc3339).map_err(|_| E::custom(format!("bad time {text:?}")))?;
        Ok(GoTime::from_unix(instant.unix_timestamp(), instant.nanosecond()))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<GoTime, E> {
        GoTime::from_bytes(bytes).ok_or_else(|| E::custom("bad binary time"))
    }

    fn visit_unit<E: de::Error>(self) -> Result<GoTime, E> {
        Ok(GoTime::default())
    }

    fn visit_none<E: de::Error>(self) -> Result<GoTime, E> {
        Ok(GoTime::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_time_is_year_one() {
        assert_eq!(GoTime::default().to_string(), "0001-01-01T00:00:00Z");
        assert_eq!(GoTime::default().to_bytes(), *b"\x01\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff");
    }

    #[test]
    fn binary_form_round_trips() {
        let time = GoTime::from_unix(1_795_237_094, 310_000_001);
        assert_eq!(GoTime::from_bytes(&time.to_bytes()), Some(time));
        assert_eq!(GoTime::from_bytes(b"\x01\x02"), None);
    }
}
