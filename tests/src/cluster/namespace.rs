//! Network namespaces without names.
//!
//! A namespace lives as long as a descriptor or a process holds it. These are held by descriptors of this process, so
//! the kernel removes them with all their links whatever ends us: a panic, a time limit, kill -9. Nothing is left to be
//! cleaned up, and no two tests can meet in a name.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, setns, unshare};

/// A network of its own: links, addresses, routes, packet filter.
#[derive(Debug)]
pub struct Namespace {
    file: File,
}

impl Namespace {
    /// Needs the rights of root.
    pub fn create() -> Result<Self, String> {
        // A thread enters the new namespace and ends; the descriptor keeps what it entered.
        let entered = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)
                .map_err(|error| format!("no network namespace can be made: {error}"))?;
            File::open("/proc/thread-self/ns/net")
                .map_err(|error| format!("/proc/thread-self/ns/net: {error}"))
        });
        let file = entered.join().map_err(|_| "the thread that makes a namespace panicked")??;
        let namespace = Self { file };
        namespace.run("ip", &["link", "set", "lo", "up"], "")?;
        Ok(namespace)
    }

    /// Where other programs find it while this process lives.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// What to put before a command line to run it inside.
    pub fn launcher(&self) -> Vec<String> {
        vec!["nsenter".into(), format!("--net={}", self.path()), "--".into()]
    }

    /// Takes the calling thread inside, for good: sockets that it makes and processes that it starts are there.
    pub fn enter(&self) -> Result<(), String> {
        setns(&self.file, CloneFlags::CLONE_NEWNET).map_err(|error| format!("setns: {error}"))
    }

    /// Runs a short command inside, with `input` on its standard input.
    pub fn run(&self, program: &str, args: &[&str], input: &str) -> Result<String, String> {
        let launcher = self.launcher();
        let mut command = Command::new(&launcher[0]);
        command.args(&launcher[1..]).arg(program).args(args);
        let search = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{search}:/usr/sbin:/sbin"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let shown = format!("{program} {}", args.join(" "));
        let mut child = command.spawn().map_err(|error| format!("{shown}: {error}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).map_err(|error| format!("{shown}: {error}"))?;
        }
        let output = child.wait_with_output().map_err(|error| format!("{shown}: {error}"))?;
        if !output.status.success() {
            return Err(format!("{shown}: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools;

    #[test]
    fn namespace_has_nothing_but_its_own_loopback() {
        let namespace = match Namespace::create() {
            Ok(namespace) => namespace,
            Err(why) => return tools::skip(&why),
        };
        let links = namespace.run("ip", &["-o", "-4", "address"], "").expect("ip works inside");
        assert_eq!(links.lines().count(), 1, "{links}");
        assert!(links.contains("127.0.0.1/8"), "{links}");
        assert!(namespace.run("ip", &["link", "show", "nothing"], "").is_err());
    }
}
