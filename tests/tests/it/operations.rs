//! What the machine around an agent sees: signals, files, sockets, logs.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use consul_tests::syslog::Syslog;
use consul_tests::wait::check;
use consul_tests::{Setup, binary, cli, eventually, tools};
use nix::sys::signal::Signal;
use serde_json::json;

/// Reads the supervisor's socket until `wanted` comes.
async fn hears(socket: &UnixDatagram, wanted: &str) {
    socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4096];
    let mut heard = Vec::new();
    eventually(&format!("the supervisor hears {wanted:?}"), async || {
        if let Ok(count) = socket.recv(&mut buffer) {
            heard.push(String::from_utf8_lossy(&buffer[..count]).into_owned());
        }
        check(heard.iter().any(|text| text.lines().any(|line| line == wanted)), heard.clone())
    })
    .await;
}

#[tokio::test]
async fn systemd_is_told_of_start_reload_and_stop() {
    if binary::is_reference() {
        return tools::skip("the reference speaks to systemd only after a join");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut agent = Setup::dev("n1").env("NOTIFY_SOCKET", path.to_str().unwrap()).launch();
    hears(&socket, "READY=1").await;
    // Ready means ready.
    assert_eq!(agent.get("/v1/status/peers").await.status, 200);
    agent.signal(Signal::SIGHUP);
    hears(&socket, "RELOADING=1").await;
    hears(&socket, "READY=1").await;
    agent.signal(Signal::SIGTERM);
    hears(&socket, "STOPPING=1").await;
    agent.ends().await;
}

#[tokio::test]
async fn pid_file_is_there_while_the_agent_runs() {
    let mut agent = Setup::server("n1").args("-pid-file agent.pid").start().await;
    let file = agent.dir().join("agent.pid");
    assert_eq!(fs::read_to_string(&file).unwrap(), agent.pid().to_string());
    agent.terminate().await;
    assert!(!file.exists(), "the file was left behind");
    // One that a killed agent left is no obstacle.
    agent.restart().await;
    agent.kill();
    assert!(file.exists());
    agent.restart().await;
    assert_eq!(fs::read_to_string(&file).unwrap(), agent.pid().to_string());
}

#[tokio::test]
async fn second_agent_on_the_same_ports_says_why_it_ends() {
    let agent = Setup::dev("n1").start().await;
    let mut second = agent.command(&["agent", "-dev", "-config-dir", "conf"]);
    second.env_remove("CONSUL_HTTP_ADDR");
    let refused = cli::run(second.into(), b"").await;
    assert_eq!(refused.code, 1);
    assert!(refused.all().contains("address already in use"), "{}", refused.all());
    assert_eq!(agent.get("/v1/status/leader").await.status, 200);
}

#[tokio::test]
async fn signals_end_the_agent_in_order() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut agent = Setup::server("n1").start().await;
        agent.put("/v1/kv/a", "1").await.ok();
        agent.signal(signal);
        let status = agent.ends().await;
        assert_eq!(status.code(), Some(1), "{signal}: a server goes without leaving");
        let log = agent.log();
        for words in [
            "Caught: signal=",
            "Graceful shutdown disabled. Exiting",
            "Requesting shutdown",
            "Exit code: code=1",
        ] {
            assert!(log.contains(words), "{signal}: no {words:?} in\n{log}");
        }
        agent.restart().await;
        assert_eq!(agent.get("/v1/kv/a?raw").await.text(), "1");
    }
}

