//! What the nodes have reported so far, and how it is shown.

use std::collections::BTreeSet;

use consul_api::remote_exec::Report;

use crate::failure::{Exit, Failure, Outcome};
use crate::output;

#[derive(Default)]
pub struct Progress {
    verbose: bool,
    acknowledged: BTreeSet<String>,
    exited: BTreeSet<String>,
    failed: bool,
}

impl Progress {
    pub fn new(verbose: bool) -> Self {
        Self { verbose, ..Self::default() }
    }

    /// Takes over one report and prints it.
    pub fn take(&mut self, node: &str, report: Report, value: &[u8]) -> Result<(), Failure> {
        match report {
            Report::Acknowledged => {
                self.acknowledged.insert(node.to_owned());
                self.say(|| format!("==> {node}: acknowledged"))
            }
            Report::Output(_) if value.is_empty() => self.say(|| format!("==> {node}: heartbeat received")),
            Report::Output(_) => Ok(output::print_line(&shown(node, &String::from_utf8_lossy(value)))?),
            Report::Exited => {
                self.exited.insert(node.to_owned());
                let code = String::from_utf8_lossy(value);
                self.failed |= code.trim() != "0";
                Ok(output::print_line(&format!("==> {node}: finished with exit code {}", code.trim()))?)
            }
        }
    }

    fn say(&self, line: impl Fn() -> String) -> Result<(), Failure> {
        if self.verbose {
            output::print_line(&line())?;
        }
        Ok(())
    }

    /// Whether a node has taken the job and not finished it.
    pub fn someone_works(&self) -> bool {
        self.exited.len() < self.acknowledged.len()
    }

    /// The closing line and the exit status.
    pub fn summary(&self) -> Outcome {
        let (exited, acknowledged) = (self.exited.len(), self.acknowledged.len());
        output::print_line(&format!("{exited} / {acknowledged} node(s) completed / acknowledged"))?;
        Ok(if self.failed || self.someone_works() { Exit::NEGATIVE } else { Exit::SUCCESS })
    }
}

/// Every line after the node's name. An end of line at the end shows as one more empty line.
fn shown(node: &str, piece: &str) -> String {
    let lines: Vec<String> = piece.split('\n').map(|line| format!("    {node}: {line}")).collect();
    lines.join("\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_carry_the_name_of_their_node() {
        assert_eq!(shown("n1", "host1\n"), "    n1: host1\n    n1:");
        assert_eq!(shown("n1", "a\nb  "), "    n1: a\n    n1: b");
    }

    #[test]
    fn a_node_that_never_finished_is_a_failure() {
        let mut progress = Progress::new(false);
        progress.take("n1", Report::Acknowledged, b"").unwrap();
        assert!(progress.someone_works());
        assert_eq!(progress.summary().unwrap(), Exit::NEGATIVE);
        progress.take("n1", Report::Exited, b"0").unwrap();
        assert_eq!(progress.summary().unwrap(), Exit::SUCCESS);
        progress.take("n2", Report::Acknowledged, b"").unwrap();
        progress.take("n2", Report::Exited, b"3").unwrap();
        assert_eq!(progress.summary().unwrap(), Exit::NEGATIVE);
    }
}
