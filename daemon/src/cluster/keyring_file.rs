//! The keys of a gossip pool on disk: a JSON list in base64, the primary first.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consul_gossip::keyring::{Key, Keyring};
use thiserror::Error;

/// Only the agent's own user may read keys.
const MODE: u32 = 0o600;

#[derive(Debug, Error)]
pub enum KeyringFileError {
    #[error("keyring {path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error("keyring {path}: {reason}; restore the file or remove it to begin with the configured key")]
    Content { path: PathBuf, reason: String },
}

/// Where one pool keeps its keys.
#[derive(Clone, Debug)]
pub struct KeyringFile {
    path: PathBuf,
}

impl KeyringFile {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The stored keys; `None` if there is no file.
    pub fn load(&self) -> Result<Option<Keyring>, KeyringFileError> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(error)),
        };
        let content = |reason: String| KeyringFileError::Content { path: self.path.clone(), reason };
        // The parser's own message would quote what it read.
        let keys: Vec<String> =
            serde_json::from_slice(&text).map_err(|_| content("not a JSON list of texts".to_owned()))?;
        let decode = |(number, key): (usize, &String)| {
            let bytes = STANDARD.decode(key).map_err(|_| content(format!("key {number} is no base64")))?;
            Key::new(&bytes).map_err(|error| content(format!("key {number}: {error}")))
        };
        let mut keys = (1..).zip(&keys).map(decode);
        let Some(primary) = keys.next().transpose()? else {
            return Err(content("it holds no key".to_owned()));
        };
        let mut ring = Keyring::new(primary);
        for key in keys {
            ring.install(key?).map_err(|error| content(error.to_string()))?;
        }
        Ok(Some(ring))
    }

    /// Replaces the file as a whole, so that a crash leaves the old one.
    pub fn save(&self, ring: &Keyring) -> Result<(), KeyringFileError> {
        let keys: Vec<String> = ring.keys().map(|key| STANDARD.encode(key.as_bytes())).collect();
        self.write(&keys).map_err(|error| self.failed(error))
    }

    fn write(&self, keys: &[String]) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory)?;
        }
        let new = self.path.with_extension("keyring.new");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(&new)?;
        file.write_all(&serde_json::to_vec_pretty(keys)?)?;
        file.sync_all()?;
        fs::rename(new, &self.path)
    }

    fn failed(&self, error: io::Error) -> KeyringFileError {
        KeyringFileError::Io { path: self.path.clone(), error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn key(byte: u8) -> Key {
        Key::new(&[byte; 32]).unwrap()
    }

    #[test]
    fn keys_come_back_in_their_order_and_only_the_owner_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyringFile::new(dir.path().join("serf/local.keyring"));
        assert!(file.load().unwrap().is_none());
        let mut ring = Keyring::new(key(1));
        ring.install(key(2)).unwrap();
        file.save(&ring).unwrap();
        ring.use_key(&key(2)).unwrap();
        file.save(&ring).unwrap();
        assert_eq!(file.load().unwrap(), Some(ring));
        let mode = fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
    }

    #[test]
    fn a_broken_file_is_refused_without_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyringFile::new(dir.path().join("local.keyring"));
        for text in ["", "{}", "[]", "[1]", r#"["secret!"]"#, r#"["c2hvcnQ="]"#] {
            fs::write(file.path(), text).unwrap();
            let error = file.load().unwrap_err().to_string();
            assert!(error.contains("local.keyring") && !error.contains("secret"), "{error}");
        }
    }
}
