//! What the lexer hands to the parser.

use crate::cursor::Mark;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Eof,
    Ident(String),
    String(String),
    Heredoc(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    LBrack,
    RBrack,
    LBrace,
    RBrace,
    Comma,
    Assign,
    Period,
    Add,
    Sub,
}

/// A token, where it starts and how it was written.
#[derive(Clone, Debug)]
pub(super) struct Located {
    pub token: Token,
    pub mark: Mark,
    pub text: String,
}

impl Token {
    /// The token's name as error texts print it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Eof => "EOF",
            Self::Ident(_) => "IDENT",
            Self::String(_) => "STRING",
            Self::Heredoc(_) => "HEREDOC",
            Self::Int(_) => "NUMBER",
            Self::Float(_) => "FLOAT",
            Self::Bool(_) => "BOOL",
            Self::LBrack => "LBRACK",
            Self::RBrack => "RBRACK",
            Self::LBrace => "LBRACE",
            Self::RBrace => "RBRACE",
            Self::Comma => "COMMA",
            Self::Assign => "ASSIGN",
            Self::Period => "PERIOD",
            Self::Add => "ADD",
            Self::Sub => "SUB",
        }
    }
}
