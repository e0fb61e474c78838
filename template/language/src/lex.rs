//! Splits the source of a template into tokens.
//!
//! Works on bytes, since the text around actions may be anything; characters are decoded inside actions only.
//! No token is copied: each is a slice of the source.

use crate::format::quote;
use crate::token::{Kind, Token};

const LEFT_COMMENT: &[u8] = b"/*";
const RIGHT_COMMENT: &[u8] = b"*/";
/// A minus and the space that has to stand beside it.
const TRIM_MARKER_LENGTH: usize = 2;

/// What encloses actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delimiters {
    pub(crate) left: String,
    pub(crate) right: String,
}

impl Default for Delimiters {
    fn default() -> Self {
        Delimiters { left: "{{".into(), right: "}}".into() }
    }
}

/// Where the next token has to be looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    LeftDelim,
    Action,
    Done,
}

pub(crate) struct Lexer<'s> {
    input: &'s [u8],
    left: &'s [u8],
    right: &'s [u8],
    state: State,
    pos: usize,
    start: usize,
    /// Line of `counted`, which never moves back.
    line: usize,
    counted: usize,
    parens: usize,
    error: String,
}

impl<'s> Lexer<'s> {
    pub(crate) fn new(input: &'s [u8], delimiters: &'s Delimiters) -> Lexer<'s> {
        Lexer {
            input,
            left: delimiters.left.as_bytes(),
            right: delimiters.right.as_bytes(),
            state: State::Text,
            pos: 0,
            start: 0,
            line: 1,
            counted: 0,
            parens: 0,
            error: String::new(),
        }
    }

    /// Why the last token was an error.
    pub(crate) fn error(&self) -> &str {
        &self.error
    }

    /// The next token. After an error or the end there is only the end.
    pub(crate) fn next_token(&mut self) -> Token<'s> {
        loop {
            let token = match self.state {
                State::Text => self.text(),
                State::LeftDelim => self.left_delim(),
                State::Action => Some(self.inside_action()),
                State::Done => Some(self.emit(Kind::Eof)),
            };
            if let Some(token) = token {
                return token;
            }
        }
    }

    fn remaining(&self) -> &'s [u8] {
        self.input.get(self.pos..).unwrap_or(&[])
    }

    fn peek(&self) -> Option<char> {
        decode(self.remaining()).map(|(char, _)| char)
    }

    fn bump(&mut self) -> Option<char> {
        let (char, width) = decode(self.remaining())?;
        self.pos += width;
        Some(char)
    }

    fn accept(&mut self, valid: &[u8]) -> bool {
        let found = self.remaining().first().is_some_and(|byte| valid.contains(byte));
        self.pos += usize::from(found);
        found
    }

    fn accept_run(&mut self, valid: &[u8]) {
        while self.accept(valid) {}
    }

    fn line_at(&mut self, pos: usize) -> usize {
        if let Some(passed) = self.input.get(self.counted..pos) {
            self.line += passed.iter().filter(|&&byte| byte == b'\n').count();
            self.counted = pos;
        }
        self.line
    }

    fn emit(&mut self, kind: Kind) -> Token<'s> {
        let text = self.input.get(self.start..self.pos).unwrap_or(&[]);
        let token = Token { kind, pos: self.start, line: self.line_at(self.start), text };
        self.start = self.pos;
        token
    }

    fn fail(&mut self, reason: impl Into<String>) -> Token<'s> {
        self.error = reason.into();
        self.state = State::Done;
        let token = self.emit(Kind::Error);
        self.pos = self.input.len();
        self.start = self.pos;
        token
    }

    /// Text up to the next action, without the spaces a trim marker takes away.
    fn text(&mut self) -> Option<Token<'s>> {
        let rest = self.remaining();
        let Some(length) = find(rest, self.left) else {
            self.pos = self.input.len();
            self.state = State::Done;
            return (self.pos > self.start).then(|| self.emit(Kind::Text));
        };
        self.state = State::LeftDelim;
        let delim = self.pos + length;
        let after = self.input.get(delim + self.left.len()..).unwrap_or(&[]);
        let text = rest.get(..length).unwrap_or(&[]);
        let kept = if has_left_trim(after) { text.trim_spaces_end().len() } else { length };
        self.pos += kept;
        let token = (kept > 0).then(|| self.emit(Kind::Text));
        self.pos = delim;
        self.start = delim;
        token
    }

    fn left_delim(&mut self) -> Option<Token<'s>> {
        self.pos += self.left.len();
        let marker = if has_left_trim(self.remaining()) { TRIM_MARKER_LENGTH } else { 0 };
        if self.remaining().get(marker..).is_some_and(|rest| rest.starts_with(LEFT_COMMENT)) {
            self.pos += marker;
            self.start = self.pos;
            return self.comment();
        }
        let token = self.emit(Kind::LeftDelim);
        self.pos += marker;
        self.start = self.pos;
        self.parens = 0;
        self.state = State::Action;
        Some(token)
    }

    fn comment(&mut self) -> Option<Token<'s>> {
        self.pos += LEFT_COMMENT.len();
        let Some(length) = find(self.remaining(), RIGHT_COMMENT) else {
            return Some(self.fail("unclosed comment"));
        };
        self.pos += length + RIGHT_COMMENT.len();
        let Some(trims) = self.at_right_delim() else {
            return Some(self.fail("comment ends before closing delimiter"));
        };
        self.leave_action(trims);
        None
    }

    /// Whether the action ends here, and if it does, whether the text after it is trimmed.
    fn at_right_delim(&self) -> Option<bool> {
        let rest = self.remaining();
        if has_right_trim(rest)
            && rest.get(TRIM_MARKER_LENGTH..).is_some_and(|rest| rest.starts_with(self.right))
        {
            return Some(true);
        }
        rest.starts_with(self.right).then_some(false)
    }

    fn right_delim(&mut self) -> Token<'s> {
        let trims = self.at_right_delim().unwrap_or(false);
        let begin = self.pos;
        self.start = begin + if trims { TRIM_MARKER_LENGTH } else { 0 };
        self.pos = self.start + self.right.len();
        let token = self.emit(Kind::RightDelim);
        self.pos = begin;
        self.leave_action(trims);
        token
    }

    fn leave_action(&mut self, trims: bool) {
        self.pos += self.right.len();
        if trims {
            self.pos += TRIM_MARKER_LENGTH;
            let rest = self.remaining();
            self.pos += rest.len() - rest.trim_spaces_start().len();
        }
        self.start = self.pos;
        self.state = State::Text;
    }

    fn inside_action(&mut self) -> Token<'s> {
        if self.at_right_delim().is_some() {
            if self.parens > 0 {
                return self.fail("unclosed left paren");
            }
            return self.right_delim();
        }
        let Some(char) = self.peek() else { return self.fail("unclosed action") };
        if is_space(char) {
            return self.spaces();
        }
        self.bump();
        match char {
            '=' => self.emit(Kind::Assign),
            ':' if self.accept(b"=") => self.emit(Kind::Declare),
            ':' => self.fail("expected :="),
            '|' => self.emit(Kind::Pipe),
            '"' => self.quoted('"', Kind::String, "unterminated quoted string"),
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => self.raw(),
            '$' => self.name(Kind::Variable, Kind::Variable),
            '.' if !self.peek().is_some_and(|next| next.is_ascii_digit()) && self.peek().is_some() => {
                self.name(Kind::Field, Kind::Dot)
            }
            '.' | '+' | '-' | '0'..='9' => self.number(),
            '(' => {
                self.parens += 1;
                self.emit(Kind::LeftParen)
            }
            ')' if self.parens == 0 => self.fail("unexpected right paren"),
            ')' => {
                self.parens -= 1;
                self.emit(Kind::RightParen)
            }
            char if is_alphanumeric(char) => self.word(),
            char if char.is_ascii_graphic() => self.emit(Kind::Char),
            char => self.fail(format!("unrecognized character in action: {}", quote::code_point(char))),
        }
    }

    /// A run of spaces, but not the last one if it belongs to a trim marker.
    fn spaces(&mut self) -> Token<'s> {
        while self.peek().is_some_and(is_space) {
            self.pos += 1;
        }
        let last = self.pos - 1;
        let rest = self.input.get(last..).unwrap_or(&[]);
        if has_right_trim(rest)
            && rest.get(TRIM_MARKER_LENGTH..).is_some_and(|rest| rest.starts_with(self.right))
        {
            self.pos = last;
            if self.pos == self.start {
                return self.right_delim();
            }
        }
        self.emit(Kind::Space)
    }

    /// The rest of a name after its first character, which made it a `kind`; `bare` if nothing follows.
    fn name(&mut self, kind: Kind, bare: Kind) -> Token<'s> {
        if self.at_terminator() {
            return self.emit(bare);
        }
        self.finish_name().unwrap_or_else(|| self.emit(kind))
    }

    fn word(&mut self) -> Token<'s> {
        if let Some(error) = self.finish_name() {
            return error;
        }
        let word = self.input.get(self.start..self.pos).unwrap_or(&[]);
        self.emit(Kind::of_word(word))
    }

    /// Passes over the rest of a name; the error if something follows that cannot follow a name.
    fn finish_name(&mut self) -> Option<Token<'s>> {
        while self.peek().is_some_and(is_alphanumeric) {
            self.bump();
        }
        if self.at_terminator() {
            return None;
        }
        let shown = self.peek().map(quote::code_point).unwrap_or_default();
        Some(self.fail(format!("bad character {shown}")))
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(char) => is_space(char) || self.remaining().starts_with(self.right),
        }
    }

    fn quoted(&mut self, end: char, kind: Kind, unterminated: &str) -> Token<'s> {
        loop {
            match self.bump() {
                Some('\\') if !matches!(self.peek(), None | Some('\n')) => {
                    self.bump();
                }
                None | Some('\\' | '\n') => return self.fail(unterminated),
                Some(char) if char == end => return self.emit(kind),
                Some(_) => {}
            }
        }
    }

    fn raw(&mut self) -> Token<'s> {
        match find(self.remaining(), b"`") {
            Some(length) => {
                self.pos += length + 1;
                self.emit(Kind::RawString)
            }
            None => self.fail("unterminated raw quoted string"),
        }
    }

    /// A number, whose exact form is checked when it is parsed.
    fn number(&mut self) -> Token<'s> {
        self.pos = self.start;
        let complete = self.scan_number();
        // What follows could only be the imaginary part of a complex number, which there is none of here.
        let goes_on = complete && matches!(self.peek(), Some('+' | '-'));
        if goes_on {
            self.scan_number();
        } else if complete {
            return self.emit(Kind::Number);
        }
        let shown = quote::quoted(self.input.get(self.start..self.pos).unwrap_or(&[]));
        self.fail(format!("bad number syntax: {shown}"))
    }

    fn scan_number(&mut self) -> bool {
        const DECIMAL: &[u8] = b"0123456789_";
        self.accept(b"+-");
        let (mut digits, mut exponent): (&[u8], &[u8]) = (DECIMAL, b"eE");
        if self.accept(b"0") {
            if self.accept(b"xX") {
                (digits, exponent) = (b"0123456789abcdefABCDEF_", b"pP");
            } else if self.accept(b"oO") {
                (digits, exponent) = (b"01234567_", b"");
            } else if self.accept(b"bB") {
                (digits, exponent) = (b"01_", b"");
            }
        }
        self.accept_run(digits);
        if self.accept(b".") {
            self.accept_run(digits);
        }
        if self.accept(exponent) {
            self.accept(b"+-");
            self.accept_run(DECIMAL);
        }
        if self.peek().is_some_and(is_alphanumeric) {
            self.bump();
            return false;
        }
        true
    }
}

