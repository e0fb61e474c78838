//! The functions that templates can call besides those of the language.

mod access;
mod case;
mod clock;
mod data;
mod deny;
mod encoding;
mod group;
mod math;
mod members;
mod outside;
mod parse;
mod scratch;
mod spew;
mod sprig;
mod text;
mod tree;
mod unsupported;

use consul_template_language::Functions;

use crate::pass::Pass;

pub use deny::shell_pattern;
pub(crate) use deny::{deny, is_denied};
pub(crate) use members::listed;
pub(crate) use scratch::Scratch;

/// All of them.
pub(crate) fn all() -> Functions<Pass> {
    let mut functions = Functions::new();
    for register in [
        clock::register,
        data::register,
        encoding::register,
        group::register,
        math::register,
        members::register,
        outside::register,
        parse::register,
        scratch::register,
        spew::register,
        sprig::register,
        text::register,
        tree::register,
        unsupported::register,
    ] {
        register(&mut functions);
    }
    functions
}
