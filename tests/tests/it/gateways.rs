//! What configuration entries of gateways and intentions mean for those who ask.

use consul_tests::{Agent, Setup, tools};
use serde_json::{Value, json};

async fn with_gateways() -> Agent {
    let agent = Setup::dev("n1").start().await;
    for (name, kind) in [("ig", "ingress-gateway"), ("tg", "terminating-gateway")] {
        let gateway =
            json!({"Kind": kind, "Name": name, "Port": 8443, "Address": "10.0.0.5", "Tags": ["edge"]});
        agent.put_json("/v1/agent/service/register", &gateway).await.ok();
    }
    for name in ["web", "api", "db"] {
        agent.put_json("/v1/agent/service/register", &json!({"Name": name, "Port": 80})).await.ok();
    }
    agent.until("/v1/catalog/services", |reply| reply.json()["db"].is_array()).await;
    let entries = [
        json!({"Kind": "service-defaults", "Name": "web", "Protocol": "http"}),
        json!({"Kind": "ingress-gateway", "Name": "ig", "Listeners": [
            {"Port": 8080, "Protocol": "http", "Services": [{"Name": "web", "Hosts": ["a.example"]}]},
            {"Port": 9090, "Protocol": "tcp", "Services": [{"Name": "api"}]}]}),
        json!({"Kind": "terminating-gateway", "Name": "tg", "Services": [
            {"Name": "db", "CAFile": "/ca.pem", "SNI": "x"}, {"Name": "*"}]}),
    ];
    for entry in entries {
        agent.put_json("/v1/config", &entry).await.ok();
    }
    agent
}

fn without_indexes(mut links: Value) -> Value {
    for link in links.as_array_mut().expect("a list") {
        let link = link.as_object_mut().expect("an object");
        assert!(link["CreateIndex"].is_u64() && link["ModifyIndex"].is_u64());
        link.retain(|name, _| !name.ends_with("Index"));
    }
    links
}

#[tokio::test]
async fn gateways_list_their_services() {
    let agent = with_gateways().await;
    let ingress = agent.get("/v1/catalog/gateway-services/ig").await.ok();
    let gateway = |name: &str| json!({"Name": name});
    assert_eq!(
        without_indexes(ingress.json()),
        json!([
            {"Gateway": gateway("ig"), "Service": {"Name": "api"}, "GatewayKind": "ingress-gateway",
                "Port": 9090, "Protocol": "tcp"},
            {"Gateway": gateway("ig"), "Service": {"Name": "web"}, "GatewayKind": "ingress-gateway",
                "Port": 8080, "Protocol": "http", "Hosts": ["a.example"]},
        ])
    );
    let terminating = agent.get("/v1/catalog/gateway-services/tg").await.ok();
    assert_eq!(
        without_indexes(terminating.json()),
        json!([
            {"Gateway": gateway("tg"), "Service": {"Name": "api"}, "GatewayKind": "terminating-gateway",
                "FromWildcard": true},
            {"Gateway": gateway("tg"), "Service": {"Name": "db"}, "GatewayKind": "terminating-gateway",
                "CAFile": "/ca.pem", "SNI": "x"},
            {"Gateway": gateway("tg"), "Service": {"Name": "web"}, "GatewayKind": "terminating-gateway",
                "FromWildcard": true},
        ])
    );
    let shown = agent.get("/v1/internal/ui/gateway-services-nodes/ig").await.ok().json();
    assert_eq!((&shown[0]["Name"], &shown[0]["InstanceCount"]), (&json!("api"), &json!(1)), "{shown}");
    assert_eq!(shown[0]["GatewayConfig"], json!({"Addresses": ["api.ingress.dc1.consul.:9090"]}));
    assert_eq!(shown[1]["GatewayConfig"], json!({"Addresses": ["a.example:8080"]}));
    assert_eq!(agent.get("/v1/catalog/gateway-services/none").await.ok().json(), Value::Null);
    assert_eq!(agent.get("/v1/catalog/gateway-services/").await.status, 400);
    // A wildcard of a listener takes the services that speak its protocol.
    let wildcard = json!({"Kind": "ingress-gateway", "Name": "ig",
        "Listeners": [{"Port": 8080, "Protocol": "http", "Services": [{"Name": "*"}]}]});
    agent.put_json("/v1/config", &wildcard).await.ok();
    let links = agent.get("/v1/catalog/gateway-services/ig").await.ok().json();
    assert_eq!((&links[0]["Service"]["Name"], links.as_array().unwrap().len()), (&json!("web"), 1));
    let reply = agent
        .put_json(
            "/v1/config",
            &json!({"Kind": "ingress-gateway", "Name": "ig",
            "Listeners": [{"Port": 8080, "Services": [{"Name": "*"}]}]}),
        )
        .await;
    assert!(reply.status == 500 && reply.text().starts_with("Wildcard service name"), "{}", reply.text());
}

