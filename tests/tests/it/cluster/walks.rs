//! Tutorials for several machines, command by command as they print them: on hosts with the printed names and addresses,
//! on the printed ports. Only paths are adapted, and waits are shortened.

use std::net::Ipv4Addr;

use consul_tests::cluster::{Host, Network};
use consul_tests::dig::Dig;
use consul_tests::shell::Shell;
use consul_tests::wait::check;
use consul_tests::{Background, binary, eventually, tools};
use serde_json::Value;

/// A host, somebody who types at it, and what runs there in other terminals.
struct Desk {
    host: Host,
    shell: Shell,
    terminals: Vec<Background>,
}

impl Desk {
    fn new(network: &Network, name: &str, address: [u8; 4]) -> Self {
        let host = network.host(name, Ipv4Addr::from(address));
        let shell = host.shell().path("/tmp/consul", "consul").path("/var/lib/consul", "consul");
        let shell =
            shell.path("/tmp/data-dir", "data").path("/data/consul-ui", "ui").path("/data/consul", "consul");
        Self {
            shell: shell.path("/etc/consul.d", "consul.d").path("/consul/config", "config"),
            host,
            terminals: Vec::new(),
        }
    }

    fn start(&mut self, printed: &str) {
        self.terminals.push(self.host.background(&self.shell, printed));
    }

    async fn shows(&self, text: &str) -> String {
        self.terminals.last().expect("something was started").prints(text).await
    }

    /// Ends what was started last, as Ctrl + C does.
    async fn interrupt(&mut self) {
        let mut last = self.terminals.pop().expect("something was started");
        last.signal(nix::sys::signal::Signal::SIGINT);
        last.ends().await;
    }

    /// The rows of `consul members`: name, address, status, type.
    async fn members(&self) -> Vec<[String; 4]> {
        let shown = self.shell.run("consul members").await.stdout;
        let rows = shown.lines().skip(1).map(|line| {
            let mut words = line.split_whitespace().map(str::to_owned);
            std::array::from_fn(|_| words.next().unwrap_or_default())
        });
        rows.collect()
    }

    async fn sees(&self, wanted: &[[&str; 4]]) {
        let mut wanted: Vec<[String; 4]> = wanted.iter().map(|row| row.map(str::to_owned)).collect();
        wanted.sort();
        eventually(&format!("{} sees the members", self.host.name()), async || {
            let mut rows = self.members().await;
            rows.sort();
            check(rows == wanted, rows)
        })
        .await;
    }

    async fn dig_finds(&self, question: &str, wanted: &[&str]) -> Dig {
        eventually(&format!("{question:?} finds {wanted:?}"), async || {
            let dig = self.shell.dig(question).await;
            let mut found = dig.data();
            found.sort();
            if found == wanted { Ok(dig) } else { Err(dig.text) }
        })
        .await
    }

    async fn leader(&self) -> String {
        eventually("there is a leader", async || {
            let shown = self.shell.run("curl -s http://127.0.0.1:8500/v1/status/leader").await.stdout;
            let leader = shown.trim().trim_matches('"').to_owned();
            if leader.contains(':') { Ok(leader) } else { Err(shown) }
        })
        .await
    }
}

fn walk<T: AsyncFnOnce(Network) + Send + 'static>(test: T) {
    if !tools::lacks(&["curl", "dig"]) {
        Network::run(test);
    }
}

const WEB: &str = r#"{
  "service": {
    "name": "web",
    "port": 80,
    "check": {
      "script": "curl localhost:80 > /dev/null 2>&1",
      "interval": "1s"
    }
  }
}"#;

/// Releases after 1.0 know no script strings.
fn web() -> String {
    let args = r#""args": ["sh", "-c", "curl localhost:80 > /dev/null 2>&1"]"#;
    let script = r#""script": "curl localhost:80 > /dev/null 2>&1""#;
    if binary::is_reference() { WEB.replace(script, args) } else { WEB.to_owned() }
}

