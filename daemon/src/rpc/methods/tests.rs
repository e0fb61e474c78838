//! Each request asked of a real server twice: on the common path, and as another agent asks it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use consul_api::msgpack;
use consul_api::types::catalog::NodeService;
use consul_api::types::config_entry::ConfigEntry;
use consul_api::types::coordinate::{Coordinate, NodeCoordinate};
use consul_api::types::event::UserEvent;
use consul_api::types::health::HealthCheck;
use consul_api::types::intention::Intention;
use consul_api::types::kv::{KvPair, KvVerb};
use consul_api::types::query::{PreparedQuery, ServiceQuery};
use consul_api::types::request::{DeregisterRequest, RegisterRequest};
use consul_api::types::session::Session;
use consul_api::types::txn::{TxnKvOp, TxnOp};
use consul_config::{AgentFlags, Sources};
use consul_rpc::client::{Pool, PoolConfig};
use consul_rpc::messages::{QueryOptions, encode};
use consul_rpc::server::CallError;
use consul_state::config_entry::ConfigEntryCommand;
use consul_state::intention::Side;
use consul_telemetry::log::Logs;
use tokio_util::sync::CancellationToken;

use crate::agent::{Agent, Identity, Parts};
use crate::cluster::KeyringChange;
use crate::cluster::{Router, Servers};
use crate::config_entries::Kind;
use crate::local::persist::Persistence;
use crate::rpc::catalog::{
    Deregister, HealthWanted, NodeList, NodeServicesOf, Register, ServiceInstances, ServiceNames, ServicesAt,
};
use crate::rpc::config_entry::{ConfigEntryGet, ConfigEntryList, ConfigEntryWrite};
use crate::rpc::coordinate::CoordinateList;
use crate::rpc::health::{CheckList, ChecksOf};
use crate::rpc::intention::{IntentionList, IntentionWrite};
use crate::rpc::internal::{AllInstances, NodeDetails};
use crate::rpc::kv::{KvGet, KvKeys, KvList, KvWrite};
use crate::rpc::operation::coordinate::{DatacenterMap, ReportCoordinate};
use crate::rpc::operation::datacenters::ListDatacenters;
use crate::rpc::operation::event::FireEvent;
use crate::rpc::operation::health::ServersHealth;
use crate::rpc::operation::keyring::{KeyringEverywhere, KeyringOfLan};
use crate::rpc::operation::query::{ExecuteRemote, ExplainQuery};
use crate::rpc::operation::raft::{PeerKey, RaftServers, RemovePeer};
use crate::rpc::operation::session::{EndSession, OpenSession, RenewSession};
use crate::rpc::operation::status::{LeaderAddress, PeerAddresses};
use crate::rpc::operation::txn::Transact;
use crate::rpc::operation::usage::UsageOf;
use crate::rpc::operator::{AutopilotGet, AutopilotSet};
use crate::rpc::query::{QueryChange, QueryExecute, QueryList};
use crate::rpc::remote::{Operation, RemoteRead, RemoteWrite};
use crate::rpc::session::SessionList;
use crate::rpc::txn::TxnRead;
use crate::rpc::{ReadOptions, RpcError, WriteOptions};
use crate::services::Services;
use crate::services::alias::CatalogChecks;
use crate::{settings, startup};

const DATACENTER: &str = "dc1";
const NODE_ID: &str = "11111111-2222-3333-4444-555555555555";

/// A server that leads itself and keeps everything in memory. No socket is open.
pub async fn server() -> Arc<Agent> {
    let flags = AgentFlags::parse(["-dev", "-node=n1"]).unwrap();
    let config = consul_config::load(&Sources::read(flags.clone()).unwrap()).unwrap().config;
    let servers = Arc::new(Servers::new(Router::new(DATACENTER), Pool::new(PoolConfig::default(), None)));
    let server = startup::open_server(&config, NODE_ID, &servers).await.unwrap();
    let services = Services::new(
        settings::services(&config),
        Persistence::new(None),
        settings::checks(&config).unwrap(),
        CatalogChecks::default(),
    );
    Agent::new(Parts {
        identity: Identity {
            node_name: config.node.name.clone(),
            node_id: NODE_ID.to_owned(),
            datacenter: DATACENTER.to_owned(),
            advertise: config.network.advertise_lan,
            data_dir: None,
        },
        http: settings::http(&config),
        dns: settings::dns(&config).unwrap(),
        member: startup::local_member(&config, NODE_ID),
        config: Arc::new(config),
        server: Some(server),
        services,
        logs: Logs::new().0,
        reload: crate::reload::Reloader::new(flags),
        stop: CancellationToken::new(),
        leave: CancellationToken::new(),
        gossip: None,
        servers,
    })
}

