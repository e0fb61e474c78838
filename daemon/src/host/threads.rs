//! The threads of this process: what they are called, what they do, how much processor time they used.

use std::time::Duration;

use super::text;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thread {
    pub id: u64,
    pub name: String,
    /// `R` running, `S` sleeping, `D` waiting for a disk.
    pub state: char,
    /// Processor time since the thread began.
    pub used: Duration,
}

/// All threads, in order of their ids.
pub fn read() -> Vec<Thread> {
    let entries = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let mut threads: Vec<Thread> =
        entries.filter_map(|entry| parse(&text(entry.path().join("stat")), ticks_per_second())).collect();
    threads.sort_by_key(|thread| thread.id);
    threads
}

/// `12 (name) S ...`; user and system time are the 14th and 15th fields. Names may hold blanks and parentheses.
fn parse(stat: &str, ticks_per_second: u64) -> Option<Thread> {
    let (before, after) = stat.rsplit_once(')')?;
    let (id, name) = before.split_once(" (")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()?.saturating_add(fields.get(12)?.parse().ok()?);
    Some(Thread {
        id: id.trim().parse().ok()?,
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        used: Duration::from_millis(ticks.saturating_mul(1000) / ticks_per_second.max(1)),
    })
}

fn ticks_per_second() -> u64 {
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK);
    ticks.ok().flatten().and_then(|ticks| u64::try_from(ticks).ok()).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_anything() {
        let thread = parse("12 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0", 100).unwrap();
        let expected = Thread { id: 12, name: "a (b) c".into(), state: 'S', used: Duration::from_secs(2) };
        assert_eq!(thread, expected);
        assert_eq!(parse("12 (a) S", 100), None);
        assert_eq!(parse("", 100), None);
    }

    #[test]
    fn this_process_has_threads() {
        assert!(!read().is_empty());
    }
}
