//! What handbooks do with containers: our image, its entry script, published ports, networks with fixed addresses, and
//! the compose file.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use consul_tests::cluster::Network;
use consul_tests::cluster::engine::Engine;
use consul_tests::wait::check;
use consul_tests::{eventually, tools};
use serde_json::Value;

#[test]
fn container_of_one_server_is_reached_through_published_ports() {
    Network::run(async |network| {
        let Some(engine) = Engine::start(&network).await else { return };
        engine.build(&["progrium/consul", "consul"]).await;
        let line = "docker run -d --name one -p 8400:8400 -p 8500:8500 -p 8600:53/udp -h node1 progrium/consul \
                    -server -bootstrap -ui-dir /ui";
        engine.shell(line).await.ok();
        eventually("the published port answers", async || {
            let reply = engine.get("http://127.0.0.1:8500/v1/catalog/nodes").await?;
            check(reply.status == 200 && reply.json()[0]["Node"] == "node1", reply.text())
        })
        .await;
        engine.shell("docker exec -t one consul kv put user/config/connections 5").await.ok();
        let shown =
            engine.shell("docker exec -t one consul kv get -detailed user/config/connections").await.ok();
        assert!(
            shown.stdout.lines().any(|line| line.split_whitespace().eq(["Value", "5"])),
            "{}",
            shown.stdout
        );
        // The agent is nobody special, whoever started the container.
        let who = engine.shell("docker exec one sh -c 'cat /proc/1/status'").await.ok().stdout;
        assert!(
            who.lines().any(|line| line.split_whitespace().eq(["Uid:", "100", "100", "100", "100"])),
            "{who}"
        );

        let version = engine.shell("docker run --rm consul version").await.ok().stdout;
        assert!(version.starts_with("Consul v"), "{version}");
        assert_eq!(engine.shell("docker run --rm consul echo hello").await.ok().stdout, "hello\n");
        let missing = engine.shell("docker run --rm -e CONSUL_BIND_INTERFACE=eth7 consul").await;
        assert_eq!(missing.code, 1);
        assert!(
            missing.all().contains("Could not find IP for interface 'eth7', exiting"),
            "{}",
            missing.all()
        );

        // Data outlives the container that wrote it.
        engine.shell("docker run -d --name kept -v kept:/consul/data consul -server -bootstrap").await.ok();
        let write = || engine.shell("docker exec kept consul kv put stays yes");
        eventually("the server writes", async || {
            let output = write().await;
            check(output.code == 0, output.all())
        })
        .await;
        engine.shell("docker rm -f kept").await.ok();
        engine.shell("docker run -d --name kept -v kept:/consul/data consul -server -bootstrap").await.ok();
        eventually("the server has its data again", async || {
            let output = engine.shell("docker exec kept consul kv get stays").await;
            check(output.stdout == "yes\n", output.all())
        })
        .await;
    });
}

#[test]
fn privileged_port_is_open_to_an_ordinary_user_on_demand() {
    Network::run(async |network| {
        if tools::lacks(&["dig"]) {
            return;
        }
        let Some(engine) = Engine::start(&network).await else { return };
        engine.build(&["consul"]).await;
        let address = Ipv4Addr::new(192, 168, 33, 1);
        // On the host's network, so that the engine's own rule for ports of containers does not help.
        let host = network.host("neighbour", Ipv4Addr::new(192, 168, 33, 2));
        let line = format!(
            "docker run -d --name dns --net=host -e 'CONSUL_ALLOW_PRIVILEGED_PORTS=' \
             -e 'CONSUL_LOCAL_CONFIG={{\"bootstrap_expect\": 1, \"server\": true}}' \
             consul agent -dns-port=53 -client={address} -bind={address}"
        );
        engine.shell(&line).await.ok();
        eventually("port 53 answers", async || {
            let dig = host.shell().dig(&format!("dig @{address} consul.service.consul")).await;
            check(dig.data() == [address.to_string()], dig.text)
        })
        .await;
    });
}

#[test]
fn three_containers_that_expect_each_other() {
    Network::run(async |network| {
        let Some(engine) = Engine::start(&network).await else { return };
        engine.build(&["progrium/consul", "consul"]).await;
        engine
            .shell("docker run -d --name node1 -h node1 progrium/consul -server -bootstrap-expect 3")
            .await
            .ok();
        let join = engine.address("node1").await;
        engine.members("node1", &[("node1", "alive")]).await;
        for name in ["node2", "node3"] {
            let line = format!("docker run -d --name {name} -h {name} progrium/consul -server -join {join}");
            engine.shell(&line).await.ok();
        }
        engine.members("node3", &[("node1", "alive"), ("node2", "alive"), ("node3", "alive")]).await;
        leads(&engine, &join).await;
        engine.shell("docker exec node3 consul kv put key x").await.ok();
        assert_eq!(engine.shell("docker exec node2 consul kv get key").await.ok().stdout, "x\n");

        // A client on the host's own network, told to leave when it ends.
        let gateway = "172.17.0.1";
        let line = format!(
            "docker run -d --name agent --net=host -e 'CONSUL_LOCAL_CONFIG={{\"leave_on_terminate\": true, \
             \"node_name\": \"linode\"}}' consul agent -bind={gateway} -retry-join={join}"
        );
        engine.shell(&line).await.ok();
        let all = [("linode", "alive"), ("node1", "alive"), ("node2", "alive"), ("node3", "alive")];
        engine.members("node1", &all).await;
        let health =
            engine.get("http://localhost:8500/v1/health/service/consul?pretty").await.unwrap().ok().json();
        assert_eq!(health.as_array().map(Vec::len), Some(3), "{health}");
        engine.shell("docker stop agent").await.ok();
        let mut left = all;
        left[0].1 = "left";
        engine.members("node1", &left).await;
    });
}