fn has_left_trim(rest: &[u8]) -> bool {
    matches!(rest, [b'-', space, ..] if is_space(char::from(*space)))
}

fn has_right_trim(rest: &[u8]) -> bool {
    matches!(rest, [space, b'-', ..] if is_space(char::from(*space)))
}

fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\n')
}

fn is_alphanumeric(char: char) -> bool {
    char == '_' || char.is_alphabetic() || char.is_numeric()
}

/// The first character and its width in bytes; a byte that starts none stands for U+FFFD.
pub(crate) fn decode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    if first.is_ascii() {
        return Some((char::from(first), 1));
    }
    let head = bytes.get(..bytes.len().min(4)).unwrap_or(bytes);
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(head.get(..error.valid_up_to()).unwrap_or(&[])).unwrap_or(""),
    };
    Some(valid.chars().next().map_or((char::REPLACEMENT_CHARACTER, 1), |char| (char, char.len_utf8())))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(at) = haystack.get(from..)?.iter().position(|&byte| byte == first) {
        if haystack.get(from + at..)?.starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// Trims exactly the spaces of the language, which are fewer than those of ASCII.
trait TrimSpaces {
    fn trim_spaces_end(&self) -> &Self;
    fn trim_spaces_start(&self) -> &Self;
}

impl TrimSpaces for [u8] {
    fn trim_spaces_end(&self) -> &[u8] {
        let kept = self.iter().rposition(|&byte| !is_space(char::from(byte))).map_or(0, |last| last + 1);
        self.get(..kept).unwrap_or(&[])
    }

    fn trim_spaces_start(&self) -> &[u8] {
        let from = self.iter().position(|&byte| !is_space(char::from(byte))).unwrap_or(self.len());
        self.get(from..).unwrap_or(&[])
    }
}
