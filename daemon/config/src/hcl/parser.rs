//! Tokens to the value tree.

use super::lexer::Lexer;
use super::token::{Located, Token};
use crate::cursor::{Cursor, Mark};
use crate::error::SyntaxError;
use crate::value::{DEPTH_MAX, Entry, Spanned, Value};
use std::collections::HashMap;

/// Reads an HCL document. Its root is an object whose keys are unique: repeated blocks became lists.
pub fn parse(source: &str, text: &str) -> Result<Spanned, SyntaxError> {
    let cursor = Cursor::new(source, text);
    let root = cursor.pos();
    let mut lexer = Lexer::new(cursor);
    let next = lexer.next()?;
    let mut parser = Parser { lexer, next };
    let mut entries = Entries::default();
    while parser.next.token != Token::Eof {
        parser.item(&mut entries, 0)?;
    }
    Ok(Spanned::new(Value::Object(entries.list), root))
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    next: Located,
}

/// An object under construction, with repeats folded as they come.
#[derive(Default)]
struct Entries {
    list: Vec<Entry>,
    index: HashMap<String, usize>,
}

impl Entries {
    /// Repeating a scalar or a list replaces it; repeating a block makes a list of blocks.
    fn put(&mut self, entry: Entry) {
        let Some(at) = self.index.get(&entry.key).copied() else {
            self.index.insert(entry.key.clone(), self.list.len());
            self.list.push(entry);
            return;
        };
        let Some(old) = self.list.get_mut(at) else { return };
        if !matches!(entry.value.value, Value::Object(_)) {
            *old = entry;
            return;
        }
        match &mut old.value.value {
            Value::Object(_) => {
                let pos = old.value.pos.clone();
                let first = std::mem::replace(&mut old.value, Spanned::new(Value::Null, pos.clone()));
                old.value = Spanned::new(Value::List(vec![first, entry.value]), pos);
            }
            Value::List(items) if items.iter().all(|item| matches!(item.value, Value::Object(_))) => {
                items.push(entry.value);
            }
            _ => *old = entry,
        }
    }
}

impl Parser<'_> {
    fn advance(&mut self) -> Result<Located, SyntaxError> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    fn error(&self, message: impl AsRef<str>) -> SyntaxError {
        self.lexer.error_at(self.next.mark, message)
    }

    /// One `key = value`, `key { … }` or `key "label" { … }`, and the comma that may follow it.
    fn item(&mut self, into: &mut Entries, depth: usize) -> Result<(), SyntaxError> {
        let keys = self.keys()?;
        let value = match self.next.token {
            Token::Assign => {
                self.advance()?;
                self.value(depth)?
            }
            _ => self.object(depth)?,
        };
        if self.next.token == Token::Comma {
            self.advance()?;
        }
        let mut keys = keys.into_iter().rev();
        let Some((mut key, mut mark)) = keys.next() else { return Ok(()) };
        let mut value = value;
        for (outer, outer_mark) in keys {
            let pos = self.lexer.cursor().pos_at(mark);
            let entry = Entry { key, pos: pos.clone(), value };
            value = Spanned::new(Value::Object(vec![entry]), pos);
            (key, mark) = (outer, outer_mark);
        }
        into.put(Entry { key, pos: self.lexer.cursor().pos_at(mark), value });
        Ok(())
    }

    /// The key and labels in front of a value, leaving `=` or `{` as the next token.
    fn keys(&mut self) -> Result<Vec<(String, Mark)>, SyntaxError> {
        let mut keys: Vec<(String, Mark)> = Vec::new();
        loop {
            match (&self.next.token, keys.len()) {
                (Token::Ident(_) | Token::String(_), count) if count <= DEPTH_MAX / 2 => {
                    let key = self.advance()?;
                    match key.token {
                        Token::Ident(text) | Token::String(text) => keys.push((text, key.mark)),
                        _ => {}
                    }
                }
                (Token::Assign, 1) | (Token::LBrace, 1..) => return Ok(keys),
                (Token::Assign, 2..) => {
                    return Err(
                        self.error(format!("nested object expected: LBRACE got: {}", self.next.token.name()))
                    );
                }
                (token, 0) => {
                    let message = format!("expected: IDENT | STRING | ASSIGN | LBRACE got: {}", token.name());
                    return Err(self.error(message));
                }
                _ => {
                    let written = keys.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(" ");
                    let message =
                        format!("key '{written}' expected start of object ('{{') or assignment ('=')");
                    return Err(self.error(message));
                }
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Spanned, SyntaxError> {
        match self.next.token {
            Token::LBrace => return self.object(depth),
            Token::LBrack => return self.list(depth),
            _ => {}
        }
        let mark = self.next.mark;
        let found = self.next.clone();
        let value = match found.token {
            Token::String(text) | Token::Heredoc(text) => Value::String(text),
            Token::Int(number) => Value::Int(number),
            Token::Float(number) => Value::Float(number),
            Token::Bool(flag) => Value::Bool(flag),
            token => {
                let (line, column) = (mark.line, mark.column);
                let message = format!("Unknown token: {line}:{column} {} {}", token.name(), found.text);
                return Err(self.error(message.trim_end()));
            }
        };
        self.advance()?;
        Ok(Spanned::new(value, self.lexer.cursor().pos_at(mark)))
    }

    fn object(&mut self, depth: usize) -> Result<Spanned, SyntaxError> {
        let pos = self.lexer.cursor().pos_at(self.next.mark);
        if depth >= DEPTH_MAX / 2 {
            return Err(self.error("nested too deeply"));
        }
        self.advance()?;
        let mut entries = Entries::default();
        loop {
            match self.next.token {
                Token::RBrace => break,
                Token::Ident(_) | Token::String(_) => self.item(&mut entries, depth + 1)?,
                _ => {
                    let message = format!("object expected closing RBRACE got: {}", self.next.token.name());
                    return Err(self.error(message));
                }
            }
        }
        self.advance()?;
        Ok(Spanned::new(Value::Object(entries.list), pos))
    }

    fn list(&mut self, depth: usize) -> Result<Spanned, SyntaxError> {
        let pos = self.lexer.cursor().pos_at(self.next.mark);
        if depth >= DEPTH_MAX / 2 {
            return Err(self.error("nested too deeply"));
        }
        self.advance()?;
        let mut items = Vec::new();
        while self.next.token != Token::RBrack {
            items.push(self.value(depth + 1)?);
            match self.next.token {
                Token::Comma => {
                    self.advance()?;
                }
                Token::RBrack => {}
                _ => {
                    let got = self.next.token.name();
                    return Err(
                        self.error(format!("error parsing list, expected comma or list end, got: {got}"))
                    );
                }
            }
        }
        self.advance()?;
        Ok(Spanned::new(Value::List(items), pos))
    }
}
