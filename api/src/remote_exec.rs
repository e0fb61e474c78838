//! What `consul exec` and agents say to each other through events and the key/value store.
//!
//! The caller writes a job under `<prefix>/<session>/job` and fires the event [`EVENT`] that points there. Each agent
//! that takes part writes below `<prefix>/<session>/<node>/`: `ack` at once, `out/<number>` for pieces of output (an
//! empty piece is a sign of life), `exit` at the end. All keys are locked by the caller's session and vanish with it.

use serde::{Deserialize, Serialize};

use crate::types::bytes::Blob;
use crate::types::duration::Nanoseconds;

/// Name of the event. Names that start with an underscore stay internal.
pub const EVENT: &str = "_rexec";
/// Prefix of the keys unless the caller names another.
pub const PREFIX: &str = "_rexec";
/// Longest piece of output in bytes.
pub const OUTPUT_MAX: usize = 4096;
/// Exit code of a command that could not be started.
pub const NOT_STARTED: i32 = 255;

/// Payload of the event: where the job lies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Call {
    pub prefix: String,
    pub session: String,
}

/// What to run: a command line for a shell, or arguments, or a script.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Job {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub command: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    #[serde(skip_serializing_if = "Blob::is_empty")]
    pub script: Blob,
    /// How long the caller waits for a sign of life.
    pub wait: Nanoseconds,
}

impl Call {
    /// Prefix of all keys of this call, with a slash at the end.
    pub fn root(&self) -> String {
        format!("{}/{}/", self.prefix, self.session)
    }

    pub fn job_key(&self) -> String {
        format!("{}job", self.root())
    }

    pub fn ack_key(&self, node: &str) -> String {
        format!("{}{node}/ack", self.root())
    }

    /// The key of the piece of output with this number, counted from 0.
    pub fn output_key(&self, node: &str, number: u32) -> String {
        format!("{}{node}/out/{number:05x}", self.root())
    }

    pub fn exit_key(&self, node: &str) -> String {
        format!("{}{node}/exit", self.root())
    }

    /// What a key means; none for the job itself and for strangers.
    pub fn read_key<'k>(&self, key: &'k str) -> Option<(&'k str, Report)> {
        let rest = key.strip_prefix(&self.root())?;
        if let Some((node, number)) = rest.rsplit_once("/out/") {
            return Some((node, Report::Output(u32::from_str_radix(number, 16).ok()?)));
        }
        let (node, what) = rest.rsplit_once('/')?;
        match what {
            "ack" => Some((node, Report::Acknowledged)),
            "exit" => Some((node, Report::Exited)),
            _ => None,
        }
    }
}

/// What a node reports by a key. Ordered as it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Report {
    Acknowledged,
    /// The piece with this number.
    Output(u32),
    Exited,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_what_they_mean() {
        let call = Call { prefix: PREFIX.to_owned(), session: "sid".to_owned() };
        assert_eq!(call.read_key(&call.ack_key("n1")), Some(("n1", Report::Acknowledged)));
        assert_eq!(call.read_key(&call.output_key("n1", 31)), Some(("n1", Report::Output(31))));
        assert_eq!(call.read_key(&call.exit_key("n1")), Some(("n1", Report::Exited)));
        assert_eq!(call.read_key(&call.job_key()), None);
        assert_eq!(call.read_key("other/sid/n1/ack"), None);
        assert_eq!(call.output_key("n1", 31), "_rexec/sid/n1/out/0001f");
    }

    #[test]
    fn empty_parts_of_a_job_are_left_out() {
        let job = Job { command: "uptime".to_owned(), wait: Nanoseconds(2_000_000_000), ..Job::default() };
        assert_eq!(serde_json::to_string(&job).unwrap(), r#"{"Command":"uptime","Wait":2000000000}"#);
        let script: Job = serde_json::from_str(r#"{"Script":"aGk=","Wait":5}"#).unwrap();
        assert_eq!(script.script.as_slice(), b"hi");
    }
}
