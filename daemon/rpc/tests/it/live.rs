//! Our pool with a server of HashiCorp Consul, if there is one on this machine.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use consul_api::msgpack;
use consul_rpc::client::{Pool, RpcCallError, Target};
use consul_rpc::snapshot::{SnapshotOp, SnapshotRequest};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use crate::support::{pool, soon, within};

struct Agent {
    child: Child,
    target: Target,
    _data: tempfile::TempDir,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that has elected itself; nothing if the machine has no program for it.
async fn start(pool: &Pool) -> Option<Agent> {
    let program = std::env::var("HASHICORP_CONSUL").unwrap_or_else(|_| "/usr/bin/consul".to_owned());
    if !Path::new(&program).exists() {
        eprintln!("skipped: there is no HashiCorp Consul at {program}");
        return None;
    }
    let data = tempfile::tempdir().unwrap();
    let (server, serf) = (free_port(), free_port());
    let ports = format!(
        "ports {{ server = {server} serf_lan = {serf} serf_wan = -1 http = -1 dns = -1 grpc = -1 }} \
         raft_protocol = 3 performance {{ raft_multiplier = 1 }}"
    );
    let child = Command::new(program)
        .args(["agent", "-server", "-bootstrap-expect=1", "-bind=127.0.0.1", "-node=live", "-data-dir"])
        .arg(data.path())
        .args(["-hcl", &ports])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let target = Target::plain("live", format!("127.0.0.1:{server}").parse().unwrap(), "dc1");
    let agent = Agent { child, target, _data: data };
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let leader = call::<_, String>(pool, &agent, "Status.Leader", &Datacenter::default()).await;
        if leader.is_ok_and(|leader| !leader.is_empty()) {
            return Some(agent);
        }
        assert!(Instant::now() < end, "no leader");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn call<Q: Serialize, A: for<'de> Deserialize<'de>>(
    pool: &Pool,
    agent: &Agent,
    method: &str,
    query: &Q,
) -> Result<A, RpcCallError> {
    let body = msgpack::to_vec(query).unwrap().into();
    let answer = pool.call(&agent.target, method, body, soon()).await?;
    Ok(msgpack::from_slice(&answer).unwrap())
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Datacenter {
    datacenter: &'static str,
}

impl Default for Datacenter {
    fn default() -> Self {
        Self { datacenter: "dc1" }
    }
}

#[derive(Serialize, Deserialize, Default, Clone)]
#[serde(rename_all = "PascalCase", default)]
struct Entry {
    key: String,
    #[serde(with = "raw")]
    value: Vec<u8>,
    modify_index: u64,
}

/// Bytes as the protocol has them.
mod raw {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Ok(bytes::Bytes::deserialize(deserializer)?.to_vec())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Apply {
    datacenter: &'static str,
    op: &'static str,
    dir_ent: Entry,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Get {
    datacenter: &'static str,
    key: String,
    min_query_index: u64,
    max_query_time: i64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Got {
    entries: Vec<Entry>,
    index: u64,
}

fn get(key: &str, min_query_index: u64) -> Get {
    Get { datacenter: "dc1", key: key.to_owned(), min_query_index, max_query_time: 60_000_000_000 }
}

async fn put(pool: &Pool, agent: &Agent, key: &str, value: Vec<u8>) {
    let dir_ent = Entry { key: key.to_owned(), value, modify_index: 0 };
    let apply = Apply { datacenter: "dc1", op: "set", dir_ent };
    call::<_, bool>(pool, agent, "KVS.Apply", &apply).await.unwrap();
}

#[tokio::test]
async fn a_hashicorp_server_answers_our_calls() {
    let pool = pool();
    let Some(agent) = start(&pool).await else { return };
    pool.call(&agent.target, "Status.Ping", Bytes::from_static(&[0xc0]), soon()).await.unwrap();
    let peers: Vec<String> = call(&pool, &agent, "Status.Peers", &Datacenter::default()).await.unwrap();
    assert_eq!(peers, [agent.target.address.to_string()]);

    many_small_and_some_large_values(&pool, &agent).await;
    a_blocking_query(&pool, &agent).await;
    errors_end_streams_not_connections(&pool, &agent).await;
    a_snapshot(&pool, &agent).await;
    assert_eq!(pool.counters().values().protocol_errors, 0);
}

async fn many_small_and_some_large_values(pool: &Pool, agent: &Agent) {
    // 500 KiB values cross the initial window in both directions.
    for round in 0..4u8 {
        put(pool, agent, "large", vec![round; 500 * 1024]).await;
        let got: Got = call(pool, agent, "KVS.Get", &get("large", 0)).await.unwrap();
        assert!(got.entries[0].value == vec![round; 500 * 1024]);
    }
    let query = get("missing", 0);
    let reads = (0..600).map(|_| call::<_, Got>(pool, agent, "KVS.Get", &query));
    for got in futures::future::join_all(reads).await {
        assert_eq!(got.unwrap().entries.len(), 0);
    }
}

async fn a_blocking_query(pool: &Pool, agent: &Agent) {
    put(pool, agent, "watched", b"1".to_vec()).await;
    let got: Got = call(pool, agent, "KVS.Get", &get("watched", 0)).await.unwrap();
    let query = get("watched", got.index);
    let woken = call::<_, Got>(pool, agent, "KVS.Get", &query);
    let dropped = Box::pin(call::<_, Got>(pool, agent, "KVS.Get", &query));
    let (woken, ()) = tokio::join!(woken, async {
        // Polled once and dropped: the reset must not disturb the other streams.
        let _ = tokio::time::timeout(Duration::from_millis(20), dropped).await;
        put(pool, agent, "watched", b"2".to_vec()).await;
    });
    let woken = woken.unwrap();
    assert_eq!(woken.entries[0].value, b"2");
    assert!(woken.index > got.index);
}

async fn errors_end_streams_not_connections(pool: &Pool, agent: &Agent) {
    let dialed = pool.counters().values().connections_dialed;
    let nowhere = Datacenter { datacenter: "nowhere" };
    let cases = [
        ("Catalog.ListNodes", "No path to datacenter"),
        ("No.Such", "rpc: can't find service No.Such"),
        ("KVS.Such", "rpc: can't find method KVS.Such"),
        ("nodot", "rpc: service/method request ill-formed: nodot"),
    ];
    for (method, expected) in cases {
        match call::<_, Got>(pool, agent, method, &nowhere).await {
            Err(RpcCallError::Remote(text)) => assert_eq!(text, expected),
            other => panic!("{method}: {:?}", other.map(|_| ())),
        }
    }
    let got: Got = call(pool, agent, "KVS.Get", &get("watched", 0)).await.unwrap();
    assert_eq!(got.entries.len(), 1);
    assert_eq!(pool.counters().values().connections_dialed, dialed);
}

async fn a_snapshot(pool: &Pool, agent: &Agent) {
    let save = SnapshotRequest { datacenter: "dc1".to_owned(), ..SnapshotRequest::default() };
    let mut saved = pool.save_snapshot(&agent.target, &save, soon().unwrap()).await.unwrap();
    assert!(saved.response.index > 0);
    let mut archive = Vec::new();
    within("the archive ends", saved.read_to_end(&mut archive)).await.unwrap();
    assert_eq!(archive[..2], [0x1f, 0x8b], "it is compressed with gzip");

    put(pool, agent, "watched", b"3".to_vec()).await;
    let restore = SnapshotRequest { op: SnapshotOp::Restore.number(), ..save };
    let mut source = std::io::Cursor::new(archive);
    pool.restore_snapshot(&agent.target, &restore, &mut source, soon().unwrap()).await.unwrap();
    let got: Got = call(pool, agent, "KVS.Get", &get("watched", 0)).await.unwrap();
    assert_eq!(got.entries[0].value, b"2");
}
