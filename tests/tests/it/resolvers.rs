//! dnsmasq and BIND forward the zone to the agent, set up as the tutorials show.

use std::process::Command;

use consul_tests::wait::check;
use consul_tests::{Agent, Background, Setup, eventually, ports, shell::Shell, tools};
use serde_json::json;

/// An agent with a web service on three nodes, as in the tutorials, and a service with many instances.
async fn cluster() -> Agent {
    // Without the bit that says so, a resolver cannot know that an answer was cut.
    let agent = Setup::dev("s1")
        .config(|config| config["dns_config"] = json!({"enable_truncate": true}))
        .start()
        .await;
    for number in 1..=3 {
        let body = json!({"Node": format!("c{number}"), "Address": format!("192.168.33.2{number}"),
            "Service": {"Service": "web", "Port": 80}});
        agent.put_json("/v1/catalog/register", &body).await.ok();
    }
    for number in 1..=80 {
        let body = json!({"Node": format!("m{number}"), "Address": format!("10.0.0.{number}"),
            "Service": {"Service": "many", "Port": 80}});
        agent.put_json("/v1/catalog/register", &body).await.ok();
    }
    let external = json!({"Node": "far", "Address": "10.1.1.1", "Service": {"Service": "shop", "Port": 81}});
    agent.put_json("/v1/catalog/register", &external).await.ok();
    agent
}

/// Asks the resolver what a user of it would ask.
async fn resolves_the_zone(shell: &Shell, port: u16) {
    let ask = async |question: &str| shell.dig(&format!("dig @127.0.0.1 -p {port} {question}")).await;
    eventually("the resolver answers", async || {
        let mut data = ask("web.service.consul").await.data();
        data.sort();
        check(data == ["192.168.33.21", "192.168.33.22", "192.168.33.23"], data)
    })
    .await;
    let mut srv = ask("web.service.consul SRV").await.data();
    srv.sort();
    let wanted = [1, 2, 3].map(|number| format!("1 1 80 c{number}.node.dc1.consul."));
    assert_eq!(srv, wanted);
    assert_eq!(ask("c1.node.consul").await.data(), ["192.168.33.21"]);
    assert_eq!(ask("shop.service.dc1.consul").await.data(), ["10.1.1.1"]);
    assert_eq!(ask("nobody.service.consul").await.status, "NXDOMAIN");
    let many = ask("many.service.consul +tcp").await;
    assert_eq!((many.status.as_str(), many.answer.len()), ("NOERROR", 80), "{}", many.text);
    let cut = ask("many.service.consul +ignore").await;
    // Resolvers may hand on what fits, or nothing but the bit that sends the client to TCP.
    assert!(cut.status == "NOERROR" && (!cut.answer.is_empty() || cut.flags.contains("tc")), "{}", cut.text);
}

#[tokio::test]
async fn dnsmasq_forwards_the_zone() {
    if tools::lacks(&["dnsmasq", "dig"]) {
        return;
    }
    let agent = cluster().await;
    let (shell, port) = (agent.shell(), ports::free());
    // echo 'server=/consul/127.0.0.1#8600' >> /etc/dnsmasq.conf, and 'strict-order'
    let conf = shell.write("dnsmasq.conf", "server=/consul/127.0.0.1#8600\nstrict-order\n");
    let mut command = Command::new(tools::find("dnsmasq").unwrap());
    command.args([
        "--keep-in-foreground",
        "--no-resolv",
        "--no-hosts",
        "--bind-interfaces",
        "--log-facility=-",
        "--user=",
    ]);
    command.args(["--listen-address=127.0.0.1", "--pid-file="]).arg(format!("--port={port}"));
    command.arg("-C").arg(conf);
    let _dnsmasq = Background::spawn(command);
    resolves_the_zone(&shell, port).await;
}

#[tokio::test]
async fn agent_asks_dnsmasq_for_other_names() {
    if tools::lacks(&["dnsmasq", "dig"]) {
        return;
    }
    let port = ports::free();
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(tools::find("dnsmasq").unwrap());
    command.args([
        "--keep-in-foreground",
        "--no-resolv",
        "--no-hosts",
        "--bind-interfaces",
        "--log-facility=-",
        "--user=",
    ]);
    command.args([
        "--listen-address=127.0.0.1",
        "--pid-file=",
        "--address=/www.example.test/10.9.8.7",
        "-C",
        "/dev/null",
    ]);
    command.arg(format!("--port={port}")).current_dir(dir.path());
    let _dnsmasq = Background::spawn(command);
    // -recursor=8.8.8.8
    let agent = Setup::dev("n1").args(&format!("-recursor=127.0.0.1:{port}")).start().await;
    eventually("a foreign name resolves", async || {
        let dig = agent.dig("www.example.test").await;
        check(dig.data() == ["10.9.8.7"] && dig.flags.contains("ra"), dig.text)
    })
    .await;
    // An external service by name comes with its address.
    let external =
        json!({"Node": "ext", "Address": "www.example.test", "Service": {"Service": "shop", "Port": 80}});
    agent.put_json("/v1/catalog/register", &external).await.ok();
    let dig = agent.dig("shop.service.consul").await;
    let wanted = ["shop.service.consul. 0 IN CNAME www.example.test.", "www.example.test. 0 IN A 10.9.8.7"];
    assert_eq!(dig.answer, wanted, "{}", dig.text);
}

const NAMED_CONF: &str = r#"
options {
  directory "DIR";
  recursion yes;
  allow-query { localhost; };
  dnssec-validation no;
  auth-nxdomain no; # conform to RFC1035
  listen-on port PORT { 127.0.0.1; };
  listen-on-v6 { none; };
  pid-file none;
  session-keyfile none;
  empty-zones-enable no;
};
controls { };
include "DIR/consul.conf";
"#;

const CONSUL_CONF: &str = r#"
zone "consul" IN {
type forward;
forward only;
forwarders { 127.0.0.1 port 8600; };
};
"#;

#[tokio::test]
async fn bind_forwards_the_zone() {
    if tools::lacks(&["named", "dig"]) {
        return;
    }
    let agent = cluster().await;
    let (shell, port) = (agent.shell(), ports::free());
    let text =
        NAMED_CONF.replace("DIR", &agent.dir().display().to_string()).replace("PORT", &port.to_string());
    shell.write("consul.conf", CONSUL_CONF);
    let conf = shell.write("named.conf", &text);
    let mut command = Command::new(tools::find("named").unwrap());
    command.args(["-g", "-4", "-n", "1", "-c"]).arg(conf);
    let _named = Background::spawn(command);
    resolves_the_zone(&shell, port).await;
}
