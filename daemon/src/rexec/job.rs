//! One job: read it, say that it was taken, run it, tell how it ended.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use consul_api::remote_exec::{Call, Job, NOT_STARTED, OUTPUT_MAX};
use tempfile::TempPath;
use tokio::time::Instant;
use tracing::{info, warn};

use super::upload::Uploader;
use crate::agent::Agent;
use crate::child::{Child, Event, Program};
use crate::rpc::kv::KvGet;
use crate::rpc::{Consistency, ReadOptions, RpcError};

/// Output is sent once nothing was added to it for this long.
const IDLE: Duration = Duration::from_millis(500);
/// Bounds on the pause between signs of life; the caller gives up after twice its own.
const WAIT_MIN: Duration = Duration::from_millis(500);
const WAIT_MAX: Duration = Duration::from_secs(600);

/// The pause between signs of life that a job asks for.
fn pause(job: &Job) -> Duration {
    Duration::from_nanos(u64::try_from(job.wait.0).unwrap_or(0)).clamp(WAIT_MIN, WAIT_MAX)
}

/// Runs the job of a call and reports on it.
pub async fn run(agent: &Arc<Agent>, call: &Call) {
    let job = match read_job(agent, call).await {
        Ok(job) => job,
        Err(failure) => {
            warn!(target: "agent", key = %call.job_key(), error = %failure, "failed to get remote exec job");
            return;
        }
    };
    let mut upload = Uploader::new(agent, call);
    if upload.ack().await.is_err() {
        return;
    }
    info!(target: "agent", session = %call.session, "running remote exec job");
    let code = match execute(&job, &mut upload).await {
        Ok(status) => exit_code(status),
        Err(failure) => {
            warn!(target: "agent", session = %call.session, error = %failure, "failed to start remote exec");
            NOT_STARTED
        }
    };
    // A caller that is gone needs no answer.
    let _ = upload.exit(code).await;
}

/// Any server's answer first: most often it has the job already, and the leader is spared the rush.
async fn read_job(agent: &Agent, call: &Call) -> anyhow::Result<Job> {
    let read = KvGet { key: call.job_key().into_bytes().into() };
    for consistency in [Consistency::Stale { max: None }, Consistency::Consistent] {
        let options = ReadOptions { token: agent.own_token(), consistency, ..ReadOptions::default() };
        let found = match agent.read(&read, &options).await {
            Ok((_, found)) => found,
            Err(error @ RpcError::PermissionDenied) => return Err(error.into()),
            Err(error) if consistency == Consistency::Consistent => return Err(error.into()),
            Err(_) => None,
        };
        if let Some(entry) = found {
            return Ok(serde_json::from_slice(entry.value.as_slice())?);
        }
    }
    anyhow::bail!("there is no such job")
}

async fn execute(job: &Job, upload: &mut Uploader<'_>) -> anyhow::Result<ExitStatus> {
    // The file must stay until the job has ended.
    let (program, _script) = program(job)?;
    let child = Child::start(&program, &[], None)?;
    Ok(follow(child, pause(job), upload).await)
}

fn program(job: &Job) -> anyhow::Result<(Program, Option<TempPath>)> {
    if !job.script.is_empty() {
        let path = write_script(job.script.as_slice())?;
        let program = match job.args.as_slice() {
            [] => Program::shell(&path.to_string_lossy()),
            args => Program::args(args),
        };
        return Ok((program, Some(path)));
    }
    Ok((if job.args.is_empty() { Program::shell(&job.command) } else { Program::args(&job.args) }, None))
}

fn write_script(script: &[u8]) -> std::io::Result<TempPath> {
    let mut file = tempfile::Builder::new().prefix("rexec").tempfile()?;
    file.write_all(script)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o750))?;
    // A file that is open for writing cannot be run.
    Ok(file.into_temp_path())
}

/// Sends output as it comes, and signs of life while none does. Once the caller is gone, output is dropped: what was
/// started is not cut off in the middle.
async fn follow(mut child: Child, wait: Duration, upload: &mut Uploader<'_>) -> ExitStatus {
    let mut chunk = vec![0; OUTPUT_MAX];
    let mut pending: Vec<u8> = Vec::with_capacity(OUTPUT_MAX);
    let mut due = Instant::now() + wait;
    loop {
        let room = OUTPUT_MAX - pending.len();
        let event = tokio::select! {
            event = child.next(&mut chunk[..room]) => Some(event),
            () = tokio::time::sleep_until(due), if !upload.is_lost() => None,
        };
        let exited = match event {
            Some(Event::Output(length)) => {
                pending.extend_from_slice(chunk.get(..length).unwrap_or_default());
                if pending.len() < OUTPUT_MAX {
                    due = Instant::now() + IDLE;
                    continue;
                }
                None
            }
            Some(Event::Exited(status)) => Some(status),
            None => None,
        };
        if exited.is_none() || !pending.is_empty() {
            // Whether the caller is gone is the uploader's to remember.
            let _ = upload.output(&pending).await;
            pending.clear();
        }
        if let Some(status) = exited {
            return status;
        }
        due = Instant::now() + wait;
    }
}

/// A job that a signal ended has the code that shells give it.
fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(NOT_STARTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(json: &str) -> Job {
        serde_json::from_str(json).unwrap()
    }

    async fn output_of(job: &Job) -> (String, i32) {
        let (program, _script) = program(job).unwrap();
        let mut child = Child::start(&program, &[], None).unwrap();
        let (mut chunk, mut output) = (vec![0; 64], Vec::new());
        loop {
            match child.next(&mut chunk).await {
                Event::Output(length) => output.extend_from_slice(&chunk[..length]),
                Event::Exited(status) => return (String::from_utf8(output).unwrap(), exit_code(status)),
            }
        }
    }

    #[tokio::test]
    async fn commands_arguments_and_scripts_run() {
        assert_eq!(output_of(&job(r#"{"Command":"echo a; exit 3","Wait":1}"#)).await, ("a\n".into(), 3));
        assert_eq!(output_of(&job(r#"{"Args":["echo","a;b"]}"#)).await, ("a;b\n".into(), 0));
        // #!/bin/sh\necho s\n
        assert_eq!(output_of(&job(r#"{"Script":"IyEvYmluL3NoCmVjaG8gcwo="}"#)).await, ("s\n".into(), 0));
        assert_eq!(output_of(&job(r#"{"Command":"kill -9 $$"}"#)).await, (String::new(), 137));
    }

    #[test]
    fn the_pause_between_signs_of_life_is_bounded() {
        assert_eq!(pause(&job("{}")), WAIT_MIN);
        assert_eq!(pause(&job(r#"{"Wait":2000000000}"#)), Duration::from_secs(2));
        assert_eq!(pause(&job(r#"{"Wait":9223372036854775807}"#)), WAIT_MAX);
        assert_eq!(pause(&job(r#"{"Wait":-1}"#)), WAIT_MIN);
    }
}
