//! Requests over real sockets: to our own door, and to a server of HashiCorp Consul if there is one on this machine.

use std::net::TcpListener as StdListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use consul_api::types::event::UserEvent;
use consul_api::types::intention::Intention;
use consul_api::types::kv::KvVerb;
use consul_api::types::query::{PreparedQuery, ServiceQuery};
use consul_api::types::session::Session;
use consul_api::types::txn::{TxnKvOp, TxnOp};
use consul_rpc::client::{Pool, PoolConfig, RpcCallError, Target};
use consul_rpc::server::{Limits, Server};
use consul_state::config_entry::ConfigEntryCommand;
use tokio_util::sync::CancellationToken;

use super::RpcDoor;
use crate::config_entries::Kind;
use crate::rpc::catalog::{
    HealthWanted, NodeList, NodeServicesOf, Register, ServiceInstances, ServiceNames, ServicesAt,
};
use crate::rpc::config_entry::{ConfigEntryGet, ConfigEntryList, ConfigEntryWrite};
use crate::rpc::health::{CheckList, ChecksOf};
use crate::rpc::intention::{IntentionList, IntentionWrite};
use crate::rpc::internal::{AllInstances, NodeDetails};
use crate::rpc::kv::{KvGet, KvKeys, KvList, KvWrite};
use crate::rpc::methods::tests::{entry, options, registration, server};
use crate::rpc::operation::datacenters::ListDatacenters;
use crate::rpc::operation::event::FireEvent;
use crate::rpc::operation::health::ServersHealth;
use crate::rpc::operation::query::ExplainQuery;
use crate::rpc::operation::raft::RaftServers;
use crate::rpc::operation::session::{EndSession, OpenSession, RenewSession};
use crate::rpc::operation::status::LeaderAddress;
use crate::rpc::operation::txn::Transact;
use crate::rpc::operation::usage::UsageOf;
use crate::rpc::operator::{AutopilotGet, AutopilotSet};
use crate::rpc::query::{QueryChange, QueryExecute, QueryList};
use crate::rpc::remote::{Operation, RemoteRead, RemoteWrite};
use crate::rpc::session::SessionList;
use crate::rpc::txn::TxnRead;
use crate::rpc::{RpcError, WriteOptions};

/// A server that is asked over a socket.
struct Remote {
    pool: Pool,
    target: Target,
}

impl Remote {
    fn new(port: u16) -> Self {
        let target = Target::plain("live", ([127, 0, 0, 1], port).into(), "dc1");
        Self { pool: Pool::new(PoolConfig::default(), None), target }
    }

    async fn call(&self, method: &str, body: Vec<u8>) -> Result<Vec<u8>, RpcError> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        match self.pool.call(&self.target, method, body.into(), Some(deadline)).await {
            Ok(body) => Ok(body.to_vec()),
            Err(RpcCallError::Remote(text)) => Err(RpcError::from_text(&text)),
            Err(other) => Err(RpcError::refused(format!("{method}: {other}"))),
        }
    }

    async fn read<R: RemoteRead>(&self, request: R) -> Result<R::Reply, RpcError> {
        let body = self.call(request.method(), request.arguments(&options())).await?;
        Ok(request.reply(&body)?.1)
    }

    async fn write<W: RemoteWrite>(&self, request: W) -> Result<W::Reply, RpcError> {
        let arguments = request.arguments(&WriteOptions::from(&options()));
        request.reply(&self.call(request.method(), arguments).await?)
    }

    async fn ask<O: Operation>(&self, operation: O) -> Result<O::Reply, RpcError> {
        let body = self.call(operation.method(), operation.arguments(&options())).await?;
        Ok(operation.reply(&body)?.1)
    }
}

#[tokio::test]
async fn our_own_server_answers_over_a_socket() {
    let agent = server().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = Remote::new(listener.local_addr().unwrap().port());
    let stop = CancellationToken::new();
    let door = Server::new(Arc::new(RpcDoor(Arc::downgrade(&agent))), Limits::default());
    let serving = tokio::spawn(Arc::new(door).serve(listener, stop.clone()));
    use_all_families(&remote).await;
    let usage = remote.ask(UsageOf).await.unwrap();
    assert_eq!(usage["dc1"].service_instances, 1);
    stop.cancel();
    serving.await.unwrap();
}

