//! Turns the source of templates into programs.
//!
//! Everything that can be known before a template runs is found here, in branches that are never taken too:
//! unbalanced control structures, functions that do not exist, variables that are nowhere declared.

mod control;
mod pipeline;
mod scope;

use std::fmt;
use std::sync::Arc;

use crate::error::ParseError;
use crate::functions::FunctionId;
use crate::lex::{Delimiters, Lexer};
use crate::program::{Program, Source};
use crate::token::{Kind, Token};
use control::Draft;

/// How deep parentheses nest; each level costs native stack, here and when the template runs.
const MAX_PARENTHESES: usize = 100;

/// Parses a source into the template `name` and those defined in it; the former comes last.
pub(crate) fn parse(
    source: Arc<Source>,
    name: &str,
    delimiters: &Delimiters,
    functions: &dyn Fn(&str) -> Option<FunctionId>,
) -> Result<Vec<Program>, ParseError> {
    let mut parser = Parser {
        lexer: Lexer::new(&source.text, delimiters),
        source: Arc::clone(&source),
        functions,
        pending: Vec::with_capacity(3),
        last_line: 1,
        action_line: None,
        parentheses: 0,
        drafts: vec![Draft::main(name)],
        finished: Vec::new(),
    };
    parser.run()?;
    Ok(parser.finished)
}

struct Parser<'s> {
    lexer: Lexer<'s>,
    source: Arc<Source>,
    functions: &'s dyn Fn(&str) -> Option<FunctionId>,
    /// Tokens that were put back; the next one is last.
    pending: Vec<Token<'s>>,
    /// Line of the token that was read last, which is where errors are reported.
    last_line: usize,
    /// Line where the action began that is being parsed.
    action_line: Option<usize>,
    parentheses: usize,
    /// Templates that have begun and not ended, the innermost last.
    drafts: Vec<Draft>,
    finished: Vec<Program>,
}

type Parsed<T> = Result<T, ParseError>;

impl<'s> Parser<'s> {
    fn next(&mut self) -> Token<'s> {
        self.pending.pop().unwrap_or_else(|| {
            let token = self.lexer.next_token();
            self.last_line = token.line;
            token
        })
    }

    fn put_back(&mut self, token: Token<'s>) {
        self.pending.push(token);
    }

    fn peek(&mut self) -> Token<'s> {
        let token = self.next();
        self.put_back(token);
        token
    }

    fn next_non_space(&mut self) -> Token<'s> {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> Token<'s> {
        let token = self.next_non_space();
        self.put_back(token);
        token
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token<'s>> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { Err(self.unexpected(token, context)) }
    }

    fn error(&self, message: impl fmt::Display) -> ParseError {
        ParseError { name: self.source.name.clone(), line: self.last_line, message: message.to_string() }
    }

    fn unexpected(&self, token: Token<'s>, context: &str) -> ParseError {
        if token.kind != Kind::Error {
            return self.error(format_args!("unexpected {token} in {context}"));
        }
        let reason = self.lexer.error();
        match self.action_line {
            Some(line) if line != token.line => {
                // "unclosed action started at", not "unclosed action in action started at".
                let within = if reason.ends_with(" action") { "" } else { " in action" };
                self.error(format_args!("{reason}{within} started at {}:{line}", self.source.name))
            }
            _ => self.error(reason),
        }
    }
}
