//! What rendering costs: figures for the README, printed and not judged.
//!
//! `CONSUL_BIN=… CONSUL_TEMPLATE_BIN=… cargo test -p consul-tests --test it -- --ignored --nocapture template::footprint`

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use consul_tests::wait::{check, within};
use consul_tests::{Agent, Setup, Templates, process};
use futures::future::join_all;
use serde_json::json;
use tokio::time::sleep;

const SERVICES: usize = 1_000;
const INSTANCES: usize = 10;
const CHANGES: usize = 50;
const TEMPLATES: usize = 200;
const REST: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(300);

fn megabytes(pid: u32) -> f64 {
    process::memory_kib(pid) as f64 / 1024.0
}

async fn register(agent: &Agent, service: usize, instance: usize) {
    let body = json!({
        "Node": format!("x{instance}"),
        "Address": format!("10.1.0.{instance}"),
        "Service": {"ID": format!("s{service:04}"), "Service": format!("s{service:04}"), "Port": 1000 + service},
    });
    agent.put_json("/v1/catalog/register", &body).await.ok();
}

/// An agent that lets one client hold as many connections as there are services.
async fn filled() -> Agent {
    let limits = json!({"http_max_conns_per_client": 10_000});
    let agent = Setup::dev("n1")
        .config(|config| {
            config["limits"] = limits;
            config["log_level"] = json!("WARN");
        })
        .start()
        .await;
    for instance in 0..INSTANCES {
        for first in (0..SERVICES).step_by(50) {
            join_all((first..first + 50).map(|service| register(&agent, service, instance))).await;
        }
    }
    agent
}

async fn rest(pid: u32, what: &str) {
    let before = process::processor_ticks(pid);
    sleep(REST).await;
    let spent = process::processor_ticks(pid) - before;
    println!(
        "{what}: {spent} hundredths of a second of processor time in {REST:?} at rest, {:.1} MB",
        megabytes(pid)
    );
}

#[tokio::test]
#[ignore = "measures for some minutes and judges nothing"]
async fn footprint() {
    let agent = filled().await;
    one_large_template(&agent, 10_000, 20_000).await;
    one_large_template(&agent, 0, 30_000).await;
    many_templates(&agent).await;
}

/// With as many connections as it likes, or (0) with those of an agent that nobody configured.
async fn one_large_template(agent: &Agent, connections: usize, first_port: usize) {
    let place = Templates::of(agent);
    place.write(
        "in",
        "{{ range services }}{{ .Name }}:{{ range service .Name }} {{ .Node }}/{{ .Address }}:{{ .Port }}{{ end }}\n{{ end }}",
    );
    let transport = format!("consul {{ transport {{ max_conns_per_host = {connections} }} }}");
    place.write("conf/main.hcl", &transport);
    println!("{transport}");
    let began = Instant::now();
    let program = place.start(&["-log-level=warn", "-config", "DIR/conf", "-template", "DIR/in:DIR/out"]);
    within(PATIENCE, "the large template is rendered", async || {
        check(place.read("out").lines().count() == SERVICES + 1, place.log())
    })
    .await;
    println!(
        "{SERVICES} services of {INSTANCES} instances: rendered after {:?}, {} bytes, {:.1} MB",
        began.elapsed(),
        place.read("out").len(),
        megabytes(program.pid())
    );
    let mut took = Vec::with_capacity(CHANGES);
    for change in 0..CHANGES {
        // Far apart, since neighbours take their turns together.
        let service = change * 379 % SERVICES;
        let port = first_port + change;
        let body = json!({"Node": "x0", "Address": "10.1.0.0",
            "Service": {"ID": format!("s{service:04}"), "Service": format!("s{service:04}"), "Port": port}});
        let began = Instant::now();
        agent.put_json("/v1/catalog/register", &body).await.ok();
        let wanted = format!("/10.1.0.0:{port}");
        let end = began + PATIENCE;
        while !place.read("out").contains(&wanted) {
            assert!(Instant::now() < end, "the change shows: {}", place.log());
            sleep(Duration::from_millis(2)).await;
        }
        took.push(began.elapsed());
        // Watchers gather changes that follow within a tenth of a second; each is to be measured alone.
        sleep(Duration::from_millis(150)).await;
    }
    took.sort();
    println!("change to file: median {:?}, worst {:?} of {CHANGES}", took[CHANGES / 2], took[CHANGES - 1]);
    rest(program.pid(), "one template with 1,001 dependencies").await;
    program.stop().await;
}

async fn many_templates(agent: &Agent) {
    let place = Templates::of(agent);
    let mut config = "log_level = \"warn\"\n".to_owned();
    for number in 0..TEMPLATES {
        let _ = writeln!(
            config,
            "template {{ contents = \"{{{{ range service `s{number:04}` }}}}{{{{ .Node }}}}:{{{{ .Port }}}}\\n{{{{ end }}}}\" \
             destination = \"DIR/out{number}\" }}"
        );
    }
    place.write("conf/main.hcl", &config);
    let began = Instant::now();
    let program = place.start(&["-log-level=warn", "-config", "DIR/conf"]);
    within(PATIENCE, "all are rendered", async || {
        let count = (0..TEMPLATES).filter(|number| !place.read(&format!("out{number}")).is_empty()).count();
        check(count == TEMPLATES, count)
    })
    .await;
    println!(
        "{TEMPLATES} templates: rendered after {:?}, {:.1} MB",
        began.elapsed(),
        megabytes(program.pid())
    );
    rest(program.pid(), "200 templates").await;
    program.stop().await;
}
