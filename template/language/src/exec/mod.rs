//! Runs templates.

mod call;
mod eval;
mod field;
mod steps;

use std::fmt;

use crate::ast::{Command, Expr, Pipeline};
use crate::error::{ExecError, Failure};
use crate::functions::Functions;
use crate::program::{Invocation, Program};
use crate::templates::Templates;
use crate::text::Text;
use crate::value::Value;

/// How many expressions may be under evaluation, one inside the other, before a template rendered by a function
/// gets a stack of its own. Less than half of what a thread's usual stack holds in a build without
/// optimizations, because the template may nest as deep again in parentheses.
const NESTING_PER_STACK: usize = 64;
const STACK_BYTES: usize = 4 << 20;

/// What an execution may use up before it fails. The defaults are far above what any real template needs.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Templates that invoke each other, one inside the other.
    pub template_depth: usize,
    /// Calls of [`Execution::render`], one inside the other.
    pub render_depth: usize,
    /// Steps: pieces of text, actions, branches, turns of a loop.
    pub steps: u64,
    /// Bytes of output, and of any single string.
    pub output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { template_depth: 100_000, render_depth: 1_000, steps: 1_000_000_000, output: 256 << 20 }
    }
}

/// What a missing key of a map yields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingKey {
    /// No value.
    #[default]
    Default,
    /// The zero of the type of the map's values.
    Zero,
    /// An error.
    Error,
}

/// A run of a template, as functions see it.
pub struct Execution<'t, C: ?Sized> {
    templates: &'t Templates<C>,
    context: &'t mut C,
    /// The template that is running, for errors.
    program: &'t Program,
    at: At<'t>,
    /// Variables of all templates that are running.
    variables: Vec<Value>,
    /// Where those of the innermost template begin.
    base: usize,
    renders: usize,
    /// Pipelines under evaluation on this stack.
    nesting: usize,
    steps: u64,
}

impl<'t, C: ?Sized> Execution<'t, C> {
    pub(crate) fn new(
        templates: &'t Templates<C>,
        context: &'t mut C,
        program: &'t Program,
    ) -> Execution<'t, C> {
        Execution {
            templates,
            context,
            program,
            at: At::Start,
            variables: Vec::new(),
            base: 0,
            renders: 0,
            nesting: 0,
            steps: 0,
        }
    }

    /// What [`Templates::execute`] was given for the functions.
    pub fn context(&mut self) -> &mut C {
        self.context
    }

    /// Whether there is a template of this name.
    pub fn has_template(&self, name: &str) -> bool {
        self.templates.program(name).is_some()
    }

    /// Executes another template and returns what it wrote.
    ///
    /// # Errors
    /// If there is no such template, if it fails, or if this happens more than [`Limits::render_depth`] times
    /// one inside the other.
    pub fn render(&mut self, name: &str, data: Value) -> Result<Text, ExecError>
    where
        C: Send,
    {
        let program = self.templates.find(name)?;
        let limit = self.limits().render_depth;
        if self.renders >= limit {
            return Err(self.fail(format_args!("exceeded maximum depth of rendered templates ({limit})")));
        }
        self.renders += 1;
        let (outer, at) = (self.program, self.at);
        let mut out = Vec::new();
        let result = if self.nesting > NESTING_PER_STACK {
            self.run_on_new_stack(program, data, &mut out)
        } else {
            self.run(program, data, &mut out)
        };
        (self.program, self.at) = (outer, at);
        self.renders -= 1;
        result.map(|()| out.into())
    }

    fn run_on_new_stack(
        &mut self,
        program: &'t Program,
        data: Value,
        out: &mut Vec<u8>,
    ) -> Result<(), ExecError>
    where
        C: Send,
    {
        let nesting = std::mem::take(&mut self.nesting);
        let outcome = std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
            let thread = builder.spawn_scoped(scope, || self.run(program, data, out)).ok()?;
            thread.join().ok()
        });
        self.nesting = nesting;
        outcome.unwrap_or_else(|| Err(self.fail("no stack for another template")))
    }

    fn limits(&self) -> &'t Limits {
        self.templates.limits()
    }

    fn functions(&self) -> &'t Functions<C> {
        self.templates.functions()
    }

    fn missing_key(&self) -> MissingKey {
        self.templates.missing_key
    }

    /// An error at the expression that was looked at last.
    fn fail(&self, message: impl fmt::Display) -> ExecError {
        let (line, column) = self.program.source.locate(self.at.pos());
        ExecError::At(Box::new(Failure {
            source_name: self.program.source.name.clone(),
            line,
            column,
            template: self.program.name.clone(),
            expression: self.at.to_string(),
            message: message.to_string(),
        }))
    }
}

/// The part of a template an error is about.
#[derive(Clone, Copy)]
enum At<'t> {
    Start,
    /// The whole of an action.
    Action(&'t Pipeline),
    Pipeline(&'t Pipeline),
    Command(&'t Command),
    Expr(&'t Expr),
    Invocation(&'t Invocation),
}

impl At<'_> {
    fn pos(&self) -> usize {
        match self {
            At::Start => 0,
            At::Action(pipeline) | At::Pipeline(pipeline) => pipeline.pos,
            At::Command(command) => command.pos,
            At::Expr(expr) => expr.pos,
            At::Invocation(invocation) => invocation.pos,
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Start => Ok(()),
            At::Action(pipeline) => write!(f, "{{{{{pipeline}}}}}"),
            At::Pipeline(pipeline) => pipeline.fmt(f),
            At::Command(command) => command.fmt(f),
            // As an argument a pipeline stands in parentheses, but where it fails as a whole it does not.
            At::Expr(expr) => match &expr.kind {
                crate::ast::ExprKind::Pipeline(pipeline) => pipeline.fmt(f),
                _ => expr.fmt(f),
            },
            At::Invocation(invocation) => invocation.fmt(f),
        }
    }
}
