use std::sync::Arc;
use std::time::Duration;

use consul_api::types::health::Status;
use consul_checks::outcome::{Outcome, Trouble};
use consul_checks::runner::script::ScriptCheck;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::sync::Semaphore;

use crate::support::{eventually, within_limit};

fn command(args: &[&str]) -> ScriptCheck {
    ScriptCheck {
        program: args[0].into(),
        args: args[1..].iter().map(Into::into).collect(),
        timeout: Duration::from_secs(15),
        output_max: 4096,
    }
}

fn shell(script: &str) -> ScriptCheck {
    command(&["/bin/sh", "-c", script])
}

fn with_timeout(mut check: ScriptCheck, ms: u64) -> ScriptCheck {
    check.timeout = Duration::from_millis(ms);
    check
}

async fn run(check: ScriptCheck) -> Outcome {
    within_limit(check.run(&Arc::new(Semaphore::new(4)))).await
}

fn is_alive(pid: &str) -> bool {
    let pid = Pid::from_raw(pid.trim().parse().unwrap());
    // A zombie still has its id: whoever asks has to see that it is one.
    kill(pid, None).is_ok()
        && !std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default().contains(") Z ")
}

#[tokio::test]
async fn exit_code_is_the_state_and_output_is_kept_as_written() {
    for (script, status, output) in [
        ("echo fine", Status::Passing, "fine\n"),
        ("echo careful; exit 1", Status::Warning, "careful\n"),
        ("echo broken; exit 2", Status::Critical, "broken\n"),
        ("exit 0", Status::Passing, ""),
        ("echo x; kill -9 $$", Status::Critical, "x\n"),
    ] {
        let outcome = run(shell(script)).await;
        assert_eq!((outcome.status, outcome.output.as_str()), (status, output), "{script}");
        assert_eq!(outcome.trouble, None);
    }
}

#[tokio::test]
async fn both_streams_are_merged_in_order() {
    let outcome = run(shell("echo ok; echo err >&2; echo again")).await;
    assert_eq!(outcome.output, "ok\nerr\nagain\n");
}

#[tokio::test]
async fn standard_input_is_empty_and_directory_and_environment_are_ours() {
    let outcome = run(shell("cat; pwd; echo $PATH")).await;
    let here = std::env::current_dir().unwrap();
    assert_eq!(outcome.output, format!("{}\n{}\n", here.display(), std::env::var("PATH").unwrap()));
}

#[tokio::test]
async fn long_output_keeps_its_last_bytes() {
    let outcome = run(shell("head -c 9000 /dev/zero | tr '\\0' x")).await;
    assert_eq!(outcome.output, format!("Captured 4096 of 9000 bytes\n...\n{}", "x".repeat(4096)));
}

#[tokio::test]
async fn bytes_that_are_not_text_are_replaced() {
    let outcome = run(shell("printf 'a\\377\\342\\202z'")).await;
    assert_eq!(outcome.output, "a\u{fffd}\u{fffd}\u{fffd}z");
}

#[tokio::test]
async fn programs_that_cannot_start_are_critical() {
    for (program, text) in [
        ("/no/such/program", "fork/exec /no/such/program: no such file or directory"),
        ("no-such-program", "exec: \"no-such-program\": executable file not found in $PATH"),
        ("/tmp", "fork/exec /tmp: permission denied"),
        ("", "fork/exec : no such file or directory"),
    ] {
        let outcome = run(command(&[program])).await;
        assert_eq!((outcome.status, outcome.output.as_str()), (Status::Critical, text));
        assert_eq!(outcome.trouble, Some(Trouble::NotStarted));
    }
}

#[tokio::test]
async fn timeout_kills_the_whole_group_and_shows_what_came() {
    let outcome = run(with_timeout(shell("sleep 60 & echo $!; wait"), 500)).await;
    assert_eq!(outcome.status, Status::Critical);
    assert_eq!(outcome.trouble, Some(Trouble::TimedOut(Duration::from_millis(500))));
    let grandchild = outcome.output.strip_prefix("Timed out (500ms) running check\n\n").unwrap().to_owned();
    eventually("grandchild is gone", || !is_alive(&grandchild)).await;
}

