use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::server::{Reply, Seen, Server, indexed, reply};
use crate::client::retry::Backoff;
use crate::client::watch::{WatchSettings, Watcher};
use crate::client::{Answer, Client, ClientError, QueryOptions};

fn settings() -> WatchSettings {
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(2));
    WatchSettings { min_interval: Duration::from_millis(1), backoff, ..WatchSettings::default() }
}

/// Gives the answers of a script one after the other, then none.
async fn scripted(script: Vec<fn() -> Reply>) -> Server {
    let position = Arc::new(AtomicUsize::new(0));
    let script = Arc::new(script);
    Server::start(move |_: Seen| {
        let step = script.get(position.fetch_add(1, Ordering::SeqCst)).copied();
        async move {
            match step {
                Some(step) => step(),
                None => std::future::pending().await,
            }
        }
    })
    .await
}

async fn nodes(client: Client, options: QueryOptions) -> Result<Answer<Vec<String>>, ClientError> {
    Ok(client.catalog().nodes(&options).await?.map(|nodes| nodes.into_iter().map(|node| node.node).collect()))
}

#[tokio::test]
async fn changes_come_out_and_timeouts_do_not() {
    let server = scripted(vec![
        || indexed(200, 5, r#"[{"Node":"a"}]"#),
        || indexed(200, 5, r#"[{"Node":"a"}]"#),
        || reply(500, "No cluster leader"),
        || indexed(200, 8, r#"[{"Node":"b"}]"#),
        || indexed(200, 3, r#"[{"Node":"restored"}]"#),
        || indexed(200, 3, r#"[{"Node":"restored"}]"#),
        || indexed(200, 4, r#"[{"Node":"c"}]"#),
    ])
    .await;
    let client = server.client();
    let mut watcher =
        Watcher::new(QueryOptions::stale(), settings(), move |options| nodes(client.clone(), options));
    assert_eq!(watcher.next().await.unwrap().value, ["a"]);
    assert!(watcher.next().await.is_err());
    assert_eq!(watcher.failures(), 1);
    assert_eq!(watcher.next().await.unwrap().value, ["b"]);
    assert_eq!(watcher.failures(), 0);
    assert_eq!(watcher.next().await.unwrap().value, ["restored"]);
    assert_eq!(watcher.next().await.unwrap().value, ["c"]);
    let asked: Vec<_> = server.seen().iter().map(|seen| seen.param("index").unwrap_or_default()).collect();
    assert_eq!(asked, ["", "5", "5", "5", "8", "", "3"]);
    assert!(server.seen().iter().all(|seen| seen.param("stale").is_some()));
}

#[tokio::test]
async fn a_hash_is_followed_where_there_is_one() {
    fn hashed(hash: &'static str) -> Reply {
        let mut reply = reply(200, "[]");
        reply.headers_mut().insert("X-Consul-ContentHash", hash.parse().unwrap());
        reply
    }
    let server = scripted(vec![|| hashed("one"), || hashed("one"), || hashed("two")]).await;
    let client = server.client();
    let mut watcher =
        Watcher::new(QueryOptions::default(), settings(), move |options| nodes(client.clone(), options));
    assert_eq!(watcher.next().await.unwrap().meta.content_hash, "one");
    assert_eq!(watcher.next().await.unwrap().meta.content_hash, "two");
    let asked: Vec<_> = server.seen().iter().map(|seen| seen.param("hash").unwrap_or_default()).collect();
    assert_eq!(asked, ["", "one", "one"]);
}

#[tokio::test]
async fn an_answer_without_an_index_is_not_asked_for_without_one_again() {
    let server = scripted(vec![|| reply(200, "[]"), || indexed(200, 2, "[]")]).await;
    let client = server.client();
    let mut watcher =
        Watcher::new(QueryOptions::default(), settings(), move |options| nodes(client.clone(), options));
    watcher.next().await.unwrap();
    watcher.next().await.unwrap();
    assert_eq!(server.seen()[1].param("index").as_deref(), Some("1"));
}
