//! Profiles as text, and the page that lists them.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::host::memory::Resident;
use crate::host::threads::Thread;

/// The named profiles with what they tell.
pub const NAMED: [(&str, &str); 6] = [
    ("allocs", "Memory that the process occupies"),
    ("block", "Waits for synchronization: not recorded"),
    ("goroutine", "The threads of the process"),
    ("heap", "Memory that the process occupies"),
    ("mutex", "Contended locks: not recorded"),
    ("threadcreate", "The threads of the process"),
];

/// Those that are not lists of samples.
pub const OTHERS: [(&str, &str); 3] = [
    ("cmdline", "The command line of the process"),
    ("profile", "Processor time by thread. The seconds parameter is how long to look, 30 by default"),
    ("trace", "An execution trace: holds no events. The seconds parameter is how long it takes"),
];

/// The threads, grouped by name and state.
pub fn threads(threads: &[Thread], name: &str) -> String {
    let mut groups: BTreeMap<(&str, char), usize> = BTreeMap::new();
    for thread in threads {
        *groups.entry((&thread.name, thread.state)).or_default() += 1;
    }
    let mut out = format!("{name} profile: total {}\n", threads.len());
    for ((name, state), count) in groups {
        let _ = writeln!(out, "{count} @ {name}\n#\t{}\n", state_name(state));
    }
    out
}

/// Every thread by itself.
pub fn thread_dump(threads: &[Thread]) -> String {
    let mut out = String::new();
    for thread in threads {
        let used = thread.used.as_secs_f64();
        let _ = writeln!(
            out,
            "goroutine {} [{}]:\n{}\n\tused {used:.2}s of processor time\n",
            thread.id,
            state_name(thread.state),
            thread.name
        );
    }
    out
}

fn state_name(state: char) -> &'static str {
    match state {
        'R' => "running",
        'S' => "sleeping",
        'D' => "waiting for a device",
        'T' | 't' => "stopped",
        'Z' | 'X' => "dead",
        _ => "idle",
    }
}

pub fn heap(resident: Resident) -> String {
    let own = resident.total.saturating_sub(resident.shared);
    format!(
        "heap profile: 1: {own} [1: {own}] @ heap/1\n1: {own} [1: {own}] @ process\n\n\
         # Resident = {}\n# Shared = {}\n",
        resident.total, resident.shared
    )
}

/// Nothing is recorded of waits.
pub fn contention() -> &'static str {
    "--- contention:\ncycles/second=1\n"
}

pub fn index(threads: usize) -> String {
    let mut rows = String::new();
    let mut notes = String::new();
    let counted = NAMED.iter().map(|(name, note)| {
        let count = match *name {
            "goroutine" | "threadcreate" => threads,
            "heap" | "allocs" => 1,
            _ => 0,
        };
        (*name, *note, format!("{name}?debug=1"), count)
    });
    let others = OTHERS.iter().map(|(name, note)| (*name, *note, (*name).to_owned(), 0));
    for (name, note, link, count) in counted.chain(others) {
        let _ = writeln!(rows, "<tr><td>{count}</td><td><a href=\"{link}\">{name}</a></td></tr>");
        let _ = writeln!(notes, "<li>{name}: {note}</li>");
    }
    format!(
        "<html>\n<head>\n<title>/debug/pprof/</title>\n</head>\n<body>\n/debug/pprof/<br>\n<br>\n\
         Types of profiles available:\n<table>\n<thead><td>Count</td><td>Profile</td></thead>\n{rows}</table>\n\
         <a href=\"goroutine?debug=2\">full dump of threads</a>\n<br/>\n<p>\nProfile Descriptions:\n<ul>\n{notes}</ul>\n\
         </p>\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn threads_of_one_name_and_state_share_a_group() {
        let thread = |id, name: &str, state| Thread { id, name: name.into(), state, used: Duration::ZERO };
        let all = [thread(1, "a", 'S'), thread(2, "a", 'S'), thread(3, "b", 'R')];
        assert_eq!(
            threads(&all, "goroutine"),
            "goroutine profile: total 3\n2 @ a\n#\tsleeping\n\n1 @ b\n#\trunning\n\n"
        );
    }
}
