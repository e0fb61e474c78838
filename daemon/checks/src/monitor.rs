//! Keeps one registered check going: runs it when due, applies thresholds, reports, logs.
//!
//! One task per check. While a check waits, the task holds a timer and its counters and nothing else: an agent may
//! have thousands of them. Everything a run needs is boxed for the length of that run.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use consul_api::types::duration::GoDuration;
use consul_api::types::health::Status;
use rand::Rng;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, error, warn};

use crate::alias::{AliasTarget, evaluate};
use crate::outcome::{Outcome, Trouble};
use crate::process::Remains;
use crate::runtime::CheckRuntime;
use crate::spec::{CheckKind, CheckSpec, DEREGISTER_MIN, INTERVAL_MIN, Probe, Raised};
use crate::threshold::{ThresholdCounter, Verdict};
use crate::ttl::TtlTimer;

/// Failed look-ups of an aliased target that are retried at once.
const ALIAS_RETRIES_AT_ONCE: u32 = 3;
const ALIAS_BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Receives the state of checks.
///
/// Called from the monitors' tasks, and from `CheckMonitor::update_ttl` on the caller's thread, in both cases perhaps
/// with the monitor's lock held: an implementation must not call back into a monitor, and must not be called into
/// while a lock is held that it takes itself. It should return quickly.
pub trait CheckSink: Send + Sync + 'static {
    /// Called for each applied result, also when nothing changed since the last one.
    fn update(&self, check_id: &str, status: Status, output: String);
}

/// A check that is being run; dropping it stops the check and kills what it had started.
pub struct CheckMonitor {
    spec: Arc<CheckSpec>,
    ttl: Option<Arc<TtlCheck>>,
    task: JoinHandle<()>,
}

/// An update was sent to a check that others cannot update.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("CheckID {0:?} does not have associated TTL")]
pub struct NotTtl(pub String);

impl CheckMonitor {
    /// Starts the check on the current Tokio runtime. Its first result comes within one interval.
    pub fn spawn(spec: Arc<CheckSpec>, sink: Arc<dyn CheckSink>, runtime: Arc<CheckRuntime>) -> Self {
        log_raised(&spec);
        let reporter = Reporter { spec: Arc::clone(&spec), sink };
        let mut ttl = None;
        let task = match &spec.kind {
            CheckKind::Periodic { .. } => tokio::spawn(run_periodic(reporter, runtime)),
            CheckKind::Alias(_) => tokio::spawn(run_alias(reporter, runtime)),
            CheckKind::Ttl(span) => {
                let check = Arc::new(TtlCheck::new(*span, reporter));
                ttl = Some(Arc::clone(&check));
                tokio::spawn(run_ttl(check))
            }
        };
        Self { spec, ttl, task }
    }

    pub fn spec(&self) -> &Arc<CheckSpec> {
        &self.spec
    }

    /// Sets state and output of a TTL check and restarts its timer.
    ///
    /// Answers the output as stored, which is cut if it was too long.
    pub fn update_ttl(&self, status: Status, note: &str) -> Result<String, NotTtl> {
        let ttl = self.ttl.as_ref().ok_or_else(|| NotTtl(self.spec.id.clone()))?;
        Ok(ttl.update(status, note))
    }

    /// Stops the check and waits until nothing of it is left running.
    pub async fn stop(mut self) {
        self.task.abort();
        // The only errors are that it was aborted, which is what we want, or had ended already.
        let _ = (&mut self.task).await;
    }
}

impl Drop for CheckMonitor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for CheckMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckMonitor").field("id", &self.spec.id).finish_non_exhaustive()
    }
}

fn log_raised(spec: &CheckSpec) {
    for raised in &spec.raised {
        match raised {
            Raised::Interval => warn!(
                target: "agent",
                check = %spec.id,
                minimum_interval = %GoDuration::from(INTERVAL_MIN),
                "check has interval below minimum"
            ),
            Raised::DeregisterAfter => warn!(
                target: "agent",
                check = %spec.id,
                minimum_interval = %GoDuration::from(DEREGISTER_MIN),
                "check has deregister interval below minimum"
            ),
        }
    }
}

