//! Runs command lines as documents print them.
//!
//! Tutorials say `curl http://127.0.0.1:8500/…`, `dig … -p 8600 …`, `-data-dir /tmp/consul`, `sudo`. A [`Shell`] runs
//! such text unchanged but for the ports and paths, which it maps to those of one agent, and puts the binary under test
//! first in the search path.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary;
use crate::cli::{self, Output};
use crate::dig::Dig;
use crate::place::Place;
use crate::ports::Ports;

/// A working directory and a search path.
#[derive(Clone, Debug)]
pub struct Shell {
    dir: PathBuf,
    place: Place,
    ports: Ports,
    /// What documents call a path, and where it is here.
    paths: Vec<(String, String)>,
}

impl Shell {
    /// `dir` becomes the working directory and holds everything that the commands write.
    pub fn new(dir: &Path, ports: Ports) -> Self {
        let bin = dir.join("bin");
        if !bin.exists() {
            fs::create_dir(&bin).expect("the directory is ours");
            symlink(binary::consul(), bin.join("consul")).expect("the directory is ours");
            let sudo = bin.join("sudo");
            fs::write(&sudo, "#!/bin/sh\n[ \"$1\" = -E ] && shift\nexec \"$@\"\n")
                .expect("the directory is ours");
            fs::set_permissions(&sudo, fs::Permissions::from_mode(0o755)).expect("the file is ours");
        }
        Self { dir: dir.to_owned(), place: Place::here(), ports, paths: Vec::new() }
    }

    /// Where the commands run.
    pub fn in_place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Maps a path that documents name to one below the working directory.
    pub fn path(mut self, printed: &str, here: &str) -> Self {
        let here = self.dir.join(here);
        self.paths.push((printed.to_owned(), here.display().to_string()));
        self
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The text with this agent's ports and paths.
    pub fn adapt(&self, printed: &str) -> String {
        let mut text = printed
            .replace(":8500", &format!(":{}", self.ports.http))
            .replace("-p 8600", &format!("-p {}", self.ports.dns))
            .replace("#8600", &format!("#{}", self.ports.dns))
            .replace("port 8600", &format!("port {}", self.ports.dns));
        for (from, to) in &self.paths {
            text = text.replace(from, to);
        }
        text
    }

    /// A command that runs the adapted text in `sh`.
    pub fn command(&self, printed: &str) -> Command {
        let mut command = self.place.command("sh");
        command.arg("-c").arg(self.adapt(printed)).current_dir(&self.dir);
        let search = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{search}:/usr/sbin", self.dir.join("bin").display()));
        command
            .env("CONSUL_HTTP_ADDR", format!("{}:{}", self.place.address, self.ports.http))
            .env("NO_COLOR", "1");
        command
    }

    /// Runs a line to its end.
    pub async fn run(&self, printed: &str) -> Output {
        cli::run(self.command(printed).into(), b"").await
    }

    /// Runs a line that begins with `dig`.
    pub async fn dig(&self, printed: &str) -> Dig {
        Dig::parse(&self.run(printed).await.stdout)
    }

    /// Writes a file below the working directory, adapted like a command.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.join(name);
        fs::create_dir_all(path.parent().expect("the path has a directory")).expect("the directory is ours");
        fs::write(&path, self.adapt(text)).expect("the directory is ours");
        path
    }
}
