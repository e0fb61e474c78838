//! Evaluating a template, and taking up an edited one.

use std::sync::Arc;

use consul_template_functions::Dependency;

use super::Runner;
use crate::core::{Evaluation, Event, Now};
use crate::guard;
use crate::source;

impl Runner {
    /// Executes a template on what is known. Templates may run programs, so this happens on a thread of its own.
    pub(super) async fn evaluate(&mut self, template: usize) -> Evaluation<Dependency> {
        let failed = |why: String| Evaluation {
            used: Default::default(),
            missing: Default::default(),
            output: Err(why),
        };
        let Some(loaded) = self.templates.get(template) else {
            return failed("no such template".to_owned());
        };
        let parsed = match &loaded.parsed {
            Ok(parsed) => Arc::clone(parsed),
            Err(why) => return failed(why.clone()),
        };
        let name = loaded.settings.source.to_string();
        let memory = self.memory.clone();
        let executed = tokio::task::spawn_blocking(move || parsed.execute(Arc::new(memory))).await;
        let evaluation = match executed {
            Ok(Ok(rendered)) => Evaluation {
                used: rendered.account.used,
                missing: rendered.account.missing,
                output: Ok(rendered.output),
            },
            Ok(Err(failure)) => Evaluation {
                output: Err(format!("{name}: execute: {}", failure.error)),
                used: failure.account.used,
                missing: failure.account.missing,
            },
            Err(_) => failed(format!("{name}: execute: the evaluation was ended")),
        };
        if let Some(loaded) = self.templates.get_mut(template) {
            loaded.instances = guard::count(&evaluation.used, &self.memory);
        }
        evaluation
    }

    /// Reads a source again. One that cannot be used leaves the last good one in place.
    pub(super) fn source_changed(&mut self, template: usize) {
        let Some(loaded) = self.templates.get_mut(template) else { return };
        let read = tokio::task::block_in_place(|| source::read(&loaded.settings.source));
        let parsed = match read {
            Ok(text) if text == loaded.text && loaded.parsed.is_ok() => return,
            Ok(text) => {
                let parsed = source::parse(&loaded.settings, &text);
                loaded.text = text;
                parsed
            }
            Err(why) => Err(why),
        };
        let event = match parsed {
            Ok(parsed) => {
                tracing::info!(target: "runner", "template {} was edited", loaded.settings.source);
                loaded.parsed = Ok(parsed);
                Event::Edited(template)
            }
            Err(why) => {
                tracing::error!(target: "runner", "an edited template cannot be used, the last good one stays: {why}");
                Event::Broken { template, why }
            }
        };
        self.core.handle(event, Now::read());
    }
}