pub fn options() -> ReadOptions {
    ReadOptions { datacenter: DATACENTER.to_owned(), ..ReadOptions::default() }
}

async fn call(agent: &Arc<Agent>, method: &str, body: &[u8]) -> Result<Vec<u8>, RpcError> {
    super::call(agent, method, body).await.map_err(|error| match error {
        CallError::Failed(text) => RpcError::from_text(&text),
        other => panic!("{method}: {other:?}"),
    })
}

/// Whoever asks from afar gets what is answered here.
async fn same<R: RemoteRead<Reply: Debug>>(agent: &Arc<Agent>, request: R) -> String {
    let options = options();
    let (here, local) = agent.read(&request, &options).await.unwrap();
    let body = call(agent, request.method(), &request.arguments(&options)).await.unwrap();
    let (there, remote) = request.reply(&body).unwrap();
    assert_eq!(format!("{remote:?}"), format!("{local:?}"), "{}", request.method());
    assert!(there.known_leader && here.known_leader, "{}", request.method());
    format!("{remote:?}")
}

/// A write as another agent sends it.
async fn write<W: RemoteWrite>(agent: &Arc<Agent>, request: W) -> Result<W::Reply, RpcError> {
    let options = WriteOptions::from(&options());
    let body = call(agent, request.method(), &request.arguments(&options)).await?;
    request.reply(&body)
}

/// An operation as another agent asks for it.
async fn ask<O: Operation>(agent: &Arc<Agent>, operation: O) -> Result<O::Reply, RpcError> {
    let body = call(agent, operation.method(), &operation.arguments(&options())).await?;
    Ok(operation.reply(&body)?.1)
}

/// An operation asked for here and from afar.
async fn same_operation<O: Operation<Reply: Debug>>(agent: &Arc<Agent>, operation: O) -> String {
    let (_, local) = agent.operate(&operation, &options()).await.unwrap();
    let remote = ask(agent, operation).await.unwrap();
    assert_eq!(format!("{remote:?}"), format!("{local:?}"));
    format!("{remote:?}")
}

pub fn entry(key: &str, value: &str) -> KvPair {
    KvPair { key: key.into(), value: value.into(), flags: 42, ..KvPair::default() }
}

