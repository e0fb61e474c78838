//! The functions that templates can call besides those of the language.

mod data;
mod deny;
mod scratch;

use consul_template_language::Functions;

use crate::pass::Pass;

pub(crate) use deny::deny;
pub use deny::shell_pattern;
pub(crate) use scratch::Scratch;

/// All of them.
pub(crate) fn all() -> Functions<Pass> {
    let mut functions = Functions::new();
    data::register(&mut functions);
    scratch::register(&mut functions);
    functions
}
