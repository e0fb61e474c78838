//! Flags: one row each, from which parsing, help texts and completions all follow.
//!
//! Scripts rely on the grammar of Go's `flag` package: one dash or two, `-name=value` or `-name value`, switches that
//! take a value only after `=`, and an end of flags at the first positional. The rows are turned into a clap command;
//! what is typed is first brought into the one spelling that clap reads the same way.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches};
use consul_api::types::StringMap;
use consul_api::types::duration::GoDuration;
use thiserror::Error;

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing, or a boolean after `=`.
    Switch,
    /// A boolean as a value of its own.
    Bool,
    Text,
    Int,
    Uint,
    Duration,
    /// Text; may be given several times.
    List,
    /// `key=value`; may be given several times.
    Pairs,
}

/// One flag of a command.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    pub name: &'static str,
    pub takes: Takes,
    /// What stands for the value in help texts.
    pub placeholder: &'static str,
    /// The value if the flag is not given, in the syntax of the command line; empty for none.
    pub default: &'static str,
    pub help: &'static str,
}

impl Flag {
    const fn new(name: &'static str, takes: Takes, placeholder: &'static str, help: &'static str) -> Self {
        Self { name, takes, placeholder, default: "", help }
    }

    pub const fn switch(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Takes::Switch, "bool", help)
    }

    pub const fn bool(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Takes::Bool, "bool", help)
    }

    pub const fn text(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Takes::Text, "string", help)
    }

    pub const fn int(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Takes::Int, "int", help)
    }

    pub const fn uint(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Takes::Uint, "uint", help)
    }

    pub const fn duration(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Takes::Duration, "duration", help)
    }

    pub const fn list(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Takes::List, "value", help)
    }

    pub const fn pairs(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Takes::Pairs, "key=value", help)
    }

    pub const fn or(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    pub const fn shown_as(mut self, placeholder: &'static str) -> Self {
        self.placeholder = placeholder;
        self
    }

    /// The row as clap knows it.
    pub fn to_arg(self) -> Arg {
        let arg = Arg::new(self.name).long(self.name).help(self.help).value_name(self.placeholder);
        let arg = match self.takes {
            Takes::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
            Takes::List | Takes::Pairs => arg.num_args(1).action(ArgAction::Append),
            _ => arg.num_args(1),
        };
        arg.allow_hyphen_values(true).value_parser(self.value_parser())
    }

    fn value_parser(self) -> ValueParser {
        match self.takes {
            Takes::Switch => ValueParser::new(move |text: &str| {
                parse_bool(text).ok_or(FlagError::Boolean { value: text.to_owned(), name: self.name })
            }),
            Takes::Bool => ValueParser::new(move |text: &str| {
                parse_bool(text).ok_or_else(|| self.invalid(text, "parse error"))
            }),
            Takes::Int => ValueParser::new(move |text: &str| {
                parse_int(text).ok_or_else(|| self.invalid(text, "parse error"))
            }),
            Takes::Uint => ValueParser::new(move |text: &str| {
                parse_uint(text).ok_or_else(|| self.invalid(text, "parse error"))
            }),
            Takes::Duration => ValueParser::new(move |text: &str| {
                text.parse::<GoDuration>().map_err(|error| self.invalid(text, &error.to_string()))
            }),
            Takes::Pairs => ValueParser::new(move |text: &str| match text.split_once('=') {
                Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
                None => Err(self.invalid(text, &format!("Missing \"=\" value in argument: {text}"))),
            }),
            Takes::Text | Takes::List => ValueParser::new(|text: &str| Ok::<_, FlagError>(text.to_owned())),
        }
    }

    fn invalid(&self, value: &str, why: &str) -> FlagError {
        FlagError::Value { value: value.to_owned(), name: self.name, why: why.to_owned() }
    }
}

