//! How long to let changes settle.

use std::str::FromStr;
use std::time::Duration;

use consul_api::types::duration::GoDuration;

/// A template is rendered once nothing changed for `min`, and at the latest `max` after the first change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    pub enabled: bool,
    pub min: Duration,
    pub max: Duration,
}

impl Wait {
    /// Whether there is anything to wait for.
    pub fn is_active(&self) -> bool {
        self.enabled && !self.min.is_zero()
    }

    /// The longest wait is four times the shortest unless it is given.
    pub fn new(min: Duration, max: Option<Duration>) -> Result<Self, String> {
        let max = max.unwrap_or(min.saturating_mul(4));
        if max < min {
            return Err("wait: min must be less than max".to_owned());
        }
        Ok(Self { enabled: true, min, max })
    }
}

impl FromStr for Wait {
    type Err = String;

    /// `MIN` or `MIN:MAX`.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("wait: cannot be empty".to_owned());
        }
        let mut parts = text.split(':');
        let (min, max) = (parts.next().unwrap_or_default(), parts.next());
        if parts.next().is_some() {
            return Err("wait: invalid format".to_owned());
        }
        Self::new(span(min)?, max.map(span).transpose()?)
    }
}

fn span(text: &str) -> Result<Duration, String> {
    let span: GoDuration = text.trim().parse().map_err(|error| format!("{error}"))?;
    if span.0 < 0 {
        return Err("wait: cannot be negative".to_owned());
    }
    Ok(span.to_std())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let wait: Wait = "5s:10s".parse().unwrap();
        assert_eq!((wait.min, wait.max), (Duration::from_secs(5), Duration::from_secs(10)));
        assert_eq!("2s".parse::<Wait>().unwrap().max, Duration::from_secs(8));
        assert!("4s:4s".parse::<Wait>().is_ok());
    }

    #[test]
    fn what_is_refused() {
        for (text, error) in [
            ("", "wait: cannot be empty"),
            ("1s:2s:3s", "wait: invalid format"),
            ("-1s", "wait: cannot be negative"),
            ("10s:1s", "wait: min must be less than max"),
        ] {
            assert_eq!(text.parse::<Wait>(), Err(error.to_owned()), "{text}");
        }
        assert!("5".parse::<Wait>().is_err());
    }
}