#[test]
fn one_server_with_three_clients() {
    walk(async |network| {
        if tools::lacks(&["python3"]) {
            return;
        }
        let mut s1 = Desk::new(&network, "s1", [192, 168, 33, 11]);
        // Remote execution is off unless configuration turns it on, and so are scripts.
        let on = "-hcl disable_remote_exec=false -hcl enable_local_script_checks=true";
        s1.start(&format!(
            "consul agent -server -bootstrap-expect 1 -data-dir /tmp/consul -bind 192.168.33.11 {on}"
        ));
        s1.shows("New leader elected").await;
        s1.sees(&[["s1", "192.168.33.11:8301", "alive", "server"]]).await;
        s1.dig_finds("dig @127.0.0.1 -p 8600 s1.node.consul", &["192.168.33.11"]).await;

        let mut clients = Vec::new();
        for (name, last) in [("c1", 21), ("c2", 22), ("c3", 23)] {
            let mut client = Desk::new(&network, name, [192, 168, 33, last]);
            client.start(&format!(
                "consul agent -data-dir /tmp/consul -bind 192.168.33.{last} -join 192.168.33.11 {on}"
            ));
            client.shows("Synced node info").await;
            clients.push(client);
        }
        let everybody = [
            ["c1", "192.168.33.21:8301", "alive", "client"],
            ["c2", "192.168.33.22:8301", "alive", "client"],
            ["c3", "192.168.33.23:8301", "alive", "client"],
            ["s1", "192.168.33.11:8301", "alive", "server"],
        ];
        s1.sees(&everybody).await;
        clients[2].sees(&everybody).await;

        let shown = s1.shell.run("consul exec hostname").await.ok().stdout;
        for name in ["s1", "c1", "c2", "c3"] {
            assert!(shown.contains(&format!("    {name}: {name}\n")), "{shown}");
            assert!(shown.contains(&format!("==> {name}: finished with exit code 0\n")), "{shown}");
        }
        assert!(shown.contains("4 / 4 node(s) completed / acknowledged\n"), "{shown}");

        let mut sites = Vec::new();
        for client in &mut clients {
            sites.push(client.host.background(&client.shell, "python3 -m http.server 80"));
            client.interrupt().await;
            client.shell.write("consul.d/web.json", &web());
            let address = client.host.address();
            client.start(&format!(
                "consul agent -data-dir /tmp/consul -config-dir /etc/consul.d -bind {address} -join 192.168.33.11 {on}"
            ));
            client.shows("Synced service").await;
            client.shows("Synced check").await;
        }
        let all = ["192.168.33.21", "192.168.33.22", "192.168.33.23"];
        s1.dig_finds("dig @127.0.0.1 -p 8600 web.service.consul", &all).await;
        let nodes = ["c1", "c2", "c3"].map(|name| format!("1 1 80 {name}.node.dc1.consul."));
        let srv = s1
            .dig_finds("dig @127.0.0.1 -p 8600 web.service.consul SRV", &nodes.each_ref().map(String::as_str))
            .await;
        for (name, address) in ["c1", "c2", "c3"].iter().zip(all) {
            let record = format!("{name}.node.dc1.consul. 0 IN A {address}");
            assert!(srv.additional.contains(&record), "{}", srv.text);
        }
        if !tools::lacks(&["dnsmasq"]) {
            s1.start(
                "dnsmasq --no-daemon --user=root --conf-file=/dev/null --no-resolv --no-hosts --pid-file= \
                 --server=/consul/127.0.0.1#8600 --strict-order",
            );
            s1.dig_finds("dig @127.0.0.1 web.service.consul", &all).await;
        }
        // A web server that is gone is not handed out any more.
        drop(sites.remove(1));
        s1.dig_finds("dig @127.0.0.1 -p 8600 web.service.consul", &[all[0], all[2]]).await;
    });
}

