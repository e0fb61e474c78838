//! Regular expressions in RE2's syntax, as Go compiles it.
//!
//! The `regex` crate shares RE2's engine ideas but not its exact syntax: its `\d`, `\w` and `\b` are Unicode,
//! its character classes nest, `(?x)` exists and `\Q..\E` does not. A pattern is therefore rewritten before it
//! is compiled, and what Go refuses is refused here with Go's text.

use std::fmt::Write;

use regex::bytes::{Regex, RegexBuilder};

/// A compiled pattern, and each of the lazily built automata a thread keeps for it, may take this much.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// The highest count in `x{count}`.
const REPEAT_MAX: u32 = 1000;

/// Why a pattern is not a regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error parsing regexp: {reason}: `{fragment}`")]
pub struct PatternError {
    /// What is wrong.
    pub reason: &'static str,
    /// The part that is wrong.
    pub fragment: String,
}

fn error<T>(reason: &'static str, fragment: &str) -> Result<T, PatternError> {
    Err(PatternError { reason, fragment: fragment.to_owned() })
}

/// Compiles a pattern. It matches anywhere in a text.
pub fn compile(pattern: &str) -> Result<Regex, PatternError> {
    let rewritten = Rewriter { pattern, at: 0, out: String::new(), open: 0, last: Last::Nothing }.run()?;
    let built = RegexBuilder::new(&rewritten)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .build();
    match built {
        Ok(regex) => Ok(regex),
        Err(regex::Error::CompiledTooBig(_)) => error("expression too large", pattern),
        Err(_) => error("invalid or unsupported syntax", pattern),
    }
}

/// What stands before the place being read, as far as a repetition operator cares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Atom,
    /// A repetition whose operator starts there.
    Repeat(usize),
}

struct Rewriter<'a> {
    pattern: &'a str,
    at: usize,
    out: String,
    open: usize,
    last: Last,
}

impl<'a> Rewriter<'a> {
    fn run(mut self) -> Result<String, PatternError> {
        while let Some(c) = self.peek() {
            self.token(c)?;
        }
        if self.open > 0 {
            return error("missing closing )", self.pattern);
        }
        Ok(self.out)
    }

    fn token(&mut self, c: char) -> Result<(), PatternError> {
        match c {
            '(' => return self.group(),
            ')' => return self.close(),
            '|' => {
                self.copy();
                self.last = Last::Nothing;
                return Ok(());
            }
            '*' | '+' | '?' => {
                let start = self.at;
                self.copy();
                return self.repeat(start);
            }
            '{' => {
                if let Some(counts) = self.counts()? {
                    let start = self.at;
                    self.at += counts;
                    self.out.push_str(self.since(start));
                    return self.repeat(start);
                }
                self.bump();
                self.out.push_str("\\{");
            }
            '[' => self.class()?,
            '\\' => self.escape()?,
            '^' | '$' | '.' => self.copy(),
            c => {
                self.bump();
                self.literal(c);
            }
        }
        self.last = Last::Atom;
        Ok(())
    }

    fn close(&mut self) -> Result<(), PatternError> {
        if self.open == 0 {
            return error("unexpected )", self.pattern);
        }
        self.open -= 1;
        self.copy();
        self.last = Last::Atom;
        Ok(())
    }

    fn group(&mut self) -> Result<(), PatternError> {
        let start = self.at;
        self.bump();
        if self.rest().starts_with("?P<") || self.rest().starts_with("?<") {
            self.name(start)?;
        } else if self.peek() == Some('?') {
            self.bump();
            return self.flags(start);
        }
        self.enter("(?:");
        Ok(())
    }

    fn enter(&mut self, opening: &str) {
        self.out.push_str(opening);
        self.open += 1;
        self.last = Last::Nothing;
    }

