//! Processors.

use serde::Serialize;

use super::{number, text};

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cpu {
    pub cpu: u64,
    pub vendor_id: String,
    pub family: String,
    pub model: String,
    pub stepping: u64,
    pub physical_id: String,
    pub core_id: String,
    /// Always 1: each entry stands for one logical processor.
    pub cores: u64,
    pub model_name: String,
    pub mhz: f64,
    /// In kilobytes.
    pub cache_size: u64,
    pub flags: Vec<String>,
    pub microcode: String,
}

/// One entry for each logical processor.
pub fn read() -> Vec<Cpu> {
    parse(&text("/proc/cpuinfo"))
}

fn parse(cpuinfo: &str) -> Vec<Cpu> {
    let sections = cpuinfo.split("\n\n").map(|section| {
        let mut cpu = Cpu { cores: 1, ..Cpu::default() };
        let mut found = false;
        for (name, value) in section.lines().filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match name.trim() {
                "processor" => {
                    found = true;
                    cpu.cpu = number(value);
                }
                "vendor_id" => value.clone_into(&mut cpu.vendor_id),
                "cpu family" => value.clone_into(&mut cpu.family),
                "model" => value.clone_into(&mut cpu.model),
                "stepping" => cpu.stepping = number(value),
                "physical id" => value.clone_into(&mut cpu.physical_id),
                "core id" => value.clone_into(&mut cpu.core_id),
                "model name" => value.clone_into(&mut cpu.model_name),
                "cpu MHz" => cpu.mhz = value.parse().unwrap_or(0.0),
                "cache size" => cpu.cache_size = number(value),
                "flags" | "Features" => cpu.flags = value.split_whitespace().map(str::to_owned).collect(),
                "microcode" => value.clone_into(&mut cpu.microcode),
                _ => {}
            }
        }
        found.then_some(cpu)
    });
    sections.flatten().collect()
}

/// What all processors together have spent their time on, in ticks since the host was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    total: u64,
    user: u64,
    system: u64,
    idle: u64,
    iowait: u64,
}

/// Shares of a span of time, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    pub busy: f64,
    pub user: f64,
    pub idle: f64,
    pub iowait: f64,
    pub system: f64,
}

impl CpuTimes {
    pub fn read() -> Self {
        Self::parse(&text("/proc/stat"))
    }

    fn parse(stat: &str) -> Self {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
        let ticks: Vec<u64> = line.split_whitespace().map(number).collect();
        let at = |place: usize| ticks.get(place).copied().unwrap_or(0);
        // The guests' times that follow are part of the user's.
        let total = ticks.iter().take(8).fold(0, |sum: u64, ticks| sum.saturating_add(*ticks));
        Self { total, user: at(0), system: at(2), idle: at(3), iowait: at(4) }
    }

    /// The load since `earlier`; `None` if no time has passed.
    pub fn since(&self, earlier: &Self) -> Option<Load> {
        let span = self.total.checked_sub(earlier.total).filter(|span| *span > 0)?;
        let share = |now: u64, then: u64| now.saturating_sub(then) as f64 / span as f64 * 100.0;
        let idle = share(self.idle, earlier.idle);
        Some(Load {
            busy: 100.0 - idle,
            user: share(self.user, earlier.user),
            idle,
            iowait: share(self.iowait, earlier.iowait),
            system: share(self.system, earlier.system),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_is_the_share_of_what_was_spent_since() {
        let earlier = CpuTimes::parse("cpu  100 0 50 800 50 0 0 0 7 7\ncpu0 1 2 3\n");
        let later = CpuTimes::parse("cpu  130 0 60 850 60 0 0 0 9 9\n");
        let load = later.since(&earlier).unwrap();
        assert_eq!(
            (load.busy, load.user, load.idle, load.iowait, load.system),
            (50.0, 30.0, 50.0, 10.0, 10.0)
        );
        assert_eq!(later.since(&later), None);
    }

    #[test]
    fn processors_are_told_apart_by_blank_lines() {
        let cpus =
            parse("processor\t: 0\nmodel name\t: X y\ncpu MHz\t: 2600.5\nflags\t: a b\n\nprocessor\t: 1\n\n");
        assert_eq!(cpus.len(), 2);
        assert_eq!((cpus[0].model_name.as_str(), cpus[0].mhz, cpus[0].flags.len()), ("X y", 2600.5, 2));
        assert_eq!(cpus[1].cpu, 1);
        assert!(parse("").is_empty());
    }
}
