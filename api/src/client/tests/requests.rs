use std::time::Duration;

use super::server::{Seen, Server, indexed, reply};
use crate::client::{
    Client, ClientError, Config, Consistency, QueryOptions, TxnOutcome, WriteOptions, block_on,
};
use crate::types::kv::KvPair;
use crate::types::operator::AutopilotHealth;
use crate::types::session::Session;

fn read() -> QueryOptions {
    QueryOptions::default()
}

fn write() -> WriteOptions {
    WriteOptions::default()
}

#[tokio::test]
async fn a_read_carries_its_options() {
    let server = Server::start(|_: Seen| async { indexed(200, 7, "[]") }).await;
    let options = QueryOptions {
        datacenter: Some("dc 2".into()),
        consistency: Consistency::Stale,
        max_stale: Some(Duration::from_secs(2)),
        cached: true,
        cache_max_age: Some(Duration::from_secs(30)),
        index: 5,
        wait: Some(Duration::from_millis(1500)),
        near: Some("_agent".into()),
        node_meta: vec![("a".into(), "b".into()), ("c".into(), "d&e".into())],
        filter: Some("Node == \"x\"".into()),
        token: Some("secret".into()),
        ..QueryOptions::default()
    };
    let answer = server.client().catalog().service("web/1?", &["t+g".to_owned()], &options).await.unwrap();
    assert_eq!((answer.meta.index, answer.meta.known_leader), (7, true));
    let [seen] = &server.seen()[..] else { panic!("one request") };
    assert_eq!(
        seen.target,
        "/v1/catalog/service/web/1%3F?tag=t%2Bg&dc=dc%202&stale=&max_stale=2000ms&cached=&index=5&wait=1500ms\
         &near=_agent&node-meta=a%3Ab&node-meta=c%3Ad%26e&filter=Node%20%3D%3D%20%22x%22"
    );
    assert_eq!((seen.header("x-consul-token"), seen.header("cache-control")), ("secret", "max-age=30"));
    assert_eq!(seen.header("host"), server.address);
}

#[tokio::test]
async fn settings_travel_with_every_request() {
    let server = Server::start(|_: Seen| async { reply(200, "true") }).await;
    let config = Config {
        address: format!("http://{}/base/", server.address),
        token: Some("own".into()),
        http_auth: Some(("user".into(), "pass".into())),
        namespace: Some("team".into()),
        partition: Some("p".into()),
        ..Config::default()
    };
    let client = Client::new(config).unwrap();
    let pair = KvPair { key: "/a b".into(), value: "v".into(), flags: 3, ..KvPair::default() };
    assert!(client.kv().put(&pair, &write()).await.unwrap());
    let [seen] = &server.seen()[..] else { panic!("one request") };
    assert_eq!(seen.target, "/base/v1/kv/a%20b?flags=3&ns=team&partition=p");
    assert_eq!((seen.header("authorization"), seen.header("x-consul-token")), ("Basic dXNlcjpwYXNz", "own"));
    assert_eq!((seen.method.as_str(), &seen.body[..]), ("PUT", &b"v"[..]));
}

#[tokio::test]
async fn refusals_read_as_users_know_them() {
    let server = Server::start(|_: Seen| async { reply(500, "No cluster leader\n") }).await;
    let error = server.client().kv().get("a", &read()).await.unwrap_err();
    assert_eq!(error.to_string(), "Unexpected response code: 500 (No cluster leader\n)");
    assert!(error.is_retryable() && !error.is_not_found());
    let error = server.client().agent().self_info().await.unwrap_err();
    assert_eq!(error.status(), Some(500));
}

#[tokio::test]
async fn connection_errors_name_the_request_and_the_address() {
    let unbound = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = unbound.local_addr().unwrap();
    drop(unbound);
    let client = Client::new(Config::new(address.to_string())).unwrap();
    let error = client.agent().members(false, "_all").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "Get \"http://{address}/v1/agent/members?segment=_all\": dial tcp {address}: connect: connection refused"
        )
    );
    assert!(error.is_retryable());
    let error = Client::new(Config::new("unix:///no/such.sock")).unwrap().agent().reload().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Put \"http://%2Fno%2Fsuch.sock/v1/agent/reload\": dial unix /no/such.sock: connect: no such file or directory"
    );
}