    fn name(&mut self, start: usize) -> Result<(), PatternError> {
        let whole = self.pattern.get(start..).unwrap_or_default();
        let Some(end) = whole.find('>') else { return error("invalid named capture", whole) };
        let opening = whole.get(..=end).unwrap_or_default();
        let name = opening.trim_start_matches("(?P<").trim_start_matches("(?<").trim_end_matches('>');
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return error("invalid named capture", opening);
        }
        self.at = start + opening.len();
        Ok(())
    }

    fn flags(&mut self, start: usize) -> Result<(), PatternError> {
        let flags_start = self.at;
        let (mut negated, mut any_since_sign) = (false, false);
        loop {
            let c = self.bump();
            match c {
                Some('i' | 'm' | 's' | 'U') => any_since_sign = true,
                Some('-') if !negated => (negated, any_since_sign) = (true, false),
                Some(':' | ')') if !negated || any_since_sign => break,
                _ => return error("invalid or unsupported Perl syntax", self.since(start)),
            }
        }
        let flags = self.since(flags_start);
        if flags.ends_with(':') {
            self.enter(&format!("(?{flags}"));
        } else if flags != ")" {
            let _ = write!(self.out, "(?{flags}");
        }
        Ok(())
    }

    /// The operator at `start` has been copied; a `?` may follow that makes it lazy.
    fn repeat(&mut self, start: usize) -> Result<(), PatternError> {
        if self.peek() == Some('?') {
            self.copy();
        }
        match self.last {
            Last::Nothing => error("missing argument to repetition operator", self.since(start)),
            Last::Repeat(first) => error("invalid nested repetition operator", self.since(first)),
            Last::Atom => {
                self.last = Last::Repeat(start);
                Ok(())
            }
        }
    }

    /// The length of a `{n}`, `{n,}` or `{n,m}` that starts here; anything else is literal text.
    fn counts(&self) -> Result<Option<usize>, PatternError> {
        let Some(end) = self.rest().find('}') else { return Ok(None) };
        let inside = self.rest().get(1..end).unwrap_or_default();
        let (low, high) = inside.split_once(',').unwrap_or((inside, inside));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = |text: &str| text.len() > 1 && text.starts_with('0');
        if !digits(low) || !(high.is_empty() || digits(high)) || leading_zero(low) || leading_zero(high) {
            return Ok(None);
        }
        let count = |text: &str| text.parse().unwrap_or(u32::MAX);
        let (least, most) = (count(low), if high.is_empty() { REPEAT_MAX } else { count(high) });
        if least > most || most > REPEAT_MAX {
            return error("invalid repeat count", self.rest().get(..=end).unwrap_or_default());
        }
        Ok(Some(end + 1))
    }

    fn escape(&mut self) -> Result<(), PatternError> {
        let start = self.at;
        self.bump();
        match self.peek() {
            None => return error("trailing backslash at end of expression", ""),
            Some('Q') => {
                self.bump();
                let quoted = self.rest().split("\\E").next().unwrap_or_default();
                self.at += quoted.len();
                if self.rest().starts_with("\\E") {
                    self.at += 2;
                }
                // As one atom a following repetition would take it whole, where Go takes its last character.
                self.out.push_str(&regex::escape(quoted));
                return Ok(());
            }
            Some('A') => self.out.push_str("\\A"),
            Some('z') => self.out.push_str("\\z"),
            Some('b') => self.out.push_str("(?-u:\\b)"),
            Some('B') => self.out.push_str("(?-u:\\B)"),
            Some(c) => {
                self.at = start;
                if let Some(set) = perl_set(c) {
                    self.at += 2;
                    let _ = write!(self.out, "[{set}]");
                } else if matches!(c, 'p' | 'P') {
                    let property = self.property()?;
                    self.out.push_str(property);
                } else {
                    let literal = self.escaped_char()?;
                    self.literal(literal);
                }
                return Ok(());
            }
        }
        self.bump();
        Ok(())
    }

    /// `\pL`, `\p{Greek}` and their negations, from the backslash on.
    fn property(&mut self) -> Result<&'a str, PatternError> {
        let start = self.at;
        self.at += 2;
        if self.bump() == Some('{') {
            while self.bump().is_some_and(|c| c != '}') {}
        }
        let property = self.since(start);
        if Regex::new(property).is_err() {
            return error("invalid character class range", property);
        }
        Ok(property)
    }

    /// One character spelled with a backslash, from the backslash on.
    fn escaped_char(&mut self) -> Result<char, PatternError> {
        let start = self.at;
        self.bump();
        let c = self.bump();
        let value = match c {
            None => return error("trailing backslash at end of expression", ""),
            Some('a') => Some('\x07'),
            Some('f') => Some('\x0c'),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('v') => Some('\x0b'),
            Some('x') => self.hex(),
            Some(first @ '0'..='7') => self.octal(first),
            Some(c) if c.is_ascii_punctuation() || c == ' ' => Some(c),
            Some(_) => None,
        };
        match value {
            Some(value) => Ok(value),
            None => error("invalid escape sequence", self.since(start)),
        }
    }

    fn hex(&mut self) -> Option<char> {
        if self.peek() != Some('{') {
            let high = self.bump()?.to_digit(16)?;
            return char::from_u32(high * 16 + self.bump()?.to_digit(16)?);
        }
        self.bump();
        let mut value = 0;
        let mut any = false;
        loop {
            match self.bump()? {
                '}' if any => return char::from_u32(value),
                digit => value = value * 16 + digit.to_digit(16)?,
            }
            if value > u32::from(char::MAX) {
                return None;
            }
            any = true;
        }
    }

    /// A digit alone would be a back-reference, which there is not.
    fn octal(&mut self, first: char) -> Option<char> {
        let mut value = first.to_digit(8)?;
        let next_is_digit = self.peek().is_some_and(|c| c.is_digit(8));
        if first != '0' && !next_is_digit {
            return None;
        }
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
            value = value * 8 + digit;
            self.bump();
        }
        char::from_u32(value)
    }

    fn class(&mut self) -> Result<(), PatternError> {
        let start = self.at;
        let unclosed = self.rest();
        self.copy();
        if self.peek() == Some('^') {
            self.copy();
        }
        let mut first = true;
        loop {
            match self.peek() {
                None => return error("missing closing ]", unclosed),
                Some(']') if !first => break,
                Some(_) => self.class_item(start)?,
            }
            first = false;
        }
        self.copy();
        Ok(())
    }

    fn class_item(&mut self, class_start: usize) -> Result<(), PatternError> {
        let start = self.at;
        if self.rest().starts_with("[:") && self.posix_set()? {
            return Ok(());
        }
        let mut ahead = self.rest().chars();
        if ahead.next() == Some('\\') {
            let letter = ahead.next();
            if let Some(set) = letter.and_then(perl_set) {
                self.at += 2;
                let negated = set.starts_with('^');
                let _ = if negated { write!(self.out, "[{set}]") } else { write!(self.out, "{set}") };
                return Ok(());
            }
            if matches!(letter, Some('p' | 'P')) {
                let property = self.property()?;
                self.out.push_str(property);
                return Ok(());
            }
        }
        let low = self.class_char(class_start)?;
        let mut high = low;
        let is_range = self.rest().starts_with('-') && !self.rest().starts_with("-]") && self.rest() != "-";
        if is_range {
            self.bump();
            high = self.class_char(class_start)?;
        }
        if high < low {
            return error("invalid character class range", self.since(start));
        }
        let _ = write!(self.out, "\\x{{{:x}}}-\\x{{{:x}}}", u32::from(low), u32::from(high));
        Ok(())
    }

    fn class_char(&mut self, class_start: usize) -> Result<char, PatternError> {
        if self.peek() == Some('\\') {
            return self.escaped_char();
        }
        match self.bump() {
            Some(c) => Ok(c),
            None => error("missing closing ]", self.pattern.get(class_start..).unwrap_or_default()),
        }
    }

    /// Reads `[:name:]`; without its end the bracket is an ordinary character.
    fn posix_set(&mut self) -> Result<bool, PatternError> {
        const NAMES: &[&str] = &[
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
            "space", "upper", "word", "xdigit",
        ];
        let Some(end) = self.rest().get(2..).and_then(|rest| rest.find(":]")) else { return Ok(false) };
        let set = self.rest().get(..end + 4).unwrap_or_default();
        let name = set.trim_start_matches("[:").trim_end_matches(":]");
        if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return error("invalid character class range", set);
        }
        self.out.push_str(set);
        self.at += set.len();
        Ok(true)
    }

    fn literal(&mut self, c: char) {
        self.out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }

    fn rest(&self) -> &'a str {
        self.pattern.get(self.at..).unwrap_or_default()
    }

    fn since(&self, start: usize) -> &'a str {
        self.pattern.get(start..self.at).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn copy(&mut self) {
        if let Some(c) = self.bump() {
            self.out.push(c);
        }
    }
}

