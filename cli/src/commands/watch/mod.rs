//! `consul watch`: runs a command whenever something changes.

mod view;

use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use consul_api::client::retry::Backoff;
use consul_api::client::watch::{WatchSettings, Watcher};
use consul_api::client::{Answer, Client, ClientError, Consistency, QueryOptions};
use consul_api::types::time::GoTime;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use self::view::{Snapshot, View};
use crate::command::{Body, Command, Http, Invocation, print_error};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::signals::Signals;
use crate::{agent, child, output};

pub static COMMAND: Command = Command {
    name: "watch",
    synopsis: "Run a command when something changes",
    usage: "[options] [child...]",
    about: "Watches a part of the catalog or of the key/value store. Without a child, prints its present state as \
            JSON. With one, runs it now and after every change, with the state as JSON on its standard input and the \
            index in CONSUL_INDEX. A child that fails ends the watch.

    $ consul watch -type=key -key=redis/config ./reload-redis
    $ consul watch -type=service -service=web",
    http: Http::Cluster,
    flags: &[
        Flag::text("type", "What to watch: key, keyprefix, services, nodes, service, checks or event; required."),
        Flag::text("key", "Key to watch, for type key.").shown_as("key"),
        Flag::text("prefix", "Prefix of the keys to watch, for type keyprefix.").shown_as("prefix"),
        Flag::text("service", "Service to watch, for types service and checks.").shown_as("name"),
        Flag::list("tag", "Only instances with this tag, for type service.").shown_as("tag"),
        Flag::text("passingonly", "Only instances whose checks pass, for type service.").shown_as("bool"),
        Flag::text("state", "Only checks in this state, for type checks; by default any.").shown_as("state"),
        Flag::text("name", "Only events with this name, for type event.").shown_as("name"),
        Flag::text("filter", "Expression that entries must satisfy, for types with lists.").shown_as("expression"),
        Flag::switch("shell", "Give the child to a shell instead of running it directly.").or("true"),
    ],
    body: Body::Leaf(run),
};

/// Longest first pause after an error; pauses double while errors follow each other.
const RETRY: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_secs(180);

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let view = View::new(flags)?;
    let client = agent::client(flags, "Error connecting to Consul agent: ")?;
    invocation.block_on(async {
        let mut signals = Signals::new()?;
        let querying = || Failure::of::<ClientError>("Error querying Consul agent: ");
        client.agent().self_document().await.map_err(querying())?;
        let options = options(flags);
        if flags.args.is_empty() {
            let now = view.read(&client, &options).await.map_err(querying())?;
            return output::done(&output::json(&now.value, output::FOUR_SPACES));
        }
        let mut watch = Watch::new(client, view, options);
        loop {
            let change = tokio::select! {
                () = signals.received() => return Ok(Exit::SUCCESS),
                change = watch.next() => change,
            };
            if !handle(flags, &change, &mut signals).await? {
                return Ok(Exit::SUCCESS);
            }
        }
    })
}

fn options(flags: &Parsed) -> QueryOptions {
    let datacenter = Some(flags.text("datacenter").to_owned()).filter(|name| !name.is_empty());
    let consistency = if flags.switch("stale") { Consistency::Stale } else { Consistency::Default };
    QueryOptions { datacenter, consistency, ..QueryOptions::default() }
}

type Fetch = Pin<Box<dyn Future<Output = Result<Answer<Value>, ClientError>>>>;

/// A view and how far it was told.
struct Watch {
    view: View,
    watcher: Watcher<Box<dyn FnMut(QueryOptions) -> Fetch>>,
    last: Option<Snapshot>,
}

impl Watch {
    fn new(client: Client, view: View, options: QueryOptions) -> Self {
        let settings = WatchSettings { backoff: Backoff::new(RETRY, RETRY_MAX), ..WatchSettings::default() };
        let asked = view.clone();
        let fetch = move |options: QueryOptions| -> Fetch {
            let (client, view) = (client.clone(), asked.clone());
            Box::pin(async move { view.read(&client, &options).await })
        };
        Self { view, watcher: Watcher::new(options, settings, Box::new(fetch)), last: None }
    }

    /// Waits for the first state or the next one that differs. Errors are logged and tried again.
    async fn next(&mut self) -> Snapshot {
        loop {
            match self.watcher.next().await {
                Ok(answer) => {
                    if let Some(change) = self.advance(answer.into()) {
                        return change;
                    }
                }
                Err(error) => {
                    log(self.view.kind, &error, self.watcher.pause());
                    // After an outage the agent may count from another number.
                    self.watcher.reset();
                }
            }
        }
    }

    /// Takes an answer; returns what to tell if the data differ from last time.
    fn advance(&mut self, now: Snapshot) -> Option<Snapshot> {
        let last = self.last.as_ref();
        if last.is_some_and(|last| last.data == now.data) {
            return None;
        }
        let data = self.view.news(&now.data, last.map_or(0, |last| last.index));
        let told = Snapshot { index: now.index, data };
        self.last = Some(now);
        Some(told)
    }
}

fn log(kind: &str, error: &ClientError, pause: Duration) {
    let text = error.to_string();
    let (now, seconds) = (GoTime::now(), pause.as_secs_f64().ceil());
    print_error(&format!(
        "{now} [ERROR] watch.watch: Watch errored: type={kind} error={text:?} retry={seconds}s"
    ));
}

/// Runs the child for one change. False if a signal asked to stop meanwhile.
async fn handle(flags: &Parsed, change: &Snapshot, signals: &mut Signals) -> Result<bool, Failure> {
    let mut command = child::command(&flags.raw, flags.switch("shell"));
    command.env("CONSUL_INDEX", change.index.to_string());
    let mut running =
        child::start(&mut command, Stdio::piped()).map_err(Failure::of("Error starting handler: "))?;
    let input = compact(&change.data);
    let feed = running.stdin.take();
    let feeding = async move {
        if let Some(mut stdin) = feed {
            // A child need not read its input.
            let _ = stdin.write_all(&input).await;
        }
    };
    let status = tokio::select! {
        () = signals.received() => {
            child::end(&mut running).await?;
            return Ok(false);
        }
        (status, ()) = async { tokio::join!(running.wait(), feeding) } => status?,
    };
    match child::complaint(status) {
        None => Ok(true),
        Some(complaint) => Err(Failure::new(format!("Error executing handler: {complaint}"))),
    }
}

fn compact(data: &Value) -> Vec<u8> {
    format!("{data}\n").into_bytes()
}
