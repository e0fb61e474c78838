//! Control structures.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{At, Execution};
use crate::ast::{Pipeline, Store};
use crate::error::ExecError;
use crate::list::List;
use crate::map::Key;
use crate::program::{Invocation, Program, Step};
use crate::value::Value;

impl<'t, C: ?Sized> Execution<'t, C> {
    /// Runs a template to its end, and all it invokes.
    pub(crate) fn run(
        &mut self,
        program: &'t Program,
        data: Value,
        out: &mut Vec<u8>,
    ) -> Result<(), ExecError> {
        let (outer_base, outer_length) = (self.base, self.variables.len());
        let mut walk = Walk { execution: self, out, dot: Value::Nil, next: 0, frames: Vec::new(), depth: 0 };
        walk.enter(program, data);
        let result = walk.run();
        self.base = outer_base;
        self.variables.truncate(outer_length);
        result
    }

    /// Forgets all but the first variables of the innermost template.
    fn forget(&mut self, slots: usize) {
        self.variables.truncate(self.base + slots);
    }

    pub(super) fn declare(&mut self, slot: usize, value: Value) {
        // Parts of a command that were not evaluated leave no variables, so there may be less than expected.
        self.variables.resize(self.base + slot, Value::Nil);
        self.variables.push(value);
    }

    pub(super) fn store(&mut self, name: &str, store: Store, value: Value) -> Result<(), ExecError> {
        match store {
            Store::Declare(slot) => self.declare(slot, value),
            Store::Assign(slot) => {
                let variable = slot.and_then(|slot| self.variables.get_mut(self.base + slot));
                match variable {
                    Some(variable) => *variable = value,
                    None => return Err(self.fail(format_args!("undefined variable: {name}"))),
                }
            }
        }
        Ok(())
    }
}

/// What has to be restored when something ends.
enum Frame<'t> {
    /// The dot from before a `with`.
    With(Value),
    Loop(Loop<'t>),
    Call(Caller<'t>),
}

struct Loop<'t> {
    outer_dot: Value,
    pipeline: &'t Pipeline,
    elements: Elements,
}

struct Caller<'t> {
    program: &'t Program,
    next: usize,
    dot: Value,
    base: usize,
    at: At<'t>,
}

/// What is left of the elements of a loop.
enum Elements {
    List(List, usize),
    Map(std::vec::IntoIter<(Key, Value)>),
    /// The numbers from the first to before the second.
    Numbers(i64, i64),
    /// The same, counted from zero in the third.
    Span(i64, i64, i64),
}

impl Elements {
    fn map(entries: Arc<BTreeMap<Key, Value>>) -> Elements {
        let entries: Vec<_> = entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        Elements::Map(entries.into_iter())
    }

    /// Index or key, and element.
    fn next(&mut self) -> Option<(Value, Value)> {
        match self {
            Elements::List(list, at) => {
                let element = list.element(*at)?;
                let index = Value::Int(*at as i64);
                *at += 1;
                Some((index, element))
            }
            Elements::Map(entries) => {
                let (key, value) = entries.next()?;
                Some((key.to_value(), value))
            }
            Elements::Numbers(from, to) => (*from < *to).then(|| {
                *from += 1;
                (Value::Nil, Value::Int(*from - 1))
            }),
            Elements::Span(from, to, index) => (*from < *to).then(|| {
                *from += 1;
                *index += 1;
                (Value::Int(*index - 1), Value::Int(*from - 1))
            }),
        }
    }
}

/// A position in a template and in those that invoked it.
struct Walk<'w, 't, C: ?Sized> {
    execution: &'w mut Execution<'t, C>,
    out: &'w mut Vec<u8>,
    dot: Value,
    next: usize,
    frames: Vec<Frame<'t>>,
    depth: usize,
}

