//! A container engine of its own for a test.
//!
//! It runs in the test's network, with its own files and socket, so `docker0`, published ports and networks with fixed
//! addresses are there as documents assume them, and nothing of the machine's own engine is touched.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use super::network::Network;
use crate::cli::{self, Output};
use crate::place::Place;
use crate::wait::{check, eventually};
use crate::{Background, Reply, binary, http, tools};

/// One engine at a time: several would only slow each other down.
static ONE: Mutex<()> = Mutex::const_new(());

/// A running engine. It removes its containers and ends when it is dropped.
pub struct Engine {
    // Before the directory: the engine ends before its files go.
    daemon: Background,
    dir: TempDir,
    place: Place,
    _one: MutexGuard<'static, ()>,
}

impl Engine {
    /// None, said as a skipped test, if this machine has no engine.
    pub async fn start(network: &Network) -> Option<Self> {
        if tools::lacks(&["docker", "dockerd", "containerd", "curl"]) {
            return None;
        }
        let one = ONE.lock().await;
        let dir = TempDir::with_prefix("consul-docker-").expect("a temporary directory can be made");
        network.hub().run("tee", &["/proc/sys/net/ipv4/ip_forward"], "1").expect("the network is ours");
        // The engine must not outlive a test that is killed.
        let launcher = ["setpriv", "--pdeathsig", "TERM", "--"].map(str::to_owned).into();
        let place = Place::behind(std::net::Ipv4Addr::LOCALHOST, launcher);
        let mut command = place.command("dockerd");
        let path = |name: &str| dir.path().join(name);
        command.arg("--data-root").arg(path("data")).arg("--exec-root").arg(path("exec"));
        command.arg("--pidfile").arg(path("pid")).arg("--host").arg(socket(dir.path()));
        let search = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{search}:/usr/sbin:/sbin"));
        let mut daemon = Background::spawn(command);
        let what = "the engine answers";
        let socket = path("docker.sock");
        let answers =
            eventually(what, async || check(socket.exists() || !daemon.is_running(), "no socket yet"));
        answers.await;
        if !daemon.is_running() {
            tools::skip(&format!("no container engine can run here: {}", daemon.output()));
            return None;
        }
        let engine = Self { daemon, dir, place: Place::here(), _one: one };
        eventually(what, async || {
            let output = engine.shell("docker info").await;
            check(output.code == 0, output.all())
        })
        .await;
        Some(engine)
    }

    /// Where a test may put files that containers mount.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs a line as documents print it.
    pub async fn shell(&self, printed: &str) -> Output {
        let mut command: Command = self.place.command("sh");
        command
            .arg("-c")
            .arg(printed)
            .current_dir(self.dir.path())
            .env("DOCKER_HOST", socket(self.dir.path()));
        cli::run(command.into(), b"").await
    }

    /// Makes the image of the binary under test and gives it these names.
    pub async fn build(&self, tags: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/docker/image");
        let first = tags.first().expect("an image has a name");
        let line = format!("{} {} {first}", script.display(), binary::consul().display());
        self.shell(&line).await.ok();
        for tag in &tags[1..] {
            self.shell(&format!("docker tag {first} {tag}")).await.ok();
        }
    }

    /// A container's address on the default bridge.
    pub async fn address(&self, container: &str) -> String {
        let line = format!("docker inspect -f '{{{{.NetworkSettings.IPAddress}}}}' {container}");
        self.shell(&line).await.ok().stdout.trim().to_owned()
    }

    /// `curl` from this machine.
    pub async fn get(&self, url: &str) -> Result<Reply, String> {
        let response = http::client().get(url).send().await.map_err(|error| error.to_string())?;
        Reply::read(response).await.map_err(|error| error.to_string())
    }

    /// Waits until `consul members` in a container shows these names and states, in any order.
    pub async fn members(&self, container: &str, wanted: &[(&str, &str)]) {
        let mut wanted: Vec<(String, String)> =
            wanted.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())).collect();
        wanted.sort();
        eventually(&format!("{container} sees {wanted:?}"), async || {
            let shown = self.shell(&format!("docker exec -t {container} consul members")).await.all();
            let rows = shown.lines().skip(1).filter_map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                Some(((*words.first()?).to_owned(), (*words.get(2)?).to_owned()))
            });
            let mut rows: Vec<_> = rows.collect();
            rows.sort();
            check(rows == wanted, shown)
        })
        .await;
    }
}

fn socket(dir: &Path) -> String {
    format!("unix://{}", dir.join("docker.sock").display())
}

impl Drop for Engine {
    fn drop(&mut self) {
        let host = socket(self.dir.path());
        let shell = |line: &str| {
            Command::new("timeout")
                .args(["--kill-after=5", "20", "sh", "-c", line])
                .env("DOCKER_HOST", &host)
                .output()
        };
        if std::thread::panicking() {
            let logs = "for c in $(docker ps -aq); do echo \"--- $c\"; docker logs --tail 30 $c; done";
            let output = shell(logs);
            if let Ok(output) = output {
                eprintln!(
                    "{}{}",
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr)
                );
            }
        }
        // What cannot be removed now goes with the engine's files.
        let _ = shell("docker ps -aq | xargs -r docker rm -f -v");
        self.daemon.signal(Signal::SIGTERM);
        let end = std::time::Instant::now() + crate::SOON;
        while self.daemon.is_running() && std::time::Instant::now() < end {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        unmount_below(self.dir.path());
    }
}

/// The engine leaves a mount of its network namespace behind, which would keep both the namespace and the directory.
fn unmount_below(dir: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    let mut points: Vec<&str> = points.filter(|point| Path::new(point).starts_with(dir)).collect();
    points.reverse();
    for point in points {
        // What cannot be unmounted keeps its directory; there is nothing else to do about it.
        let _ = Command::new("umount").arg("-l").arg(point).output();
    }
}
