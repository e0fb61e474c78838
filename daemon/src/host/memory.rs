//! Memory of the host, and of this process.

use std::collections::HashMap;

use serde::Serialize;

use super::{number, text};

/// Bytes, named as monitoring tools know them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    pub total: u64,
    pub available: u64,
    pub used: u64,
    pub used_percent: f64,
    pub free: u64,
    pub active: u64,
    pub inactive: u64,
    pub buffers: u64,
    pub cached: u64,
    #[serde(rename = "writeback")]
    pub write_back: u64,
    pub dirty: u64,
    pub shared: u64,
    pub slab: u64,
    pub mapped: u64,
    #[serde(rename = "swapcached")]
    pub swap_cached: u64,
    #[serde(rename = "swaptotal")]
    pub swap_total: u64,
    #[serde(rename = "swapfree")]
    pub swap_free: u64,
    #[serde(rename = "commitlimit")]
    pub commit_limit: u64,
    #[serde(rename = "committedas")]
    pub committed: u64,
}

impl Memory {
    pub fn read() -> Self {
        Self::parse(&text("/proc/meminfo"))
    }

    fn parse(meminfo: &str) -> Self {
        let lines = meminfo.lines().filter_map(|line| line.split_once(':'));
        let kilobytes: HashMap<&str, u64> = lines.map(|(name, value)| (name, number(value))).collect();
        let bytes = |name: &str| kilobytes.get(name).copied().unwrap_or(0).saturating_mul(1024);
        let (total, free) = (bytes("MemTotal"), bytes("MemFree"));
        let (buffers, cached) = (bytes("Buffers"), bytes("Cached").saturating_add(bytes("SReclaimable")));
        let used = total.saturating_sub(free).saturating_sub(buffers).saturating_sub(cached);
        Self {
            total,
            available: bytes("MemAvailable"),
            used,
            used_percent: if total == 0 { 0.0 } else { used as f64 / total as f64 * 100.0 },
            free,
            active: bytes("Active"),
            inactive: bytes("Inactive"),
            buffers,
            cached,
            write_back: bytes("Writeback"),
            dirty: bytes("Dirty"),
            shared: bytes("Shmem"),
            slab: bytes("Slab"),
            mapped: bytes("Mapped"),
            swap_cached: bytes("SwapCached"),
            swap_total: bytes("SwapTotal"),
            swap_free: bytes("SwapFree"),
            commit_limit: bytes("CommitLimit"),
            committed: bytes("Committed_AS"),
        }
    }
}

/// Bytes of memory that this process occupies, and how much of them is shared with its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    pub total: u64,
    pub shared: u64,
}

impl Resident {
    pub fn read() -> Self {
        let statm = text("/proc/self/statm");
        let mut pages = statm.split_whitespace().skip(1).map(number);
        let mut bytes = || pages.next().unwrap_or(0).saturating_mul(page_size());
        Self { total: bytes(), shared: bytes() }
    }
}

fn page_size() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    size.ok().flatten().and_then(|size| u64::try_from(size).ok()).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_is_what_is_neither_free_nor_cache() {
        let memory = Memory::parse(
            "MemTotal: 1000 kB\nMemFree: 200 kB\nBuffers: 50 kB\nCached: 100 kB\nSReclaimable: 50 kB\n",
        );
        assert_eq!((memory.total, memory.used, memory.used_percent), (1_024_000, 614_400, 60.0));
        assert_eq!(Memory::parse("nonsense"), Memory::default());
    }
}