#[tokio::test]
async fn services_are_found_behind_their_ingress() {
    let agent = with_gateways().await;
    for service in ["web", "API"] {
        let found = agent.get(&format!("/v1/health/ingress/{service}?tag=edge&passing")).await.ok();
        assert_eq!(found.json()[0]["Service"]["ID"], "ig", "{service}: {}", found.text());
    }
    for none in ["db", "tg", "web?tag=none", "web?filter=Service.Port==1"] {
        assert_eq!(agent.get(&format!("/v1/health/ingress/{none}")).await.ok().json(), json!([]), "{none}");
    }
    // Whoever waits hears of the gateway's end.
    let index = agent.get("/v1/health/ingress/web").await.index();
    let waiting = format!("/v1/health/ingress/web?index={index}&wait=60s");
    let (gone, _) = tokio::join!(agent.get(&waiting), agent.put("/v1/agent/service/deregister/ig", ""));
    assert_eq!(gone.ok().json(), json!([]));
}

#[tokio::test]
async fn services_are_found_for_the_mesh_behind_their_terminating_gateway() {
    let agent = with_gateways().await;
    let kinds = |rows: Value, at: &str| -> Vec<String> {
        let rows = rows.as_array().cloned().unwrap_or_default();
        rows.iter().filter_map(|row| row.pointer(at)?.as_str().map(str::to_owned)).collect()
    };
    // The one by its name, the others by the wildcard; the gateway itself is behind none.
    for service in ["db", "web"] {
        let found = agent.until(&format!("/v1/health/connect/{service}"), |reply| reply.text() != "[]").await;
        assert_eq!(kinds(found.json(), "/Service/Kind"), ["terminating-gateway"], "{service}");
        let found = agent.get(&format!("/v1/catalog/connect/{service}")).await.ok();
        assert_eq!(kinds(found.json(), "/ServiceKind"), ["terminating-gateway"], "{service}");
    }
    for none in ["tg", "nothing", "consul"] {
        assert_eq!(agent.get(&format!("/v1/health/connect/{none}")).await.ok().json(), json!([]), "{none}");
    }
    if !tools::lacks(&["dig"]) {
        let answer = agent.dig("db.connect.consul SRV").await;
        assert!(answer.text.contains(" 8443 "), "{}", answer.text);
    }
    // Whoever waits hears that the way is closed.
    let before = agent.get("/v1/health/connect/db").await.ok();
    let waiting = format!("/v1/health/connect/db?index={}&wait=1m", before.index());
    let close = async {
        agent.delete("/v1/config/terminating-gateway/tg").await.ok();
    };
    let (after, ()) = tokio::join!(agent.get(&waiting), close);
    assert_eq!(after.ok().json(), json!([]));
}

#[tokio::test]
async fn ingress_names_resolve_to_the_gateway() {
    if tools::lacks(&["dig"]) {
        return;
    }
    let agent = with_gateways().await;
    assert_eq!(agent.dig("web.ingress.consul").await.data(), ["10.0.0.5"]);
    assert_eq!(agent.dig("db.ingress.consul").await.status, "NXDOMAIN");
}

#[tokio::test]
async fn connections_are_judged_by_intentions() {
    let agent = Setup::dev("n1").start().await;
    let ask = async |target: &str, uri: &str| {
        let body = json!({"Target": target, "ClientCertURI": uri, "ClientCertSerial": "1"}).to_string();
        agent.request(reqwest::Method::POST, "/v1/agent/connect/authorize", body).await
    };
    let uri = |service: &str| format!("spiffe://trust.consul/ns/default/dc/dc1/svc/{service}");
    let verdict = ask("db", &uri("web")).await.ok().json();
    assert_eq!(verdict, json!({"Authorized": true, "Reason": "ACLs disabled, access is allowed by default"}));
    for (source, action) in [("web", "deny"), ("*", "allow")] {
        let intention = json!({"SourceName": source, "DestinationName": "db", "Action": action});
        agent.request(reqwest::Method::POST, "/v1/connect/intentions", intention.to_string()).await.ok();
    }
    let denied = ask("db", &uri("web")).await.ok().json();
    assert_eq!(denied["Authorized"], false);
    let reason = denied["Reason"].as_str().unwrap();
    assert!(reason.starts_with("Matched intention: DENY default/web => default/db (ID: "), "{reason}");
    assert_eq!(ask("db", &uri("api")).await.ok().json()["Authorized"], true);
    for (target, uri, told) in [
        ("", uri("web"), "Bad request: Target service must be specified"),
        ("db", "http://x".to_owned(), "Bad request: ClientCertURI not a valid Connect identifier"),
        (
            "db",
            "spiffe://trust.consul".to_owned(),
            "Bad request: ClientCertURI not a valid Service identifier",
        ),
    ] {
        let refused = ask(target, &uri).await;
        assert_eq!((refused.status, refused.text().as_str()), (400, told));
    }
}
