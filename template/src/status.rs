//! Tells operators how the templates fare: in a file that is always whole, and in words.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::config::TemplateSettings;
use crate::core::TemplateStatus;
use crate::words::reason;

#[derive(Serialize)]
struct Report<'a> {
    pid: u32,
    written_at: String,
    templates: &'a [Line],
}

/// One template in the file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    source: String,
    destination: Option<PathBuf>,
    rendered: bool,
    last_render: Option<String>,
    last_change: Option<String>,
    last_error: Option<String>,
    depends_on: Vec<String>,
    waits_for: Vec<String>,
}

impl Line {
    pub fn new(settings: &TemplateSettings, status: TemplateStatus) -> Self {
        Self {
            source: settings.source.to_string(),
            destination: settings.destination.clone(),
            rendered: status.rendered,
            last_render: status.last_render.map(time_text),
            last_change: status.last_change.map(time_text),
            last_error: status.last_error,
            depends_on: status.depends_on,
            waits_for: status.waits_for,
        }
    }

    /// What `-explain` prints.
    pub fn explain(&self) -> String {
        let mut text = match &self.destination {
            Some(destination) => format!("{} => {}\n", self.source, destination.display()),
            None => format!("{}\n", self.source),
        };
        text.push_str("  depends on:\n");
        for dependency in &self.depends_on {
            text.push_str(&format!("    {dependency}\n"));
        }
        if self.depends_on.is_empty() {
            text.push_str("    nothing\n");
        }
        match &self.last_error {
            Some(error) => text.push_str(&format!("  fails: {error}\n")),
            None if self.waits_for.is_empty() => text.push_str("  can be rendered\n"),
            None => {}
        }
        if !self.waits_for.is_empty() {
            text.push_str("  waits for:\n");
            for what in &self.waits_for {
                text.push_str(&format!("    {what}\n"));
            }
        }
        text
    }
}

fn time_text(time: SystemTime) -> String {
    OffsetDateTime::from(time).format(&Rfc3339).unwrap_or_default()
}

/// The status file, written when there is something new.
pub struct StatusFile {
    path: PathBuf,
    last: Option<Vec<Line>>,
    failing: bool,
}

impl StatusFile {
    pub fn new(path: PathBuf) -> Self {
        Self { path, last: None, failing: false }
    }

    /// Writes the file if anything differs from what is in it. A file that cannot be written is no reason to stop.
    pub fn update(&mut self, lines: Vec<Line>) {
        if self.last.as_ref() == Some(&lines) {
            return;
        }
        match write(&self.path, &lines) {
            Ok(()) => self.failing = false,
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    let (path, why) = (self.path.display(), reason(&error));
                    tracing::error!(target: "runner", "could not write the status file {path}: {why}");
                }
            }
        }
        self.last = Some(lines);
    }
}

fn write(path: &Path, lines: &[Line]) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let report =
        Report { pid: std::process::id(), written_at: time_text(SystemTime::now()), templates: lines };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".status-").tempfile_in(parent)?;
    serde_json::to_writer_pretty(&mut file, &report)?;
    file.write_all(b"\n")?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}