/// The command line breaks the grammar. Scripts match on these texts.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FlagError {
    #[error("flag provided but not defined: -{0}")]
    Undefined(String),
    #[error("flag needs an argument: -{0}")]
    NoValue(&'static str),
    #[error("bad flag syntax: {0}")]
    Syntax(String),
    #[error("invalid boolean value {value:?} for -{name}: parse error")]
    Boolean { value: String, name: &'static str },
    #[error("invalid value {value:?} for flag -{name}: {why}")]
    Value { value: String, name: &'static str, why: String },
    #[error("{0}")]
    Other(String),
}

/// What was typed after the command's name.
#[derive(Debug, Default)]
pub struct Parsed {
    matches: ArgMatches,
    defaults: BTreeMap<&'static str, &'static str>,
    /// Positionals as text; bytes that are no UTF-8 are replaced.
    pub args: Vec<String>,
    /// The same positionals, byte for byte.
    pub raw: Vec<OsString>,
}

impl Parsed {
    /// Reads `words` by the table `flags`.
    pub fn new(flags: &[Flag], words: &[OsString]) -> Result<Self, FlagError> {
        let (spelled, raw) = normalise(flags, words)?;
        let command = clap::Command::new("consul")
            .no_binary_name(true)
            .disable_help_flag(true)
            .disable_version_flag(true)
            .args_override_self(true)
            .args(flags.iter().map(|flag| flag.to_arg()));
        let matches = command.try_get_matches_from(spelled).map_err(from_clap)?;
        let defaults = flags.iter().map(|flag| (flag.name, flag.default)).collect();
        let args = raw.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        Ok(Self { matches, defaults, args, raw })
    }

    fn one<T: Clone + Send + Sync + 'static>(&self, name: &str) -> Option<&T> {
        self.matches.try_get_one(name).ok().flatten()
    }

    fn default_of(&self, name: &str) -> &'static str {
        self.defaults.get(name).copied().unwrap_or_default()
    }

    pub fn is_set(&self, name: &str) -> bool {
        self.matches.try_contains_id(name).unwrap_or(false)
    }

    pub fn switch(&self, name: &str) -> bool {
        self.one(name).copied().unwrap_or_else(|| self.default_of(name) == "true")
    }

    /// A boolean only if it was given.
    pub fn bool_if_set(&self, name: &str) -> Option<bool> {
        self.one(name).copied()
    }

    pub fn text(&self, name: &str) -> &str {
        self.one::<String>(name).map_or_else(|| self.default_of(name), String::as_str)
    }

    pub fn text_if_set(&self, name: &str) -> Option<&str> {
        self.one::<String>(name).map(String::as_str)
    }

    pub fn int(&self, name: &str) -> i64 {
        self.one(name).copied().or_else(|| parse_int(self.default_of(name))).unwrap_or_default()
    }

    pub fn uint(&self, name: &str) -> u64 {
        self.one(name).copied().or_else(|| parse_uint(self.default_of(name))).unwrap_or_default()
    }

    pub fn uint_if_set(&self, name: &str) -> Option<u64> {
        self.one(name).copied()
    }

    pub fn duration(&self, name: &str) -> GoDuration {
        self.duration_if_set(name).or_else(|| self.default_of(name).parse().ok()).unwrap_or_default()
    }

    pub fn duration_if_set(&self, name: &str) -> Option<GoDuration> {
        self.one(name).copied()
    }

    pub fn list(&self, name: &str) -> Vec<String> {
        let given = self.matches.try_get_many::<String>(name).ok().flatten();
        given.map(|values| values.cloned().collect()).unwrap_or_default()
    }

    pub fn pairs(&self, name: &str) -> StringMap {
        let given = self.matches.try_get_many::<(String, String)>(name).ok().flatten();
        given.map(|values| values.cloned().collect()).unwrap_or_default()
    }
}

/// Splits off the flags, each as the one word `--name=value` or `--name`, from the positionals that follow.
fn normalise(flags: &[Flag], words: &[OsString]) -> Result<(Vec<OsString>, Vec<OsString>), FlagError> {
    let mut spelled = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.clone().next() {
        let bytes = word.as_bytes();
        if bytes == b"--" {
            rest.next();
            break;
        }
        if bytes.len() < 2 || !bytes.starts_with(b"-") {
            break;
        }
        rest.next();
        let body = bytes.strip_prefix(b"--").unwrap_or(&bytes[1..]);
        let (name, value) = split_at_equals(body);
        if name.is_empty() || name.starts_with(b"-") {
            return Err(FlagError::Syntax(word.to_string_lossy().into_owned()));
        }
        let Some(flag) = flags.iter().find(|flag| flag.name.as_bytes() == name) else {
            return Err(FlagError::Undefined(String::from_utf8_lossy(name).into_owned()));
        };
        let mut one = OsString::from(format!("--{}", flag.name));
        match (value, flag.takes) {
            (Some(value), _) => push_value(&mut one, OsStr::from_bytes(value)),
            (None, Takes::Switch) => {}
            (None, _) => push_value(&mut one, rest.next().ok_or(FlagError::NoValue(flag.name))?),
        }
        spelled.push(one);
    }
    Ok((spelled, rest.cloned().collect()))
}

fn split_at_equals(body: &[u8]) -> (&[u8], Option<&[u8]>) {
    match body.iter().position(|byte| *byte == b'=') {
        Some(at) => (&body[..at], Some(&body[at + 1..])),
        None => (body, None),
    }
}

fn push_value(word: &mut OsString, value: &OsStr) {
    word.push("=");
    word.push(value);
}

/// The rows' own errors travel through clap as the source of its error.
fn from_clap(error: clap::Error) -> FlagError {
    let own = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<FlagError>());
    own.cloned().unwrap_or_else(|| FlagError::Other(error.to_string().trim_end().to_owned()))
}

