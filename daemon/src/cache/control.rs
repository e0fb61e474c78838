//! The `Cache-Control` header of requests.

use std::time::Duration;

use thiserror::Error;

/// How old an answer of the cache may be. The default takes any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    pub max_age: Option<Duration>,
    pub must_revalidate: bool,
    /// When fetching fails, an answer up to this old will do.
    pub stale_if_error: Option<Duration>,
}

/// A directive has no number where one belongs.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("Invalid Cache-Control header.")] // clients match this text
pub struct InvalidCacheControl;

impl CacheControl {
    /// Reads a header. Directives that are not known are ignored, and so are negative ages.
    pub fn parse(header: &str) -> Result<Self, InvalidCacheControl> {
        let mut control = Self::default();
        for directive in header.to_ascii_lowercase().split(',').map(str::trim) {
            if directive == "must-revalidate" {
                control.must_revalidate = true;
            } else if let Some(seconds) = directive.strip_prefix("max-age=") {
                control.max_age = parse_seconds(seconds)?;
                control.must_revalidate |= control.max_age == Some(Duration::ZERO);
            } else if let Some(seconds) = directive.strip_prefix("stale-if-error=") {
                control.stale_if_error = parse_seconds(seconds)?;
            }
        }
        Ok(control)
    }

    /// May an answer of this age be given without asking anew?
    pub fn accepts(&self, age: Duration) -> bool {
        !self.must_revalidate && self.max_age.is_none_or(|max| age <= max)
    }
}

fn parse_seconds(text: &str) -> Result<Option<Duration>, InvalidCacheControl> {
    let seconds: i64 = text.parse().map_err(|_| InvalidCacheControl)?;
    Ok(u64::try_from(seconds).ok().map(Duration::from_secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_in_any_case_and_order() {
        let control = CacheControl::parse("Stale-If-Error=7, no-cache,MAX-AGE=3").unwrap();
        assert_eq!(
            (control.max_age, control.stale_if_error),
            (Some(Duration::from_secs(3)), Some(Duration::from_secs(7)))
        );
        assert!(control.accepts(Duration::from_secs(3)) && !control.accepts(Duration::from_secs(4)));
        assert!(!CacheControl::parse("must-revalidate").unwrap().accepts(Duration::ZERO));
        assert!(!CacheControl::parse("max-age=0").unwrap().accepts(Duration::ZERO));
        for ignored in ["", "no-cache", "max-age", "max-age=-5", "private, no-store"] {
            assert_eq!(CacheControl::parse(ignored), Ok(CacheControl::default()), "{ignored}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for bad in
            ["max-age=x", "max-age=\"30\"", "max-age=", "max-age=3 stale-if-error=3", "stale-if-error=1.5"]
        {
            assert_eq!(CacheControl::parse(bad), Err(InvalidCacheControl), "{bad}");
        }
    }
}
