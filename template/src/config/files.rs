//! Reading what `-config` names.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use consul_config::SOURCE_LEN_MAX;

use super::layer::{Layer, Overlay};
use super::{ConfigError, parse};

/// Deepest nesting of directories that is followed.
const DEPTH_MAX: usize = 64;
/// Most files of all directories together.
const FILES_MAX: usize = 10_000;

/// Reads a file, or every file under a directory, in lexical order.
pub fn read_path(path: &Path, warnings: &mut Vec<String>) -> Result<Layer, ConfigError> {
    let shown = path.display();
    let meta = fs::metadata(path).map_err(|error| {
        ConfigError(format!("missing file/folder: {shown}: {}", crate::words::reason(&error)))
    })?;
    let mut files = Vec::new();
    if meta.is_dir() {
        collect(path, 0, &mut files)?;
    } else if meta.is_file() {
        files.push(path.to_owned());
    } else {
        return Err(ConfigError(format!("unknown filetype: {shown}")));
    }
    let mut layer = Layer::default();
    for file in files {
        layer.merge(read_file(&file, warnings)?);
    }
    Ok(layer)
}

/// Links to files are read, links to directories are not followed.
fn collect(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), ConfigError> {
    let failed = |error: &std::io::Error| {
        ConfigError(format!("error reading {}: {}", directory.display(), crate::words::reason(error)))
    };
    if depth > DEPTH_MAX {
        return Err(ConfigError(format!("{} is nested too deeply", directory.display())));
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| failed(&error))? {
        entries.push(entry.map_err(|error| failed(&error))?.path());
    }
    entries.sort();
    for path in entries {
        let own = fs::symlink_metadata(&path).map_err(|error| failed(&error))?;
        if own.is_dir() {
            collect(&path, depth + 1, files)?;
        } else if fs::metadata(&path).is_ok_and(|meta| meta.is_file()) {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            return Err(ConfigError(format!("{} holds too many files", directory.display())));
        }
    }
    Ok(())
}

fn read_file(path: &Path, warnings: &mut Vec<String>) -> Result<Layer, ConfigError> {
    let shown = path.display();
    let failed = |why: String| ConfigError(format!("from file: {shown}: {why}"));
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(SOURCE_LEN_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| failed(crate::words::reason(&error)))?;
    if bytes.len() > SOURCE_LEN_MAX {
        return Err(failed(format!("longer than {SOURCE_LEN_MAX} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| failed("not valid UTF-8".to_owned()))?;
    let mut heard = Vec::new();
    let layer = parse(&shown.to_string(), &text, &mut heard).map_err(|error| failed(error.0))?;
    warnings.extend(heard);
    Ok(layer)
}