#[tokio::test]
async fn keys_and_values() {
    let agent = server().await;
    let set = |key: &str| KvWrite { verb: KvVerb::Set, entry: entry(key, "hello") };
    assert!(write(&agent, set("foo/bar")).await.unwrap());
    assert!(write(&agent, set("foo/baz/x")).await.unwrap());
    let raw = call(&agent, "KVS.Apply", &set("plain").arguments(&WriteOptions::from(&options()))).await;
    assert_eq!(raw.unwrap(), [0xc2], "a write without a condition is answered with false");
    let stale_cas = KvWrite { verb: KvVerb::Cas, entry: entry("foo/bar", "other") };
    assert!(!write(&agent, stale_cas).await.unwrap());

    let found = same(&agent, KvGet { key: b"foo/bar"[..].into() }).await;
    assert!(found.contains("flags: 42"), "{found}");
    assert_eq!(same(&agent, KvGet { key: b"nothing"[..].into() }).await, "None");
    same(&agent, KvList { prefix: b"foo"[..].into() }).await;
    same(&agent, KvList { prefix: b"nothing"[..].into() }).await;
    let keys = |prefix: &str| KvKeys { prefix: prefix.as_bytes().into(), separator: b"/"[..].into() };
    assert_eq!(same(&agent, keys("foo/")).await, r#"Some(["foo/bar", "foo/baz/"])"#);
    assert_eq!(same(&agent, keys("nothing")).await, "None");

    let no_key = KvWrite { verb: KvVerb::Set, entry: KvPair::default() };
    assert_eq!(write(&agent, no_key).await, Err(RpcError::refused("Must provide key")));
}

pub fn registration() -> RegisterRequest {
    let text = |text: &str| text.to_owned();
    let check = |id: &str, service: &str, status: &str| HealthCheck {
        node: text("ext"),
        check_id: text(id),
        status: text(status),
        service_id: text(service),
        ..HealthCheck::default()
    };
    RegisterRequest {
        node: text("ext"),
        address: text("10.1.1.1"),
        node_meta: Some(BTreeMap::from([(text("rack"), text("a"))])),
        service: Some(NodeService {
            id: text("web1"),
            service: text("web"),
            tags: Some(vec![text("v1")]),
            address: text("10.1.1.2"),
            port: 80,
            ..NodeService::default()
        }),
        checks: Some(vec![check("alive", "", "passing"), check("w", "web1", "warning")]),
        ..RegisterRequest::default()
    }
}

#[tokio::test]
async fn catalog_and_health() {
    let agent = server().await;
    write(&agent, Register(registration())).await.unwrap();
    let rack = |name: &str| BTreeMap::from([("rack".to_owned(), name.to_owned())]);
    assert!(same(&agent, NodeList::default()).await.contains("10.1.1.1"));
    assert_eq!(same(&agent, NodeList { node_meta: rack("b"), near: String::new() }).await, "[]");
    assert!(same(&agent, ServiceNames::default()).await.contains(r#""web": ["v1"]"#));
    let web = || ServiceInstances::named("web");
    assert!(same(&agent, web()).await.contains("web1"));
    assert_eq!(same(&agent, ServiceInstances { health: HealthWanted::Passing, ..web() }).await, "[]");
    assert_eq!(same(&agent, ServiceInstances { tags: vec!["v2".into()], ..web() }).await, "[]");
    assert!(same(&agent, ServicesAt { address: "10.1.1.2".parse().unwrap() }).await.contains("web1"));
    assert!(same(&agent, NodeServicesOf { node: "ext".into() }).await.contains("web1"));
    assert_eq!(same(&agent, NodeServicesOf { node: "none".into() }).await, "None");
    for (of, expected) in [
        (ChecksOf::Node("ext".into()), 2),
        (ChecksOf::Service("web".into()), 1),
        (ChecksOf::State("warning".into()), 1),
    ] {
        let checks = CheckList { of, node_meta: rack("a"), near: String::new() };
        assert_eq!(same(&agent, checks).await.matches("HealthCheck {").count(), expected);
    }
    same(&agent, AllInstances).await;
    let details = NodeDetails::Node("ext".into());
    let body = call(&agent, details.method(), &details.arguments(&options())).await.unwrap();
    let (_, found) = details.reply(&body).unwrap();
    assert_eq!((found[0].services.len(), found[0].checks.len()), (1, 2));

    let gone = DeregisterRequest { node: "ext".into(), ..DeregisterRequest::default() };
    write(&agent, Deregister(gone)).await.unwrap();
    assert_eq!(same(&agent, web()).await, "[]");
    let nameless = Register(RegisterRequest::default());
    assert!(write(&agent, nameless).await.unwrap_err().to_string().contains("Must provide node"));
}

#[tokio::test]
async fn filters_are_applied_by_the_server_that_is_asked() {
    let agent = server().await;
    write(&agent, Register(registration())).await.unwrap();
    let request = ServiceInstances::named("web");
    let own: consul_rpc::messages::catalog::ServiceSpecificRequest =
        msgpack::from_slice(&request.arguments(&options())).unwrap();
    let count = async |filter: &str| {
        let shared = QueryOptions { filter: filter.to_owned(), ..QueryOptions::default() };
        let body = super::call(&agent, request.method(), &encode(&own, &shared)).await?;
        Ok::<usize, CallError>(request.reply(&body).unwrap().1.len())
    };
    assert_eq!(count("Service.Port == 80").await, Ok(1));
    assert_eq!(count("Service.Port == 81").await, Ok(0));
    assert!(matches!(count("Service.Port ==").await, Err(CallError::Failed(_))));
}

#[tokio::test]
async fn sessions_and_transactions() {
    let agent = server().await;
    write(&agent, Register(registration())).await.unwrap();
    let session = Session { node: "ext".into(), ttl: "10s".into(), ..Session::default() };
    let id = ask(&agent, OpenSession { session }).await.unwrap();
    assert!(same(&agent, SessionList::Id(id.clone())).await.contains(&id));
    same(&agent, SessionList::All).await;
    same(&agent, SessionList::Node("ext".into())).await;
    let clocks = || agent.server.as_ref().unwrap().leader.session_count();
    assert_eq!(clocks(), 1);
    assert_eq!(ask(&agent, RenewSession { id: id.clone() }).await.unwrap().unwrap().id, id);

    let lock = KvPair { session: id.clone(), ..entry("lock", "me") };
    assert!(write(&agent, KvWrite { verb: KvVerb::Lock, entry: lock }).await.unwrap());
    let kv = |verb: &str, key: &str| TxnOp {
        kv: Some(TxnKvOp { verb: verb.into(), key: key.into(), value: "t".into(), ..TxnKvOp::default() }),
        ..TxnOp::default()
    };
    let done = ask(&agent, Transact { ops: vec![kv("set", "t1"), kv("get", "lock")] }).await.unwrap();
    assert_eq!(done.results.map(|results| results.len()), Some(2));
    let failed = ask(&agent, Transact { ops: vec![kv("set", "t2"), kv("get", "none")] }).await.unwrap();
    assert_eq!(failed.errors.map(|errors| errors[0].op_index), Some(1));
    same(&agent, TxnRead { ops: vec![kv("get", "t1")] }).await;

    ask(&agent, EndSession { id: id.clone() }).await.unwrap();
    assert_eq!(same(&agent, SessionList::All).await, "[]");
    assert_eq!(ask(&agent, RenewSession { id }).await.unwrap(), None);
    assert_eq!(clocks(), 0);
    let nowhere = ask(&agent, OpenSession { session: Session::default() }).await;
    assert_eq!(nowhere, Err(RpcError::refused("Must provide Node")));
}

#[tokio::test]
async fn prepared_queries() {
    let agent = server().await;
    write(&agent, Register(registration())).await.unwrap();
    let service = ServiceQuery { service: "web".into(), ..ServiceQuery::default() };
    let query = PreparedQuery { name: "q".into(), service, ..PreparedQuery::default() };
    let id = ask(&agent, QueryChange::Create(query.clone())).await.unwrap();
    same(&agent, QueryList::All).await;
    assert!(same(&agent, QueryList::Id(id.clone())).await.contains(&id));
    let explain = ExplainQuery { id_or_name: "q".into(), agent_node: "n1".into() };
    same_operation(&agent, explain).await;
    let execute = || QueryExecute { id_or_name: "q".into(), limit: Some(5), ..QueryExecute::default() };
    assert!(same_operation(&agent, execute()).await.contains("web1"));
    let remote = ExecuteRemote { query: query.clone(), connect: false, limit: None };
    assert!(same_operation(&agent, remote).await.contains("web1"));
    ask(&agent, QueryChange::Update(PreparedQuery { id: id.clone(), name: "r".into(), ..query }))
        .await
        .unwrap();
    assert_eq!(ask(&agent, execute()).await.map(|_| ()), Err(RpcError::QueryNotFound));
    ask(&agent, QueryChange::Delete { id }).await.unwrap();
    assert_eq!(same(&agent, QueryList::All).await, "[]");
}

#[tokio::test]
async fn servers_and_operators() {
    let agent = server().await;
    let leader = same_operation(&agent, LeaderAddress).await;
    assert!(leader.contains("127.0.0.1:"), "{leader}");
    same_operation(&agent, PeerAddresses).await;
    assert!(same_operation(&agent, RaftServers).await.contains(NODE_ID));
    assert!(same_operation(&agent, ServersHealth).await.contains("servers: None"), "nobody has looked yet");
    let state = call(&agent, "Operator.AutopilotState", &ServersHealth.arguments(&options())).await.unwrap();
    let state: consul_rpc::messages::operator::AutopilotState = msgpack::from_slice(&state).unwrap();
    assert!(!state.healthy && state.servers.is_empty());
    same_operation(&agent, UsageOf).await;
    same_operation(&agent, DatacenterMap).await;
    assert_eq!(same_operation(&agent, ListDatacenters).await, r#"["dc1"]"#);
    let unknown = ask(&agent, RemovePeer(PeerKey::Address("10.9.9.9:8300".into()))).await.unwrap_err();
    assert!(unknown.to_string().contains("was not found in the Raft configuration"));
    let config = consul_api::types::operator::AutopilotConfig { max_trailing_logs: 77, ..Default::default() };
    assert!(write(&agent, AutopilotSet { config: config.clone(), cas: None }).await.unwrap());
    assert!(!write(&agent, AutopilotSet { config, cas: Some(999_999) }).await.unwrap());
    assert!(same(&agent, AutopilotGet).await.contains("max_trailing_logs: 77"));
    assert_eq!(call(&agent, "Status.Ping", &[0x80]).await.unwrap(), [0x80]);

    write(&agent, Register(registration())).await.unwrap();
    let here = |coord| NodeCoordinate { node: "ext".into(), segment: String::new(), coord };
    ask(&agent, ReportCoordinate(here(Some(Coordinate::default())))).await.unwrap();
    let refused = ask(&agent, ReportCoordinate(here(None))).await;
    assert_eq!(refused, Err(RpcError::refused("incompatible coordinate")));
    same(&agent, CoordinateList::All).await;
    same(&agent, CoordinateList::Node("ext".into())).await;
}

#[tokio::test]
async fn events_and_keys() {
    let agent = server().await;
    let event = UserEvent { id: "e1".into(), name: "deploy".into(), version: 1, ..UserEvent::default() };
    let (_, payload) = crate::cluster::event::encode(&event).unwrap();
    ask(&agent, FireEvent { name: "deploy".into(), payload: payload.into() }).await.unwrap();
    assert_eq!(agent.events.list(Some("deploy")).len(), 1);

    let list = |local_only| KeyringEverywhere { change: KeyringChange::List, relay_factor: 0, local_only };
    assert_eq!(
        ask(&agent, list(false)).await.unwrap().iter().map(|pool| pool.wan).collect::<Vec<_>>(),
        [true, false]
    );
    assert_eq!(ask(&agent, list(true)).await.unwrap().len(), 1);
    let lan = KeyringOfLan { change: KeyringChange::List, relay_factor: 0 };
    assert_eq!(
        ask(&agent, lan).await.unwrap().len(),
        1,
        "what another datacenter passes on stays in the LAN"
    );
    let change = KeyringChange::Use("a2V5".into());
    let local_change = ask(&agent, KeyringEverywhere { change, relay_factor: 0, local_only: true }).await;
    assert!(local_change.unwrap_err().to_string().contains("LocalOnly can only be used for List operations"));
}

#[tokio::test]
async fn intentions_and_configuration_entries() {
    let agent = server().await;
    let intention = Intention {
        source_name: "a".into(),
        destination_name: "b".into(),
        source_type: "consul".into(),
        action: "allow".into(),
        ..Intention::default()
    };
    let id = write(&agent, IntentionWrite::Create(intention)).await.unwrap();
    assert!(same(&agent, IntentionList::Id(id.clone())).await.contains(&id));
    same(&agent, IntentionList::All).await;
    let exact = |source: &str| IntentionList::Exact { source: source.into(), destination: "b".into() };
    assert!(same(&agent, exact("a")).await.contains(&id));
    assert_eq!(same(&agent, exact("x")).await, "[]");
    let matching = IntentionList::Matching { side: Side::Destination, name: "b".into() };
    assert!(same(&agent, matching).await.contains(&id));
    write(&agent, IntentionWrite::Delete { id }).await.unwrap();
    assert_eq!(same(&agent, IntentionList::All).await, "[]");

    for (kind, name, field, content) in [
        (Kind::ServiceDefaults, "web", "Protocol", serde_json::json!("http")),
        (Kind::ProxyDefaults, "global", "Config", serde_json::json!({ "protocol": "grpc" })),
    ] {
        let fields = [(field.to_owned(), content)].into_iter().collect();
        let entry =
            ConfigEntry { kind: kind.as_str().into(), name: name.into(), fields, ..ConfigEntry::default() };
        let set = ConfigEntryCommand::Set { entry: Box::new(entry), cas: None };
        assert!(write(&agent, ConfigEntryWrite(set)).await.unwrap());
        assert!(same(&agent, ConfigEntryGet { kind, name: name.into() }).await.contains(field));
        same(&agent, ConfigEntryList { kind: Some(kind) }).await;
    }
    same(&agent, ConfigEntryList { kind: None }).await;
    let asked = serde_json::json!({ "Datacenter": DATACENTER, "Name": "web", "Upstreams": ["other", "web"] });
    let body =
        call(&agent, "ConfigEntry.ResolveServiceConfig", &msgpack::to_vec(&asked).unwrap()).await.unwrap();
    let blob: consul_api::types::bytes::Blob = msgpack::from_slice(&body).unwrap();
    let resolved: serde_json::Value = msgpack::from_slice(blob.as_slice()).unwrap();
    assert_eq!(resolved["ProxyConfig"]["protocol"], "http", "the service's own word counts");
    assert_eq!(resolved["UpstreamConfigs"]["other"]["protocol"], "grpc");
    assert_eq!(resolved["UpstreamConfigs"]["web"]["protocol"], "http");
    let delete = ConfigEntryCommand::Delete {
        kind: Kind::ServiceDefaults.as_str().into(),
        name: "web".into(),
        cas: None,
    };
    assert!(write(&agent, ConfigEntryWrite(delete)).await.unwrap());
    assert_eq!(
        same(&agent, ConfigEntryGet { kind: Kind::ServiceDefaults, name: "web".into() }).await,
        "None"
    );
}

#[tokio::test]
async fn what_is_not_served_is_refused_in_known_words() {
    let agent = server().await;
    let empty = [0x80];
    assert_eq!(super::call(&agent, "No.Such", &empty).await, Err(CallError::UnknownService));
    assert_eq!(super::call(&agent, "KVS.Such", &empty).await, Err(CallError::UnknownMethod));
    assert!(matches!(super::call(&agent, "KVS.Get", &[7]).await, Err(CallError::Malformed(_))));
    let nowhere = CallError::Failed("No path to datacenter".into());
    for method in ["KVS.Get", "KVS.List", "Catalog.ListNodes", "Session.List", "Internal.NodeDump"] {
        assert_eq!(super::call(&agent, method, &empty).await, Err(nowhere.clone()), "{method}");
    }
    for (method, text) in [
        ("ACL.TokenRead", "ACL support disabled"),
        ("ConnectCA.Roots", "Connect must be enabled in order to use this endpoint"),
        ("AutoConfig.InitialConfiguration", "Auto Config is disabled"),
    ] {
        assert_eq!(
            super::call(&agent, method, &empty).await,
            Err(CallError::Failed(text.into())),
            "{method}"
        );
    }
}

#[tokio::test]
async fn a_blocking_read_waits_for_its_index() {
    let agent = server().await;
    write(&agent, KvWrite { verb: KvVerb::Set, entry: entry("a", "1") }).await.unwrap();
    let request = KvGet { key: b"a"[..].into() };
    let (meta, _) = agent.read(&request, &options()).await.unwrap();
    let waiting = ReadOptions { min_index: meta.index, max_wait: Duration::from_secs(30), ..options() };
    let arguments = request.arguments(&waiting);
    let (woken, written) = tokio::join!(
        call(&agent, request.method(), &arguments),
        write(&agent, KvWrite { verb: KvVerb::Set, entry: entry("a", "2") })
    );
    assert!(written.unwrap());
    let (later, found) = request.reply(&woken.unwrap()).unwrap();
    assert!(later.index > meta.index);
    assert_eq!(found.unwrap().value.as_slice(), b"2");
}

/// Requests recorded from agents of HashiCorp: every method is known and takes its arguments.
#[tokio::test]
async fn recorded_requests_are_answered() {
    let agent = server().await;
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("rpc/tests/vectors");
    let mut asked = 0;
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".req.hex") {
            continue;
        }
        let digits: Vec<u8> =
            std::fs::read(&path).unwrap().into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let bytes: Vec<u8> = digits.chunks(2).map(byte).collect();
        let mut rest = bytes.as_slice();
        let header: BTreeMap<String, serde_json::Value> = msgpack::from_front(&mut rest).unwrap();
        let method = header["ServiceMethod"].as_str().unwrap();
        let answer = super::call(&agent, method, rest).await;
        assert!(matches!(answer, Ok(_) | Err(CallError::Failed(_))), "{name}: {answer:?}");
        asked += 1;
    }
    assert!(asked > 40, "{asked}");
}
