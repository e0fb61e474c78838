//! Text, actions and control structures.
//!
//! Open structures are kept in lists, not on the native stack, so they may nest without a limit.

use std::sync::Arc;

use super::scope::{Mark, Scope};
use super::{Parsed, Parser};
use crate::ast::{Pipeline, Pos};
use crate::format::quote::quoted;
use crate::program::{Invocation, Program, Step};
use crate::token::{Kind, Token};
use crate::unquote;

/// A template that is being parsed.
pub(super) struct Draft {
    name: String,
    role: Role,
    pub(super) scope: Scope,
    steps: Vec<Step>,
    open: Vec<Structure>,
}

/// Why a template is being parsed.
enum Role {
    Main,
    Define,
    /// To be invoked, where it is defined, by the template around it.
    Block(Invocation),
}

impl Role {
    fn context(&self) -> Option<&'static str> {
        match self {
            Role::Main => None,
            Role::Define => Some("define clause"),
            Role::Block(_) => Some("block clause"),
        }
    }
}

impl Draft {
    pub(super) fn main(name: &str) -> Draft {
        Draft::new(name.to_owned(), Role::Main)
    }

    fn new(name: String, role: Role) -> Draft {
        Draft { name, role, scope: Scope::new(), steps: Vec::new(), open: Vec::new() }
    }

    /// Sets where to go if the condition of the step at `index` is false.
    fn patch_otherwise(&mut self, index: usize, to: usize) {
        if let Some(
            Step::If { otherwise, .. } | Step::With { otherwise, .. } | Step::Range { otherwise, .. },
        ) = self.steps.get_mut(index)
        {
            *otherwise = to;
        }
    }

    /// Sets where the structure ends that the step at `index` belongs to.
    fn patch_end(&mut self, index: usize, to: usize) {
        match self.steps.get_mut(index) {
            Some(Step::Jump(target) | Step::EndWith { to: target } | Step::Next { end: target, .. }) => {
                *target = to
            }
            Some(Step::Break { end }) => *end = to,
            _ => {}
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    If,
    With,
    Range,
}

impl Shape {
    fn context(self) -> &'static str {
        match self {
            Shape::If => "if",
            Shape::With => "with",
            Shape::Range => "range",
        }
    }
}

/// A control structure that has begun and not ended.
struct Structure {
    shape: Shape,
    /// What existed before it.
    before: Mark,
    /// What exists in each of its branches.
    inside: Mark,
    /// The step with the condition of the branch.
    opener: usize,
    in_else: bool,
    /// Steps that have to learn where the structure ends.
    ends: Vec<usize>,
}

impl<'s> Parser<'s> {
    pub(super) fn draft(&mut self) -> &mut Draft {
        if self.drafts.is_empty() {
            // Only the end of the source closes the main template, so this is never reached; it is here
            // because a parser must not panic.
            self.drafts.push(Draft::main(""));
        }
        let last = self.drafts.len() - 1;
        &mut self.drafts[last]
    }

    fn step(&mut self, step: Step) -> usize {
        let steps = &mut self.draft().steps;
        steps.push(step);
        steps.len() - 1
    }

    pub(super) fn run(&mut self) -> Parsed<()> {
        loop {
            let token = self.next_non_space();
            match token.kind {
                Kind::Eof => return self.finish(),
                Kind::Text => {
                    self.step(Step::Text(token.pos..token.pos + token.text.len()));
                }
                Kind::LeftDelim => {
                    self.action_line = Some(token.line);
                    self.action()?;
                    self.action_line = None;
                }
                _ => return Err(self.unexpected(token, "input")),
            }
        }
    }

    fn finish(&mut self) -> Parsed<()> {
        let is_main = matches!(self.draft().role, Role::Main);
        if !is_main || !self.draft().open.is_empty() {
            return Err(self.error("unexpected EOF"));
        }
        match self.drafts.pop() {
            Some(draft) => self.add(draft).map(|_| ()),
            None => Ok(()),
        }
    }

