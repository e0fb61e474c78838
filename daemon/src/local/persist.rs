//! What the API registered, kept over a restart: one small file for each service, check and TTL state.
//!
//! File names are hashes of ids, because ids may hold anything. Files are written whole and renamed into place, so a
//! crash leaves the old or the new one. A file that cannot be read is skipped with a warning: one bad file must not
//! keep an agent down.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use consul_api::types::agent::CheckDefinition;
use consul_api::types::catalog::NodeService;
use consul_api::types::health::{HealthCheck, Status};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use super::entry::Source;

/// A service registered through the API.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SavedService {
    #[serde(default)]
    pub token: Secret,
    pub service: NodeService,
    pub source: Source,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sidecar_of: Option<String>,
}

/// A check registered through the API, or a maintenance mark (which has no definition).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SavedCheck {
    pub check: HealthCheck,
    #[serde(rename = "ChkType")]
    pub definition: Option<CheckDefinition>,
    #[serde(default)]
    pub token: Secret,
    pub source: Source,
}

/// The last word of a TTL check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SavedTtl {
    #[serde(rename = "CheckID")]
    pub check_id: String,
    pub output: String,
    pub status: Status,
    /// Seconds since 1970 after which the state no longer counts.
    pub expires: i64,
}

/// A token on its way to or from disk.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// The directories below `data_dir`. Without one nothing is kept.
#[derive(Clone, Debug)]
pub struct Persistence {
    data_dir: Option<PathBuf>,
}

impl Persistence {
    pub fn new(data_dir: Option<PathBuf>) -> Self {
        Self { data_dir }
    }

    pub fn save_service(&self, id: &str, saved: &SavedService) -> io::Result<()> {
        self.write("services", id, saved)
    }

    pub fn save_check(&self, id: &str, saved: &SavedCheck) -> io::Result<()> {
        self.write("checks", id, saved)
    }

    pub fn save_ttl(&self, saved: &SavedTtl) -> io::Result<()> {
        self.write("checks/state", &saved.check_id, saved)
    }

    pub fn remove_service(&self, id: &str) -> io::Result<()> {
        self.remove("services", id)
    }

    /// Removes what the API said of a check, not the state that it is in.
    pub fn remove_check_definition(&self, id: &str) -> io::Result<()> {
        self.remove("checks", id)
    }

    /// Removes the check and its TTL state.
    pub fn remove_check(&self, id: &str) -> io::Result<()> {
        self.remove("checks", id)?;
        self.remove("checks/state", id)
    }

    pub fn services(&self) -> Vec<SavedService> {
        self.read_all("services")
    }

    pub fn checks(&self) -> Vec<SavedCheck> {
        self.read_all("checks")
    }

    /// State of a TTL check if it still counts at `now_unix`.
    pub fn ttl(&self, check_id: &str, now_unix: i64) -> Option<SavedTtl> {
        let path = self.data_dir.as_ref()?.join("checks/state").join(file_name(check_id));
        read::<SavedTtl>(&path).filter(|saved| saved.expires > now_unix)
    }

    fn write<T: Serialize>(&self, folder: &str, id: &str, value: &T) -> io::Result<()> {
        let Some(data_dir) = &self.data_dir else { return Ok(()) };
        let folder = data_dir.join(folder);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let bytes = serde_json::to_vec(value)?;
        let path = folder.join(file_name(id));
        let temporary = path.with_extension("tmp");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        fs::File::open(&folder)?.sync_all()
    }

    fn remove(&self, folder: &str, id: &str) -> io::Result<()> {
        let Some(data_dir) = &self.data_dir else { return Ok(()) };
        for name in [file_name(id), old_file_name(id)] {
            match fs::remove_file(data_dir.join(folder).join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn read_all<T: DeserializeOwned>(&self, folder: &str) -> Vec<T> {
        let Some(data_dir) = &self.data_dir else { return Vec::new() };
        let Ok(entries) = fs::read_dir(data_dir.join(folder)) else { return Vec::new() };
        let mut paths: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        paths.sort();
        paths.iter().filter_map(|path| read(path)).collect()
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let shown = path.display();
    if path.extension().is_some_and(|extension| extension == "tmp") {
        warn!(target: "agent", file = %shown, "Ignoring temporary file of an interrupted write");
        return None;
    }
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            warn!(target: "agent", file = %shown, %error, "Could not read a saved registration, skipping it");
            return None;
        }
    };
    match serde_json::from_slice(&bytes) {
        Ok(value) => Some(value),
        Err(error) => {
            warn!(target: "agent", file = %shown, %error, "Could not understand a saved registration, skipping it");
            None
        }
    }
}

fn file_name(id: &str) -> String {
    hex(&Sha256::digest(id.as_bytes()))
}

/// Releases before 1.11 named files by MD5; such a file may still be there from before a migration.
fn old_file_name(id: &str) -> String {
    use md5::Md5;
    hex(&Md5::digest(id.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(id: &str) -> SavedService {
        let service = NodeService { id: id.into(), service: id.into(), ..NodeService::default() };
        SavedService { token: Secret("s3".into()), service, source: Source::Remote, sidecar_of: None }
    }

    #[test]
    fn services_come_back_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let persistence = Persistence::new(Some(dir.path().to_owned()));
        persistence.save_service("a/../b", &saved("a/../b")).unwrap();
        persistence.save_service("c", &saved("c")).unwrap();
        let mut ids: Vec<_> = persistence.services().into_iter().map(|saved| saved.service.id).collect();
        ids.sort();
        assert_eq!(ids, ["a/../b", "c"]);
        persistence.remove_service("c").unwrap();
        persistence.remove_service("c").unwrap();
        assert_eq!(persistence.services().len(), 1);
    }

    #[test]
    fn damaged_and_half_written_files_are_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let persistence = Persistence::new(Some(dir.path().to_owned()));
        persistence.save_service("a", &saved("a")).unwrap();
        fs::write(dir.path().join("services/zz"), b"{\"Service\":").unwrap();
        fs::write(dir.path().join("services/half.tmp"), b"{}").unwrap();
        assert_eq!(persistence.services().len(), 1);
    }

    #[test]
    fn an_expired_ttl_state_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let persistence = Persistence::new(Some(dir.path().to_owned()));
        let ttl =
            SavedTtl { check_id: "c".into(), output: "ok".into(), status: Status::Passing, expires: 100 };
        persistence.save_ttl(&ttl).unwrap();
        assert_eq!(persistence.ttl("c", 99), Some(ttl));
        assert_eq!(persistence.ttl("c", 100), None);
    }
}