#[tokio::test]
async fn a_connection_is_used_again_also_after_not_found() {
    let server = Server::start(|_: Seen| async { indexed(404, 9, "") }).await;
    let client = server.client();
    for _ in 0..3 {
        let answer = client.kv().get("absent", &read()).await.unwrap();
        assert_eq!((answer.value, answer.meta.index), (None, 9));
    }
    assert!(client.kv().list("absent", &read()).await.unwrap().value.is_empty());
    assert!(client.kv().keys("absent", "/", &read()).await.unwrap().value.is_empty());
    assert!(client.sessions().renew("gone", &write()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_unix_socket_serves_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_unix(&dir.path().join("agent.sock"), |_: Seen| async {
        reply(200, "\"127.0.0.1:8300\"")
    })
    .await;
    assert_eq!(server.client().status().leader("dc1").await.unwrap(), "127.0.0.1:8300");
    assert_eq!(server.seen()[0].target, "/v1/status/leader?dc=dc1");
}

#[tokio::test]
async fn an_agent_that_does_not_answer_is_given_up() {
    let server = Server::start(|_: Seen| std::future::pending()).await;
    let config = Config { timeout: Some(Duration::from_millis(50)), ..Config::new(server.address.as_str()) };
    let error = Client::new(config).unwrap().status().peers("").await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn answers_beyond_the_limit_are_refused() {
    let server = Server::start(|_: Seen| async { reply(200, vec![b' '; 5000]) }).await;
    let config = Config { response_bytes_max: 4096, ..Config::new(server.address.as_str()) };
    let error = Client::new(config).unwrap().kv().get_raw("a", &read()).await.unwrap_err();
    assert!(matches!(error, ClientError::TooLarge(4096)), "{error}");
}

#[tokio::test]
async fn half_an_answer_is_an_error() {
    let server = Server::start(|_: Seen| async { reply(200, "[{\"Key\":\"a\"") }).await;
    let error = server.client().kv().get("a", &read()).await.unwrap_err();
    assert!(matches!(error, ClientError::Decode(_)), "{error}");
}

#[tokio::test]
async fn nulls_and_newer_fields_do_not_disturb() {
    let server = Server::start(|_: Seen| async {
        reply(
            200,
            r#"[{"Node":{"Node":"n","Meta":null,"New":1},"Service":{"ID":"w","Tags":null,"Future":{}},"Checks":null}]"#,
        )
    })
    .await;
    let answer = server.client().health().service("w", &[], true, &read()).await.unwrap();
    assert_eq!((answer.value[0].node.node.as_str(), answer.value[0].service.id.as_str()), ("n", "w"));
    assert_eq!(server.seen()[0].target, "/v1/health/service/w?passing=1");
}

#[tokio::test]
async fn a_token_with_a_line_break_is_not_sent() {
    let server = Server::start(|_: Seen| async { reply(200, "[]") }).await;
    let config = Config { token: Some("a\nb: c".into()), ..Config::new(server.address.as_str()) };
    let error = Client::new(config).unwrap().status().peers("").await.unwrap_err();
    assert_eq!(error.to_string(), "invalid token");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_rolled_back_transaction_is_an_answer() {
    let server = Server::start(|_: Seen| async {
        reply(409, r#"{"Results":null,"Errors":[{"OpIndex":1,"What":"no"}]}"#)
    })
    .await;
    let TxnOutcome::RolledBack(errors) = server.client().txn(&[], &write()).await.unwrap() else {
        panic!("committed")
    };
    assert_eq!((errors[0].op_index, errors[0].what.as_str()), (1, "no"));
}

#[tokio::test]
async fn an_unhealthy_cluster_is_an_answer_and_an_overloaded_agent_is_not() {
    let server = Server::start(|seen: Seen| async move {
        let overloaded = seen.param("dc").is_some();
        if overloaded {
            reply(429, "Too many requests")
        } else {
            reply(429, r#"{"Healthy":false,"Servers":[]}"#)
        }
    })
    .await;
    let health = server.client().operator().autopilot_health(&read()).await.unwrap();
    assert_eq!(health, AutopilotHealth { servers: Some(Vec::new()), ..AutopilotHealth::default() });
    let overloaded = QueryOptions::in_datacenter("dc2");
    let error = server.client().operator().autopilot_health(&overloaded).await.unwrap_err();
    assert_eq!(error.to_string(), "Unexpected response code: 429 (Too many requests)");
}

#[tokio::test]
async fn a_session_asks_only_for_what_was_set() {
    let server = Server::start(|_: Seen| async { reply(200, "{\"ID\":\"x\"}") }).await;
    let sessions = server.client();
    assert_eq!(sessions.sessions().create(&Session::default(), &write()).await.unwrap(), "x");
    let session = Session {
        name: "n".into(),
        lock_delay: crate::types::duration::Nanoseconds(500_000_000),
        node_checks: Some(Vec::new()),
        ..Session::default()
    };
    sessions.sessions().create(&session, &write()).await.unwrap();
    let bodies: Vec<_> = server.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, ["{}", r#"{"Name":"n","LockDelay":"500ms","NodeChecks":[]}"#]);
}

#[tokio::test]
async fn an_archive_streams_both_ways() {
    let archive: Vec<u8> = (0..400_000u32).map(|n| (n % 251) as u8).collect();
    let body = archive.clone();
    let server = Server::start(move |_: Seen| {
        let body = body.clone();
        async move { indexed(200, 12, body) }
    })
    .await;
    let client = server.client();
    let mut answer = client.snapshots().save(&QueryOptions::stale()).await.unwrap();
    let mut received = Vec::new();
    while let Some(chunk) = answer.value.chunk().await.unwrap() {
        received.extend_from_slice(&chunk);
    }
    assert_eq!((answer.meta.index, received == archive), (12, true));
    client.snapshots().restore(std::io::Cursor::new(archive.clone()), &write()).await.unwrap();
    assert_eq!(server.seen()[1].body, archive);
}

#[tokio::test]
async fn a_log_comes_line_by_line() {
    let server = Server::start(|_: Seen| async { reply(200, "one\r\ntwo\n\nlast") }).await;
    let mut lines = server.client().agent().monitor("debug", true).await.unwrap();
    for expected in [Some("one"), Some("two"), Some(""), Some("last"), None] {
        assert_eq!(lines.line().await.unwrap().as_deref(), expected);
    }
    assert_eq!(server.seen()[0].target, "/v1/agent/monitor?loglevel=debug&logjson=true");
}

#[test]
fn one_request_needs_no_runtime_of_the_caller() {
    let error =
        block_on(async { Client::new(Config::new("unix:///no/such")).unwrap().status().peers("").await });
    assert!(error.unwrap().is_err());
}
