//! From events to lines.

use std::path::Path;
use std::time::Duration;

use consul_telemetry::log::{
    Console, Format, Level, LogConfig, LogError, Logs, MONITOR_LINES_MAX, MonitorEvent, Rotation,
};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;

fn installed() -> (Logs, DefaultGuard) {
    let (logs, layer) = Logs::new();
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    (logs, guard)
}

fn to_file(directory: &Path, level: Level) -> LogConfig {
    LogConfig {
        level,
        console: Console::None,
        file: Some((directory.join("agent.log"), Rotation::default())),
        ..LogConfig::default()
    }
}

/// The lines of the only file in a directory, without their times.
fn lines(directory: &Path) -> Vec<String> {
    let mut entries = std::fs::read_dir(directory).expect("directory is readable");
    let file = entries.next().expect("there is a file").expect("entry is readable");
    assert!(entries.next().is_none(), "there is one file");
    let text = std::fs::read_to_string(file.path()).expect("file is readable");
    text.lines().map(|line| line.split_once(' ').expect("a time comes first").1.to_owned()).collect()
}

#[test]
fn events_become_lines_of_their_module() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let (logs, _guard) = installed();
    logs.start(&to_file(directory.path(), Level::Debug)).expect("starts");
    let url = "/v1/kv/x";
    tracing::debug!(target: "agent.http", method = "GET", %url, status = 200, ok = true, "Request finished");
    tracing::warn!(target: "agent", error = ?std::io::ErrorKind::NotFound, "no such {}", "thing");
    tracing::info!(target: "consul_daemon::serve", "our own");
    tracing::info!(target: "hyper::proto", "a library's chatter");
    tracing::error!(target: "hyper::proto", "a library's trouble");
    tracing::trace!(target: "agent", "too much detail");
    assert_eq!(
        lines(directory.path()),
        [
            "[DEBUG] agent.http: Request finished: method=GET url=/v1/kv/x status=200 ok=true",
            "[WARN]  agent: no such thing: error=NotFound",
            "[INFO]  agent: our own",
            "[ERROR] hyper::proto: a library's trouble",
        ]
    );
}

#[test]
fn an_error_is_told_with_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot read")]
    struct Outer(#[source] std::num::ParseIntError);
    let directory = tempfile::tempdir().expect("temporary directory");
    let (logs, _guard) = installed();
    logs.start(&to_file(directory.path(), Level::Info)).expect("starts");
    let err = Outer("x".parse::<i32>().expect_err("no number"));
    tracing::error!(target: "agent", error = &err as &(dyn std::error::Error + 'static), "failed");
    assert_eq!(
        lines(directory.path()),
        ["[ERROR] agent: failed: error=\"cannot read: invalid digit found in string\""]
    );
}

#[test]
fn lines_from_before_the_start_are_written_at_the_configured_level() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let (logs, _guard) = installed();
    tracing::debug!(target: "agent", "early detail");
    tracing::info!(target: "agent", "early");
    logs.start(&to_file(directory.path(), Level::Info)).expect("starts");
    tracing::info!(target: "agent", "late");
    assert_eq!(lines(directory.path()), ["[INFO]  agent: early", "[INFO]  agent: late"]);
}

#[test]
fn a_flood_before_the_start_is_bounded_and_told() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let (logs, _guard) = installed();
    for _ in 0..1030 {
        tracing::info!(target: "agent", "early");
    }
    logs.start(&to_file(directory.path(), Level::Info)).expect("starts");
    let lines = lines(directory.path());
    assert_eq!(lines.len(), 1025);
    assert_eq!(lines.last().map(String::as_str), Some("[WARN]  agent: Dropped 6 log lines during startup"));
}

fn noteworthy(text: &str) {
    tracing::debug!(target: "agent", "{text}");
}

#[test]
fn the_level_changes_at_run_time() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let (logs, _guard) = installed();
    logs.start(&to_file(directory.path(), Level::Info)).expect("starts");
    noteworthy("one");
    logs.set_level(Level::Debug);
    noteworthy("two");
    logs.set_level(Level::Error);
    noteworthy("three");
    assert_eq!(logs.level(), Level::Error);
    assert_eq!(lines(directory.path()), ["[DEBUG] agent: two"]);
}

