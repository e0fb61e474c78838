//! UUIDs as the store keys them: sixteen bytes, so that spelling (case, hyphens) does not matter.

use std::fmt;

use thiserror::Error;

/// A UUID in the form that orders and compares cheaply. Its order is that of the lower-case text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(u128);

/// Why a text is no UUID. Clients match the first wording.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum UuidError {
    #[error("index error: UUID must be 36 characters")]
    Length,
    #[error("index error: Invalid UUID: {0}")]
    Invalid(String),
}

impl Uuid {
    /// Reads the 36-character form, in either case.
    pub fn parse(text: &str) -> Result<Self, UuidError> {
        if text.len() != 36 {
            return Err(UuidError::Length);
        }
        let invalid = || UuidError::Invalid(text.to_owned());
        let mut number: u128 = 0;
        let mut digits = 0;
        for character in text.chars().filter(|c| *c != '-') {
            let digit = character.to_digit(16).ok_or_else(invalid)?;
            number = (number << 4) | u128::from(digit);
            digits += 1;
        }
        if digits == 32 { Ok(Self(number)) } else { Err(invalid()) }
    }

    /// The lowest id whose hyphen-free text starts with `digits`.
    pub(crate) fn from_prefix(digits: &str) -> Option<Self> {
        if digits.len() > 32 {
            return None;
        }
        let number = u128::from_str_radix(digits, 16).ok()?;
        let shift = 4 * (32 - u32::try_from(digits.len()).ok()?);
        number.checked_shl(shift).map(Self)
    }

    /// Whether the lower-case, hyphen-free text of this id starts with `digits`.
    pub fn starts_with(self, digits: &str) -> bool {
        let text = format!("{:032x}", self.0);
        text.starts_with(digits)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_matter() {
        let lower = Uuid::parse("3c244b54-f64f-48af-17d1-070fea70c10b").unwrap();
        assert_eq!(Uuid::parse("3C244B54-F64F-48AF-17D1-070FEA70C10B"), Ok(lower));
        assert!(lower.starts_with("3c244b54f6"));
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(Uuid::parse("abc"), Err(UuidError::Length));
        assert!(matches!(Uuid::parse("3c244b54-f64f-48af-17d1-070fea70c1zz"), Err(UuidError::Invalid(_))));
        assert!(matches!(Uuid::parse("------------------------------------"), Err(UuidError::Invalid(_))));
    }
}
