//! Everything at once, and at the end the file says what Consul says.

use consul_tests::wait::check;
use consul_tests::{Agent, Setup, Templates, eventually};
use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use super::{deregister, register};

const CONFIG: &str =
    "template {\n source = \"DIR/in\"\n destination = \"DIR/out\"\n command = \"cp DIR/out DIR/seen\"\n}\n";
const TEMPLATE: &str = "{{ range tree \"c/\" }}{{ .Key }}={{ .Value }};{{ end }}\
                        {{ range service \"web\" }}{{ .ID }}:{{ .Port }};{{ end }}";

/// What the template must come to, by way of the API.
async fn truth(agent: &Agent) -> String {
    let mut text = String::new();
    let keys = agent.get("/v1/kv/c/?keys").await;
    let keys: Vec<Value> =
        if keys.status == 200 { keys.json().as_array().cloned().unwrap_or_default() } else { Vec::new() };
    for key in keys.iter().filter_map(Value::as_str) {
        let value = agent.get(&format!("/v1/kv/{key}?raw")).await.ok().text();
        text.push_str(&format!("{}={value};", key.trim_start_matches("c/")));
    }
    let mut instances: Vec<_> =
        agent.get("/v1/health/service/web?passing").await.ok().json().as_array().cloned().unwrap_or_default();
    instances.sort_by_key(|entry| entry["Service"]["ID"].to_string());
    for entry in &instances {
        let service = &entry["Service"];
        text.push_str(&format!("{}:{};", service["ID"].as_str().unwrap_or_default(), service["Port"]));
    }
    text
}

async fn change(agent: &Agent, dice: &mut StdRng) {
    let number = dice.random_range(0..6);
    let (id, key) = (format!("web-{number}"), format!("/v1/kv/c/{number}"));
    match dice.random_range(0..6) {
        0 | 1 => drop(agent.put(&key, dice.random_range(0..100).to_string()).await.ok()),
        2 => drop(agent.delete(&key).await.ok()),
        3 => register(agent, &id, "web", dice.random_range(1..100), &[]).await,
        4 => deregister_if_there(agent, &id).await,
        _ => {
            let enable = dice.random_bool(0.5);
            // Fails for one that is not registered, which is no matter here.
            agent.put(&format!("/v1/agent/service/maintenance/{id}?enable={enable}"), "").await;
        }
    }
}

async fn deregister_if_there(agent: &Agent, id: &str) {
    if agent.get("/v1/agent/services").await.ok().json().get(id).is_some() {
        deregister(agent, id).await;
    }
}

/// The file, and what the command saw last, agree with Consul.
async fn agrees(place: &Templates, agent: &Agent, mark: &str) {
    eventually("the file says what Consul says", async || {
        let wanted = format!("{}{mark}", truth(agent).await);
        let found = (place.read("out"), place.read("seen"));
        check(found == (wanted.clone(), wanted.clone()), (found, wanted))
    })
    .await;
}

async fn in_upheaval(seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut agent = Setup::server("n1").start().await;
    let place = Templates::of(&agent);
    place.write("in", TEMPLATE);
    let mut program = place.configured(CONFIG);
    for round in 0..8 {
        for _ in 0..dice.random_range(5..40) {
            change(&agent, &mut dice).await;
        }
        let mark = format!("#{round}");
        match round % 4 {
            0 => {
                agent.kill();
                agent.restart().await;
            }
            1 => program.signal(Signal::SIGHUP),
            2 => {
                drop(program);
                program = place.configured(CONFIG);
            }
            _ => place.write("in", "{{ broken"),
        }
        change(&agent, &mut dice).await;
        place.write("in", &format!("{TEMPLATE}{mark}"));
        agrees(&place, &agent, &mark).await;
    }
    program.stop().await;
}

#[tokio::test]
async fn the_file_says_what_consul_says_after_all() {
    in_upheaval(1).await;
}

#[tokio::test]
async fn the_file_says_what_consul_says_after_all_otherwise() {
    in_upheaval(2).await;
}