#[tokio::test]
async fn timeout_without_output_says_only_that() {
    let outcome = run(with_timeout(command(&["sleep", "60"]), 100)).await;
    assert_eq!(outcome.output, "Timed out (100ms) running check");
    assert!(outcome.remains.is_none());
}

#[tokio::test]
async fn a_child_that_ignores_termination_is_killed() {
    let outcome =
        run(with_timeout(shell("trap '' TERM INT HUP; echo $$; while :; do sleep 1; done"), 300)).await;
    let pid = outcome.output.lines().last().unwrap().to_owned();
    assert!(outcome.remains.is_none());
    assert!(!is_alive(&pid));
}

#[tokio::test]
async fn a_background_process_holding_the_output_counts_as_running() {
    let outcome = run(with_timeout(shell("sleep 60 & echo $!; exit 0"), 300)).await;
    assert!(outcome.output.starts_with("Timed out (300ms) running check\n\n"), "{}", outcome.output);
    let pid = outcome.output.lines().last().unwrap().to_owned();
    eventually("background process is gone", || !is_alive(&pid)).await;
}

#[tokio::test]
async fn a_process_that_left_the_group_cannot_hold_the_check_up() {
    let outcome = run(with_timeout(shell("setsid sh -c 'echo $$; sleep 3' & exit 0"), 300)).await;
    assert!(outcome.output.starts_with("Timed out (300ms)"), "{}", outcome.output);
}

#[tokio::test]
async fn endless_output_is_bounded_and_ends_with_the_timeout() {
    let outcome = run(with_timeout(command(&["yes"]), 300)).await;
    let (head, tail) = outcome.output.split_once("\n...\n").unwrap();
    assert!(head.starts_with("Timed out (300ms) running check\n\nCaptured 4096 of "), "{head}");
    assert_eq!(tail.len(), 4096);
}

#[tokio::test]
async fn dropping_a_run_kills_what_it_started() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pids");
    let script = format!("sleep 60 & echo $! > {0}; echo $$ >> {0}; wait", file.display());
    let check = shell(&script);
    let run = tokio::spawn(async move { check.run(&Arc::new(Semaphore::new(1))).await });
    let pids = || std::fs::read_to_string(&file).unwrap_or_default();
    eventually("script has started", || pids().lines().count() == 2).await;
    run.abort();
    eventually("all processes are gone", || !pids().lines().any(is_alive)).await;
    // Reaped too, not only dead: its id is free again.
    let shell_pid = pids().lines().nth(1).unwrap().to_owned();
    eventually("no zombie is left", || !std::path::Path::new(&format!("/proc/{shell_pid}")).exists()).await;
}

#[tokio::test]
async fn no_more_scripts_run_at_once_than_there_are_slots() {
    let directory = tempfile::tempdir().unwrap();
    let lock = directory.path().join("lock");
    // Two at once would collide on the directory and fail.
    let script = format!("mkdir {0} && sleep 0.05 && rmdir {0}", lock.display());
    let slots = Arc::new(Semaphore::new(1));
    let runs = (0..6).map(|_| {
        let (check, slots) = (shell(&script), Arc::clone(&slots));
        async move { check.run(&slots).await }
    });
    for outcome in within_limit(futures::future::join_all(runs)).await {
        assert_eq!(outcome.status, Status::Passing, "{}", outcome.output);
    }
}

#[tokio::test]
async fn a_file_that_is_no_program_is_not_handed_to_a_shell() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("garbage");
    std::fs::write(&file, "echo surprise").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let file = file.to_str().unwrap();
    let outcome = run(command(&[file])).await;
    assert_eq!(outcome.output, format!("fork/exec {file}: exec format error"));
}
