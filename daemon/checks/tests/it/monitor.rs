use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use consul_api::types::agent::CheckDefinition;
use consul_api::types::duration::GoDuration;
use consul_api::types::health::{HealthCheck, Status};
use consul_checks::{
    AliasTarget, AliasView, AliasWatch, AliasWatchError, CheckMonitor, CheckRuntime, CheckSpec,
    RuntimeOptions,
};
use futures::future::BoxFuture;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::support::{Recorder, Update, args, eventually, periodic, runtime, within_limit};

fn start(definition: &CheckDefinition, sink: &Arc<Recorder>, runtime: Arc<CheckRuntime>) -> CheckMonitor {
    let spec = Arc::new(CheckSpec::new(definition, 4096).unwrap());
    CheckMonitor::spawn(spec, sink.clone(), runtime)
}

fn shell(name: &str, script: &str) -> CheckDefinition {
    CheckDefinition { script_args: args(&["/bin/sh", "-c", script]), ..periodic(name) }
}

fn ttl(seconds: f64) -> CheckDefinition {
    let ttl = GoDuration((seconds * 1e9) as i64);
    CheckDefinition { name: "ttl".into(), ttl, ..Default::default() }
}

fn update(id: &str, status: Status, output: &str) -> Update {
    Update { id: id.into(), status, output: output.into() }
}

#[tokio::test]
async fn a_check_runs_again_and_again_and_follows_its_target() {
    let directory = tempfile::tempdir().unwrap();
    let flag = directory.path().join("flag");
    std::fs::write(&flag, "0").unwrap();
    let sink = Recorder::new();
    let definition = shell("steady", &format!("cat {0}; exit $(cat {0})", flag.display()));
    let _monitor = start(&definition, &sink, runtime());
    let first = sink.wait_for(|update| update.status == Status::Passing).await;
    assert_eq!(first, update("steady", Status::Passing, "0"));
    std::fs::write(&flag, "2").unwrap();
    let second = sink.wait_for(|update| update.status == Status::Critical).await;
    assert_eq!(second.output, "2");
}

#[tokio::test]
async fn thresholds_hold_results_back_but_not_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let runs = directory.path().join("runs");
    // Passes once, then fails.
    let script =
        format!("echo x >> {0}; n=$(wc -l < {0}); echo run $n; [ $n -eq 1 ] || exit 2", runs.display());
    let definition = CheckDefinition { failures_before_critical: 2, ..shell("th", &script) };
    let sink = Recorder::new();
    let _monitor = start(&definition, &sink, runtime());
    sink.wait_for(|update| update.status != Status::Passing && update.output == "run 3\n").await;
    let outputs: Vec<String> = sink.all().into_iter().map(|update| update.output).collect();
    assert_eq!(outputs, ["run 1\n", "run 3\n"]);
}

#[tokio::test]
async fn script_timeouts_pass_the_thresholds_by() {
    let directory = tempfile::tempdir().unwrap();
    let flag = directory.path().join("flag");
    let script = format!("[ -e {0} ] && exec sleep 60; touch {0}", flag.display());
    let definition = CheckDefinition {
        failures_before_critical: 100,
        timeout: GoDuration::from_millis(300),
        ..shell("slow", &script)
    };
    let sink = Recorder::new();
    let _monitor = start(&definition, &sink, runtime());
    let timed_out = sink.wait_for(|update| update.status == Status::Critical).await;
    assert_eq!(timed_out.output, "Timed out (300ms) running check");
}

#[tokio::test]
async fn stopping_a_check_kills_its_script() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let definition = shell("long", &format!("echo $$ > {}; sleep 60", file.display()));
    let monitor = start(&definition, &Recorder::new(), runtime());
    let pid = || std::fs::read_to_string(&file).unwrap_or_default().trim().parse::<i32>().ok();
    eventually("script has started", || pid().is_some()).await;
    let pid = Pid::from_raw(pid().unwrap());
    within_limit(monitor.stop()).await;
    eventually("script is gone and reaped", || kill(pid, None).is_err()).await;
}

#[tokio::test]
async fn dropping_a_monitor_kills_its_script_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let definition = shell("long", &format!("echo $$ > {}; sleep 60", file.display()));
    let monitor = start(&definition, &Recorder::new(), runtime());
    let pid = || std::fs::read_to_string(&file).unwrap_or_default().trim().parse::<i32>().ok();
    eventually("script has started", || pid().is_some()).await;
    let pid = Pid::from_raw(pid().unwrap());
    drop(monitor);
    eventually("script is gone and reaped", || kill(pid, None).is_err()).await;
}

