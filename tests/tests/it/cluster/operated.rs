//! What operators do to agents of a cluster, and what happens to their machines.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use consul_tests::cluster::{Cluster, Plan};
use consul_tests::wait::check;
use consul_tests::{Agent, Background, SOON, Setup, binary, eventually, tools};
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

fn skipped() -> bool {
    if binary::is_reference() {
        tools::skip("the texts are ours");
        return true;
    }
    false
}

/// Changes the configuration of an agent that does not run.
fn edit(agent: &Agent, edit: impl FnOnce(&mut Value)) {
    let text = fs::read_to_string(agent.conf("00-base.json")).unwrap();
    let mut config = serde_json::from_str(&text).unwrap();
    edit(&mut config);
    agent.write_conf("00-base.json", &config.to_string());
}

fn forget_whom_to_join(config: &mut Value) {
    config["retry_join"] = json!([]);
}

async fn ends_with_an_error(agent: &mut Agent, lines: &[&str]) {
    let status = agent.ends().await;
    let log = agent.log();
    assert_eq!(status.code(), Some(1), "{log}");
    for line in lines {
        assert!(log.contains(line), "{line}:\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_find_back_by_the_members_they_knew_unless_they_left() {
    if skipped() {
        return;
    }
    let mut cluster = Cluster::on_loopback(Plan::servers(1).clients(3));
    cluster.converged().await;
    // What is known is written down a moment later.
    for client in 1..4 {
        let path = cluster.agent(client).dir().join("data/serf/local.snapshot");
        eventually("the server is written down", async || {
            let text = fs::read_to_string(&path).unwrap_or_default();
            check(text.contains("alive: s1 "), text)
        })
        .await;
        edit(cluster.agent(client), forget_whom_to_join);
    }
    edit(cluster.agent(3), |config| config["rejoin_after_leave"] = json!(true));
    cluster.kill(1);
    cluster.terminate(2).await;
    cluster.terminate(3).await;
    for client in [1, 3] {
        cluster.relaunch(client);
        cluster.agent(client).logs("serf: Re-joined to previously known node: s1: ").await;
    }
    cluster.members_agree("dc1").await;
    cluster.relaunch(2);
    let asked = || cluster.agent(2).try_request(Method::GET, "/v1/agent/members", Vec::new());
    let members = eventually("the client serves", async || asked().await.map_err(|error| error.to_string()));
    let members = members.await.ok().json();
    assert_eq!(members.as_array().map(Vec::len), Some(1), "it left and came back by itself: {members}");
    let log = cluster.agent(1).log();
    assert!(
        !log.contains("client starting leave") && cluster.agent(3).log().contains("client starting leave")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joins_that_fail_end_the_agent_and_say_whom_they_tried() {
    let setup = |name: &str| Setup::bare(name).config(|config| config["data_dir"] = json!("data"));
    if skipped() {
        return;
    }
    let mut once = setup("once").args("-join 127.0.0.1:1 -join nobody.invalid").launch();
    let tried = [
        "2 errors occurred:",
        "Failed to join 127.0.0.1: dial tcp 127.0.0.1:1: connect: connection refused",
        "Failed to join nobody.invalid: lookup nobody.invalid: ",
        "Exit code: code=1",
    ];
    ends_with_an_error(&mut once, &tried).await;
    let mut often = setup("often").args("-retry-join 127.0.0.1:1 -retry-max 2 -retry-interval 1s").launch();
    let tried = ["Join cluster failed, will retry", "agent: max join LAN retry exhausted, exiting"];
    ends_with_an_error(&mut often, &tried).await;
    assert_eq!(often.log().matches("Join cluster failed, will retry").count(), 2, "{}", often.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_expect_different_numbers_say_so_and_one_number_is_enough() {
    if skipped() {
        return;
    }
    let expect = |name: &'static str, number: u32| {
        move |config: &mut Value| {
            if config["node_name"] == name {
                config["bootstrap_expect"] = json!(number);
            }
        }
    };
    let cluster = Cluster::on_loopback(Plan::servers(3).config(expect("s2", 2)));
    cluster
        .agent(0)
        .logs("expects 2 servers and this one 3; give all of them the same 'bootstrap_expect'")
        .await;
    drop(cluster);
    let plan = Plan::servers(3).config(expect("s2", 0)).config(expect("s3", 0));
    Cluster::on_loopback(plan).converged().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_are_told_in_the_log_and_by_the_exit_code() {
    if skipped() {
        return;
    }
    let mut cluster = Cluster::on_loopback(Plan::servers(3).clients(1));
    let leader = cluster.converged().await;
    let ends = [
        (3, Signal::SIGINT, 0, "agent.client: client starting leave"),
        (leader, Signal::SIGINT, 1, "serf: Shutdown without a Leave"),
    ];
    for (number, signal, code, line) in ends {
        cluster.agent(number).signal(signal);
        cluster.agent(number).logs(&format!("Exit code: code={code}")).await;
        let log = cluster.agent(number).log();
        assert!(log.contains("Caught: signal=interrupt") && log.contains(line), "{log}");
    }
    // Whoever led when it was noticed.
    eventually("the client is deregistered", async || {
        let told = |server: usize| {
            cluster.agent(server).log().contains("deregistering member: member=c1 reason=left")
        };
        check((0..3).any(told), "not yet")
    })
    .await;
    cluster.terminate(3).await;
    cluster.terminate(leader).await;
    cluster.leader().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_members_are_forgotten_in_the_end() {
    if skipped() {
        return;
    }
    let plan = Plan::servers(1).clients(1).config(|config| config["reconnect_timeout"] = json!("1s"));
    let mut cluster = Cluster::on_loopback(plan);
    cluster.converged().await;
    cluster.kill(1);
    cluster.agent(0).logs("member failed, marking health critical: member=c1").await;
    cluster.agent(0).logs("deregistering member: member=c1 reason=reaped").await;
    cluster.agent(0).until("/v1/catalog/nodes", |reply| !reply.text().contains("\"c1\"")).await;
}

/// A small disk. Gone when dropped.
struct Disk(TempDir);

impl Disk {
    fn new() -> Result<Self, String> {
        let dir = TempDir::with_prefix("consul-disk-").map_err(|error| error.to_string())?;
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(dir.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Ok(Self(dir)),
            _ => Err("only root can mount a small disk".to_owned()),
        }
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }

    fn fill(&self) {
        // Ends with an error: that is the purpose.
        let _ = fs::write(self.filler(), vec![0; 16 << 20]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What cannot be unmounted keeps its directory; there is nothing else to do about it.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_server_leads_when_the_disk_of_the_leader_is_full() {
    if skipped() {
        return;
    }
    let disks: Result<Vec<Disk>, String> = (0..3).map(|_| Disk::new()).collect();
    let disks = match disks {
        Ok(disks) => disks,
        Err(why) => return tools::skip(&why),
    };
    let paths: Vec<PathBuf> = disks.iter().map(|disk| disk.0.path().join("data")).collect();
    let plan = Plan::servers(3).config(move |config| {
        let number =
            config["node_name"].as_str().and_then(|name| name.strip_prefix('s')?.parse::<usize>().ok());
        if let Some(path) = number.and_then(|number| paths.get(number - 1)) {
            config["data_dir"] = json!(path);
        }
    });
    let cluster = Cluster::on_loopback(plan);
    let full = cluster.converged().await;
    disks[full].fill();
    let others: Vec<usize> = (0..3).filter(|server| *server != full).collect();
    eventually("the others write", async || {
        let reply = cluster.agent(others[0]).put("/v1/kv/meanwhile", vec![b'x'; 100_000]).await;
        check(reply.status == 200, reply.text())?;
        let leader = cluster.leader_seen_by(others[0]).await;
        check(leader.is_some_and(|leader| leader != full), format!("{leader:?} leads"))
    })
    .await;
    cluster.agent(full).logs("no space left on the disk").await;
    fs::remove_file(disks[full].filler()).unwrap();
    cluster.converged().await;
    cluster.agent(full).until("/v1/kv/meanwhile?stale&keys", |reply| reply.status == 200).await;
    drop(cluster);
}

/// Has every `fsync` of an agent take this long, in microseconds.
fn slow_down(agent: &Agent, micros: u32) -> Background {
    let mut strace = Command::new("strace");
    let slow = format!("inject=fsync,fdatasync:delay_enter={micros}");
    strace.args(["-f", "-q", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", &slow, "-p"]);
    strace.arg(agent.pid().to_string());
    Background::spawn(strace)
}

/// Waits until a write through `asked` is done, and returns who leads then.
async fn written_under(cluster: &Cluster, asked: usize, key: &str) -> usize {
    eventually("writes go on", async || {
        let reply = cluster.agent(asked).put(&format!("/v1/kv/{key}"), "x").await;
        check(reply.status == 200, reply.text())?;
        cluster.leader_seen_by(asked).await.ok_or_else(|| "nobody leads".to_owned())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_server_leads_when_the_disk_of_the_leader_hangs_and_a_slow_one_only_slows() {
    if skipped() || tools::lacks(&["strace"]) {
        return;
    }
    let cluster = Cluster::on_loopback(Plan::servers(3));
    let leader = cluster.converged().await;
    let others: Vec<usize> = (0..3).filter(|server| *server != leader).collect();

    // A follower's disk: nobody waits for it.
    let slow = slow_down(cluster.agent(others[0]), 60_000_000);
    let writes = async {
        for number in 0..20 {
            cluster.agent(others[1]).put(&format!("/v1/kv/beside/{number}"), "x").await.ok();
        }
    };
    timeout(SOON, writes).await.expect("writes wait for a follower whose disk hangs");
    drop(slow);
    cluster.agent(others[0]).until("/v1/kv/beside/19?stale&raw", |reply| reply.text() == "x").await;

    // A leader's disk that takes a while for each write still holds the lead.
    let slow = slow_down(cluster.agent(leader), 50_000);
    for number in 0..10 {
        cluster.agent(others[1]).put(&format!("/v1/kv/slowly/{number}"), "x").await.ok();
    }
    drop(slow);

    // One that hangs does not.
    let leader = cluster.converged().await;
    let asked = (leader + 1) % 3;
    let slow = slow_down(cluster.agent(leader), 60_000_000);
    let next = eventually("another leads", async || {
        let next = written_under(&cluster, asked, "meanwhile").await;
        check(next != leader, "the old one").map(|()| next)
    })
    .await;
    drop(slow);
    cluster.converged().await;
    cluster.agent(leader).until("/v1/kv/meanwhile?stale&raw", |reply| reply.text() == "x").await;
    assert!(cluster.agent(next).get("/v1/kv/slowly/9?raw").await.ok().text() == "x");
}
