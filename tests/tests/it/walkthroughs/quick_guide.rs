//! The quick guide: a development agent, looking around, an external service, snapshots, the web page.

use consul_tests::{Setup, binary, eventually, tools};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

#[tokio::test]
async fn dev_agent_shows_its_members_and_itself() {
    // $ consul agent -dev -data-dir=/tmp/consul
    let agent = Setup::dev("laptop").args("-data-dir=consul-data").start().await;
    let shell = agent.shell();
    let members = shell.run("consul members").await.ok().stdout;
    let rows: Vec<Vec<&str>> = members.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..7], ["Node", "Address", "Status", "Type", "Build", "Protocol", "DC"]);
    let address = format!("127.0.0.1:{}", agent.ports().serf_lan);
    assert_eq!(rows[1][..4], ["laptop", &address, "alive", "server"]);
    assert_eq!((rows[1][6], rows.len()), ("dc1", 2), "{members}");

    let info = shell.run("sudo consul info").await.ok().stdout;
    for part in ["agent:\n", "raft:\n", "serf_lan:\n", "\tleader = true\n", "\tstate = Leader\n"] {
        assert!(info.contains(part), "no {part:?} in {info}");
    }
    let peers = shell.run("consul operator raft list-peers").await.ok().stdout;
    assert!(peers.contains("leader"), "{peers}");
}

#[tokio::test]
async fn commands_that_need_no_agent() {
    let dir = tempfile::tempdir().unwrap();
    let shell = consul_tests::shell::Shell::new(dir.path(), consul_tests::ports::Ports::free());
    let version = shell.run("consul version").await.ok().stdout;
    assert!(version.starts_with("Consul v1."), "{version}");
    assert_eq!(shell.run("consul -v").await.ok().stdout, version);
    use base64::Engine;
    let key = shell.run("consul keygen").await.ok().stdout;
    let key = base64::engine::general_purpose::STANDARD.decode(key.trim()).unwrap();
    assert_eq!(key.len(), 32);
    assert_ne!(shell.run("consul keygen").await.stdout.trim().len(), 0);
    let overview = shell.run("consul --help").await.all();
    let commands = "agent event exec force-leave info join keygen keyring kv leave lock maint members monitor operator \
                    reload rtt snapshot version watch";
    for command in commands.split_whitespace() {
        assert!(overview.contains(&format!("    {command} ")), "{command} is not in the overview");
        let help = shell.run(&format!("consul {command} -h")).await.ok();
        assert!(help.all().contains(&format!("Usage: consul {command}")), "{}", help.all());
    }
}

#[tokio::test]
async fn monitor_streams_the_log() {
    if binary::is_reference() {
        return tools::skip("the reference's monitor ends at once when it takes gzip");
    }
    let agent = Setup::dev("laptop").start().await;
    let mut monitor = agent.background(&["monitor", "-log-level=debug"]);
    // The stream begins when the request is there: knock until it has heard one.
    eventually("a logged request", async || {
        agent.get("/v1/kv/knock").await;
        consul_tests::wait::check(monitor.output().contains("/v1/kv/knock"), monitor.output())
    })
    .await;
    let line = monitor.prints("/v1/kv/knock").await;
    assert!(line.contains("[DEBUG]"), "{line}");
    monitor.signal(Signal::SIGINT);
    assert_eq!(monitor.ends().await.code(), Some(0));
}

#[tokio::test]
async fn watch_prints_a_service_and_calls_handlers() {
    let agent = Setup::dev("laptop").start().await;
    let shell = agent.shell();
    agent
        .until("/v1/health/service/consul", |reply| {
            reply.text().contains("ServicePort") || reply.json()[0].is_object()
        })
        .await;
    let seen = shell.run("consul watch -type=service -service=consul").await.ok().stdout;
    let seen: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(seen[0]["Service"]["Service"], "consul");

    let mut watch = agent.background(&["watch", "-type=key", "-key=colour", "cat; echo index $CONSUL_INDEX"]);
    watch.prints("null").await;
    agent.put("/v1/kv/colour", "blue").await.ok();
    watch.prints("\"Value\":\"Ymx1ZQ==\"").await;
    agent.put("/v1/kv/colour", "red").await.ok();
    watch.prints("\"Value\":\"cmVk\"").await;
    watch.signal(Signal::SIGINT);
    assert_eq!(watch.ends().await.code(), Some(0));
}

#[tokio::test]
async fn external_service_is_found_until_it_is_removed() {
    if tools::lacks(&["curl", "dig"]) {
        return;
    }
    let agent = Setup::dev("laptop").start().await;
    let shell = agent.shell();
    let printed = r#"sudo curl -s -X PUT -d '{"Datacenter": "dc1", "Node": "amazon",
"Address": "www.amazon.com",
"Service": {"Service": "shop", "Port": 80}}' \
http://127.0.0.1:8500/v1/catalog/register"#;
    assert_eq!(shell.run(printed).await.ok().stdout.trim(), "true");
    let found = shell.run("curl -s http://127.0.0.1:8500/v1/catalog/service/shop").await.ok().stdout;
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!((&found[0]["Address"], &found[0]["ServicePort"]), (&json!("www.amazon.com"), &json!(80)));
    let dig = shell.dig("dig @127.0.0.1 -p 8600 shop.service.consul").await;
    assert_eq!(dig.answer, ["shop.service.consul. 0 IN CNAME www.amazon.com."], "{}", dig.text);

    let printed = r#"curl -s -X PUT -d '{"Datacenter": "dc1", "Node": "amazon"}' \
http://127.0.0.1:8500/v1/catalog/deregister"#;
    assert_eq!(shell.run(printed).await.ok().stdout.trim(), "true");
    assert_eq!(shell.dig("dig @127.0.0.1 -p 8600 shop.service.consul").await.status, "NXDOMAIN");
}

