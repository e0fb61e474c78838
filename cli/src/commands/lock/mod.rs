//! `consul lock`: runs a command while holding a lock.
//!
//! Whatever ends the hold (the lock is lost, a signal, the child is done), the child is gone before the lock is given
//! back. A lost lock cannot be waited for, but its lock delay is longer than the child's grace period.

mod hold;

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use consul_api::client::lock::{Held, LockError, LockOptions};
use consul_api::client::{Client, QueryOptions};
use tokio::process::Child;

use self::hold::Hold;
use crate::command::{Body, Command, Http, Invocation, print_error};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::signals::Signals;
use crate::{agent, child, output};

pub static COMMAND: Command = Command {
    name: "lock",
    synopsis: "Run a command while holding a lock",
    usage: "[options] prefix child...",
    about: "Waits for the lock under a key prefix, runs the child, and gives the lock back. If the lock is lost while \
            the child runs, the child gets SIGTERM and five seconds later SIGKILL. The child finds CONSUL_LOCK_HELD \
            set to true, and in CONSUL_LOCK_INDEX a number that grows from holder to holder, with which a resource \
            can turn away those that lost the lock without noticing.

    $ consul lock service/backup/lock ./backup.sh",
    http: Http::Cluster,
    flags: &[
        Flag::switch("child-exit-code", "End with status 2 if the child fails."),
        Flag::int("monitor-retry", "How often the agent may fail to answer before the lock counts as lost.").or("3"),
        Flag::int("n", "How many may hold the lock at once; more than one makes it a semaphore.").or("1"),
        Flag::text("name", "Name of the session; by default made from the child and the prefix."),
        Flag::switch("pass-stdin", "Let the child read the command's standard input."),
        Flag::switch("shell", "Give the child to a shell instead of running it directly.").or("true"),
        Flag::duration("timeout", "Give up if the lock cannot be had in this time; 0 waits for ever.").or("0s"),
        Flag::duration("try", "Old name of -timeout."),
        Flag::switch("verbose", "Print each step."),
    ],
    body: Body::Leaf(run),
};

const RETRY_PAUSE: Duration = Duration::from_secs(1);

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let request = Request::new(flags)?;
    let client = agent::client(flags, "Error connecting to Consul agent: ")?;
    invocation.block_on(async {
        let mut signals = Signals::new()?;
        let reached = client.agent().self_document().await;
        reached.map_err(Failure::of("Error querying Consul agent: "))?;
        let mut hold = Hold::new(client.clone(), &request);
        request.say(&hold.describe())?;
        request.say("Attempting lock acquisition")?;
        let acquired = tokio::select! {
            acquired = hold.acquire() => acquired.map_err(refused)?,
            () = signals.received() => None,
        };
        let Some(mut held) = acquired else {
            hold.abandon().await;
            return Err(Failure::new("Shutdown triggered or timeout during lock acquisition"));
        };
        let fence = fence(&client, &hold.own_key(&held), &request).await;
        let lost = std::cell::Cell::new(false);
        let result = request.run_child(fence, &mut held, &mut signals, &lost).await;
        let released = hold.release(held).await;
        if let Err(error) = released
            && !lost.get()
        {
            return Err(Failure::new(format!("Lock release failed: {error}")));
        }
        request.clean_up(&hold).await?;
        result
    })
}

fn refused(error: LockError) -> Failure {
    match error {
        LockError::Session(_) => Failure::new(format!("Lock setup failed: {error}")),
        _ => Failure::new(format!("Lock acquisition failed: {error}")),
    }
}

/// A number that is larger for every later holder: the index at which our key was written last.
async fn fence(client: &Client, key: &str, request: &Request<'_>) -> Option<u64> {
    let read = QueryOptions { datacenter: request.datacenter.clone(), ..QueryOptions::consistent() };
    let found = client.kv().get(key, &read).await.ok()?.value?;
    Some(found.modify_index)
}

/// The command line, checked.
pub struct Request<'a> {
    flags: &'a Parsed,
    prefix: String,
    limit: u64,
    retries: u32,
    timeout: Option<Duration>,
    datacenter: Option<String>,
}

impl<'a> Request<'a> {
    fn new(flags: &'a Parsed) -> Result<Self, Failure> {
        let [prefix, _, ..] = flags.args.as_slice() else {
            return Err(Failure::new("Key prefix and child command must be specified"));
        };
        let limit = u64::try_from(flags.int("n")).ok().filter(|limit| *limit > 0);
        let limit = limit.ok_or_else(|| Failure::new("Lock holder limit must be positive"))?;
        let timeout = flags.duration_if_set("try").unwrap_or_else(|| flags.duration("timeout"));
        if timeout.0 < 0 {
            return Err(Failure::new("Timeout must be positive"));
        }
        let retries = u32::try_from(flags.int("monitor-retry"))
            .map_err(|_| Failure::new("Number for 'monitor-retry' must be >= 0"))?;
        Ok(Self {
            flags,
            prefix: cleaned(prefix),
            limit,
            retries,
            timeout: Some(timeout.to_std()).filter(|timeout| !timeout.is_zero()),
            datacenter: Some(flags.text("datacenter").to_owned()).filter(|name| !name.is_empty()),
        })
    }