/// Applies results to the sink and writes what operators look for in the log.
struct Reporter {
    spec: Arc<CheckSpec>,
    sink: Arc<dyn CheckSink>,
}

impl Reporter {
    fn id(&self) -> &str {
        &self.spec.id
    }

    fn apply(&self, status: Status, output: String) {
        self.sink.update(self.id(), status, output);
    }

    /// Counts the result of a run and applies it if the thresholds allow.
    fn report(&self, counter: &mut ThresholdCounter, outcome: Outcome) {
        let Outcome { status, output, trouble, remains: _ } = outcome;
        if let Some(trouble) = trouble {
            self.log_trouble(trouble, &output);
        }
        if let Some(Trouble::TimedOut(_)) = trouble {
            self.log_applied(status);
            return self.apply(status, output);
        }
        match counter.count(status) {
            Verdict::Apply(status) => {
                self.log_applied(status);
                self.apply(status, output);
            }
            Verdict::HoldSuccess { count, threshold } => warn!(
                target: "agent",
                check = %self.id(),
                %status,
                success_count = count,
                success_threshold = threshold,
                "Check passed but has not reached success threshold"
            ),
            Verdict::HoldFailure { count, threshold } => warn!(
                target: "agent",
                check = %self.id(),
                %status,
                failure_count = count,
                failure_threshold = threshold,
                "Check failed but has not reached warning/failure threshold"
            ),
        }
    }

    fn log_applied(&self, status: Status) {
        match status {
            Status::Critical => warn!(target: "agent", check = %self.id(), "Check is now critical"),
            Status::Passing | Status::Warning => {
                debug!(target: "agent", check = %self.id(), %status, "Check status updated");
            }
        }
    }

    fn log_trouble(&self, trouble: Trouble, output: &str) {
        let check = self.id();
        match trouble {
            Trouble::TimedOut(limit) => {
                warn!(target: "agent", %check, timeout = %GoDuration::from(limit), "Timed out running check");
            }
            Trouble::NotStarted => error!(target: "agent", %check, error = %output, "Check failed to invoke"),
            Trouble::RequestFailed => {
                warn!(target: "agent", %check, error = %output, "Check HTTP request failed")
            }
            Trouble::ConnectionFailed => {
                warn!(target: "agent", %check, error = %output, "Check socket connection failed")
            }
            Trouble::EngineFailed => debug!(target: "agent", %check, error = %output, "Check failed"),
        }
    }
}

async fn run_periodic(reporter: Reporter, runtime: Arc<CheckRuntime>) {
    let CheckKind::Periodic { interval, probe } = &reporter.spec.kind else { return };
    let mut counter = ThresholdCounter::new(reporter.spec.thresholds);
    // A random start spreads the checks of an agent that registers many at once.
    sleep(random_below(*interval)).await;
    loop {
        if let Some(remains) = Box::pin(run_once(&reporter, &mut counter, probe, &runtime)).await {
            Box::pin(remains.gone()).await;
        }
        sleep(*interval).await;
    }
}

async fn run_once(
    reporter: &Reporter,
    counter: &mut ThresholdCounter,
    probe: &Probe,
    runtime: &CheckRuntime,
) -> Option<Box<Remains>> {
    let mut outcome = match probe {
        Probe::Http(check) => check.run(&runtime.http()).await,
        Probe::Tcp(check) => check.run(&runtime.tls).await,
        Probe::Udp(check) => check.run().await,
        Probe::Grpc(check) => check.run(&runtime.tls).await,
        Probe::Docker(check) => check.run(&runtime.docker).await,
        Probe::OsService(check) => check.run(&runtime.systemctl, &runtime.scripts).await,
        Probe::Script(check) => check.run(&runtime.scripts).await,
        Probe::H2Ping(check) => check.run(&runtime.tls).await,
    };
    let remains = outcome.remains.take();
    reporter.report(counter, outcome);
    remains
}

fn random_below(interval: Duration) -> Duration {
    interval.mul_f64(rand::rng().random_range(0.0..1.0))
}