#[test]
fn three_servers_that_expect_each_other_and_two_clients() {
    walk(async |network| {
        let on = "-hcl disable_remote_exec=false";
        let mut desks = Vec::new();
        for last in [21, 22, 23, 41, 42] {
            let name = format!("node{last}");
            let mut desk = Desk::new(&network, &name, [192, 168, 20, last]);
            let server = if last < 40 { "-server -bootstrap-expect=3 " } else { "" };
            let join = match last {
                21 => "",
                22 | 23 => "-join=192.168.20.21",
                _ => "-join 192.168.20.21",
            };
            desk.start(&format!(
                "consul agent {server}-data-dir=/var/lib/consul -advertise=192.168.20.{last} {join} {on}"
            ));
            desk.shows("Consul agent running!").await;
            desks.push(desk);
        }
        desks[0].shows("New leader elected").await;
        let row = |last: u8, role| {
            [format!("node{last}"), format!("192.168.20.{last}:8301"), "alive".to_owned(), String::from(role)]
        };
        let rows = [21, 22, 23].map(|last| row(last, "server"));
        let rows = rows.into_iter().chain([41, 42].map(|last| row(last, "client")));
        let rows: Vec<[String; 4]> = rows.collect();
        let wanted: Vec<[&str; 4]> = rows.iter().map(|row| row.each_ref().map(String::as_str)).collect();
        for desk in &desks {
            desk.sees(&wanted).await;
        }
        eventually("uptime runs everywhere", async || {
            let shown = desks[3].shell.run("consul exec -wait=1s uptime").await.stdout;
            check(shown.contains("5 / 5 node(s) completed / acknowledged"), shown)
        })
        .await;
        let info = desks[0].shell.run("consul info").await.ok().stdout;
        assert!(info.contains("num_peers = 2"), "{info}");
    });
}

#[test]
fn servers_without_join_are_joined_by_hand() {
    walk(async |network| {
        let mut desks = Vec::new();
        for last in [1, 2, 3] {
            let mut desk = Desk::new(&network, &format!("node{last}"), [10, 0, 7, 10 + last]);
            desk.start(&format!(
                "consul agent -server -data-dir=/tmp/consul -bootstrap-expect 3 -bind 10.0.7.{}",
                10 + last
            ));
            desk.shows("Consul agent running!").await;
            desks.push(desk);
        }
        let refused = desks[0].shell.run("consul kv put early x").await;
        assert_eq!(refused.code, 1, "one of three expected servers must not lead: {}", refused.all());
        let joined = desks[0].shell.run("consul join 10.0.7.12 10.0.7.13").await.ok().stdout;
        assert_eq!(joined.trim(), "Successfully joined cluster by contacting 2 nodes.");
        let leader = desks[1].leader().await;
        assert_eq!(desks[2].leader().await, leader);
        let info = desks[0].shell.run("consul info").await.ok().stdout;
        assert!(info.contains("num_peers = 2"), "{info}");
        desks[2].shell.run("consul kv put late x").await.ok();
        assert_eq!(desks[0].shell.run("consul kv get late").await.ok().stdout, "x\n");
    });
}

const SERVER_CONF: &str = r#"{
"datacenter": "dc1",
"log_level": "INFO",
"node_name": "NAME",
"server": true,
"bootstrap_expect": 3,
"bind_addr": "0.0.0.0",
"client_addr": "0.0.0.0",
"ui": true,
"ports": {
"dns": 8600,
"http": 8500,
"https": -1,
"server": 8300,
"serf_lan": 8301,
"serf_wan": 8302
},
"rejoin_after_leave": true,
"retry_join": [
"172.20.0.2",
"172.20.0.3",
"172.20.0.4"
],
"retry_interval": "1s",
"reconnect_timeout": "72h"
}
"#;

/// The tutorial's file for the client differs only in this.
fn client_conf() -> String {
    SERVER_CONF
        .replace("\"server\": true,\n\"bootstrap_expect\": 3,\n", "\"server\": false,\n")
        .replace("\"bind_addr\": \"0.0.0.0\"", "\"bind_addr\": \"172.20.0.5\"")
        .replace("\"ui\": true", "\"ui\": false")
}

/// The file of the server or client of this name.
pub fn container_conf(name: &str) -> String {
    let text = if name.contains("client") { client_conf() } else { SERVER_CONF.to_owned() };
    text.replace("NAME", name)
}