/// Killed when the test ends, however it ends.
struct Reference {
    child: Child,
    _data: tempfile::TempDir,
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn a_server_of_hashicorp_understands_what_we_ask() {
    let program = std::env::var("HASHICORP_CONSUL").unwrap_or_else(|_| "/usr/bin/consul".to_owned());
    if !Path::new(&program).exists() {
        eprintln!("skipped: there is no HashiCorp Consul at {program}");
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let (port, serf) = (free_port(), free_port());
    let ports = format!(
        "ports {{ server = {port} serf_lan = {serf} serf_wan = -1 http = -1 dns = -1 grpc = -1 }} \
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
    let _reference = Reference { child, _data: data };
    let remote = Remote::new(port);
    let end = Instant::now() + Duration::from_secs(30);
    // Ready once the leader has written its own node.
    while !remote.read(NodeList::default()).await.is_ok_and(|nodes| !nodes.is_empty()) {
        assert!(Instant::now() < end, "no leader");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    use_all_families(&remote).await;
    let usage = remote.ask(UsageOf).await.unwrap_err();
    assert_eq!(usage, RpcError::refused("rpc: can't find method Operator.Usage"));
}

async fn use_all_families(remote: &Remote) {
    use_keys(remote).await;
    use_catalog(remote).await;
    use_sessions(remote).await;
    use_queries(remote).await;
    use_the_rest(remote).await;
}

async fn use_keys(remote: &Remote) {
    let set = KvWrite { verb: KvVerb::Set, entry: entry("foo/bar", "hello") };
    assert!(remote.write(set).await.unwrap());
    let found = remote.read(KvGet { key: b"foo/bar"[..].into() }).await.unwrap().unwrap();
    assert_eq!((found.value.as_slice(), found.flags), (&b"hello"[..], 42));
    assert_eq!(remote.read(KvGet { key: b"none"[..].into() }).await.unwrap(), None);
    assert_eq!(remote.read(KvList { prefix: b"foo"[..].into() }).await.unwrap().len(), 1);
    let keys = KvKeys { prefix: b"foo"[..].into(), separator: b"/"[..].into() };
    assert_eq!(remote.read(keys).await.unwrap().unwrap()[0].as_slice(), b"foo/");
    let cas = KvWrite { verb: KvVerb::Cas, entry: entry("foo/bar", "other") };
    assert!(!remote.write(cas).await.unwrap());
    let op = |verb: &str, key: &str| TxnOp {
        kv: Some(TxnKvOp { verb: verb.into(), key: key.into(), value: "t".into(), ..TxnKvOp::default() }),
        ..TxnOp::default()
    };
    let done = remote.ask(Transact { ops: vec![op("set", "t"), op("get", "foo/bar")] }).await.unwrap();
    assert_eq!(done.results.map(|results| results.len()), Some(2));
    let failed = remote.ask(Transact { ops: vec![op("get", "none")] }).await.unwrap();
    assert_eq!(failed.errors.map(|errors| errors[0].op_index), Some(0));
    let read = remote.read(TxnRead { ops: vec![op("get", "t")] }).await.unwrap();
    assert_eq!(read.results.map(|results| results.len()), Some(1));
    let delete = KvWrite { verb: KvVerb::DeleteTree, entry: entry("foo", "") };
    assert!(remote.write(delete).await.unwrap());
    assert_eq!(remote.read(KvList { prefix: b"foo"[..].into() }).await.unwrap(), []);
    let no_key = KvWrite { verb: KvVerb::Set, entry: Default::default() };
    assert_eq!(remote.write(no_key).await, Err(RpcError::refused("Must provide key")));
}

async fn use_catalog(remote: &Remote) {
    remote.write(Register(registration())).await.unwrap();
    assert!(remote.read(NodeList::default()).await.unwrap().iter().any(|node| node.node == "ext"));
    assert_eq!(remote.read(ServiceNames::default()).await.unwrap()["web"], ["v1"]);
    let web = || ServiceInstances::named("web");
    let rows = remote.read(web()).await.unwrap();
    assert_eq!((rows[0].service.port, rows[0].checks.len()), (80, 2));
    assert!(
        remote.read(ServiceInstances { health: HealthWanted::Passing, ..web() }).await.unwrap().is_empty()
    );
    assert!(remote.read(ServiceInstances { tags: vec!["v2".into()], ..web() }).await.unwrap().is_empty());
    assert_eq!(remote.read(ServiceInstances { tags: vec!["V1".into()], ..web() }).await.unwrap().len(), 1);
    let at = ServicesAt { address: "10.1.1.2".parse().unwrap() };
    assert_eq!(remote.read(at).await.unwrap()[0].service_name, "web");
    let found = remote.read(NodeServicesOf { node: "ext".into() }).await.unwrap().unwrap();
    assert!(found.services.contains_key("web1"));
    assert!(remote.read(NodeServicesOf { node: "none".into() }).await.unwrap().is_none());
    for (of, least) in [
        (ChecksOf::Node("ext".into()), 2),
        (ChecksOf::Service("web".into()), 1),
        (ChecksOf::State("any".into()), 2),
    ] {
        let checks = CheckList { of, node_meta: Default::default(), near: String::new() };
        assert!(remote.read(checks).await.unwrap().len() >= least);
    }
    assert_eq!(remote.read(NodeDetails::Node("ext".into())).await.unwrap()[0].checks.len(), 2);
    assert!(remote.read(AllInstances).await.unwrap().iter().any(|row| row.service.service == "web"));
    assert_eq!(remote.ask(ListDatacenters).await.unwrap(), ["dc1"]);
}

async fn use_sessions(remote: &Remote) {
    let session = Session {
        node: "ext".into(),
        ttl: "10s".into(),
        node_checks: Some(vec!["alive".into()]),
        ..Session::default()
    };
    let id = remote.ask(OpenSession { session }).await.unwrap();
    assert_eq!(remote.read(SessionList::Id(id.clone())).await.unwrap()[0].node, "ext");
    assert_eq!(remote.read(SessionList::Node("ext".into())).await.unwrap().len(), 1);
    assert_eq!(remote.ask(RenewSession { id: id.clone() }).await.unwrap().unwrap().id, id);
    let mut lock = entry("lock", "me");
    lock.session.clone_from(&id);
    assert!(remote.write(KvWrite { verb: KvVerb::Lock, entry: lock }).await.unwrap());
    remote.ask(EndSession { id: id.clone() }).await.unwrap();
    assert_eq!(remote.ask(RenewSession { id }).await.unwrap(), None);
    assert!(remote.read(SessionList::All).await.unwrap().is_empty());
}

async fn use_queries(remote: &Remote) {
    let service = ServiceQuery { service: "web".into(), ..ServiceQuery::default() };
    let query = PreparedQuery { name: "q".into(), service, ..PreparedQuery::default() };
    let id = remote.ask(QueryChange::Create(query)).await.unwrap();
    assert_eq!(remote.read(QueryList::Id(id.clone())).await.unwrap()[0].name, "q");
    let explained = ExplainQuery { id_or_name: "q".into(), agent_node: "n1".into() };
    assert_eq!(remote.ask(explained).await.unwrap().id, id);
    let execute = || QueryExecute { id_or_name: "q".into(), ..QueryExecute::default() };
    let answer = remote.ask(execute()).await.unwrap();
    assert_eq!(
        (answer.service.as_str(), answer.instances.len(), answer.datacenter.as_str()),
        ("web", 1, "dc1")
    );
    remote.ask(QueryChange::Delete { id }).await.unwrap();
    assert_eq!(remote.ask(execute()).await.map(|_| ()), Err(RpcError::QueryNotFound));
}

async fn use_the_rest(remote: &Remote) {
    let leader = remote.ask(LeaderAddress).await.unwrap();
    let servers = remote.ask(RaftServers).await.unwrap().servers;
    assert_eq!((servers.len(), servers[0].leader, &servers[0].address), (1, true, &leader));
    let health = remote.ask(ServersHealth).await.unwrap();
    // A leader of HashiCorp looks at its servers for the first time some seconds after it is elected.
    assert!(health.servers.is_none_or(|servers| servers.len() == 1));
    let config = (*remote.read(AutopilotGet).await.unwrap().unwrap()).clone();
    let changed = consul_api::types::operator::AutopilotConfig { max_trailing_logs: 77, ..config };
    assert!(remote.write(AutopilotSet { config: changed, cas: None }).await.unwrap());
    assert_eq!(remote.read(AutopilotGet).await.unwrap().unwrap().max_trailing_logs, 77);

    let event = UserEvent { id: "e1".into(), name: "deploy".into(), version: 1, ..UserEvent::default() };
    let (_, payload) = crate::cluster::event::encode(&event).unwrap();
    remote.ask(FireEvent { name: "deploy".into(), payload: payload.into() }).await.unwrap();

    let intention = Intention {
        source_ns: "default".into(),
        source_name: "a".into(),
        destination_ns: "default".into(),
        destination_name: "b".into(),
        source_type: "consul".into(),
        action: "allow".into(),
        ..Intention::default()
    };
    let id = remote.write(IntentionWrite::Create(intention)).await.unwrap();
    assert_eq!(remote.read(IntentionList::Id(id.clone())).await.unwrap()[0].source_name, "a");
    let exact = IntentionList::Exact { source: "a".into(), destination: "b".into() };
    assert_eq!(remote.read(exact).await.unwrap().len(), 1);
    remote.write(IntentionWrite::Delete { id }).await.unwrap();

    for (kind, name, field, content) in [
        (Kind::ServiceDefaults, "web", "Protocol", serde_json::json!("http")),
        (Kind::ProxyDefaults, "global", "Config", serde_json::json!({ "protocol": "http" })),
    ] {
        let fields = [(field.to_owned(), content.clone())].into_iter().collect();
        let (kind_name, name) = (kind.as_str().to_owned(), name.to_owned());
        let entry = consul_api::types::config_entry::ConfigEntry {
            kind: kind_name,
            name: name.clone(),
            fields,
            ..Default::default()
        };
        let set = ConfigEntryCommand::Set { entry: Box::new(entry), cas: None };
        assert!(remote.write(ConfigEntryWrite(set)).await.unwrap());
        let found = remote.read(ConfigEntryGet { kind, name }).await.unwrap().unwrap();
        assert_eq!(found.fields[field], content);
        assert_eq!(remote.read(ConfigEntryList { kind: Some(kind) }).await.unwrap().len(), 1);
    }
    assert_eq!(remote.read(ConfigEntryList { kind: None }).await.unwrap().len(), 2);
    let delete =
        ConfigEntryCommand::Delete { kind: "service-defaults".into(), name: "web".into(), cas: None };
    assert!(remote.write(ConfigEntryWrite(delete)).await.unwrap());
}