#[tokio::test]
async fn hangup_reloads_and_usr1_shows_the_metrics() {
    let agent =
        Setup::dev("n1").file("web.json", r#"{"service": {"name": "web", "port": 80}}"#).start().await;
    agent.write_conf("web.json", r#"{"service": {"name": "web", "port": 81}}"#);
    agent.signal(Signal::SIGHUP);
    agent.until("/v1/agent/services", |reply| reply.json()["web"]["Port"] == 81).await;
    agent.logs("Caught: signal=hangup").await;
    let index = agent.get("/v1/kv/absent").await.index();
    eventually("the metrics are shown", async || {
        // Only finished intervals are shown, so the first signals may come too early. The wait paces them.
        agent.get(&format!("/v1/kv/absent?index={index}&wait=300ms")).await;
        agent.signal(Signal::SIGUSR1);
        let log = agent.log();
        check(log.contains("[S] 'consul.http.GET.v1.kv._': Count: "), log)
    })
    .await;
    // A pipe that nobody reads is none of the agent's concern.
    agent.signal(Signal::SIGPIPE);
    assert_eq!(agent.get("/v1/status/leader").await.status, 200);
}

/// Log files in a directory, oldest first.
fn log_files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

#[tokio::test]
async fn log_files_rotate_by_size_and_old_ones_go() {
    let dir = tempfile::tempdir().unwrap();
    let mut agent = Setup::dev("n1")
        .args(&format!("-log-file {}/ -log-rotate-bytes 2000 -log-rotate-max-files 3", dir.path().display()))
        .start()
        .await;
    eventually("files come and go", async || {
        agent.get("/v1/kv/one-more-line").await;
        let names: Vec<_> = log_files(dir.path());
        let console = agent.log().len();
        check(names.len() == 4 && console > 12_000, names)
    })
    .await;
    for file in log_files(dir.path()) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let stamp = name.strip_prefix("consul-").and_then(|rest| rest.strip_suffix(".log"));
        assert!(stamp.is_some_and(|stamp| stamp.parse::<u64>().is_ok()), "{name}");
        let data = fs::metadata(&file).unwrap();
        assert_eq!(data.permissions().mode() & 0o777, 0o640, "{name}");
        assert!(data.len() < 4_000, "{name} has {} bytes", data.len());
    }
    assert!(agent.is_running().await);
}

#[tokio::test]
async fn json_logs_are_json_from_the_first_line() {
    let agent = Setup::dev("n1").args("-log-json").start().await;
    let log = agent.log();
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    assert!(lines.len() > 3);
    for line in lines {
        let line: serde_json::Value =
            serde_json::from_str(line.trim()).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        for field in ["@level", "@message", "@timestamp"] {
            assert!(line[field].is_string(), "no {field} in {line}");
        }
    }
}

#[tokio::test]
async fn system_log_gets_the_log() {
    let Some(syslog) = Syslog::listen() else {
        return tools::skip("/dev/log is taken or cannot be made");
    };
    let agent = Setup::dev("n1").args("-syslog").start().await;
    eventually("the system log hears of the leader", async || {
        let lines = syslog.lines();
        check(lines.iter().any(|line| line.contains("consul") && line.contains("New leader elected")), lines)
    })
    .await;
    // <facility * 8 + severity>: LOCAL0 is 16.
    for line in syslog.lines() {
        let priority =
            line.strip_prefix('<').and_then(|rest| rest.split_once('>')).map(|(number, _)| number.to_owned());
        let priority: u32 =
            priority.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{line:?}"));
        assert_eq!(priority / 8, 16, "{line}");
    }
    assert!(agent.log().contains("New leader elected"), "the console went quiet");
}

#[tokio::test]
async fn unix_socket_has_its_mode_and_goes_with_the_agent() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("http.sock");
    // What lies there from before is replaced.
    fs::write(&socket, "left over").unwrap();
    let address = format!("unix://{}", socket.display());
    let mut agent = Setup::server("n1")
        .config(|config| {
            config["addresses"] = json!({"http": format!("127.0.0.1 {address}")});
            config["unix_sockets"] = json!({"mode": "0600"});
        })
        .start()
        .await;
    let data = fs::metadata(&socket).unwrap();
    assert!(data.file_type().is_socket());
    assert_eq!(data.permissions().mode() & 0o777, 0o600);
    let run = async |args: &[&str]| {
        let mut command = agent.command(args);
        command.env("CONSUL_HTTP_ADDR", &address);
        cli::run(command.into(), b"").await.ok().stdout
    };
    run(&["kv", "put", "greeting", "hello"]).await;
    assert_eq!(run(&["kv", "get", "greeting"]).await, "hello\n");
    assert_eq!(agent.get("/v1/kv/greeting?raw").await.text(), "hello");
    let mut command = agent.command(&["kv", "get", "-http-addr", &address, "greeting"]);
    command.env_remove("CONSUL_HTTP_ADDR");
    assert_eq!(cli::run(command.into(), b"").await.ok().stdout, "hello\n");
    agent.terminate().await;
    assert!(!socket.exists(), "the socket was left behind");
}

#[tokio::test]
async fn watches_from_the_configuration_run_their_handlers() {
    let dir = tempfile::tempdir().unwrap();
    let seen = dir.path().join("seen");
    let watch = json!({"watches": [{"type": "key", "key": "colour", "args": ["sh", "-c", format!("cat >> {}", seen.display())]}]});
    let agent =
        Setup::dev("n1").args("-enable-script-checks").file("watch.json", watch.to_string()).start().await;
    agent.put("/v1/kv/colour", "blue").await.ok();
    eventually("the handler ran", async || {
        let text = fs::read_to_string(&seen).unwrap_or_default();
        check(text.contains("Ymx1ZQ=="), text)
    })
    .await;
}
