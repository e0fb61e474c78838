//! Instances that listen on several ports.

use consul_tests::{Setup, binary, tools};
use serde_json::{Value, json};

fn ports() -> Value {
    json!([{"Name": "admin", "Port": 9000, "Default": false}, {"Name": "http", "Port": 8080, "Default": true}])
}

#[tokio::test]
async fn named_ports_are_kept_and_shown_and_dns_answers_the_default() {
    if binary::is_reference() {
        return tools::skip("1.22 has several ports, earlier releases have not");
    }
    let file = r#"service { name = "file" ports = [{ name = "a", port = 1 }, { name = "b", port = 2 }] }"#;
    let agent = Setup::dev("n1").file("ports.hcl", file).start().await;
    agent.put_json("/v1/agent/service/register", &json!({"Name": "web", "Ports": ports()})).await.ok();
    let other =
        json!({"Node": "other", "Address": "10.0.0.9", "Service": {"Service": "web", "Ports": ports()}});
    agent.put_json("/v1/catalog/register", &other).await.ok();
    let listed = agent.until("/v1/catalog/service/web", |reply| {
        reply.json().as_array().is_some_and(|list| list.len() == 2)
    });
    for instance in listed.await.json().as_array().unwrap() {
        assert_eq!(
            (&instance["ServicePorts"], &instance["ServicePort"]),
            (&ports(), &json!(0)),
            "{instance}"
        );
    }
    assert_eq!(agent.get("/v1/agent/service/web").await.ok().json()["Ports"], ports());
    assert_eq!(agent.get("/v1/health/service/web").await.ok().json()[0]["Service"]["Ports"], ports());
    let file = agent.until("/v1/catalog/service/file", |reply| reply.text().contains("file")).await.json();
    assert_eq!(file[0]["ServicePorts"][1], json!({"Name": "b", "Port": 2, "Default": false}));
    if !tools::lacks(&["dig"]) {
        let answer = agent.dig("web.service.consul SRV").await;
        assert!(answer.text.contains(" 8080 ") && !answer.text.contains(" 9000 "), "{}", answer.text);
        // Without a mark it is the first.
        let answer = agent.dig("file.service.consul SRV").await;
        assert!(answer.text.contains("SRV") && answer.text.contains("1 1 1 n1."), "{}", answer.text);
    }
}

#[tokio::test]
async fn ports_that_contradict_each_other_are_refused_and_nothing_is_registered() {
    if binary::is_reference() {
        return tools::skip("1.22 has several ports, earlier releases have not");
    }
    let agent = Setup::dev("n1").start().await;
    let cases = [
        (json!({"Name": "web", "Port": 80, "Ports": ports()}), "Port and Ports cannot be set together"),
        (json!({"Name": "web", "Ports": [{"Port": 1}]}), "entry 1 has no name"),
        (
            json!({"Name": "web", "Ports": [{"Name": "a", "Port": 0}]}),
            "0 of \"a\" is not between 1 and 65535",
        ),
        (
            json!({"Name": "web", "Ports": [{"Name": "a", "Port": 1}, {"Name": "a", "Port": 2}]}),
            "the name \"a\" is given twice",
        ),
        (
            json!({"Name": "web", "Ports": [
                {"Name": "a", "Port": 1, "Default": true}, {"Name": "b", "Port": 2, "Default": true}]}),
            "more than one is the default",
        ),
    ];
    for (definition, why) in cases {
        let refused = agent.put_json("/v1/agent/service/register", &definition).await;
        assert_eq!((refused.status, refused.text().contains(why)), (400, true), "{}", refused.text());
        let mut service = definition.clone();
        let name = service.as_object_mut().and_then(|fields| fields.remove("Name"));
        service["Service"] = json!(name);
        let registration = json!({"Node": "n", "Address": "a", "Service": service});
        let refused = agent.put_json("/v1/catalog/register", &registration).await;
        assert!(refused.status >= 400 && refused.text().contains(why), "{}", refused.text());
    }
    assert_eq!(agent.get("/v1/agent/services").await.ok().json(), json!({}));
    assert_eq!(agent.get("/v1/catalog/service/web").await.ok().json(), json!([]));
}
