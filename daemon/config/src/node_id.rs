//! The id that tells a node from every other, whatever its name.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use thiserror::Error;
use uuid::Uuid;

/// A node's UUID, lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(String);

/// Why a text is no node id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NodeIdError {
    #[error("uuid string is wrong length")]
    Length,
    #[error("uuid is improperly formatted")]
    Format,
}

/// Why a node has no id.
#[derive(Debug, Error)]
pub enum SetupError {
    #[error("failed to setup node ID: NodeID in {path} is invalid: {error}")]
    Invalid { path: String, error: NodeIdError },
    #[error("failed to setup node ID: {action} {path}: {source}")]
    Io {
        action: &'static str,
        path: String,
        #[source]
        source: io::Error,
    },
}

impl NodeId {
    /// Reads a UUID in any case, with surrounding white space.
    pub fn parse(text: &str) -> Result<Self, NodeIdError> {
        let text = text.trim().to_lowercase();
        if text.len() != 36 {
            return Err(NodeIdError::Length);
        }
        Uuid::try_parse(&text).map_err(|_| NodeIdError::Format)?;
        Ok(Self(text))
    }

    /// A new random id.
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id a node starts with: the configured one; else the one kept in the data directory; else a new one, derived
/// from the host's if `host_id` is given, which is then kept.
///
/// A configured id is not written down: removing it from the configuration brings the old one back.
pub fn establish(
    configured: Option<&NodeId>,
    data_dir: Option<&Path>,
    host_id: Option<&str>,
) -> Result<NodeId, SetupError> {
    if let Some(id) = configured {
        return Ok(id.clone());
    }
    let path = data_dir.map(|dir| dir.join("node-id"));
    if let Some(path) = &path
        && let Some(id) = load(path)?
    {
        return Ok(id);
    }
    let id = host_id.and_then(derive).unwrap_or_else(NodeId::random);
    if let Some(path) = &path {
        save(path, &id)?;
    }
    Ok(id)
}

/// The host's own UUID as the firmware or the system installer set it.
pub fn host_uuid() -> Option<String> {
    let read = |path| fs::read_to_string(path).ok().map(|text| text.trim().to_lowercase());
    read("/sys/class/dmi/id/product_uuid").or_else(|| read("/etc/machine-id")).filter(|id| !id.is_empty())
}

/// Hashes the host's UUID, so that ids are spread well and the host's own is not told to anybody.
fn derive(host_id: &str) -> Option<NodeId> {
    use sha2::{Digest, Sha512};
    let digest = Sha512::digest(host_id.trim().to_lowercase().as_bytes());
    let bytes: [u8; 16] = digest.get(..16)?.try_into().ok()?;
    Some(NodeId(Uuid::from_bytes(bytes).to_string()))
}

fn load(path: &Path) -> Result<Option<NodeId>, SetupError> {
    match fs::read_to_string(path) {
        Ok(text) => NodeId::parse(&text)
            .map(Some)
            .map_err(|error| SetupError::Invalid { path: path.display().to_string(), error }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SetupError::Io { action: "read", path: path.display().to_string(), source }),
    }
}

fn save(path: &Path, id: &NodeId) -> Result<(), SetupError> {
    let failed = |action| move |source| SetupError::Io { action, path: path.display().to_string(), source };
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(failed("mkdir"))?;
    }
    let mut options = fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(path).map_err(failed("open"))?;
    file.write_all(id.as_str().as_bytes()).and_then(|()| file.sync_all()).map_err(failed("write"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5fe38377-083f-fb09-f388-30b9baad7676";

    #[test]
    fn an_id_is_read_in_any_case_and_with_a_newline() {
        assert_eq!(NodeId::parse(&format!(" {}\n", ID.to_uppercase())).map(|id| id.0), Ok(ID.to_owned()));
    }

    #[test]
    fn a_text_of_the_wrong_length_or_form_is_no_id() {
        assert_eq!(NodeId::parse("abc"), Err(NodeIdError::Length));
        assert_eq!(NodeId::parse(&"x".repeat(36)), Err(NodeIdError::Format));
    }

    #[test]
    fn a_new_id_is_kept_and_a_configured_one_is_not() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let first = establish(None, Some(dir.path()), None).expect("first id");
        assert_eq!(establish(None, Some(dir.path()), None).expect("second start"), first);
        let configured = NodeId::parse(ID).expect("valid id");
        assert_eq!(establish(Some(&configured), Some(dir.path()), None).expect("configured"), configured);
        assert_eq!(establish(None, Some(dir.path()), None).expect("after it is removed"), first);
        assert_eq!(fs::read_to_string(dir.path().join("node-id")).expect("file"), first.0);
    }

    #[test]
    fn a_damaged_file_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().expect("temporary directory");
        fs::write(dir.path().join("node-id"), "short").expect("write");
        let error = establish(None, Some(dir.path()), None).expect_err("damaged").to_string();
        assert!(error.ends_with("node-id is invalid: uuid string is wrong length"), "{error}");
    }

    #[test]
    fn the_hosts_id_gives_the_same_node_id_each_time() {
        let first = establish(None, None, Some("HOST-1")).expect("id");
        assert_eq!(establish(None, None, Some("host-1")).expect("id"), first);
        assert_ne!(establish(None, None, Some("host-2")).expect("id"), first);
    }
}
