//! A reading head over source text that always knows its line and column.

use crate::value::Pos;
use std::sync::Arc;

/// Line and column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub line: u32,
    pub column: u32,
}

#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    rest: &'a str,
    source: Arc<str>,
    mark: Mark,
}

impl<'a> Cursor<'a> {
    pub fn new(source: &str, text: &'a str) -> Self {
        Self { rest: text, source: source.into(), mark: Mark { line: 1, column: 1 } }
    }

    pub fn mark(&self) -> Mark {
        self.mark
    }

    pub fn pos(&self) -> Pos {
        self.pos_at(self.mark)
    }

    pub fn pos_at(&self, mark: Mark) -> Pos {
        Pos { source: self.source.clone(), line: mark.line, column: mark.column }
    }

    /// The text not read yet.
    pub fn rest(&self) -> &'a str {
        self.rest
    }

    pub fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub fn peek_second(&self) -> Option<char> {
        self.rest.chars().nth(1)
    }

    pub fn bump(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        if c == '\n' {
            self.mark = Mark { line: self.mark.line.saturating_add(1), column: 1 };
        } else {
            self.mark.column = self.mark.column.saturating_add(1);
        }
        Some(c)
    }

    /// Reads while `wanted` holds and returns what was read.
    pub fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let start = self.rest;
        while self.peek().is_some_and(&wanted) {
            self.bump();
        }
        start.get(..start.len() - self.rest.len()).unwrap_or_default()
    }

    /// Reads up to, not including, the next line break.
    pub fn skip_line(&mut self) {
        self.take_while(|c| c != '\n');
    }

    /// Reads a `/* … */` whose first two characters were already read. False if it never ends.
    pub fn skip_block_comment(&mut self) -> bool {
        while let Some(c) = self.bump() {
            if c == '*' && self.peek() == Some('/') {
                self.bump();
                return true;
            }
        }
        false
    }
}