impl<'t, C: ?Sized> Walk<'_, 't, C> {
    fn enter(&mut self, program: &'t Program, data: Value) {
        self.execution.program = program;
        self.execution.base = self.execution.variables.len();
        self.execution.variables.push(data.clone());
        self.dot = data;
        self.next = 0;
    }

    fn run(&mut self) -> Result<(), ExecError> {
        loop {
            let program = self.execution.program;
            match program.steps.get(self.next) {
                Some(step) => {
                    self.count()?;
                    self.next += 1;
                    self.step(step)?;
                }
                None if self.leave() => {}
                None => return Ok(()),
            }
        }
    }

    fn count(&mut self) -> Result<(), ExecError> {
        let limits = self.execution.limits();
        self.execution.steps += 1;
        if self.execution.steps > limits.steps {
            return Err(self
                .execution
                .fail(format_args!("exceeded maximum number of steps ({})", limits.steps)));
        }
        if self.out.len() > limits.output {
            return Err(self
                .execution
                .fail(format_args!("exceeded maximum output ({} bytes)", limits.output)));
        }
        Ok(())
    }

    fn step(&mut self, step: &'t Step) -> Result<(), ExecError> {
        match step {
            Step::Text(range) => {
                let source = &self.execution.program.source;
                self.out.extend_from_slice(source.text.get(range.clone()).unwrap_or(&[]));
            }
            Step::Action(pipeline) => return self.action(pipeline),
            Step::If { pipeline, otherwise } => {
                if !self.execution.pipeline(&self.dot, pipeline)?.truth() {
                    self.next = *otherwise;
                }
            }
            Step::With { pipeline, otherwise } => {
                let value = self.execution.pipeline(&self.dot, pipeline)?;
                if value.truth() {
                    self.frames.push(Frame::With(std::mem::replace(&mut self.dot, value)));
                } else {
                    self.next = *otherwise;
                }
            }
            Step::EndWith { to } => {
                if let Some(Frame::With(dot)) = self.frames.pop() {
                    self.dot = dot;
                }
                self.next = *to;
            }
            Step::Range { pipeline, otherwise } => return self.range(pipeline, *otherwise),
            Step::Next { slots, end } => return self.turn(*slots, *end),
            Step::Break { end } => {
                self.unwind_to_loop();
                self.end_loop(*end);
            }
            Step::Continue { next } => {
                self.unwind_to_loop();
                self.next = *next;
            }
            Step::Jump(to) => self.next = *to,
            Step::Forget { slots } => self.execution.forget(*slots),
            Step::Template(invocation) => return self.invoke(invocation),
        }
        Ok(())
    }

    fn action(&mut self, pipeline: &'t Pipeline) -> Result<(), ExecError> {
        let value = self.execution.pipeline(&self.dot, pipeline)?;
        if !pipeline.targets.is_empty() {
            return Ok(());
        }
        if matches!(value, Value::Func(_) | Value::Span(..)) {
            self.execution.at = At::Action(pipeline);
            let message = format!("can't print {} of type {}", self.execution.at, value.type_name());
            return Err(self.execution.fail(message));
        }
        crate::format::print_value(self.out, &value);
        Ok(())
    }

    fn range(&mut self, pipeline: &'t Pipeline, otherwise: usize) -> Result<(), ExecError> {
        let value = self.execution.pipeline(&self.dot, pipeline)?;
        let elements = match value {
            Value::List(list) if !list.is_empty() => Elements::List(list, 0),
            Value::Map(map) if !map.is_empty() => Elements::map(map.snapshot()),
            Value::Bytes(bytes) if !bytes.is_empty() => {
                let bytes = bytes.as_bytes().iter().map(|byte| Value::Uint(u64::from(*byte)));
                Elements::List(List::any(bytes.collect()), 0)
            }
            Value::Int(_) | Value::Uint(_) | Value::Duration(_) if pipeline.targets.len() > 1 => {
                let shown = value.to_text();
                let message = format_args!("can't use {shown} to iterate over more than one variable");
                return Err(self.execution.fail(message));
            }
            Value::Int(count) | Value::Duration(count) if count > 0 => Elements::Numbers(0, count),
            Value::Uint(count) if count > 0 => Elements::Numbers(0, i64::try_from(count).unwrap_or(i64::MAX)),
            Value::Span(from, to) if from < to => Elements::Span(from, to, 0),
            Value::Nil
            | Value::List(_)
            | Value::Map(_)
            | Value::Bytes(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Duration(_)
            | Value::Span(..) => {
                self.next = otherwise;
                return Ok(());
            }
            value => {
                return Err(self
                    .execution
                    .fail(format_args!("range can't iterate over {}", value.to_text())));
            }
        };
        let outer_dot = self.dot.clone();
        self.frames.push(Frame::Loop(Loop { outer_dot, pipeline, elements }));
        Ok(())
    }

    /// Begins the next turn of the innermost loop, or leaves it.
    fn turn(&mut self, slots: usize, end: usize) -> Result<(), ExecError> {
        self.execution.forget(slots);
        let Some(Frame::Loop(state)) = self.frames.last_mut() else {
            self.next = end;
            return Ok(());
        };
        let pipeline = state.pipeline;
        let Some((index, element)) = state.elements.next() else {
            self.end_loop(end);
            return Ok(());
        };
        match pipeline.targets.as_slice() {
            [] => {}
            [only] => self.set(&only.name, only.store, element.clone())?,
            [first, second, ..] => {
                self.set(&first.name, first.store, index)?;
                self.set(&second.name, second.store, element.clone())?;
            }
        }
        self.dot = element;
        Ok(())
    }

    /// Sets a variable of a loop, which the pipeline of the loop has made already.
    fn set(&mut self, name: &str, store: Store, value: Value) -> Result<(), ExecError> {
        let slot = match store {
            Store::Declare(slot) => Some(slot),
            Store::Assign(slot) => slot,
        };
        self.execution.store(name, Store::Assign(slot), value)
    }

    /// Leaves what was entered inside the innermost loop.
    fn unwind_to_loop(&mut self) {
        while matches!(self.frames.last(), Some(Frame::With(_))) {
            self.frames.pop();
        }
    }

    fn end_loop(&mut self, end: usize) {
        if let Some(Frame::Loop(state)) = self.frames.pop() {
            self.dot = state.outer_dot;
        }
        self.next = end;
    }

    fn invoke(&mut self, invocation: &'t Invocation) -> Result<(), ExecError> {
        self.execution.at = At::Invocation(invocation);
        let Some(program) = self.execution.templates.program(&invocation.name) else {
            let name = crate::format::quote::quoted(invocation.name.as_bytes());
            return Err(self.execution.fail(format_args!("template {name} not defined")));
        };
        let limit = self.execution.limits().template_depth;
        if self.depth >= limit {
            return Err(self.execution.fail(format_args!("exceeded maximum template depth ({limit})")));
        }
        let data = match &invocation.pipeline {
            Some(pipeline) => self.execution.pipeline(&self.dot, pipeline)?,
            None => Value::Nil,
        };
        self.frames.push(Frame::Call(Caller {
            program: self.execution.program,
            next: self.next,
            dot: std::mem::take(&mut self.dot),
            base: self.execution.base,
            at: self.execution.at,
        }));
        self.depth += 1;
        self.enter(program, data);
        Ok(())
    }

    /// Goes back to the template that invoked this one; `false` if none did.
    fn leave(&mut self) -> bool {
        let Some(Frame::Call(caller)) = self.frames.pop() else { return false };
        self.execution.variables.truncate(self.execution.base);
        self.execution.program = caller.program;
        self.execution.base = caller.base;
        self.execution.at = caller.at;
        self.dot = caller.dot;
        self.next = caller.next;
        self.depth -= 1;
        true
    }
}
