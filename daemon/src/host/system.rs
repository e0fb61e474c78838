//! The host itself: its name, its system, how long it runs.

use serde::Serialize;

use super::{number, text};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct System {
    pub hostname: String,
    /// Seconds.
    pub uptime: u64,
    /// Seconds since 1970.
    pub boot_time: u64,
    pub procs: u64,
    pub os: String,
    pub platform: String,
    pub platform_family: String,
    pub platform_version: String,
    pub kernel_version: String,
    pub kernel_arch: String,
    pub virtualization_system: String,
    pub virtualization_role: String,
    pub hostid: String,
}

impl System {
    pub fn read() -> Self {
        let release = text("/etc/os-release");
        let stat = text("/proc/stat");
        let field = |name: &str| os_release(&release, name);
        Self {
            hostname: text("/proc/sys/kernel/hostname").trim().to_owned(),
            uptime: uptime(),
            boot_time: stat.lines().find_map(|line| line.strip_prefix("btime ")).map(number).unwrap_or(0),
            procs: count_processes(),
            os: std::env::consts::OS.to_owned(),
            platform: field("ID"),
            platform_family: field("ID_LIKE").split(' ').next().map_or_else(String::new, str::to_owned),
            platform_version: field("VERSION_ID"),
            kernel_version: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            kernel_arch: std::env::consts::ARCH.to_owned(),
            virtualization_system: String::new(),
            virtualization_role: String::new(),
            hostid: text("/sys/class/dmi/id/product_uuid").trim().to_lowercase(),
        }
    }
}

/// Seconds since the host was started.
pub fn uptime() -> u64 {
    text("/proc/uptime").split('.').next().map(number).unwrap_or(0)
}

fn count_processes() -> u64 {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_process =
        |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()));
    entries.filter(|entry| is_process(&entry.file_name())).count() as u64
}

fn os_release(release: &str, name: &str) -> String {
    let line = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.map(|value| value.trim_matches('"').to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_fields_lose_their_quotes_and_names_match_whole() {
        let release = "ID_LIKE=\"debian x\"\nID=ubuntu\nVERSION_ID=\"22.04\"\n";
        assert_eq!(os_release(release, "ID"), "ubuntu");
        assert_eq!(os_release(release, "VERSION_ID"), "22.04");
        assert_eq!(os_release(release, "NAME"), "");
    }
}
