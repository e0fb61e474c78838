//! The grammar of Go's `flag` package: one dash or two, `-name=value` or `-name value`, switches that take a value
//! only after `=`, and an end at the first word that is no flag.

use std::ffi::OsString;

use super::Line;
use super::flag::{Flag, Takes};
use super::table::FLAGS;

/// A command line that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    #[error("flag provided but not defined: -{0}")]
    Undefined(String),
    #[error("flag needs an argument: -{0}")]
    NoValue(&'static str),
    #[error("bad flag syntax: {0}")]
    Syntax(String),
    #[error("invalid boolean value {value:?} for -{name}: {why}")]
    Boolean { value: String, name: &'static str, why: String },
    #[error("invalid value {value:?} for flag -{name}: {why}")]
    Value { value: String, name: &'static str, why: String },
    #[error("cli: extra args: {0}")]
    Extra(String),
    #[error("argument {0} is not valid UTF-8")]
    Encoding(usize),
}

/// Reads the words after the program's name.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Line, FlagError> {
    let mut line = Line::default();
    let mut rest = Vec::new();
    for (at, word) in words.into_iter().enumerate() {
        rest.push(word.into_string().map_err(|_| FlagError::Encoding(at + 1))?);
    }
    let mut words = rest.into_iter().peekable();
    while let Some(word) = words.next_if(|word| word.len() > 1 && word.starts_with('-')) {
        if word == "--" {
            break;
        }
        let body = word.strip_prefix("--").or(word.strip_prefix('-')).unwrap_or_default();
        let (name, value) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (body, None),
        };
        if name.is_empty() || name.starts_with('-') {
            return Err(FlagError::Syntax(word));
        }
        if name == "h" || name == "help" {
            line.help = true;
            return Ok(line);
        }
        let flag = FLAGS
            .iter()
            .find(|flag| flag.name == name)
            .ok_or_else(|| FlagError::Undefined(name.to_owned()))?;
        // `-template = "a:b"` is how an old tutorial was typeset, and nothing else that is meant is a lone "=".
        let spaced = value.is_none() && words.next_if(|word| word == "=").is_some();
        if spaced {
            line.warnings.push(format!("-{name} = value: write -{name}=value without spaces"));
        }
        let value = match (value, flag.takes) {
            (Some(value), _) => value,
            (None, Takes::Switch) if !spaced => "true".to_owned(),
            (None, _) => words.next().ok_or(FlagError::NoValue(flag.name))?,
        };
        apply(flag, &value, &mut line)?;
    }
    let extra: Vec<String> = words.map(|word| format!("{word:?}")).collect();
    if extra.is_empty() { Ok(line) } else { Err(FlagError::Extra(format!("[{}]", extra.join(" ")))) }
}

fn apply(flag: &Flag, value: &str, line: &mut Line) -> Result<(), FlagError> {
    if let Some(now) = flag.now {
        line.warnings.push(format!("-{} is an old name; use -{now}", flag.name));
    }
    (flag.set)(line, value).map_err(|why| match flag.takes {
        Takes::Switch => FlagError::Boolean { value: value.to_owned(), name: flag.name, why },
        // The value of a flag that holds a secret must not show up on a terminal or in a log.
        Takes::Value(_) if flag.name.ends_with("auth") || flag.name.ends_with("token") => {
            FlagError::Value { value: "<hidden>".to_owned(), name: flag.name, why }
        }
        Takes::Value(_) => FlagError::Value { value: value.to_owned(), name: flag.name, why },
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn line(words: &[&str]) -> Result<Line, FlagError> {
        parse(words.iter().map(OsString::from))
    }

    fn refusal(words: &[&str]) -> String {
        line(words).unwrap_err().to_string()
    }

    #[test]
    fn spellings() {
        for words in [&["-wait=1s:2s"][..], &["--wait", "1s:2s"], &["-wait", "5s", "-wait=1s:2s"]] {
            assert_eq!(line(words).unwrap().layer.wait.unwrap().max, Duration::from_secs(2));
        }
        assert_eq!(line(&["-once"]).unwrap().layer.once, Some(true));
        assert_eq!(line(&["-once=F"]).unwrap().layer.once, Some(false));
        assert!(line(&["-once", "-h", "-bogus"]).unwrap().help);
    }

    #[test]
    fn refusals() {
        assert_eq!(refusal(&["a", "b"]), "cli: extra args: [\"a\" \"b\"]");
        assert_eq!(refusal(&["-once", "--", "x"]), "cli: extra args: [\"x\"]");
        assert_eq!(refusal(&["-bogus"]), "flag provided but not defined: -bogus");
        assert_eq!(refusal(&["-wait"]), "flag needs an argument: -wait");
        assert_eq!(refusal(&["-once=maybe"]), "invalid boolean value \"maybe\" for -once: parse error");
        assert_eq!(
            refusal(&["-max-stale=5"]),
            "invalid value \"5\" for flag -max-stale: time: missing unit in duration \"5\""
        );
        assert_eq!(
            refusal(&["-template="]),
            "invalid value \"\" for flag -template: template: cannot be empty"
        );
        assert_eq!(refusal(&["-template", "="]), "flag needs an argument: -template");
        assert_eq!(
            refusal(&["-consul-auth", ""]),
            "invalid value \"<hidden>\" for flag -consul-auth: auth: cannot be empty"
        );
    }

    #[test]
    fn blanks_around_the_sign_are_forgiven_with_a_warning() {
        let spaced = line(&["-template", "=", "a:b", "-once", "=", "false"]).unwrap();
        assert_eq!(spaced.layer.templates, line(&["-template=a:b"]).unwrap().layer.templates);
        assert_eq!((spaced.layer.once, spaced.warnings.len()), (Some(false), 2));
    }

    #[test]
    fn old_names_are_understood_with_a_warning() {
        let line = line(&["-consul", "a:1", "-token=t"]).unwrap();
        assert_eq!(line.layer.consul.address.as_deref(), Some("a:1"));
        assert_eq!(line.layer.consul.token, Some("t".into()));
        assert_eq!(line.warnings.len(), 2);
    }

    #[test]
    fn every_flag_is_known_once_and_explained() {
        for (at, flag) in FLAGS.iter().enumerate() {
            assert!(FLAGS.iter().skip(at + 1).all(|other| other.name != flag.name), "{}", flag.name);
            assert!(flag.now.is_some() == flag.help.is_empty(), "{}", flag.name);
            if let Some(now) = flag.now {
                assert!(FLAGS.iter().any(|other| other.name == now), "{now}");
            }
        }
    }
}