/// A boolean in the spellings of Go.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// An integer with the base prefixes of Go: `0x`, `0o` or a plain `0`, `0b`.
fn parse_uint(text: &str) -> Option<u64> {
    if text.starts_with(['+', '-']) {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let (digits, base) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', b'o', ..] => (&lower[2..], 8),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (lower.as_str(), 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, base).ok()
}

fn parse_int(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(digits) => 0i64.checked_sub_unsigned(parse_uint(digits)?),
        None => i64::try_from(parse_uint(text.strip_prefix('+').unwrap_or(text))?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] = &[
        Flag::switch("keys", "k"),
        Flag::text("separator", "s").or("/"),
        Flag::uint("flags", "f"),
        Flag::int("n", "n").or("1"),
        Flag::duration("wait", "w").or("2s"),
        Flag::list("tag", "t"),
        Flag::pairs("meta", "m"),
        Flag::bool("cleanup", "c"),
    ];

    fn parse(words: &[&str]) -> Result<Parsed, FlagError> {
        Parsed::new(FLAGS, &words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    fn refusal(words: &[&str]) -> String {
        parse(words).unwrap_err().to_string()
    }

    #[test]
    fn every_spelling_of_a_value_is_the_same() {
        for words in [
            &["-separator=x"][..],
            &["-separator", "x"],
            &["--separator=x"],
            &["--separator", "x"],
            &["-separator=y", "-separator=x"],
        ] {
            let parsed = parse(words).unwrap();
            assert_eq!(parsed.text("separator"), "x");
            assert!(parsed.args.is_empty());
        }
        assert_eq!(parse(&["-separator="]).unwrap().text("separator"), "");
        assert_eq!(parse(&["-separator", "-keys"]).unwrap().text("separator"), "-keys");
        assert_eq!(parse(&["-separator", "--"]).unwrap().text("separator"), "--");
    }

    #[test]
    fn a_switch_takes_a_value_only_after_an_equals_sign() {
        let parsed = parse(&["-keys", "false"]).unwrap();
        assert!(parsed.switch("keys"));
        assert_eq!(parsed.args, ["false"]);
        assert!(!parse(&["-keys=F"]).unwrap().switch("keys"));
        assert!(!parse(&["-keys", "-keys=0"]).unwrap().switch("keys"));
        assert_eq!(parse(&["-cleanup", "false"]).unwrap().bool_if_set("cleanup"), Some(false));
    }

    #[test]
    fn flags_end_at_the_first_positional() {
        let parsed = parse(&["-keys", "a", "-flags=9", "--", "b"]).unwrap();
        assert_eq!(parsed.args, ["a", "-flags=9", "--", "b"]);
        assert_eq!(parse(&["--", "-k", "v"]).unwrap().args, ["-k", "v"]);
        assert_eq!(parse(&["-", "-keys"]).unwrap().args, ["-", "-keys"]);
    }

    #[test]
    fn defaults_come_from_the_table() {
        let parsed = parse(&[]).unwrap();
        assert_eq!(parsed.text("separator"), "/");
        assert_eq!(parsed.int("n"), 1);
        assert_eq!(parsed.duration("wait"), GoDuration::from_secs(2));
        assert!(!parsed.switch("keys") && !parsed.is_set("keys"));
    }

    #[test]
    fn numbers_may_have_a_base_prefix() {
        for (text, number) in [("0x10", 16), ("010", 8), ("0b11", 3), ("0", 0), ("42", 42)] {
            assert_eq!(parse(&["-flags", text]).unwrap().uint("flags"), number);
        }
        assert_eq!(parse(&["-n=-3"]).unwrap().int("n"), -3);
        assert_eq!(parse(&["-n=-0x8000000000000000"]).unwrap().int("n"), i64::MIN);
        assert!(
            parse(&["-flags=-1"]).is_err() && parse(&["-flags=08"]).is_err() && parse(&["-n=--1"]).is_err()
        );
    }

    #[test]
    fn lists_and_pairs_accumulate() {
        let parsed = parse(&["-tag=a", "-tag", "b,c", "-meta", "k=v=w", "-meta=x="]).unwrap();
        assert_eq!(parsed.list("tag"), ["a", "b,c"]);
        assert_eq!(
            parsed.pairs("meta").into_iter().collect::<Vec<_>>(),
            [("k".to_owned(), "v=w".to_owned()), ("x".to_owned(), String::new())]
        );
    }

    #[test]
    fn refusals_read_as_scripts_expect() {
        assert_eq!(refusal(&["--bogus"]), "flag provided but not defined: -bogus");
        assert_eq!(refusal(&["-separator"]), "flag needs an argument: -separator");
        assert_eq!(refusal(&["-keys=maybe"]), "invalid boolean value \"maybe\" for -keys: parse error");
        assert_eq!(refusal(&["--flags=abc"]), "invalid value \"abc\" for flag -flags: parse error");
        assert_eq!(
            refusal(&["-wait=xx"]),
            "invalid value \"xx\" for flag -wait: time: invalid duration \"xx\""
        );
        assert_eq!(
            refusal(&["-meta", "bad"]),
            "invalid value \"bad\" for flag -meta: Missing \"=\" value in argument: bad"
        );
        assert_eq!(refusal(&["---x"]), "bad flag syntax: ---x");
    }
}
