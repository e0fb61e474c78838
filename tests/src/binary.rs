//! Where the binary under test is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The `consul` binary: `CONSUL_BIN` if set, otherwise the one that cargo puts beside these tests, built first if it
/// is missing or older than a source file.
pub fn consul() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os("CONSUL_BIN") {
        Some(path) => {
            fs::canonicalize(&path).unwrap_or_else(|error| panic!("CONSUL_BIN={}: {error}", path.display()))
        }
        None => built(),
    })
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

fn built() -> PathBuf {
    // target/<profile>/deps/it-<hash>
    let own = std::env::current_exe().expect("a process knows its own file");
    let profile = own.parent().and_then(Path::parent).expect("tests run from target/<profile>/deps");
    let binary = profile.join("consul");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
    let built = modified(&binary);
    if built.is_none_or(|built| newest_source(workspace) > built) {
        build(workspace, profile);
    }
    assert!(binary.is_file(), "cargo built no {}", binary.display());
    binary
}

fn build(workspace: &Path, profile: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace).args(["build", "-p", "consul-cli", "--bin", "consul", "--target-dir"]);
    command.arg(profile.parent().expect("the profile lies in the target directory"));
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().expect("cargo runs");
    assert!(status.success(), "cargo build of the consul binary failed");
}

fn newest_source(workspace: &Path) -> SystemTime {
    let mut newest = SystemTime::UNIX_EPOCH;
    let mut folders = vec![workspace.join("api"), workspace.join("cli"), workspace.join("daemon")];
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
