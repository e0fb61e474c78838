//! One round over the templates that have something to do.

use std::collections::VecDeque;

use super::Ask;
use super::Now;
use super::template::State;
use crate::config::CommandWords;

#[derive(Debug, Default)]
pub struct Pass {
    /// Templates still to be taken up.
    pub queue: VecDeque<usize>,
    /// Something was written.
    pub wrote: bool,
    /// Templates whose commands are to run, each command once.
    pub commands: Vec<(usize, CommandWords)>,
}

impl Pass {
    /// Takes up all templates whose data changed or has settled. What changes from now on is for the next pass, so
    /// that no command waits for ever behind data that never rests.
    pub fn begin<D: Ask>(templates: &mut [State<D>], now: Now) -> Option<Self> {
        let mut pass = Self::default();
        for (at, state) in templates.iter_mut().enumerate() {
            state.dirty |= state.retry_at.is_some_and(|at| at <= now.mono);
            let settled = state.due().is_some_and(|due| due <= now.mono);
            if state.dirty || settled {
                state.begin(settled && !state.dirty);
                pass.queue.push_back(at);
            }
        }
        (!pass.queue.is_empty()).then_some(pass)
    }

    /// The same command of several templates runs once, as the first of them says.
    pub fn add_command(&mut self, template: usize, command: &CommandWords) {
        if self.commands.iter().all(|(_, known)| known != command) {
            self.commands.push((template, command.clone()));
        }
    }
}
