//! HCL 1, the configuration language of agents' `.hcl` files.
//!
//! Version 1 of the language has no expressions: keys, blocks, lists, strings, numbers, booleans and heredocs,
//! where line breaks mean nothing. Its successor is a different language, so libraries for HCL 2 do not read it.

mod lexer;
mod parser;
mod token;

pub use parser::parse;
