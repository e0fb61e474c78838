//! Programs that some tests need and not every machine has.

use std::io::Write;
use std::path::PathBuf;

/// Where a program is, looked up as a shell would, then where daemons live.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Whether one of `programs` is not installed. Says so past the capture of the test's output, so that a test that was
/// skipped is seen.
pub fn lacks(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|program| find(program).is_none()).copied().collect();
    if missing.is_empty() {
        return false;
    }
    skip(&format!("not installed: {}", missing.join(", ")));
    true
}

/// Tells that the running test did not run, and why.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // A test whose message cannot be written is still skipped.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}