#[tokio::test]
async fn services_of_the_system_are_asked_for_by_name() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("systemctl");
    let script = "#!/bin/sh\n[ \"$1 $2\" = 'is-active --' ] || exit 9\n\
                  [ \"$3\" = good ] && { echo active; exit 0; }\necho inactive; exit 3\n";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let options = RuntimeOptions { systemctl: program.into(), ..Default::default() };
    let runtime = Arc::new(CheckRuntime::new(options, Arc::new(crate::support::NoAlias)));
    let sink = Recorder::new();
    let define = |name: &str| CheckDefinition { os_service: name.into(), ..periodic(name) };
    let _good = start(&define("good"), &sink, runtime.clone());
    let _bad = start(&define("--bad"), &sink, runtime);
    let good = sink.wait_for(|update| update.id == "good").await;
    assert_eq!(good, update("good", Status::Passing, "Service \"good\" is healthy"));
    let bad = sink.wait_for(|update| update.id == "--bad").await;
    assert_eq!(bad, update("--bad", Status::Critical, "Service \"--bad\" is not healthy: inactive"));
}

#[tokio::test]
async fn a_ttl_check_expires_once_and_comes_back_with_an_update() {
    let sink = Recorder::new();
    let monitor = start(&ttl(0.2), &sink, runtime());
    let expired = sink.wait_for(|update| update.status == Status::Critical).await;
    assert_eq!(expired, update("ttl", Status::Critical, "TTL expired"));
    assert_eq!(monitor.update_ttl(Status::Warning, "fine"), Ok("fine".to_owned()));
    let again = sink.wait_for(|update| update.output.starts_with("TTL expired (")).await;
    assert_eq!(again.output, "TTL expired (last output before timeout follows): fine");
    assert_eq!(
        sink.all(),
        [expired, update("ttl", Status::Warning, "fine"), again],
        "each expiry is told once, and updates at once"
    );
}

#[tokio::test]
async fn long_notes_are_cut_and_the_cut_form_is_answered() {
    let sink = Recorder::new();
    let monitor = start(&ttl(600.0), &sink, runtime());
    let stored = monitor.update_ttl(Status::Passing, &"x".repeat(5000)).unwrap();
    assert_eq!(stored, format!("{} ... (captured 4096 of 5000 bytes)", "x".repeat(4096)));
    assert_eq!(sink.all(), [update("ttl", Status::Passing, &stored)]);
}

#[tokio::test]
async fn only_ttl_checks_can_be_updated() {
    let monitor = start(&shell("n6", "true"), &Recorder::new(), runtime());
    let error = monitor.update_ttl(Status::Passing, "").unwrap_err();
    assert_eq!(error.to_string(), "CheckID \"n6\" does not have associated TTL");
}

/// Hands out prepared answers, then waits for ever.
struct Script(Mutex<VecDeque<Result<AliasView, AliasWatchError>>>, Mutex<Vec<Option<u64>>>);

impl AliasWatch for Script {
    fn next<'a>(
        &'a self,
        target: &'a AliasTarget,
        after: Option<u64>,
    ) -> BoxFuture<'a, Result<AliasView, AliasWatchError>> {
        assert_eq!(target.service.as_deref(), Some("base"));
        self.1.lock().unwrap().push(after);
        match self.0.lock().unwrap().pop_front() {
            Some(answer) => Box::pin(async { answer }),
            None => Box::pin(futures::future::pending()),
        }
    }
}

fn view(index: u64, status: &str) -> AliasView {
    let check =
        HealthCheck { name: "web".into(), status: status.into(), output: "o".into(), ..Default::default() };
    AliasView { index, node_found: true, service_found: true, checks: vec![check] }
}

#[tokio::test]
async fn an_alias_follows_its_target_and_reports_lasting_failures() {
    let failure = || Err(AliasWatchError("No cluster leader".into()));
    let answers =
        [Ok(view(3, "passing")), Ok(view(7, "critical")), failure(), failure(), Ok(view(9, "passing"))];
    let watch = Arc::new(Script(Mutex::new(answers.into()), Mutex::default()));
    let runtime = Arc::new(CheckRuntime::new(RuntimeOptions::default(), watch.clone()));
    let definition = CheckDefinition { name: "a".into(), alias_service: "base".into(), ..Default::default() };
    let sink = Recorder::new();
    let _monitor = start(&definition, &sink, runtime);
    eventually("all answers are used", || watch.1.lock().unwrap().len() == 6).await;
    assert_eq!(
        sink.all(),
        [
            update("a", Status::Passing, "All checks passing."),
            update("a", Status::Critical, "Aliased check \"web\" failing: o"),
            update("a", Status::Critical, "Failure checking aliased node or service: No cluster leader"),
            update("a", Status::Passing, "All checks passing."),
        ]
    );
    assert_eq!(*watch.1.lock().unwrap(), [None, Some(3), Some(7), None, None, Some(9)]);
}