#[test]
fn configuration_files_with_retry_join_and_a_leader_that_goes_down() {
    walk(async |network| {
        let names = ["consul_server1", "consul_server2", "consul_server3", "consul_client1"];
        let mut desks = Vec::new();
        for (name, last) in names.into_iter().zip(2..) {
            let mut desk = Desk::new(&network, &format!("consul{}", last - 1), [172, 20, 0, last]);
            desk.shell.write(&format!("config/{name}_conf.json"), &container_conf(name));
            desk.start("consul agent -config-dir /consul/config -data-dir /tmp/data-dir");
            desks.push(desk);
        }
        let rows = |gone: Option<usize>| {
            let mut rows = [
                [names[0], "172.20.0.2:8301", "alive", "server"],
                [names[1], "172.20.0.3:8301", "alive", "server"],
                [names[2], "172.20.0.4:8301", "alive", "server"],
                [names[3], "172.20.0.5:8301", "alive", "client"],
            ];
            if let Some(gone) = gone {
                rows[gone][2] = "failed";
            }
            rows
        };
        for desk in &desks {
            desk.sees(&rows(None)).await;
        }
        let leader = desks[3].leader().await;
        let position = (0..3).find(|&number| leader == format!("172.20.0.{}:8300", number + 2));
        let position = position.unwrap_or_else(|| panic!("{leader} is none of the three"));
        desks[3].shell.run("consul kv put user/config/connections 5").await.ok();

        // The machine of the leader loses its power.
        drop(desks[position].terminals.pop());
        let others: Vec<usize> = (0..4).filter(|&number| number != position).collect();
        for &number in &others {
            eventually("another server leads", async || {
                let now = desks[number].leader().await;
                check(now != leader, now)
            })
            .await;
            desks[number].sees(&rows(Some(position))).await;
        }
        let path = "consul kv get -detailed user/config/connections";
        let shown = desks[others[0]].shell.run(path).await.ok().stdout;
        assert!(shown.lines().any(|line| line.split_whitespace().eq(["Value", "5"])), "{shown}");

        desks[position].start("consul agent -config-dir /consul/config -data-dir /tmp/data-dir");
        for desk in &desks {
            desk.sees(&rows(None)).await;
        }
        assert_eq!(
            desks[position].shell.run("consul kv get user/config/connections").await.ok().stdout,
            "5\n"
        );
    });
}

#[test]
fn server_and_agent_with_encrypted_gossip_from_configuration_directories() {
    walk(async |network| {
        let mut server = Desk::new(&network, "server", [192, 168, 1, 155]);
        let key = server.shell.run("consul keygen").await.ok().stdout.trim().to_owned();
        let common = format!(r#""datacenter": "test", "data_dir": "/data/consul", "encrypt": "{key}""#);
        let text = format!(
            r#"{{"bootstrap": true, "server": true, {common}, "ui_dir": "/data/consul-ui",
                 "addresses": {{"http": "192.168.1.155 127.0.0.1"}}, "bind_addr": "192.168.1.155",
                 "advertise_addr": "192.168.1.155"}}"#
        );
        std::fs::create_dir(server.shell.dir().join("ui")).unwrap();
        server.shell.write("consul.d/server/config.json", &text);
        server.start("consul agent --server -config-dir=/etc/consul.d/server -bind=192.168.1.155");
        server.shows("New leader elected").await;

        let mut agent = Desk::new(&network, "agent", [192, 168, 1, 156]);
        let text = format!(r#"{{"server": false, {common}, "start_join": ["192.168.1.155"]}}"#);
        agent.shell.write("consul.d/agent/config.json", &text);
        agent.start("consul agent -config-dir=/etc/consul.d/agent -bind=192.168.1.156");
        agent.shows("Synced node info").await;
        let both = [
            ["server", "192.168.1.155:8301", "alive", "server"],
            ["agent", "192.168.1.156:8301", "alive", "client"],
        ];
        server.sees(&both).await;
        agent.sees(&both).await;
        let nodes = server.shell.run("curl -s http://192.168.1.155:8500/v1/catalog/nodes").await.ok().stdout;
        let nodes: Value = serde_json::from_str(&nodes).unwrap();
        assert_eq!(nodes.as_array().map(Vec::len), Some(2), "{nodes}");

        // Without the key nobody gets in.
        let mut stranger = Desk::new(&network, "stranger", [192, 168, 1, 157]);
        stranger.start(
            "consul agent -datacenter=test -data-dir=/data/consul -bind=192.168.1.157 -join=192.168.1.155",
        );
        let mut last = stranger.terminals.pop().expect("it was started");
        assert!(!last.ends().await.success(), "{}", last.output());
        server.sees(&both).await;
    });
}
