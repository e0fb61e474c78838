//! The functions of the Sprig library that only depend on their arguments, under names that begin with `sprig_`.
//!
//! They convert what they are given instead of refusing it, and in that differ from the functions of the same
//! names without the prefix.

mod cast;
mod dates;
mod defaults;
mod dicts;
mod encoding;
mod equality;
mod lists;
mod numbers;
mod paths;
mod patterns;
mod strings;
mod versions;
mod words;

use consul_template_language::{Args, CallResult, Execution, Functions, Signature};

use crate::pass::Pass;

pub(super) fn register(functions: &mut Functions<Pass>) {
    let mut library = Library(functions);
    for register in [
        dates::register,
        defaults::register,
        dicts::register,
        encoding::register,
        lists::register,
        numbers::register,
        paths::register,
        patterns::register,
        strings::register,
        versions::register,
        words::register,
    ] {
        register(&mut library);
    }
}

/// The functions of this library among all others.
struct Library<'f>(&'f mut Functions<Pass>);

impl Library<'_> {
    /// Registers a function under names with spaces between them.
    fn add(&mut self, names: &str, signature: impl Into<Signature>, body: fn(Args<'_>) -> CallResult) {
        self.with_pass(names, signature, move |_, args| body(args));
    }

    /// The same for functions that need more than their arguments.
    fn with_pass<F>(&mut self, names: &str, signature: impl Into<Signature>, body: F)
    where
        F: for<'t> Fn(&mut Execution<'t, Pass>, Args<'_>) -> CallResult + Send + Sync + 'static,
    {
        let mut names = names.split(' ').map(|name| format!("sprig_{name}"));
        let Some(first) = names.next() else { return };
        self.0.add(&first, signature, body);
        names.for_each(|name| self.0.alias(&name, &first));
    }
}