#[tokio::test]
async fn snapshot_brings_back_what_was_saved() {
    let agent = Setup::dev("laptop").start().await;
    let shell = agent.shell();
    shell.run("consul kv put kept/a 1").await.ok();
    let saved = shell.run("consul snapshot save backup.snap").await.ok().stdout;
    assert!(saved.contains("Saved and verified snapshot to index "), "{saved}");
    shell.run("consul snapshot save -stale stale.snap").await.ok();
    let inspected = shell.run("consul snapshot inspect backup.snap").await.ok().stdout;
    for row in ["ID ", "Size ", "Index ", "Term ", "Version "] {
        assert!(inspected.contains(row), "no {row:?} in {inspected}");
    }
    shell.run("consul kv put kept/a changed").await.ok();
    shell.run("consul kv put later 1").await.ok();
    let restored = shell.run("consul snapshot restore backup.snap").await.ok().stdout;
    assert_eq!(restored.trim(), "Restored snapshot");
    assert_eq!(shell.run("consul kv get kept/a").await.ok().stdout, "1\n");
    assert_eq!(shell.run("consul kv get later").await.code, 1);
}

#[tokio::test]
async fn agent_with_the_page_switched_on_answers_at_the_root() {
    // $ consul agent -dev -ui -data-dir /tmp/consul
    let agent = Setup::dev("laptop").args("-ui -data-dir consul-data").start().await;
    let front = agent.get("/").await;
    assert!([200, 301].contains(&front.status), "{} {}", front.status, front.text());
    // progrium/consul -server -bootstrap -ui-dir /ui
    let agent =
        Setup::bare("node1").args("-server -bootstrap -data-dir consul-data -ui-dir conf").start().await;
    assert_eq!(agent.get("/v1/status/peers").await.ok().json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn blanks_around_equals_signs_are_taken_and_warned_of() {
    if binary::is_reference() {
        return tools::skip("the reference refuses the printed command");
    }
    // $ consul agent -server -bootstrap-expect 1 -data-dir = /tmp/consul -configdir = [Path]
    let agent = Setup::bare("s1")
        .args("-server -bootstrap-expect 1 -data-dir = consul-data -configdir = conf")
        .start()
        .await;
    assert!(agent.dir().join("consul-data").is_dir() && !agent.dir().join("=").exists());
    for words in ["Write -data-dir=VALUE without spaces", "-configdir"] {
        assert!(agent.log().contains(words), "no {words:?} in\n{}", agent.log());
    }
}

#[tokio::test]
async fn maintenance_takes_a_service_out_of_dns() {
    let agent =
        Setup::dev("laptop").file("web.json", r#"{"service": {"name": "web", "port": 80}}"#).start().await;
    let shell = agent.shell();
    eventually("web resolves", async || {
        let dig = agent.dig("web.service.consul").await;
        consul_tests::wait::check(dig.data() == ["127.0.0.1"], dig.text)
    })
    .await;
    shell.run("consul maint -enable -service=web -reason 'new disks'").await.ok();
    let shown = shell.run("consul maint").await.ok().stdout;
    assert!(shown.contains("Reason: new disks"), "{shown}");
    eventually("web is out", async || {
        let dig = agent.dig("web.service.consul").await;
        consul_tests::wait::check(dig.status == "NXDOMAIN", dig.text)
    })
    .await;
    shell.run("consul maint -disable -service=web").await.ok();
    eventually("web is back", async || {
        let dig = agent.dig("web.service.consul").await;
        consul_tests::wait::check(dig.data() == ["127.0.0.1"], dig.text)
    })
    .await;
    shell.run("consul maint -enable").await.ok();
    eventually("the whole node is out", async || {
        let dig = agent.dig("web.service.consul").await;
        consul_tests::wait::check(dig.status == "NXDOMAIN", dig.text)
    })
    .await;
    shell.run("consul maint -disable").await.ok();
}

#[tokio::test]
async fn lock_runs_one_holder_at_a_time() {
    let agent = Setup::dev("laptop").start().await;
    let shell = agent.shell();
    let script = "echo in >>order; echo out >>order";
    let one = format!("consul lock jobs/nightly '{script}'");
    let (a, b) = tokio::join!(shell.run(&one), shell.run(&one));
    a.ok();
    b.ok();
    let order = std::fs::read_to_string(agent.dir().join("order")).unwrap();
    assert_eq!(order, "in\nout\nin\nout\n");
    assert_eq!(agent.get("/v1/kv/jobs/nightly/.lock").await.status, 404, "the lock's key was not cleaned up");
    assert_eq!(agent.get("/v1/session/list").await.ok().json(), json!([]));
}

#[tokio::test]
async fn events_are_fired_and_listed() {
    let agent = Setup::dev("laptop").start().await;
    let fired = agent.cli(&["event", "-name=deploy", "s3://bucket/app.tar.gz"]).await.ok().stdout;
    assert!(fired.starts_with("Event ID: "), "{fired}");
    let seen = agent.until("/v1/event/list?name=deploy", |reply| reply.json()[0].is_object()).await.json();
    assert_eq!(seen[0]["Payload"], "czM6Ly9idWNrZXQvYXBwLnRhci5neg==");
}

#[tokio::test]
async fn leave_ends_the_agent_in_peace() {
    let mut agent = Setup::dev("laptop")
        .config(|config| config["performance"] = json!({"leave_drain_time": "100ms"}))
        .start()
        .await;
    let left = agent.shell().run("consul leave").await.ok().stdout;
    assert_eq!(left.trim(), "Graceful leave complete");
    assert_eq!(agent.ends().await.code(), Some(0));
}
