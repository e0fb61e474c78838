//! What the kernel knows of a process.

use std::fs;

/// Resident memory in KiB; 0 if there is no such process.
pub fn memory_kib(pid: u32) -> u64 {
    status_field(pid, "VmRSS:")
}

/// Number of threads; 0 if there is no such process.
pub fn threads(pid: u32) -> u64 {
    status_field(pid, "Threads:")
}

/// Time on a processor so far, in user and kernel mode, in hundredths of a second; 0 if there is no such process.
pub fn processor_ticks(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name may hold anything, so fields are counted from its closing parenthesis.
    let fields = text.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
    fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// Children of a process.
pub fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

fn status_field(pid: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse().ok()).unwrap_or(0)
}
