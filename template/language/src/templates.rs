//! A source with all templates it defines.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{ExecError, NotFound, ParseError};
use crate::exec::{Execution, Limits, MissingKey};
use crate::functions::Functions;
use crate::lex::Delimiters;
use crate::parse;
use crate::program::{Program, Source};
use crate::value::Value;

/// Templates that can invoke each other. Parsed once, they can be executed any number of times, by several
/// threads at once too.
pub struct Templates<C: ?Sized> {
    name: String,
    functions: Arc<Functions<C>>,
    delimiters: Delimiters,
    limits: Limits,
    programs: HashMap<String, Program>,
    pub(crate) missing_key: MissingKey,
}

impl<C: ?Sized> Templates<C> {
    /// No templates yet. `name` is that of the main one, and what errors call the source; it may be empty.
    pub fn new(name: &str, functions: impl Into<Arc<Functions<C>>>) -> Templates<C> {
        Templates {
            name: name.to_owned(),
            functions: functions.into(),
            delimiters: Delimiters::default(),
            limits: Limits::default(),
            programs: HashMap::new(),
            missing_key: MissingKey::Default,
        }
    }

    /// Sets what encloses actions in sources parsed from now on; empty ones stand for `{{` and `}}`.
    pub fn set_delimiters(&mut self, left: &str, right: &str) {
        let default = Delimiters::default();
        let or = |given: &str, default: String| if given.is_empty() { default } else { given.to_owned() };
        self.delimiters = Delimiters { left: or(left, default.left), right: or(right, default.right) };
    }

    /// Sets what a missing key of a map yields.
    pub fn set_missing_key(&mut self, missing_key: MissingKey) {
        self.missing_key = missing_key;
    }

    /// Sets what an execution may use up.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Parses the main template, and those defined in it.
    ///
    /// # Errors
    /// With the first thing that is wrong. Nothing is added then.
    pub fn parse(&mut self, source: impl AsRef<[u8]>) -> Result<(), ParseError> {
        let name = self.name.clone();
        self.parse_as(&name, source)
    }

    /// Parses a further source as the template `name`. A template replaces an earlier one of the same name,
    /// unless there is nothing but space in it.
    ///
    /// # Errors
    /// With the first thing that is wrong. Nothing is added then.
    pub fn parse_as(&mut self, name: &str, source: impl AsRef<[u8]>) -> Result<(), ParseError> {
        let source = Arc::new(Source { name: name.to_owned(), text: source.as_ref().into() });
        let find = |name: &str| self.functions.find(name);
        let programs = parse::parse(source, name, &self.delimiters, &find)?;
        for program in programs {
            if program.is_empty() && self.programs.contains_key(&program.name) {
                continue;
            }
            self.programs.insert(program.name.clone(), program);
        }
        Ok(())
    }

    /// Names of all templates, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.programs.keys().map(String::as_str)
    }

    /// Executes the main template on `data`, and appends what it writes to `out`.
    ///
    /// # Errors
    /// When the template fails; `out` then holds what was written before.
    pub fn execute(&self, context: &mut C, data: Value, out: &mut Vec<u8>) -> Result<(), ExecError> {
        self.execute_as(&self.name, context, data, out)
    }

    /// Executes the template `name`.
    ///
    /// # Errors
    /// When there is no such template, or it fails.
    pub fn execute_as(
        &self,
        name: &str,
        context: &mut C,
        data: Value,
        out: &mut Vec<u8>,
    ) -> Result<(), ExecError> {
        let program = self.find(name)?;
        Execution::new(self, context, program).run(program, data, out)
    }

    /// Executes the main template and returns what it writes.
    ///
    /// # Errors
    /// When the template fails.
    pub fn render(&self, context: &mut C, data: Value) -> Result<Vec<u8>, ExecError> {
        let mut out = Vec::new();
        self.execute(context, data, &mut out)?;
        Ok(out)
    }

    /// Names of all functions that templates can call, in no order.
    pub fn function_names(&self) -> impl Iterator<Item = &str> {
        self.functions.names()
    }

    pub(crate) fn program(&self, name: &str) -> Option<&Program> {
        self.programs.get(name)
    }

    pub(crate) fn find(&self, name: &str) -> Result<&Program, ExecError> {
        let not_found =
            || ExecError::NotFound(Box::new(NotFound { wanted: name.to_owned(), set: self.name.clone() }));
        self.program(name).ok_or_else(not_found)
    }

    pub(crate) fn functions(&self) -> &Functions<C> {
        &self.functions
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }
}