/// The inside of the class that `\d` and its kin mean: ASCII only.
fn perl_set(letter: char) -> Option<&'static str> {
    Some(match letter {
        'd' => "0-9",
        'D' => "^0-9",
        's' => r"\t\n\x0C\r ",
        'S' => r"^\t\n\x0C\r ",
        'w' => "0-9A-Za-z_",
        'W' => "^0-9A-Za-z_",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        compile(pattern).unwrap_or_else(|err| panic!("{pattern}: {err}")).is_match(text.as_bytes())
    }

    #[test]
    fn go_syntax_means_what_it_means_in_go() {
        for (pattern, yes, no) in [
            (r"^\d$", "7", "٣"),
            (r"^\w+$", "a_1", "é"),
            (r"^[\d-z]$", "-", "a"),
            (r"^[^\D5]$", "4", "5"),
            (r"\bb", "éb", "ab"),
            (r"^\Qa.b\E$", "a.b", "axb"),
            (r"^a{,5}$", "a{,5}", "aaa"),
            (r"^a{2}$", "aa", "a"),
            (r"^a}$", "a}", "a"),
            (r"^[]a]$", "]", "b"),
            (r"^[[&&a]$", "&", "b"),
            (r"^[+--]$", ",", "a"),
            (r"^(?i)web$", "WEB", "wab"),
            (r"^(?i:w)eb$", "Web", "WEB"),
            (r"^(?P<n>a|b)$", "b", "c"),
            (r"^(?<n>a|b)$", "b", "c"),
            (r"^\x{e9}\x41\101$", "éAA", "eAA"),
            (r"^[[:alpha:]]$", "x", "1"),
            (r"^\<$", "<", ""),
            (r"^#$", "#", ""),
            (r"^\pL$", "é", "1"),
            (r"(|a)*", "", "never"),
        ] {
            let Ok(regex) = compile(pattern) else { panic!("{pattern} does not compile") };
            assert!(regex.is_match(yes.as_bytes()), "{pattern} on {yes}");
            assert!(no == "never" || !regex.is_match(no.as_bytes()), "{pattern} on {no}");
        }
        assert!(matches("b", "abc"), "unanchored");
    }

    #[test]
    fn what_go_refuses_is_refused_with_its_text() {
        for (pattern, text) in [
            ("(", "missing closing ): `(`"),
            ("(((", "missing closing ): `(((`"),
            ("a)", "unexpected ): `a)`"),
            ("[", "missing closing ]: `[`"),
            ("x[a", "missing closing ]: `[a`"),
            ("[^]", "missing closing ]: `[^]`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("a???", "invalid nested repetition operator: `???`"),
            ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
            ("*", "missing argument to repetition operator: `*`"),
            ("a|*", "missing argument to repetition operator: `*`"),
            ("\\", "trailing backslash at end of expression: ``"),
            ("\\y", "invalid escape sequence: `\\y`"),
            ("\\1", "invalid escape sequence: `\\1`"),
            ("\\C", "invalid escape sequence: `\\C`"),
            ("\\Z", "invalid escape sequence: `\\Z`"),
            ("\\xg", "invalid escape sequence: `\\xg`"),
            ("\\x{110000}", "invalid escape sequence: `\\x{110000`"),
            ("[z-a]", "invalid character class range: `z-a`"),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
            ("\\pX", "invalid character class range: `\\pX`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("x{2,1}", "invalid repeat count: `{2,1}`"),
            ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("(?P=n)", "invalid or unsupported Perl syntax: `(?P`"),
            ("(?i", "invalid or unsupported Perl syntax: `(?i`"),
            ("(?P<a", "invalid named capture: `(?P<a`"),
        ] {
            let err = compile(pattern).expect_err(pattern);
            assert_eq!(err.to_string(), format!("error parsing regexp: {text}"), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_would_eat_memory_is_refused() {
        let err = compile(r"(\pL{1000}){1000}").expect_err("too large");
        assert_eq!(err.reason, "expression too large");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn garbage_never_panics(pattern in r"[\\\[\](){}?*+|^$.:,<>=\-&a-fPQExpdDsSwWbBz0-9é]{0,24}") {
            let _ = compile(&pattern);
        }

        #[test]
        fn a_quoted_text_matches_itself(text in "[^\\\\]{0,12}") {
            let regex = compile(&format!("^\\Q{text}\\E$")).expect("quoted text compiles");
            prop_assert!(regex.is_match(text.as_bytes()));
        }
    }
}