#[test]
fn development_servers_join_over_the_bridge() {
    Network::run(async |network| {
        let Some(engine) = Engine::start(&network).await else { return };
        engine.build(&["consul"]).await;
        engine
            .shell("docker run -d --name=dev-consul -h dev1 -e CONSUL_BIND_INTERFACE=eth0 consul")
            .await
            .ok();
        engine.members("dev-consul", &[("dev1", "alive")]).await;
        let first = engine.address("dev-consul").await;
        assert_eq!(first, "172.17.0.2");
        for name in ["dev2", "dev3"] {
            let line = format!(
                "docker run -d -h {name} -e CONSUL_BIND_INTERFACE=eth0 consul agent -dev -join={first}"
            );
            engine.shell(&line).await.ok();
        }
        engine.members("dev-consul", &[("dev1", "alive"), ("dev2", "alive"), ("dev3", "alive")]).await;
    });
}

#[test]
fn configuration_files_on_a_network_with_fixed_addresses() {
    Network::run(async |network| {
        let Some(engine) = Engine::start(&network).await else { return };
        engine.build(&["consul:1.3.0"]).await;
        engine.shell("docker network create -d bridge --subnet=172.20.0.0/24 static-net").await.ok();
        let names = ["consul_server1", "consul_server2", "consul_server3", "consul_client1"];
        for (number, name) in (1..).zip(names) {
            let file = engine.dir().join(format!("{name}_conf.json"));
            fs::write(&file, super::walks::container_conf(name)).unwrap();
            let line = format!(
                "docker run -d --name {name} --net static-net --ip 172.20.0.{} -h consul{number} -v \
                 {}:/consul/config/{name}_conf.json consul:1.3.0 agent -config-dir /consul/config",
                number + 1,
                file.display()
            );
            engine.shell(&line).await.ok();
        }
        let rows = names.map(|name| (name, "alive"));
        engine.members("consul_server1", &rows).await;
        let leader = leads(&engine, "172.20.0.5").await;
        let position: usize =
            (0..3).find(|last| leader == format!("172.20.0.{}:8300", last + 2)).expect("one of three");
        engine.shell(&format!("docker stop {}", names[position])).await.ok();
        let others: Vec<usize> = (0..3).filter(|&other| other != position).collect();
        eventually("another server leads", async || {
            let url = format!("http://172.20.0.{}:8500/v1/status/leader", others[0] + 2);
            let reply = engine.get(&url).await?;
            let now = reply.text();
            check(reply.status == 200 && now.contains(":8300") && !now.contains(&leader), now)
        })
        .await;
        // A server that is told to end fails, one that leaves has left: either way it is not alive.
        eventually("the one that ended is not alive", async || {
            let line = format!("docker exec -t {} consul members", names[others[0]]);
            let shown = engine.shell(&line).await.ok().stdout;
            let gone = shown.lines().find(|line| line.starts_with(names[position])).unwrap_or("alive");
            check(!gone.contains("alive"), shown.clone())
        })
        .await;
    });
}

#[test]
fn compose_file_starts_three_servers_and_a_client() {
    Network::run(async |network| {
        let Some(engine) = Engine::start(&network).await else { return };
        let plugin = engine.shell("docker compose version").await.code == 0;
        if !plugin && tools::lacks(&["docker-compose"]) {
            return;
        }
        engine.build(&["consul"]).await;
        let compose = if plugin { "docker compose" } else { "docker-compose" };
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/compose.yaml");
        let compose = format!("{compose} --project-name walk -f {}", file.display());
        engine.shell(&format!("{compose} config")).await.ok();
        engine.shell(&format!("{compose} up -d")).await.ok();
        let container = engine.shell(&format!("{compose} ps -q client")).await.ok().stdout.trim().to_owned();
        let all = [("client", "alive"), ("server1", "alive"), ("server2", "alive"), ("server3", "alive")];
        engine.members(&container, &all).await;
        leads(&engine, "127.0.0.1").await;
        engine.shell(&format!("{compose} exec -T client consul kv put key x")).await.ok();
        engine.shell(&format!("{compose} restart server1 server2 server3")).await.ok();
        eventually("the data is there after a restart of all servers", async || {
            let reply = engine.get("http://127.0.0.1:8500/v1/kv/key?raw").await?;
            check(reply.status == 200 && reply.text() == "x", reply.text())
        })
        .await;
        engine.shell(&format!("{compose} down --volumes")).await.ok();
    });
}

/// Waits until the agent at this address names a leader.
async fn leads(engine: &Engine, address: &str) -> String {
    eventually("there is a leader", async || {
        let reply = engine.get(&format!("http://{address}:8500/v1/status/leader")).await?;
        check(reply.status == 200, reply.text())?;
        match reply.json() {
            Value::String(leader) if !leader.is_empty() => Ok(leader),
            other => Err(other.to_string()),
        }
    })
    .await
}
