//! Starts the program in a temporary folder with an environment of its own.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

pub struct Lab {
    pub folder: TempDir,
}

pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Lab {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_consul"));
        command.args(args).current_dir(self.path()).stdin(Stdio::null());
        command.env_clear().env("HOME", self.path());
        // Nothing listens on port 1.
        command.env("CONSUL_HTTP_ADDR", "127.0.0.1:1");
        command
    }

    pub fn run(&self, args: &[&str]) -> Run {
        read(self.command(args).output().unwrap())
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

pub fn read(output: Output) -> Run {
    Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn run(args: &[&str]) -> Run {
    Lab::new().run(args)
}