#[test]
fn json_files_hold_json_lines() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let (logs, _guard) = installed();
    logs.start(&LogConfig { json: true, ..to_file(directory.path(), Level::Info) }).expect("starts");
    tracing::info!(target: "agent", address = "127.0.0.1:8500", count = 2, "Started HTTP server");
    let file = std::fs::read_dir(directory.path()).expect("readable").next().expect("one").expect("entry");
    let text = std::fs::read_to_string(file.path()).expect("file is readable");
    let line: serde_json::Value = serde_json::from_str(&text).expect("is JSON");
    assert_eq!(line["@message"], "Started HTTP server");
    assert_eq!((&line["@level"], &line["@module"]), (&"info".into(), &"agent".into()));
    assert_eq!((&line["address"], &line["count"]), (&"127.0.0.1:8500".into(), &2.into()));
    let keys: Vec<_> = ["@level", "@message", "@module", "@timestamp", "address", "count"]
        .iter()
        .map(|key| text.find(&format!("\"{key}\":")).expect("has the key"))
        .collect();
    assert!(keys.is_sorted(), "{text}");
}

#[tokio::test]
async fn monitors_have_their_own_level_and_format() {
    let (logs, _guard) = installed();
    logs.start(&LogConfig { console: Console::None, level: Level::Error, ..LogConfig::default() })
        .expect("starts");
    tracing::error!(target: "agent", "before anybody watches");
    let mut text = logs.monitor(Level::Debug, Format::Text);
    let mut json = logs.monitor(Level::Warn, Format::Json);
    tracing::debug!(target: "agent", "detail");
    tracing::warn!(target: "agent", key = 1, "careful");
    let Some(MonitorEvent::Line(line)) = text.next().await else { panic!("a line") };
    assert!(line.ends_with(" [DEBUG] agent: detail"), "{line}");
    let Some(MonitorEvent::Line(line)) = text.next().await else { panic!("a line") };
    assert!(line.ends_with(" [WARN]  agent: careful: key=1"), "{line}");
    let Some(MonitorEvent::Line(line)) = json.next().await else { panic!("a line") };
    assert!(line.starts_with(r#"{"@level":"warn","@message":"careful","@module":"agent","#), "{line}");
    assert_eq!(json.try_next(), None);

    drop(text);
    logs.close_monitors();
    assert_eq!(json.next().await, None);
    assert_eq!(logs.monitor(Level::Info, Format::Text).next().await, None, "too late to watch");
}

#[tokio::test]
async fn a_slow_monitor_loses_the_oldest_lines_and_learns_how_many() {
    let (logs, _guard) = installed();
    logs.start(&LogConfig { console: Console::None, ..LogConfig::default() }).expect("starts");
    let mut monitor = logs.monitor(Level::Info, Format::Text);
    for number in 0..MONITOR_LINES_MAX + 5 {
        tracing::info!(target: "agent", number, "line");
    }
    assert_eq!(monitor.next().await, Some(MonitorEvent::Dropped(5)));
    let Some(MonitorEvent::Line(line)) = monitor.next().await else { panic!("a line") };
    assert!(line.ends_with("number=5"), "{line}");
    let rest = std::iter::from_fn(|| monitor.try_next()).count();
    assert_eq!(rest, MONITOR_LINES_MAX - 1);
}

#[tokio::test]
async fn a_waiting_monitor_wakes_up() {
    let (logs, layer) = Logs::new();
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    logs.start(&LogConfig { console: Console::None, ..LogConfig::default() }).expect("starts");
    let mut monitor = logs.monitor(Level::Info, Format::Text);
    let reader = tokio::spawn(async move { monitor.next().await });
    tokio::task::yield_now().await;
    tracing::dispatcher::with_default(&dispatch, || tracing::info!(target: "agent", "hello"));
    let event =
        tokio::time::timeout(Duration::from_secs(10), reader).await.expect("in time").expect("no panic");
    assert!(matches!(event, Some(MonitorEvent::Line(line)) if line.ends_with("agent: hello")));
}

#[test]
fn setup_failures_say_what_is_wrong() {
    let (logs, _guard) = installed();
    let unknown =
        LogConfig { syslog: Some("LOCAL9".to_owned()), console: Console::None, ..LogConfig::default() };
    let err = logs.start(&unknown).expect_err("no such facility");
    assert!(matches!(err, LogError::Syslog { .. }));
    assert_eq!(err.to_string(), "Syslog setup did not succeed within timeout (1m0s).");
    let missing = to_file(Path::new("/nonexist"), Level::Info);
    assert!(
        logs.start(&missing)
            .expect_err("no directory")
            .to_string()
            .starts_with("Failed to setup logging: open ")
    );
    let unknown = "foo".parse::<Level>().expect_err("no level");
    assert_eq!(unknown.to_string(), "Unknown log level: foo");
    assert_eq!(
        unknown.at_start(),
        "Invalid log level: foo. Valid log levels are: [TRACE DEBUG INFO WARN ERR ERROR]"
    );
    assert_eq!("Err".parse(), Ok(Level::Error));
}
