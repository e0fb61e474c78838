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

#[cfg(test)]
mod tests {
    use super::*;

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