    fn options(&self) -> LockOptions {
        let child = self.flags.args.get(1..).unwrap_or_default().join(" ");
        let name = match self.flags.text("name") {
            "" => format!("Consul lock for '{child}' at '{}'", self.prefix),
            name => name.to_owned(),
        };
        LockOptions {
            session_name: name,
            timeout: self.timeout,
            monitor_retries: self.retries,
            monitor_retry_pause: RETRY_PAUSE,
            datacenter: self.datacenter.clone(),
            ..LockOptions::default()
        }
    }

    fn say(&self, line: &str) -> Result<(), Failure> {
        if self.flags.switch("verbose") {
            output::print_line(line)?;
        }
        Ok(())
    }

    /// While a child runs nothing may end the command before the child: not even a closed standard output.
    fn say_anyway(&self, line: &str) {
        let _ = self.say(line);
    }

    /// Runs the child to its end. When this returns, no child is left.
    async fn run_child(
        &self,
        fence: Option<u64>,
        held: &mut Held,
        signals: &mut Signals,
        lost: &std::cell::Cell<bool>,
    ) -> Outcome {
        self.say_anyway("Starting handler");
        let mut command =
            child::command(self.flags.raw.get(1..).unwrap_or_default(), self.flags.switch("shell"));
        command.env("CONSUL_LOCK_HELD", "true");
        if let Some(fence) = fence {
            command.env("CONSUL_LOCK_INDEX", fence.to_string());
        }
        let pass_stdin = self.flags.switch("pass-stdin");
        if pass_stdin {
            self.say_anyway("Stdin passed to handler process");
        }
        let stdin = if pass_stdin { Stdio::inherit() } else { Stdio::null() };
        let mut running = match child::start(&mut command, stdin) {
            Ok(running) => running,
            Err(error) => return Ok(self.failed(&format!("Error starting handler: {error}"))),
        };
        tokio::select! {
            status = running.wait() => {
                self.say_anyway("Child terminated, releasing lock");
                return Ok(self.judged(status));
            }
            () = held.lost() => {
                lost.set(true);
                self.say_anyway("Lock lost, killing child");
            }
            () = signals.received() => self.say_anyway("Shutdown triggered, killing child"),
        }
        self.end(&mut running).await;
        Ok(Exit::SUCCESS)
    }

    fn judged(&self, status: std::io::Result<ExitStatus>) -> Exit {
        let complaint = match status {
            Ok(status) => child::complaint(status),
            Err(error) => Some(error.to_string()),
        };
        match complaint {
            None => Exit::SUCCESS,
            Some(complaint) => self.failed(&format!("Error running handler: {complaint}")),
        }
    }

    fn failed(&self, complaint: &str) -> Exit {
        print_error(complaint);
        if self.flags.switch("child-exit-code") { Exit::NEGATIVE } else { Exit::SUCCESS }
    }

    async fn end(&self, running: &mut Child) {
        let pid = running.id().unwrap_or_default();
        self.say_anyway(&format!("Terminating child pid {pid}"));
        child::terminate(running);
        if tokio::time::timeout(child::GRACE, running.wait()).await.is_err() {
            self.say_anyway(&format!("Child did not exit after grace period of {}s", child::GRACE.as_secs()));
            self.say_anyway(&format!("Killing child pid {pid}"));
            // It may have ended by itself in between.
            let _ = running.kill().await;
        }
        self.say_anyway("Child terminated");
    }

    /// Removes the key unless somebody else uses it by now.
    async fn clean_up(&self, hold: &Hold) -> Result<(), Failure> {
        match hold.cleanup().await {
            Ok(()) => self.say("Cleanup succeeded"),
            Err(LockError::InUse) => self.say("Cleanup aborted, lock in use"),
            Err(error) => Err(Failure::new(format!("Lock cleanup failed: {error}"))),
        }
    }
}

/// A key prefix without a leading slash, empty parts, and dots.
fn cleaned(prefix: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in prefix.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::cleaned;

    #[test]
    fn prefixes_are_paths() {
        for (given, meant) in [("a/b", "a/b"), ("/a//b/", "a/b"), ("a/./b/../c", "a/c"), ("/", "")] {
            assert_eq!(cleaned(given), meant);
        }
    }
}
