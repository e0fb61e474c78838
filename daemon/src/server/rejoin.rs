//! When this server was last seen running: one that was away for too long must not come back by itself.
//!
//! The cluster may have gone on without it and its data may be long outdated, so an operator should decide.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::warn;

const FILE: &str = "server_metadata.json";
/// Far below any sensible limit on the time away.
const PERIOD: Duration = Duration::from_secs(3600);

#[derive(Serialize, Deserialize)]
struct Metadata {
    /// Seconds since 1970.
    last_seen_unix: i64,
}

/// Refuses a server whose last sign of life in `data_dir` is older than `age_max`.
pub fn check(data_dir: &Path, age_max: Duration, now_unix: i64) -> Result<(), String> {
    let path = data_dir.join(FILE);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("error reading server metadata: {}: {error}", path.display())),
    };
    let metadata: Metadata = serde_json::from_slice(&text)
        .map_err(|error| format!("error reading server metadata: {}: {error}", path.display()))?;
    let away = u64::try_from(now_unix.saturating_sub(metadata.last_seen_unix)).unwrap_or(0);
    if away <= age_max.as_secs() {
        return Ok(());
    }
    let limit = consul_api::types::duration::GoDuration::from(age_max);
    Err(format!(
        "refusing to rejoin cluster because server has been offline for more than the configured \
         server_rejoin_age_max ({limit}) - consider wiping your data dir"
    ))
}

/// Notes every hour that this server runs, and once more when it ends.
pub async fn run(data_dir: Arc<Path>, stop: CancellationToken) {
    loop {
        if let Err(error) = write(&data_dir, time::OffsetDateTime::now_utc().unix_timestamp()) {
            warn!(target: "agent", %error, "could not write the server's metadata");
        }
        if stop.is_cancelled() {
            return;
        }
        // Either way there is one more line to write.
        let _ = tokio::time::timeout(PERIOD, stop.cancelled()).await;
    }
}

/// Replaces the file as a whole, so that a crash leaves the old one.
fn write(data_dir: &Path, now_unix: i64) -> io::Result<()> {
    let text = serde_json::to_vec(&Metadata { last_seen_unix: now_unix })?;
    let new: PathBuf = data_dir.join(format!("{FILE}.tmp"));
    std::fs::write(&new, text)?;
    std::fs::rename(new, data_dir.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_was_away_too_long_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let week = Duration::from_secs(168 * 3600);
        let away = |seconds: i64| check(directory.path(), week, 1_700_000_000 + seconds);
        assert_eq!(away(0), Ok(()));
        write(directory.path(), 1_700_000_000).unwrap();
        assert_eq!(away(168 * 3600), Ok(()));
        assert_eq!(away(-5), Ok(()));
        assert!(away(168 * 3600 + 1).unwrap_err().contains("server_rejoin_age_max (168h0m0s)"));
    }

    #[test]
    fn a_file_that_is_damaged_is_named() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(FILE), "x").unwrap();
        let refused = check(directory.path(), Duration::from_secs(1), 0).unwrap_err();
        assert!(refused.starts_with("error reading server metadata: "), "{refused}");
    }
}
