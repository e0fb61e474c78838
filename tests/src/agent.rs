//! One agent process.

use std::fs::{self, OpenOptions};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::{self, Output};
use crate::dig::Dig;
use crate::http::{self, Reply};
use crate::place::Place;
use crate::ports::Ports;
use crate::shell::Shell;
use crate::wait::{check, eventually};
use crate::{Background, binary, sockets};

/// Lines of the log that a failed test shows.
const TAIL: usize = 150;

/// How an agent is to be started.
pub struct Setup {
    name: String,
    /// Another binary than the one under test.
    program: Option<PathBuf>,
    place: Place,
    dev: bool,
    ports: Ports,
    config: Value,
    files: Vec<(String, String)>,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl Setup {
    /// `-dev`: everything in memory, ready at once.
    pub fn dev(name: &str) -> Self {
        Self::new(name, Place::here(), Ports::free())
    }

    fn new(name: &str, place: Place, ports: Ports) -> Self {
        let address = place.address;
        let config = json!({
            "node_name": name, "bind_addr": address, "client_addr": address, "log_level": "DEBUG",
            "disable_update_check": true,
            "ports": {
                "http": ports.http, "dns": ports.dns, "server": ports.server,
                "serf_lan": ports.serf_lan, "serf_wan": ports.serf_wan, "grpc": -1,
            },
        });
        let (files, args, env) = (Vec::new(), Vec::new(), Vec::new());
        Self { name: name.to_owned(), program: None, place, dev: true, ports, config, files, args, env }
    }

    /// Neither `-dev` nor a data directory: what the agent is comes from arguments and files.
    pub fn bare(name: &str) -> Self {
        let mut setup = Self::dev(name);
        setup.dev = false;
        setup
    }

    /// A single server with a data directory.
    pub fn server(name: &str) -> Self {
        Self::bare(name).config(|config| {
            config["server"] = json!(true);
            config["bootstrap_expect"] = json!(1);
            config["data_dir"] = json!("data");
            // The times of production elections are for several servers on a slow network.
            config["performance"] = json!({"raft_multiplier": 1});
        })
    }

    /// An agent in a place of its own, on the ports that every document names. What it is beyond that comes from
    /// arguments and files.
    pub fn in_place(name: &str, place: Place) -> Self {
        let mut setup = Self::new(name, place, Ports::standard());
        setup.dev = false;
        setup
    }

    /// Runs another binary than the one under test.
    pub fn program(mut self, path: &Path) -> Self {
        self.program = Some(path.to_owned());
        self
    }

    /// Changes the configuration that is written for the agent.
    pub fn config(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        edit(&mut self.config);
        self
    }

    /// Adds a file to the configuration directory.
    pub fn file(mut self, name: &str, text: impl Into<String>) -> Self {
        self.files.push((name.to_owned(), text.into()));
        self
    }

    /// Adds arguments, written in one line with blanks between them.
    pub fn args(mut self, args: &str) -> Self {
        self.args.extend(args.split_whitespace().map(str::to_owned));
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn ports(&self) -> Ports {
        self.ports
    }

    pub fn address(&self) -> Ipv4Addr {
        self.place.address
    }

    /// Starts the process and waits until it serves.
    pub async fn start(self) -> Agent {
        let mut agent = self.launch();
        agent.ready().await;
        agent
    }

    /// Starts the process.
    pub fn launch(self) -> Agent {
        let dir = TempDir::with_prefix("consul-test-").expect("a temporary directory can be made");
        let conf = dir.path().join("conf");
        fs::create_dir(&conf).expect("the directory is ours");
        fs::write(conf.join("00-base.json"), self.config.to_string()).expect("the directory is ours");
        for (name, text) in &self.files {
            fs::write(conf.join(name), text).expect("the directory is ours");
        }
        let child = spawn(&self, dir.path());
        Agent { setup: self, dir, child, http: http::client() }
    }
}

fn spawn(setup: &Setup, dir: &Path) -> Child {
    let log =
        OpenOptions::new().create(true).append(true).open(dir.join("log")).expect("the directory is ours");
    let errors = log.try_clone().expect("a file can be shared");
    let program = setup.program.as_deref().unwrap_or_else(|| binary::consul());
    let mut command = setup.place.command(program);
    command.arg("agent");
    if setup.dev {
        command.arg("-dev");
    }
    command.arg("-config-dir").arg(dir.join("conf")).args(&setup.args);
    command.envs(setup.env.iter().map(|(name, value)| (name, value))).env("NO_COLOR", "1").current_dir(dir);
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    command.spawn().expect("the binary starts")
}

/// A running (or ended) agent. Killed when dropped.
pub struct Agent {
    setup: Setup,
    dir: TempDir,
    child: Child,
    http: reqwest::Client,
}

impl Agent {
    pub fn name(&self) -> &str {
        &self.setup.name
    }

    pub fn ports(&self) -> Ports {
        self.setup.ports
    }

    pub fn address(&self) -> Ipv4Addr {
        self.setup.place.address
    }

    /// The agent's directory: `conf/`, `data/` and `log` lie in it.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}:{}{path}", self.address(), self.ports().http)
    }

    /// Ready: it answers, knows a leader, and its own node stands in the catalog: with the addresses that the node
    /// registers itself and with the health check that the leader does.
    pub async fn ready(&mut self) {
        let name = self.name().to_owned();
        let client = self.http.clone();
        let urls = ["catalog", "health"].map(|kind| self.url(&format!("/v1/{kind}/node/{name}")));
        eventually(&format!("agent {name} is ready"), async || {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("agent {name} ended with {status}:\n{}", self.log_tail());
            }
            for (url, wanted) in urls.iter().zip(["/Node/TaggedAddresses/lan", "/0/CheckID"]) {
                let response = client.get(url).send().await.map_err(|error| error.to_string())?;
                let reply = Reply::read(response).await.map_err(|error| error.to_string())?;
                let found = reply.status == 200 && reply.json().pointer(wanted).is_some();
                check(found, reply.text())?;
            }
            Ok::<_, String>(())
        })
        .await;
    }