async fn run_alias(reporter: Reporter, runtime: Arc<CheckRuntime>) {
    let CheckKind::Alias(target) = &reporter.spec.kind else { return };
    let mut seen = None;
    let mut failures = 0_u32;
    loop {
        match runtime.alias.next(target, seen).await {
            Ok(view) => {
                failures = 0;
                seen = Some(view.index);
                let (status, output) = evaluate(target, &view);
                reporter.apply(status, output);
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                seen = None;
                alias_failed(&reporter, target, failures, &error.to_string()).await;
            }
        }
        // A source that never waits must not keep the other tasks of this thread from running.
        tokio::task::yield_now().await;
    }
}

/// One failed look-up is no news yet; from the second on the check says so, and from the fourth on it waits.
async fn alias_failed(reporter: &Reporter, target: &AliasTarget, failures: u32, error: &str) {
    debug!(target: "agent", check = %reporter.id(), ?target, error, "Aliased target could not be looked up");
    if failures > 1 {
        let output = format!("Failure checking aliased node or service: {error}");
        reporter.apply(Status::Critical, output);
    }
    if let Some(doublings) = failures.checked_sub(ALIAS_RETRIES_AT_ONCE).filter(|doublings| *doublings > 0) {
        let pause = Duration::from_secs(1_u64.checked_shl(doublings).unwrap_or(u64::MAX));
        sleep(pause.min(ALIAS_BACKOFF_MAX)).await;
    }
}

/// A TTL check: others update it, its task waits for them to stop doing so.
struct TtlCheck {
    reporter: Reporter,
    /// Held while the sink is told, so that an expiry and an update reach it in the order in which they happened.
    timer: Mutex<TtlTimer>,
    restarted: Notify,
}

impl TtlCheck {
    fn new(ttl: Duration, reporter: Reporter) -> Self {
        let timer = Mutex::new(TtlTimer::new(ttl, reporter.spec.output_max, Instant::now()));
        Self { reporter, timer, restarted: Notify::new() }
    }

    fn timer(&self) -> MutexGuard<'_, TtlTimer> {
        self.timer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, status: Status, note: &str) -> String {
        let mut timer = self.timer();
        let output = timer.update(note, Instant::now());
        debug!(target: "agent", check = %self.reporter.id(), %status, "Check status updated");
        self.reporter.apply(status, output.clone());
        drop(timer);
        self.restarted.notify_one();
        output
    }

    fn expire(&self) {
        let mut timer = self.timer();
        let Some(output) = timer.expire(Instant::now()) else { return };
        warn!(target: "agent", check = %self.reporter.id(), "Check missed TTL, is now critical");
        self.reporter.apply(Status::Critical, output);
    }
}

async fn run_ttl(check: Arc<TtlCheck>) {
    loop {
        let deadline = check.timer().deadline();
        match deadline {
            // An update moves the deadline; the next round sees that, so there is no need to be woken for it.
            Some(deadline) => {
                sleep_until(deadline).await;
                check.expire();
            }
            None => check.restarted.notified().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alias::{AliasView, AliasWatch, AliasWatchError};
    use crate::runtime::RuntimeOptions;
    use consul_api::types::agent::CheckDefinition;
    use futures::future::BoxFuture;

    struct Nothing;

    impl CheckSink for Nothing {
        fn update(&self, _: &str, _: Status, _: String) {}
    }

    impl AliasWatch for Nothing {
        fn next<'a>(
            &'a self,
            _: &'a AliasTarget,
            _: Option<u64>,
        ) -> BoxFuture<'a, Result<AliasView, AliasWatchError>> {
            Box::pin(futures::future::pending())
        }
    }

    #[test]
    fn a_waiting_check_holds_little_more_than_its_timer() {
        let definition = CheckDefinition {
            name: "c".into(),
            http: "http://x/".into(),
            interval: GoDuration::from_secs(10),
            ..Default::default()
        };
        let spec = Arc::new(CheckSpec::new(&definition, 4096).expect("valid"));
        let runtime = Arc::new(CheckRuntime::new(RuntimeOptions::default(), Arc::new(Nothing)));
        let task = run_periodic(Reporter { spec, sink: Arc::new(Nothing) }, runtime);
        let size = size_of_val(&task);
        assert!(size <= 384, "task of an idle check takes {size} bytes");
    }
}
