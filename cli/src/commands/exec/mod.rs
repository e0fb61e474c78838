//! `consul exec`: runs a command on many nodes.

mod progress;
mod session;

use std::collections::BTreeSet;
use std::time::Instant;

use consul_api::client::{Client, ClientError, QueryOptions, WriteOptions};
use consul_api::remote_exec::{Call, EVENT, Job, PREFIX};
use consul_api::types::event::UserEvent;
use consul_api::types::kv::KvPair;
use tokio::time::{Duration, MissedTickBehavior, sleep, sleep_until};

use self::progress::Progress;
use self::session::Origin;
use crate::command::{Body, Command, Http, Invocation};
use crate::commands::event::{NODE_FILTER, SERVICE_FILTER, TAG_FILTER, check_filters};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::signals::Signals;
use crate::{agent, input, output};

pub static COMMAND: Command = Command {
    name: "exec",
    synopsis: "Run a command on many nodes",
    usage: "[options] [-|command...]",
    about: "Runs a command, or with a single dash the script on standard input, on all nodes or on those that the \
            filters select, and prints what it writes. Agents take part only if disable_remote_exec is false in \
            their configuration. The exit status is 2 if the command failed on some node.

    $ consul exec -service=web uptime",
    http: Http::Cluster,
    flags: &[
        NODE_FILTER,
        SERVICE_FILTER,
        TAG_FILTER,
        Flag::text("prefix", "Prefix of the keys through which nodes answer.").or(PREFIX).shown_as("prefix"),
        Flag::switch("shell", "Give the command to a shell on the node instead of running it directly.").or("true"),
        Flag::switch("verbose", "Print each step."),
        Flag::duration("wait", "How long to wait without news before giving up on further nodes.").or("2s"),
        Flag::duration("wait-repl", "How long to let the job spread before nodes are told.").or("200ms"),
    ],
    body: Body::Leaf(run),
};

/// Sessions live 15 seconds; renewing them thrice in that time survives a lost renewal.
const RENEW_EVERY: Duration = Duration::from_secs(5);

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let job = job(flags)?;
    check_filters(flags)?;
    let client = agent::client(flags, "Error connecting to Consul agent: ")?;
    invocation.block_on(async {
        let mut signals = Signals::new()?;
        let querying = Failure::of::<ClientError>("Error querying Consul agent: ");
        let own = client.agent().self_info().await.map_err(querying)?;
        let verbose = flags.switch("verbose");
        let wanted = flags.text("datacenter");
        let origin = Origin::find(&client, &own, wanted, verbose).await?;
        let write = WriteOptions { datacenter: origin.datacenter(), ..WriteOptions::default() };
        let session =
            origin.open(&client, &write).await.map_err(Failure::of("Failed to create session: "))?;
        if verbose {
            output::print_line(&format!("Created remote execution session: {session}"))?;
        }
        let call = Call { prefix: flags.text("prefix").trim_matches('/').to_owned(), session };
        let remote = Remote { client: &client, call: &call, flags, write: &write };
        let outcome = tokio::select! {
            () = signals.received() => Ok(Exit::FAILURE),
            outcome = remote.work(&job) => outcome,
        };
        remote.clean_up().await;
        outcome
    })
}

/// What the nodes shall run.
fn job(flags: &Parsed) -> Result<Job, Failure> {
    let wait = consul_api::types::duration::Nanoseconds(flags.duration("wait").0);
    let nothing = || Failure::usage("Must specify a command to execute");
    let shell = flags.switch("shell");
    match flags.args.as_slice() {
        [] => Err(nothing()),
        [dash] if dash == "-" => {
            if !shell {
                return Err(Failure::new("Cannot configure -shell=false when reading from stdin"));
            }
            let script = input::stdin()
                .map_err(|error| Failure::new(format!("Failed to read stdin: {}", input::reason(&error))))?;
            if script.is_empty() {
                return Err(nothing());
            }
            Ok(Job { script: script.into(), wait, ..Job::default() })
        }
        words if shell => Ok(Job { command: words.join(" "), wait, ..Job::default() }),
        words => Ok(Job { args: words.to_vec(), wait, ..Job::default() }),
    }
}

/// One execution under way.
struct Remote<'a> {
    client: &'a Client,
    call: &'a Call,
    flags: &'a Parsed,
    write: &'a WriteOptions,
}

