//! The query string.

use std::borrow::Cow;

use super::path;

/// Decoded query parameters in the order sent.
#[derive(Debug, Default)]
pub struct Params(Vec<(String, String)>);

/// The query string has a malformed percent escape.
#[derive(Debug, PartialEq, Eq)]
pub struct BadEscape;

/// More parameters than any client sends: the rest of the string is a mistake or an attack.
const PARAMS_MAX: usize = 1024;

impl Params {
    /// Parses `a=1&b&c=x+y`. Parts with a `;` are dropped, as current Go servers do.
    pub fn parse(raw: Option<&str>) -> Result<Self, BadEscape> {
        let Some(raw) = raw.filter(|raw| !raw.is_empty()) else { return Ok(Self::default()) };
        let mut params = Vec::new();
        for part in raw.split('&').filter(|part| !part.is_empty() && !part.contains(';')).take(PARAMS_MAX) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            params.push((text(name)?, text(value)?));
        }
        Ok(Self(params))
    }

    /// Is the parameter there, with whatever value?
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// First value; empty text if the parameter stands without one.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// First value unless it is empty.
    pub fn non_empty(&self, name: &str) -> Option<&str> {
        self.first(name).filter(|value| !value.is_empty())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All parameters sorted by name and encoded again, for error texts.
    pub fn canonical(&self) -> String {
        let mut sorted: Vec<_> = self.0.iter().collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        let parts: Vec<String> = sorted.iter().map(|(k, v)| format!("{}={}", escape(k), escape(v))).collect();
        parts.join("&")
    }
}

/// A truth value in any of the spellings that Go takes.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn text(raw: &str) -> Result<String, BadEscape> {
    let decoded = path::decode(raw.as_bytes(), true).ok_or(BadEscape)?;
    Ok(match decoded {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Cow::Owned(bytes) => String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    })
}

fn escape(text: &str) -> String {
    const RESERVED: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    percent_encoding::utf8_percent_encode(text, RESERVED).to_string().replace("%20", "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presence_value_and_repetition() {
        let params = Params::parse(Some("stale&dc=dc%31&tag=a&tag=b+c&=x")).unwrap();
        assert!(params.has("stale"));
        assert_eq!(params.first("stale"), Some(""));
        assert_eq!(params.first("dc"), Some("dc1"));
        assert_eq!(params.all("tag").collect::<Vec<_>>(), ["a", "b c"]);
        assert_eq!(params.first("none"), None);
    }

    #[test]
    fn canonical_form_is_sorted_and_encoded() {
        let params = Params::parse(Some("cas=0&acquire=a%20b")).unwrap();
        assert_eq!(params.canonical(), "acquire=a+b&cas=0");
    }

    #[test]
    fn truth_values_have_gos_spellings() {
        assert_eq!(
            ["1", "t", "True", "0", "f", "FALSE"].map(parse_bool),
            [true, true, true, false, false, false].map(Some)
        );
        assert_eq!(["", "yes", "tRUE", "2"].map(parse_bool), [None; 4]);
    }

    #[test]
    fn bad_escapes_are_errors() {
        assert_eq!(Params::parse(Some("a=%zz")).unwrap_err(), BadEscape);
    }
}
