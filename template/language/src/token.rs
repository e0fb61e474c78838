//! The tokens a template is made of.

use std::fmt;

use crate::format::quote;

/// Kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The source cannot be split further; the lexer holds the reason.
    Error,
    Bool,
    /// A printable ASCII character that is no token of its own, such as a comma.
    Char,
    CharConstant,
    /// `=`
    Assign,
    /// `:=`
    Declare,
    Eof,
    /// `.Name`
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    /// `$` or `$name`
    Variable,
    /// `.`
    Dot,
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl Kind {
    /// What a word is: a keyword, a truth value or a name.
    pub(crate) fn of_word(word: &[u8]) -> Kind {
        match word {
            b"block" => Kind::Block,
            b"break" => Kind::Break,
            b"continue" => Kind::Continue,
            b"define" => Kind::Define,
            b"else" => Kind::Else,
            b"end" => Kind::End,
            b"if" => Kind::If,
            b"nil" => Kind::Nil,
            b"range" => Kind::Range,
            b"template" => Kind::Template,
            b"with" => Kind::With,
            b"true" | b"false" => Kind::Bool,
            _ => Kind::Identifier,
        }
    }

    fn is_keyword(self) -> bool {
        matches!(
            self,
            Kind::Dot
                | Kind::Block
                | Kind::Break
                | Kind::Continue
                | Kind::Define
                | Kind::Else
                | Kind::End
                | Kind::If
                | Kind::Nil
                | Kind::Range
                | Kind::Template
                | Kind::With
        )
    }
}

/// A piece of the source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'s> {
    pub(crate) kind: Kind,
    /// Offset of the first byte in the source.
    pub(crate) pos: usize,
    /// Line of the first byte, from 1.
    pub(crate) line: usize,
    pub(crate) text: &'s [u8],
}

impl Token<'_> {
    /// Names, numbers and the like are UTF-8 by the way they are recognized.
    pub(crate) fn word(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.text)
    }
}

/// The way a token is named in errors.
impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 10;
        match self.kind {
            Kind::Eof => f.write_str("EOF"),
            kind if kind.is_keyword() => write!(f, "<{}>", self.word()),
            _ if self.text.len() > SHOWN => {
                let start: String = self.word().chars().take(SHOWN).collect();
                write!(f, "{}...", quote::quoted(start.as_bytes()))
            }
            _ => f.write_str(&quote::quoted(self.text)),
        }
    }
}
