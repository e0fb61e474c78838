//! Characters to tokens.

use super::token::{Located, Token};
use crate::cursor::{Cursor, Mark};
use crate::error::SyntaxError;

pub(super) struct Lexer<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Lexer<'a> {
    pub fn new(cursor: Cursor<'a>) -> Self {
        Self { cursor }
    }

    pub fn cursor(&self) -> &Cursor<'a> {
        &self.cursor
    }

    pub fn error_at(&self, mark: Mark, message: impl AsRef<str>) -> SyntaxError {
        let message = format!("At {}:{}: {}", mark.line, mark.column, message.as_ref());
        SyntaxError::self_locating(message, self.cursor.pos_at(mark))
    }

    pub fn next(&mut self) -> Result<Located, SyntaxError> {
        self.space()?;
        let mark = self.cursor.mark();
        let before = self.cursor.rest();
        let token = self.token(mark)?;
        let text = before.get(..before.len() - self.cursor.rest().len()).unwrap_or_default();
        Ok(Located { token, mark, text: text.to_owned() })
    }

    fn space(&mut self) -> Result<(), SyntaxError> {
        loop {
            self.cursor.take_while(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
            match (self.cursor.peek(), self.cursor.peek_second()) {
                (Some('#'), _) | (Some('/'), Some('/')) => self.cursor.skip_line(),
                (Some('/'), Some('*')) => {
                    let start = self.cursor.mark();
                    self.cursor.bump();
                    self.cursor.bump();
                    if !self.cursor.skip_block_comment() {
                        return Err(self.error_at(start, "comment not terminated"));
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    fn token(&mut self, mark: Mark) -> Result<Token, SyntaxError> {
        let Some(c) = self.cursor.peek() else { return Ok(Token::Eof) };
        if c.is_alphabetic() || c == '_' {
            return Ok(self.word());
        }
        if c.is_ascii_digit() || (c == '-' && self.cursor.peek_second().is_some_and(|d| d.is_ascii_digit())) {
            return self.number(mark);
        }
        self.cursor.bump();
        Ok(match c {
            '"' => Token::String(self.string(mark)?),
            '<' => Token::Heredoc(self.heredoc(mark)?),
            '[' => Token::LBrack,
            ']' => Token::RBrack,
            '{' => Token::LBrace,
            '}' => Token::RBrace,
            ',' => Token::Comma,
            '=' => Token::Assign,
            '.' => Token::Period,
            '+' => Token::Add,
            '-' => Token::Sub,
            other => return Err(self.error_at(mark, format!("illegal char {other:?}"))),
        })
    }

    fn word(&mut self) -> Token {
        let word = self.cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        match word {
            "true" => Token::Bool(true),
            "false" => Token::Bool(false),
            word => Token::Ident(word.to_owned()),
        }
    }

    fn number(&mut self, mark: Mark) -> Result<Token, SyntaxError> {
        let before = self.cursor.rest();
        if self.cursor.peek() == Some('-') {
            self.cursor.bump();
        }
        // The sign of an exponent is part of the number only right after its `e`; hexadecimal has none.
        let hex = matches!(self.cursor.rest().get(..2), Some("0x" | "0X"));
        self.cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '.');
        let so_far = before.get(..before.len() - self.cursor.rest().len()).unwrap_or_default();
        if !hex && so_far.ends_with(['e', 'E']) && matches!(self.cursor.peek(), Some('+' | '-')) {
            self.cursor.bump();
            self.cursor.take_while(|c| c.is_ascii_digit());
        }
        let text = before.get(..before.len() - self.cursor.rest().len()).unwrap_or_default();
        read_number(text).ok_or_else(|| self.error_at(mark, format!("illegal number: {text}")))
    }

    /// The text of a quoted string whose opening quote was read. `${…}` is kept as it stands, quotes and all.
    fn string(&mut self, mark: Mark) -> Result<String, SyntaxError> {
        let mut text = String::new();
        let mut braces = 0_u32;
        loop {
            let here = self.cursor.mark();
            let Some(c) = self.cursor.bump() else {
                return Err(self.error_at(here, "literal not terminated"));
            };
            match c {
                '"' if braces == 0 => return Ok(text),
                '\n' if braces == 0 => return Err(self.error_at(here, "literal not terminated")),
                '\\' if braces == 0 => text.push(self.escape(mark)?),
                '$' if self.cursor.peek() == Some('{') => {
                    self.cursor.bump();
                    braces = braces.saturating_add(1);
                    text.push_str("${");
                }
                '{' if braces > 0 => {
                    braces = braces.saturating_add(1);
                    text.push(c);
                }
                '}' if braces > 0 => {
                    braces -= 1;
                    text.push(c);
                }
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self, start: Mark) -> Result<char, SyntaxError> {
        let here = self.cursor.mark();
        let illegal = |lexer: &Self| lexer.error_at(here, "illegal char escape");
        let Some(c) = self.cursor.bump() else { return Err(self.error_at(start, "literal not terminated")) };
        let code = match c {
            'a' => 0x07,
            'b' => 0x08,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'v' => 0x0b,
            '\\' | '"' => u32::from(c),
            '0'..='7' => {
                let first = c.to_digit(8).unwrap_or_default();
                self.digits(2, 8).map(|rest| first * 64 + rest).ok_or_else(|| illegal(self))?
            }
            'x' => self.digits(2, 16).ok_or_else(|| illegal(self))?,
            'u' => self.digits(4, 16).ok_or_else(|| illegal(self))?,
            'U' => self.digits(8, 16).ok_or_else(|| illegal(self))?,
            _ => return Err(illegal(self)),
        };
        char::from_u32(code).ok_or_else(|| illegal(self))
    }

    fn digits(&mut self, count: u32, radix: u32) -> Option<u32> {
        let mut code = 0_u32;
        for _ in 0..count {
            let digit = self.cursor.peek()?.to_digit(radix)?;
            self.cursor.bump();
            code = code.checked_mul(radix)?.checked_add(digit)?;
        }
        Some(code)
    }

    /// The body of `<<WORD` or `<<-WORD`, whose first `<` was read. The latter loses its common indentation.
    fn heredoc(&mut self, mark: Mark) -> Result<String, SyntaxError> {
        if self.cursor.bump() != Some('<') {
            return Err(self.error_at(mark, "heredoc expected second '<', didn't see it"));
        }
        let indented = self.cursor.peek() == Some('-');
        if indented {
            self.cursor.bump();
        }
        let anchor = self.cursor.take_while(|c| c.is_alphanumeric() || c == '_');
        if anchor.is_empty() {
            return Err(self.error_at(mark, "zero-length heredoc anchor"));
        }
        if self.cursor.peek() == Some('\r') {
            self.cursor.bump();
        }
        if self.cursor.bump() != Some('\n') {
            return Err(self.error_at(mark, "invalid characters in heredoc anchor"));
        }
        let mut lines = Vec::new();
        loop {
            let line = self.cursor.take_while(|c| c != '\n');
            if line.trim() == anchor {
                break;
            }
            if self.cursor.bump().is_none() {
                return Err(self.error_at(mark, "heredoc not terminated"));
            }
            lines.push(line);
        }
        Ok(if indented { unindent(&lines) } else { join(lines.iter().copied()) })
    }
}

fn join<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn unindent(lines: &[&str]) -> String {
    let indent_of = |line: &&str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let indent = lines.iter().filter(|line| !line.trim().is_empty()).map(indent_of).min().unwrap_or(0);
    join(lines.iter().map(|line| line.get(indent..).unwrap_or_default()))
}

fn read_number(text: &str) -> Option<Token> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (digits, radix) = match digits.get(..2) {
        Some("0x" | "0X") => (digits.get(2..)?, 16),
        _ if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) => {
            (digits.get(1..)?, 8)
        }
        _ => (digits, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    if let Ok(number) = i64::from_str_radix(digits, radix) {
        return Some(Token::Int(if negative { -number } else { number }));
    }
    if radix != 10 || digits.bytes().any(|b| b.is_ascii_alphabetic() && !matches!(b, b'e' | b'E')) {
        return None;
    }
    let number: f64 = digits.parse().ok()?;
    number.is_finite().then_some(Token::Float(if negative { -number } else { number }))
}
