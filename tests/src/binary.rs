//! Where the binaries under test are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The `consul` binary: `CONSUL_BIN` if set, otherwise the one that cargo puts beside these tests, built first if it
/// is missing or older than a source file.
pub fn consul() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| named_or_built("CONSUL_BIN", &CONSUL))
}

/// The `consul-template` binary: `CONSUL_TEMPLATE_BIN` if set, otherwise found like [`consul`].
pub fn consul_template() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| named_or_built("CONSUL_TEMPLATE_BIN", &CONSUL_TEMPLATE))
}

/// A binary of this workspace.
struct Program {
    package: &'static str,
    name: &'static str,
    /// Folders of the workspace that it is built from.
    folders: &'static [&'static str],
}

const CONSUL: Program = Program { package: "consul-cli", name: "consul", folders: &["api", "cli", "daemon"] };

const CONSUL_TEMPLATE: Program = Program {
    package: "consul-template",
    name: "consul-template",
    folders: &["api", "daemon/config", "daemon/telemetry", "template"],
};

fn named_or_built(variable: &str, program: &Program) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) => {
            fs::canonicalize(&path).unwrap_or_else(|error| panic!("{variable}={}: {error}", path.display()))
        }
        None => built(program),
    }
}

/// Whether the binary under test is HashiCorp's: some tests hold only for ours.
pub fn is_reference() -> bool {
    static REFERENCE: OnceLock<bool> = OnceLock::new();
    *REFERENCE.get_or_init(|| is_theirs(consul()))
}

fn is_theirs(program: &Path) -> bool {
    let version = Command::new(program).arg("version").output().expect("the binary runs");
    !String::from_utf8_lossy(&version.stdout).contains("+rs")
}

/// HashiCorp's binary, to run beside the one under test. None, said as a skipped test, if this machine has none.
pub fn reference() -> Option<PathBuf> {
    let found = crate::tools::find("consul").filter(|program| is_theirs(program));
    if found.is_none() {
        crate::tools::skip("HashiCorp's consul is not installed");
    }
    found
}

fn built(program: &Program) -> PathBuf {
    // target/<profile>/deps/it-<hash>
    let own = std::env::current_exe().expect("a process knows its own file");
    let profile = own.parent().and_then(Path::parent).expect("tests run from target/<profile>/deps");
    let binary = profile.join(program.name);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
    let built = modified(&binary);
    if built.is_none_or(|built| newest_source(workspace, program.folders) > built) {
        build(program, workspace, profile);
    }
    assert!(binary.is_file(), "cargo built no {}", binary.display());
    binary
}

fn build(program: &Program, workspace: &Path, profile: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace).args([
        "build",
        "-p",
        program.package,
        "--bin",
        program.name,
        "--target-dir",
    ]);
    command.arg(profile.parent().expect("the profile lies in the target directory"));
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().expect("cargo runs");
    assert!(status.success(), "cargo build of {} failed", program.name);
}

fn newest_source(workspace: &Path, folders: &[&str]) -> SystemTime {
    let mut newest = SystemTime::UNIX_EPOCH;
    let mut folders: Vec<_> = folders.iter().map(|folder| workspace.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                newest = newest.max(modified(&path).unwrap_or(newest));
            }
        }
    }
    newest
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|data| data.modified()).ok()
}
