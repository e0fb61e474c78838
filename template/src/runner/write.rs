//! Writing files, and running what has to run before and after.

use std::time::Duration;

use super::Runner;
use crate::config::EnvSettings;
use crate::core::Written;
use crate::guard::{self, Sizes};
use crate::process::{self, Purpose};
use crate::write::{self, Found, Staged};
use crate::{dry, words};

/// How long a check may take unless the template's command has a limit of its own.
const CHECK_TIMEOUT: Duration = Duration::from_secs(30);

impl Runner {
    /// Brings the file of a template up to date, unless a guard objects.
    pub(super) async fn write(&mut self, template: usize, output: &[u8]) -> Written {
        let route = self.templates.get(template).map(super::Loaded::route).unwrap_or_default();
        let written = self.try_write(template, output, &route).await;
        let Some(loaded) = self.templates.get_mut(template) else {
            return Written::Failed("no such template".to_owned());
        };
        match written {
            Ok(written) => {
                if matches!(written, Written::Changed { .. } | Written::Unchanged) {
                    loaded.instances_written = Some(loaded.instances.iter().map(|(_, count)| count).sum());
                }
                if let Written::Changed { run_command: true } = written {
                    tracing::info!(target: "runner", "rendered {route}");
                }
                written
            }
            Err(why) => Written::Failed(format!("error rendering {route}: {why}")),
        }
    }

    async fn try_write(&self, template: usize, output: &[u8], route: &str) -> Result<Written, String> {
        let loaded = self.templates.get(template).ok_or("no such template")?;
        let settings = &loaded.settings;
        let destination = settings.destination.as_deref();
        let found = match destination {
            Some(path) => tokio::task::block_in_place(|| write::find(path, output, &settings.owner))
                .map_err(|error| error.to_string())?,
            None if self.settings.dry => Found::Nothing,
            None => return Err(write::WriteError::NoDestination.to_string()),
        };
        let len_before = match found {
            Found::Same => return Ok(Written::Unchanged),
            Found::Owner if self.settings.dry => return Ok(Written::Unchanged),
            Found::Owner => Some(output.len() as u64),
            Found::Other { len } => Some(len),
            Found::Nothing => None,
        };
        let has_old = len_before.is_some();
        let sizes = Sizes {
            instances: &loaded.instances,
            instances_before: loaded.instances_written.filter(|_| has_old),
            len: output.len(),
            len_before,
        };
        if let Some(why) = guard::objection(&settings.guards, sizes) {
            let why = format!("not rendering {route}: {why}");
            return Ok(Written::Refused { why, has_old, may_change: true });
        }
        if self.settings.dry {
            dry::show(destination, output).map_err(|error| words::reason(&error))?;
            return Ok(Written::Changed { run_command: false });
        }
        let path = destination.ok_or("missing destination")?;
        let staged = tokio::task::block_in_place(|| write::stage(settings, path, output))
            .map_err(|error| error.to_string())?;
        if let Some(why) = self.check(template, &staged).await {
            let why = format!("not rendering {route}: {why}");
            return Ok(Written::Refused { why, has_old, may_change: false });
        }
        tokio::task::block_in_place(|| staged.commit()).map_err(|error| error.to_string())?;
        Ok(Written::Changed { run_command: true })
    }

    /// What the check says against the new content.
    async fn check(&self, template: usize, staged: &Staged) -> Option<String> {
        let settings = &self.templates.get(template)?.settings;
        let command = guard::check_of(settings.guards.check_command.as_ref()?, staged.path());
        let own = settings.command.as_ref();
        let env = own.map_or_else(EnvSettings::default, |own| own.env.clone());
        let limit = own.map(|own| own.timeout).filter(|limit| !limit.is_zero()).unwrap_or(CHECK_TIMEOUT);
        let checked = process::run(&command, &env, &self.settings.exported, limit, Purpose::Check).await;
        checked.err().map(|error| format!("check_command objects: {error}"))
    }

    /// Runs the commands of templates, each to its end, and returns what went wrong.
    pub(super) async fn run_commands(&self, templates: &[usize]) -> Vec<String> {
        let mut failures = Vec::new();
        for loaded in templates.iter().filter_map(|template| self.templates.get(*template)) {
            let Some(command) = &loaded.settings.command else { continue };
            let route = loaded.settings.source.to_string();
            let destination = loaded.destination().display().to_string();
            let shown = format!("{:?}", command.command.0);
            tracing::info!(target: "runner", "executing command {shown:?} from {route:?} => {destination:?}");
            let exported = &self.settings.exported;
            let done =
                process::run(&command.command, &command.env, exported, command.timeout, Purpose::Act).await;
            if let Err(error) = done {
                failures.push(format!(
                    "failed to execute command {shown:?} from {route:?} => {destination:?}: {error}"
                ));
            }
        }
        failures
    }
}