    pub async fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    // -- HTTP --

    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Closes the connections that earlier requests left open, on both ends.
    pub async fn hang_up(&mut self) {
        self.http = http::client();
        sockets::all_are_closed(self.ports().http).await;
    }

    pub async fn try_request(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Reply, reqwest::Error> {
        Reply::read(self.http.request(method, self.url(path)).body(body).send().await?).await
    }

    pub async fn request(&self, method: Method, path: &str, body: impl Into<Vec<u8>>) -> Reply {
        let shown = format!("{method} {path}");
        let reply = self.try_request(method, path, body.into()).await;
        reply.unwrap_or_else(|error| panic!("{shown}: {error:?}"))
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.request(Method::GET, path, "").await
    }

    pub async fn put(&self, path: &str, body: impl Into<Vec<u8>>) -> Reply {
        self.request(Method::PUT, path, body).await
    }

    pub async fn put_json(&self, path: &str, body: &Value) -> Reply {
        self.put(path, body.to_string()).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.request(Method::DELETE, path, "").await
    }

    /// Waits until a GET answers what `holds` wants and returns that answer.
    pub async fn until(&self, path: &str, holds: impl Fn(&Reply) -> bool) -> Reply {
        eventually(&format!("GET {path} answers as wanted"), async || {
            let reply = self.get(path).await;
            if holds(&reply) { Ok(reply) } else { Err(format!("{} {}", reply.status, reply.text())) }
        })
        .await
    }

    /// Panics unless the agent still runs, answers and writes.
    pub async fn is_alive(&mut self) {
        assert!(self.is_running().await, "the agent is gone:\n{}", self.log_tail());
        let reply = self.put("/v1/kv/alive", "yes").await;
        assert_eq!((reply.status, reply.text().trim()), (200, "true"));
        assert_eq!(self.get("/v1/kv/alive?raw").await.text(), "yes");
    }

    // -- command line --

    /// A command line of this binary for this agent.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.setup.place.command(binary::consul());
        command.args(args).current_dir(self.dir()).env("NO_COLOR", "1");
        command.env("CONSUL_HTTP_ADDR", format!("{}:{}", self.address(), self.ports().http));
        command
    }

    pub async fn cli(&self, args: &[&str]) -> Output {
        cli::run(self.command(args).into(), b"").await
    }

    pub fn background(&self, args: &[&str]) -> Background {
        Background::spawn(self.command(args))
    }

    /// Runs command lines as documents print them, in this agent's directory.
    pub fn shell(&self) -> Shell {
        Shell::new(self.dir(), self.ports()).in_place(self.setup.place.clone())
    }

    /// `dig @<address> -p <dns port> <question>`
    pub async fn dig(&self, question: &str) -> Dig {
        self.shell().dig(&format!("dig @{} -p 8600 {question}", self.address())).await
    }

    // -- configuration files and log --

    pub fn conf(&self, name: &str) -> PathBuf {
        self.dir().join("conf").join(name)
    }

    pub fn write_conf(&self, name: &str, text: &str) {
        fs::write(self.conf(name), text).expect("the directory is ours");
    }

    pub fn log(&self) -> String {
        fs::read(self.dir().join("log"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    pub async fn logs(&self, text: &str) {
        eventually(&format!("the log says {text:?}"), async || check(self.log().contains(text), "not yet"))
            .await;
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }

    // -- life and death --

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).expect("process ids are small"));
        kill(pid, signal).expect("the agent runs");
    }

    /// SIGKILL, and the end of it.
    pub fn kill(&mut self) {
        self.child.kill().expect("the agent can be killed");
        self.child.wait().expect("a killed process ends");
    }

    /// SIGTERM, and the end of it.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.ends().await
    }

    /// Waits for the process to end.
    pub async fn ends(&mut self) -> ExitStatus {
        let child = &mut self.child;
        eventually("the agent ends", async || child.try_wait().ok().flatten().ok_or("still running")).await
    }

    /// Starts the process again in the same directory, after it ended.
    pub fn relaunch(&mut self) {
        self.child = spawn(&self.setup, self.dir.path());
        self.http = http::client();
    }

    /// [`Self::relaunch`], and waits until it serves.
    pub async fn restart(&mut self) {
        self.relaunch();
        self.ready().await;
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- last log lines of agent {}:\n{}", self.name(), self.log_tail());
        }
    }
}

/// Runs `consul agent` with these arguments until it ends by itself; for agents that must refuse to start.
pub async fn refused(args: &[&str], dir: &Path) -> Output {
    let mut command = Command::new(binary::consul());
    command.arg("agent").args(args).current_dir(dir).env("NO_COLOR", "1");
    cli::run(command.into(), b"").await
}
