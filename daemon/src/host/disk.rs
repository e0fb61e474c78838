//! The file system that holds the agent's data.

use std::path::Path;

use serde::Serialize;

use super::text;

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Disk {
    pub path: String,
    pub fstype: String,
    pub total: u64,
    pub free: u64,
    pub used: u64,
    pub used_percent: f64,
    pub inodes_total: u64,
    pub inodes_used: u64,
    pub inodes_free: u64,
    pub inodes_used_percent: f64,
}

impl Disk {
    pub fn read(path: &Path) -> std::io::Result<Self> {
        let stat = nix::sys::statvfs::statvfs(path)?;
        let block = u64::from(stat.fragment_size() as u32).max(1);
        let bytes = |blocks: u64| blocks.saturating_mul(block);
        let (total, free) = (bytes(stat.blocks() as u64), bytes(stat.blocks_available() as u64));
        let used = total.saturating_sub(bytes(stat.blocks_free() as u64));
        let (inodes_total, inodes_free) = (stat.files() as u64, stat.files_free() as u64);
        let inodes_used = inodes_total.saturating_sub(inodes_free);
        Ok(Self {
            path: path.display().to_string(),
            fstype: file_system(&text("/proc/self/mounts"), path),
            total,
            free,
            used,
            used_percent: percent(used, used.saturating_add(free)),
            inodes_total,
            inodes_used,
            inodes_free,
            inodes_used_percent: percent(inodes_used, inodes_total),
        })
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 * 100.0 }
}

/// The type of the innermost mount that holds `path`.
fn file_system(mounts: &str, path: &Path) -> String {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let holding = mounts.filter(|(point, _)| path.starts_with(point));
    holding.max_by_key(|(point, _)| point.len()).map(|(_, kind)| kind.to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_counts() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n";
        assert_eq!(file_system(mounts, Path::new("/tmp/x")), "tmpfs");
        assert_eq!(file_system(mounts, Path::new("/var")), "ext4");
        assert_eq!(file_system("", Path::new("/var")), "");
    }
}