impl Remote<'_> {
    async fn work(&self, job: &Job) -> Outcome {
        let started = Instant::now();
        let verbose = self.flags.switch("verbose");
        self.upload(job).await?;
        if verbose {
            output::print_line("Uploaded remote execution spec")?;
        }
        sleep(self.flags.duration("wait-repl").to_std()).await;
        let event = self.fire().await?;
        if verbose {
            output::print_line(&format!("Fired remote execution event: {event}"))?;
        }
        let exit = self.follow().await?.summary()?;
        if verbose {
            output::print_line(&format!("Completed in {:.2} seconds", started.elapsed().as_secs_f64()))?;
        }
        Ok(exit)
    }

    async fn upload(&self, job: &Job) -> Result<(), Failure> {
        let failed = |error: String| Failure::new(format!("Failed to create job file: {error}"));
        let value = serde_json::to_vec(job).map_err(|error| failed(error.to_string()))?;
        let pair = KvPair {
            key: self.call.job_key().into(),
            value: value.into(),
            session: self.call.session.clone(),
            ..KvPair::default()
        };
        match self.client.kv().acquire(&pair, self.write).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(failed("failed to acquire job file".to_owned())),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    async fn fire(&self) -> Result<String, Failure> {
        let failed = |error: String| Failure::new(format!("Failed to fire event: {error}"));
        let payload = serde_json::to_vec(self.call).map_err(|error| failed(error.to_string()))?;
        let event = UserEvent {
            name: EVENT.to_owned(),
            payload: payload.into(),
            node_filter: self.flags.text("node").to_owned(),
            service_filter: self.flags.text("service").to_owned(),
            tag_filter: self.flags.text("tag").to_owned(),
            ..UserEvent::default()
        };
        let fired = self.client.events().fire(&event, self.write).await;
        Ok(fired.map_err(|error| failed(error.to_string()))?.id)
    }

    /// Prints what the nodes report until there has been no news for long enough.
    async fn follow(&self) -> Result<Progress, Failure> {
        let failed = || Failure::of::<ClientError>("Failed to read results: ");
        let wait = self.flags.duration("wait").to_std();
        let mut progress = Progress::new(self.flags.switch("verbose"));
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut options =
            QueryOptions { datacenter: self.write.datacenter.clone(), ..QueryOptions::default() };
        let mut renewal = tokio::time::interval(RENEW_EVERY);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut quiet_since = tokio::time::Instant::now();
        let (root, kv) = (self.call.root(), self.client.kv());
        loop {
            let answer = {
                let mut listing = std::pin::pin!(kv.keys(&root, "", &options));
                loop {
                    // A node at work sends signs of life: it gets twice the time.
                    let patience = if progress.someone_works() { wait * 2 } else { wait };
                    tokio::select! {
                        answer = &mut listing => break answer.map_err(failed())?,
                        () = sleep_until(quiet_since + patience) => return Ok(progress),
                        _ = renewal.tick() => {
                            // If renewing fails the next attempt is soon enough.
                            let _ = self.client.sessions().renew(&self.call.session, self.write).await;
                        }
                    }
                }
            };
            let mut reports: Vec<_> = answer
                .value
                .iter()
                .filter(|key| !seen.contains(*key))
                .filter_map(|key| self.call.read_key(key).map(|(node, report)| (node, report, key)))
                .collect();
            // Of one node the output comes before the exit code, whatever the order of the keys.
            reports.sort();
            for (node, report, key) in reports {
                let read = QueryOptions { index: 0, wait: None, ..options.clone() };
                let value = kv.get_raw(key, &read).await.map_err(failed())?.value.unwrap_or_default();
                progress.take(node, report, &value)?;
                seen.insert(key.clone());
                quiet_since = tokio::time::Instant::now();
            }
            options = options.after(answer.meta.index.max(1), wait);
        }
    }

    /// Ends the session, which takes most keys along, and removes the rest. Late reports of nodes that still work are
    /// refused once the session is gone.
    async fn clean_up(&self) {
        let sessions = self.client.sessions();
        let _ = sessions.destroy(&self.call.session, self.write).await;
        let _ = self.client.kv().delete_tree(self.call.root(), self.write).await;
    }
}
