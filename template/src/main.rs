//! The program `consul-template`.

use std::process::ExitCode;

fn main() -> ExitCode {
    consul_template::run(std::env::args_os().skip(1))
}