    fn action(&mut self) -> Parsed<()> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Block => self.begin_block(),
            Kind::Break | Kind::Continue => self.leave_loop(token),
            Kind::Define if self.at_top_level() => self.begin_define(),
            Kind::Else => self.begin_else(),
            Kind::End => self.end(),
            Kind::If => self.begin(Shape::If),
            Kind::With => self.begin(Shape::With),
            Kind::Range => self.begin(Shape::Range),
            Kind::Template => self.template(),
            _ => {
                self.put_back(token);
                let pipeline = self.pipeline("command", Kind::RightDelim)?;
                self.step(Step::Action(pipeline));
                Ok(())
            }
        }
    }

    fn at_top_level(&mut self) -> bool {
        self.drafts.len() == 1 && self.draft().open.is_empty()
    }

    fn begin(&mut self, shape: Shape) -> Parsed<()> {
        let before = self.draft().scope.mark();
        let structure =
            Structure { shape, before, inside: before, opener: 0, in_else: false, ends: Vec::new() };
        self.branch(structure)
    }

    /// Parses the condition of a branch and begins its body.
    fn branch(&mut self, mut structure: Structure) -> Parsed<()> {
        let pipeline = self.pipeline(structure.shape.context(), Kind::RightDelim)?;
        structure.inside = self.draft().scope.mark();
        structure.in_else = false;
        structure.opener = self.step(match structure.shape {
            Shape::If => Step::If { pipeline, otherwise: 0 },
            Shape::With => Step::With { pipeline, otherwise: 0 },
            Shape::Range => Step::Range { pipeline, otherwise: 0 },
        });
        if structure.shape == Shape::Range {
            let next = self.step(Step::Next { slots: structure.inside.slots, end: 0 });
            structure.ends.push(next);
        }
        self.draft().open.push(structure);
        Ok(())
    }

    fn begin_else(&mut self) -> Parsed<()> {
        let chained = match self.peek_non_space().kind {
            Kind::If => Some(Shape::If),
            Kind::With => Some(Shape::With),
            _ => {
                self.expect(Kind::RightDelim, "else")?;
                None
            }
        };
        let Some(mut structure) = self.draft().open.pop() else { return Err(self.misplaced("{{else}}")) };
        if structure.in_else {
            return Err(self.error("expected end; found {{else}}"));
        }
        self.end_branch(&mut structure);
        let to = self.draft().steps.len();
        self.draft().patch_otherwise(structure.opener, to);
        self.draft().scope.leave_branch(structure.inside);
        match chained {
            Some(shape) if shape == structure.shape => {
                self.next_non_space();
                self.branch(structure)
            }
            Some(_) => {
                let token = self.next_non_space();
                Err(self.unexpected(token, "input"))
            }
            None => {
                structure.in_else = true;
                self.draft().open.push(structure);
                Ok(())
            }
        }
    }

    /// Ends a body that was entered because its condition was true.
    fn end_branch(&mut self, structure: &mut Structure) {
        match structure.shape {
            Shape::If => {
                let jump = self.step(Step::Jump(0));
                structure.ends.push(jump);
            }
            Shape::With => {
                let jump = self.step(Step::EndWith { to: 0 });
                structure.ends.push(jump);
            }
            Shape::Range => {
                self.step(Step::Jump(structure.opener + 1));
            }
        }
    }

    fn end(&mut self) -> Parsed<()> {
        self.expect(Kind::RightDelim, "end")?;
        let Some(mut structure) = self.draft().open.pop() else { return self.end_draft() };
        if !structure.in_else {
            self.end_branch(&mut structure);
            let to = self.draft().steps.len();
            self.draft().patch_otherwise(structure.opener, to);
        }
        let end = self.step(Step::Forget { slots: structure.before.slots });
        let draft = self.draft();
        for index in structure.ends {
            draft.patch_end(index, end);
        }
        draft.scope.leave(structure.before);
        Ok(())
    }

    fn end_draft(&mut self) -> Parsed<()> {
        if matches!(self.draft().role, Role::Main) {
            return Err(self.misplaced("{{end}}"));
        }
        if let Some(draft) = self.drafts.pop()
            && let Some(invocation) = self.add(draft)?
        {
            self.step(Step::Template(invocation));
        }
        Ok(())
    }

    fn misplaced(&mut self, what: &str) -> crate::error::ParseError {
        match self.draft().role.context() {
            Some(context) => self.error(format_args!("unexpected {what} in {context}")),
            None => self.error(format_args!("unexpected {what}")),
        }
    }

    fn leave_loop(&mut self, token: Token<'s>) -> Parsed<()> {
        let is_break = token.kind == Kind::Break;
        let name = if is_break { "{{break}}" } else { "{{continue}}" };
        self.expect(Kind::RightDelim, name)?;
        let draft = self.draft();
        let inner = draft.open.iter().rposition(|open| open.shape == Shape::Range && !open.in_else);
        let Some(index) = inner else { return Err(self.error(format_args!("{name} outside {{{{range}}}}"))) };
        let at = draft.steps.len();
        let structure = &mut draft.open[index];
        let step = if is_break {
            structure.ends.push(at);
            Step::Break { end: 0 }
        } else {
            Step::Continue { next: structure.opener + 1 }
        };
        self.step(step);
        Ok(())
    }

    fn begin_define(&mut self) -> Parsed<()> {
        let token = self.next_non_space();
        let name = self.template_name(token, "define clause")?;
        self.expect(Kind::RightDelim, "define clause")?;
        self.drafts.push(Draft::new(name, Role::Define));
        Ok(())
    }

    fn begin_block(&mut self) -> Parsed<()> {
        let token = self.next_non_space();
        let name = self.template_name(token, "block clause")?;
        let pipeline = self.pipeline("block clause", Kind::RightDelim)?;
        let invocation = invocation(token.pos, &name, Some(pipeline));
        self.drafts.push(Draft::new(name, Role::Block(invocation)));
        Ok(())
    }

    fn template(&mut self) -> Parsed<()> {
        let token = self.next_non_space();
        let name = self.template_name(token, "template clause")?;
        let next = self.next_non_space();
        let pipeline = if next.kind == Kind::RightDelim {
            None
        } else {
            self.put_back(next);
            Some(self.pipeline("template clause", Kind::RightDelim)?)
        };
        self.step(Step::Template(invocation(token.pos, &name, pipeline)));
        Ok(())
    }

    fn template_name(&mut self, token: Token<'s>, context: &str) -> Parsed<String> {
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return Err(self.unexpected(token, context));
        }
        let name = unquote::string(token.text).map_err(|_| self.error("invalid syntax"))?;
        Ok(name.to_str().into_owned())
    }

    /// Finishes a template, unless one of its name was finished before and this one is empty.
    fn add(&mut self, draft: Draft) -> Parsed<Option<Invocation>> {
        let source = Arc::clone(&self.source);
        let program = Program { name: draft.name, source, steps: draft.steps };
        let invocation = if let Role::Block(invocation) = draft.role { Some(invocation) } else { None };
        match self.finished.iter_mut().find(|finished| finished.name == program.name) {
            None => self.finished.push(program),
            Some(finished) if finished.is_empty() => *finished = program,
            Some(_) if program.is_empty() => {}
            Some(_) => {
                let name = quoted(program.name.as_bytes());
                return Err(self.error(format_args!("template: multiple definition of template {name}")));
            }
        }
        Ok(invocation)
    }
}

fn invocation(pos: Pos, name: &str, pipeline: Option<Pipeline>) -> Invocation {
    Invocation { pos, name: name.into(), pipeline }
}
