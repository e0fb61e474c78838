//! Answers that the original cannot send, sends too long, or sends empty.

use consul_tests::wait::check;
use consul_tests::{Setup, eventually, tools};
use serde_json::json;

#[tokio::test]
async fn long_node_meta_does_not_silence_the_node() {
    if tools::lacks(&["dig"]) {
        return;
    }
    let long = "v".repeat(500);
    let agent = Setup::dev("n1").config(|config| config["node_meta"] = json!({"long": long})).start().await;
    agent.until("/v1/catalog/node/n1", |reply| reply.json()["Node"]["Meta"]["long"].is_string()).await;
    eventually("the address resolves", async || {
        let dig = agent.dig("n1.node.consul").await;
        check(dig.data() == ["127.0.0.1"], dig.text)
    })
    .await;
    let texts = agent.dig("n1.node.consul TXT +tcp").await;
    let joined = texts.text.replace("\" \"", "");
    assert!(joined.contains(&format!("long={long}")), "{}", texts.text);
}

#[tokio::test]
async fn answers_fit_the_size_that_the_client_named() {
    if tools::lacks(&["dig"]) {
        return;
    }
    let agent = Setup::dev("n1").start().await;
    for number in 1..=60 {
        let body = json!({"Node": format!("far{number}"), "Address": format!("10.0.0.{number}"),
            "Service": {"Service": "many", "Port": number}});
        agent.put_json("/v1/catalog/register", &body).await.ok();
    }
    for size in [512, 700, 1232, 1400] {
        for kind in ["A", "SRV"] {
            let dig = agent.dig(&format!("many.service.consul {kind} +ignore +bufsize={size}")).await;
            let received =
                dig.text.split("MSG SIZE  rcvd: ").nth(1).and_then(|rest| rest.trim().parse::<usize>().ok());
            let received = received.unwrap_or_else(|| panic!("no size: {}", dig.text));
            assert!(received <= size, "{kind}: {received} bytes where {size} were allowed");
            assert!(!dig.answer.is_empty(), "{kind} at {size}: nothing was left");
        }
    }
    let whole = agent.dig("many.service.consul A +tcp").await;
    assert_eq!(whole.answer.len(), 60, "{}", whole.text);
}

#[tokio::test]
async fn answer_limit_of_zero_is_not_an_empty_answer() {
    if tools::lacks(&["dig"]) {
        return;
    }
    let agent =
        Setup::dev("n1").config(|config| config["dns_config"] = json!({"udp_answer_limit": 0})).start().await;
    for number in 1..=4 {
        let body = json!({"Node": format!("far{number}"), "Address": format!("10.0.0.{number}"),
            "Service": {"Service": "many", "Port": number}});
        agent.put_json("/v1/catalog/register", &body).await.ok();
    }
    let dig = agent.dig("many.service.consul +noedns").await;
    assert_eq!((dig.status.as_str(), dig.answer.len()), ("NOERROR", 4), "{}", dig.text);
}

#[tokio::test]
async fn other_classes_are_refused() {
    if tools::lacks(&["dig"]) {
        return;
    }
    let agent = Setup::dev("n1").start().await;
    let dig = agent.dig("n1.node.consul CH A").await;
    assert_eq!(dig.status, "REFUSED", "{}", dig.text);
}
