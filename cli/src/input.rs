//! Arguments that name their content: `@path` for a file, `-` for standard input, anything else for itself.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Reads what `argument` stands for. The error says which file and why.
pub fn load(argument: &OsStr) -> Result<Vec<u8>, String> {
    let bytes = argument.as_bytes();
    if bytes == b"-" {
        return stdin().map_err(|error| format!("Failed to read stdin: {error}"));
    }
    match bytes.strip_prefix(b"@") {
        Some(path) => read_file(Path::new(OsStr::from_bytes(path)))
            .map_err(|error| format!("Failed to read file: {error}")),
        None => Ok(bytes.to_vec()),
    }
}

/// The same for text.
pub fn load_text(argument: &str) -> Result<String, String> {
    into_text(load(OsStr::new(argument))?)
}

pub fn into_text(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|_| "the data is not valid UTF-8".to_owned())
}

pub fn stdin() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| describe("open", path, &error))
}

/// An I/O error as `open path: no such file or directory`.
pub fn describe(verb: &str, path: &Path, error: &io::Error) -> String {
    format!("{verb} {}: {}", path.display(), reason(error))
}

/// The operating system's reason, in lower case and without the number that Rust adds.
pub fn reason(error: &io::Error) -> String {
    let text = match error.raw_os_error().map(nix::errno::Errno::from_raw) {
        Some(errno) => errno.desc().to_owned(),
        None => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or_default().to_owned()
        }
    };
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => text,
    }
}
