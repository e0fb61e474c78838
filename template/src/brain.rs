//! What is known, as templates see it.

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;
use std::sync::Arc;

use consul_api::client::Secret;
use consul_template_functions::{Brain, Data, Dependency, FileToWrite};

use crate::process;
use crate::words::reason;

/// Everything that was answered so far. Executions work on a snapshot, which costs a pointer.
#[derive(Clone, Default)]
pub struct Memory {
    data: Arc<HashMap<Dependency, Data>>,
    /// Variables that templates see before those of the process.
    exported: Arc<[(String, Secret)]>,
}

impl Memory {
    pub fn new(exported: &[(String, Secret)]) -> Self {
        Self { data: Arc::default(), exported: exported.into() }
    }

    pub fn learn(&mut self, dependency: Dependency, data: Data) {
        Arc::make_mut(&mut self.data).insert(dependency, data);
    }

    pub fn forget(&mut self, dependency: &Dependency) {
        Arc::make_mut(&mut self.data).remove(dependency);
    }

    pub fn get(&self, dependency: &Dependency) -> Option<&Data> {
        self.data.get(dependency)
    }
}

impl Brain for Memory {
    fn recall(&self, dependency: &Dependency) -> Option<Data> {
        self.data.get(dependency).cloned()
    }

    fn env(&self, name: &str) -> Option<String> {
        let own =
            self.exported.iter().find(|(known, _)| known == name).map(|(_, value)| value.expose().to_owned());
        own.or_else(|| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// Called on a thread that may block.
    fn run_plugin(&self, program: &str, args: &[String]) -> Result<Vec<u8>, String> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|error| error.to_string())?;
        runtime.block_on(process::plugin(program, args))
    }

    fn write_file(&self, file: &FileToWrite<'_>) -> Result<(), String> {
        write(file).map_err(|(what, error)| format!("{what} {}: {}", file.path, reason(&error)))
    }

    fn show(&self, text: &str) {
        // A reader that went away must not stop us.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }
}

type Failure = (&'static str, std::io::Error);

fn write(file: &FileToWrite<'_>) -> Result<(), Failure> {
    let path = Path::new(file.path);
    let linked = |path: &Path| path.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if linked(path) || parent.is_some_and(linked) {
        return Err((
            "refusing to write through a symbolic link at",
            std::io::ErrorKind::InvalidInput.into(),
        ));
    }
    if let Some(parent) = parent {
        let mut builder = std::fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o755)
            .create(parent)
            .map_err(|error| ("create the directory of", error))?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).mode(file.mode).custom_flags(nix::libc::O_NOFOLLOW);
    options.append(file.append).write(!file.append).truncate(!file.append);
    let mut opened = options.open(path).map_err(|error| ("open", error))?;
    opened.write_all(file.content).map_err(|error| ("write", error))?;
    opened
        .set_permissions(std::fs::Permissions::from_mode(file.mode))
        .map_err(|error| ("set the mode of", error))?;
    let name = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let owner =
        crate::config::Ownership { user: name(file.user), group: name(file.group), uid: None, gid: None };
    if owner.is_set() {
        let (uid, gid) = crate::write::ids(&owner)
            .map_err(|error| ("set the owner of", std::io::Error::other(error.to_string())))?;
        chown(path, uid, gid).map_err(|error| ("set the owner of", error))?;
    }
    Ok(())
}
