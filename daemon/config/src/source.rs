//! Reading what a command line names: files, directories, fragments and the host they are read on.
//!
//! The only part of this crate that touches the file system. Everything read is kept as text, so that turning it
//! into a configuration stays a pure function that a reload can try without consequences.

use crate::error::{ConfigError, ConfigErrors};
use crate::flags::AgentFlags;
use crate::host::Host;
use crate::raw::Syntax;
use crate::value::SOURCE_LEN_MAX;
use crate::warnings::Warning;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Source name of values that came from the command line.
pub(crate) const FLAGS: &str = "flags";
/// Most files taken from one directory.
const DIRECTORY_FILES_MAX: usize = 10_000;

/// A configuration text and how to read it.
#[derive(Clone)]
pub struct Document {
    /// The path as errors shall name it.
    pub name: String,
    pub syntax: Syntax,
    pub text: String,
}

/// Everything a configuration is made from.
#[derive(Clone)]
pub struct Sources {
    pub flags: AgentFlags,
    /// In the order in which they are laid over each other.
    pub documents: Vec<Document>,
    /// Files that were passed over.
    pub skipped: Vec<Warning>,
    pub host: Host,
}

impl Sources {
    /// Reads all files that the flags name. Blocks; call it off the async threads.
    pub fn read(flags: AgentFlags) -> Result<Self, ConfigErrors> {
        let format = match flags.config_format.as_deref() {
            None | Some("") => None,
            Some("json") => Some(Syntax::Json),
            Some("hcl") => Some(Syntax::Hcl),
            Some(_) => return Err(ConfigError::Format.into()),
        };
        let mut reader = Reader { format, documents: Vec::new(), skipped: Vec::new() };
        for path in &flags.config_paths {
            reader.path(path)?;
        }
        Ok(Self { host: Host::detect(), documents: reader.documents, skipped: reader.skipped, flags })
    }
}

struct Reader {
    format: Option<Syntax>,
    documents: Vec<Document>,
    skipped: Vec<Warning>,
}

impl Reader {
    fn path(&mut self, path: &Path) -> Result<(), ConfigError> {
        let open_failed =
            |error: &io::Error| ConfigError::Open { path: path.display().to_string(), reason: reason(error) };
        let meta = fs::metadata(path).map_err(|error| open_failed(&error))?;
        if !meta.is_dir() {
            return self.file(path);
        }
        let listing = fs::read_dir(path).map_err(|error| open_failed(&error))?;
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in listing {
            let entry = entry.map_err(|error| open_failed(&error))?;
            if files.len() >= DIRECTORY_FILES_MAX {
                let shown = path.display();
                return Err(ConfigError::Read(format!(
                    "{shown} holds more than {DIRECTORY_FILES_MAX} files"
                )));
            }
            files.push(entry.path());
        }
        files.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
        for file in files {
            // Follows links: one that leads nowhere is an error, one to a directory is passed over.
            let meta = fs::metadata(&file).map_err(|error| {
                ConfigError::Read(format!("lstat {}: {}", file.display(), reason(&error)))
            })?;
            if !meta.is_dir() {
                self.file(&file)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let name = path.display().to_string();
        let syntax = match (self.format, name.as_str()) {
            (Some(syntax), _) => syntax,
            (None, name) if name.ends_with(".json") => Syntax::Json,
            (None, name) if name.ends_with(".hcl") => Syntax::Hcl,
            _ => {
                let message = format!(
                    "skipping file {name}, extension must be .hcl or .json, or config format must be set"
                );
                self.skipped.push(Warning { message, pos: None });
                return Ok(());
            }
        };
        let failed =
            |error: &io::Error| ConfigError::Read(format!("failed to read {name}: {}", reason(error)));
        let file = fs::File::open(path).map_err(|error| failed(&error))?;
        let mut bytes = Vec::new();
        file.take(SOURCE_LEN_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
        if bytes.len() > SOURCE_LEN_MAX {
            return Err(ConfigError::Read(format!(
                "failed to parse {name}: longer than {SOURCE_LEN_MAX} bytes"
            )));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes().iter().take(valid).filter(|b| **b == b'\n').count() + 1;
            ConfigError::Read(format!("failed to parse {name}: line {line} is not valid UTF-8"))
        })?;
        self.documents.push(Document { name, syntax, text });
        Ok(())
    }
}

/// The operating system's words, as Go prints them.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
