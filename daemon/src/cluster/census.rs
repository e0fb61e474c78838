//! What gossip says of the members, brought into the catalog by the leader.
//!
//! A member that is alive is a node with a passing `serfHealth`; one that failed has it critical; one that left or was
//! given up is no node any more. Nodes that were registered from outside have no such check and are left alone.

use std::collections::BTreeSet;

use consul_api::types::catalog::{Node, NodeService};
use consul_api::types::health::{HealthCheck, SERF_HEALTH};
use consul_api::types::operator::Member;
use consul_api::types::request::{DeregisterRequest, RegisterRequest};
use consul_api::types::txn::{TxnNodeOp, TxnOp};
use consul_state::catalog::NodeEntry;
use consul_state::txn::TxnCommand;
use consul_state::{Command, Version, WatchSet};

use super::server_info::ServerInfo;
use crate::members::{SERVER_SERVICE, STATUS_ALIVE};

/// Member states as the API numbers them.
pub const STATUS_LEAVING: i64 = 2;
pub const STATUS_LEFT: i64 = 3;
pub const STATUS_FAILED: i64 = 4;

const NAME: &str = "Serf Health Status";
const ALIVE: &str = "Agent alive and reachable";
const FAILED: &str = "Agent not live or unreachable";

/// One thing that the catalog does not show yet.
#[derive(Debug)]
pub struct Change {
    pub member: String,
    pub kind: Kind,
    /// Proposed first where the node is new or has moved: does nothing if its own agent has written it meanwhile, with
    /// the addresses and metadata that only that agent knows.
    pub node: Option<Command>,
    pub command: Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Joined,
    Failed,
    Left,
    Reaped,
}

/// What must be written so that the catalog agrees with `members`. `leader` is the node that writes, which never
/// takes itself out.
pub fn compare(leader: &str, datacenter: &str, members: &[Member], version: &Version) -> Vec<Change> {
    let known: BTreeSet<String> = members.iter().map(|member| member.name.to_lowercase()).collect();
    let successions = members.iter().filter_map(|member| succession(member, version));
    let of_members = members.iter().filter_map(|member| change(leader, datacenter, member, version));
    let (_, nodes) = version.node_dump(&mut WatchSet::new());
    let strangers = nodes
        .filter(|entry| {
            entry.check(SERF_HEALTH).is_some() && !known.contains(&entry.node.node.to_lowercase())
        })
        .map(|entry| deregister(&entry.node.node, Kind::Reaped));
    successions.chain(of_members).chain(strangers).collect()
}

/// A name that has gone to another node, as after a restore: what the catalog holds under it is of the former one.
fn succession(member: &Member, version: &Version) -> Option<Change> {
    let entry = version.node(&member.name).filter(|_| member.status == STATUS_ALIVE)?;
    is_former(entry, member).then(|| deregister(&entry.node.node, Kind::Reaped))
}

/// Whether the catalog holds another node than this member under its name.
fn is_former(entry: &NodeEntry, member: &Member) -> bool {
    let id = member.tags.get("id").map_or("", String::as_str);
    let both = !id.is_empty() && !entry.node.id.is_empty();
    both && !entry.node.id.eq_ignore_ascii_case(id) && entry.check(SERF_HEALTH).is_some()
}

fn change(leader: &str, datacenter: &str, member: &Member, version: &Version) -> Option<Change> {
    let entry = version.node(&member.name);
    let is_leader = member.name.eq_ignore_ascii_case(leader);
    match member.status {
        STATUS_ALIVE => joined(datacenter, member, entry.filter(|entry| !is_former(entry, member))),
        STATUS_FAILED if !is_leader => failed(datacenter, member, entry),
        STATUS_LEFT if !is_leader && entry.is_some() => Some(deregister(&member.name, Kind::Left)),
        _ => None,
    }
}

fn joined(datacenter: &str, member: &Member, entry: Option<&NodeEntry>) -> Option<Change> {
    let wanted = registration(datacenter, member, "passing", ALIVE, server_service(member));
    if entry.is_some_and(|entry| shows(entry, &wanted)) {
        return None;
    }
    Some(register(member, entry, Kind::Joined, wanted))
}

fn failed(datacenter: &str, member: &Member, entry: Option<&NodeEntry>) -> Option<Change> {
    let is_critical =
        |entry: &NodeEntry| entry.check(SERF_HEALTH).is_some_and(|check| check.status == "critical");
    if entry.is_some_and(is_critical) {
        return None;
    }
    let wanted = registration(datacenter, member, "critical", FAILED, None);
    Some(register(member, entry, Kind::Failed, wanted))
}

fn register(member: &Member, entry: Option<&NodeEntry>, kind: Kind, request: RegisterRequest) -> Change {
    Change {
        member: member.name.clone(),
        kind,
        node: node_write(entry, &request),
        command: Command::Register(Box::new(RegisterRequest { skip_node_update: true, ..request })),
    }
}

/// Creates the node, or moves it, unless it has changed since `entry` was read.
fn node_write(entry: Option<&NodeEntry>, wanted: &RegisterRequest) -> Option<Command> {
    let node = match entry {
        Some(entry) if entry.node.address == wanted.address && entry.node.id == wanted.id => return None,
        Some(entry) => (*entry.node).clone(),
        None => Node { node: wanted.node.clone(), datacenter: wanted.datacenter.clone(), ..Node::default() },
    };
    let node = Node { id: wanted.id.clone(), address: wanted.address.clone(), ..node };
    let op = TxnOp { node: Some(TxnNodeOp { verb: "cas".into(), node }), ..TxnOp::default() };
    Some(Command::Txn(TxnCommand { ops: vec![op], ..TxnCommand::default() }))
}

fn deregister(node: &str, kind: Kind) -> Change {
    let request = DeregisterRequest { node: node.to_owned(), ..DeregisterRequest::default() };
    Change { member: node.to_owned(), kind, node: None, command: Command::Deregister(request) }
}

/// Does the catalog show the node, its health and the server on it as wanted?
fn shows(entry: &NodeEntry, wanted: &RegisterRequest) -> bool {
    let same_node = entry.node.address == wanted.address && entry.node.id == wanted.id;
    let healthy = entry.check(SERF_HEALTH).is_some_and(|check| check.status == "passing");
    let same_service = wanted.service.as_ref().is_none_or(|ours| {
        entry.service(SERVER_SERVICE).is_some_and(|there| there.port == ours.port && there.meta == ours.meta)
    });
    same_node && healthy && same_service
}

fn registration(
    datacenter: &str,
    member: &Member,
    status: &str,
    output: &str,
    service: Option<NodeService>,
) -> RegisterRequest {
    RegisterRequest {
        datacenter: datacenter.to_owned(),
        id: member.tags.get("id").cloned().unwrap_or_default(),
        node: member.name.clone(),
        address: member.addr.clone(),
        service,
        check: Some(HealthCheck {
            node: member.name.clone(),
            check_id: SERF_HEALTH.into(),
            name: NAME.into(),
            status: status.into(),
            output: output.into(),
            ..HealthCheck::default()
        }),
        ..RegisterRequest::default()
    }
}

/// The `consul` service that every server is.
fn server_service(member: &Member) -> Option<NodeService> {
    let server = ServerInfo::of(member)?;
    let raft_version = member.tags.get("raft_vsn").cloned().unwrap_or_default();
    let meta = [
        ("raft_version", raft_version),
        ("serf_protocol_current", member.protocol_cur.to_string()),
        ("serf_protocol_max", member.protocol_max.to_string()),
        ("serf_protocol_min", member.protocol_min.to_string()),
        ("version", server.build.clone()),
        ("non_voter", (!server.voter).to_string()),
        ("read_replica", (!server.voter).to_string()),
    ];
    Some(NodeService {
        id: SERVER_SERVICE.into(),
        service: SERVER_SERVICE.into(),
        tags: Some(Vec::new()),
        meta: Some(meta.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        port: server.address.port().into(),
        weights: Some(Default::default()),
        ..NodeService::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use consul_state::Store;

    fn member(name: &str, status: i64, server: bool) -> Member {
        let mut tags: std::collections::BTreeMap<String, String> = [
            ("dc", "dc1"),
            ("role", if server { "consul" } else { "node" }),
            ("id", &*format!("00000000-0000-0000-0000-00000000000{}", name.len())),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
        if server {
            for (key, value) in [("port", "8300"), ("vsn", "2"), ("build", "1.22.0:rs"), ("raft_vsn", "3")] {
                tags.insert(key.to_owned(), value.to_owned());
            }
        }
        Member { name: name.into(), addr: "10.0.0.1".into(), status, tags, ..Member::default() }
    }

    fn apply_one(store: &Store, command: Command) {
        store.apply(&[command]).remove(0).reply.expect("the command is refused");
    }

    fn apply(store: &Store, changes: Vec<Change>) -> Vec<(String, Kind)> {
        changes
            .into_iter()
            .map(|change| {
                change.node.into_iter().for_each(|node| apply_one(store, node));
                apply_one(store, change.command);
                (change.member, change.kind)
            })
            .collect()
    }

    #[test]
    fn the_catalog_follows_the_members_and_then_is_left_alone() {
        let store = Store::new();
        let members = [member("a", 1, true), member("bb", 1, false)];
        let names =
            |changes: Vec<(String, Kind)>| changes.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(apply(&store, compare("a", "dc1", &members, &store.version()))), ["a", "bb"]);
        assert!(compare("a", "dc1", &members, &store.version()).is_empty());
        assert!(store.version().node("a").unwrap().service(SERVER_SERVICE).is_some());
        assert!(store.version().node("bb").unwrap().service(SERVER_SERVICE).is_none());

        let failed = [member("a", 1, true), member("bb", STATUS_FAILED, false)];
        let changes = apply(&store, compare("a", "dc1", &failed, &store.version()));
        assert_eq!(changes, [("bb".to_owned(), Kind::Failed)]);
        assert_eq!(store.version().node("bb").unwrap().check(SERF_HEALTH).unwrap().status, "critical");
        assert!(compare("a", "dc1", &failed, &store.version()).is_empty());

        let changes = apply(&store, compare("a", "dc1", &members, &store.version()));
        assert_eq!(changes, [("bb".to_owned(), Kind::Joined)], "it is back");

        let left = [member("a", 1, true), member("bb", STATUS_LEFT, false)];
        let changes = apply(&store, compare("a", "dc1", &left, &store.version()));
        assert_eq!(changes, [("bb".to_owned(), Kind::Left)]);
        assert!(store.version().node("bb").is_none());
        assert!(compare("a", "dc1", &left, &store.version()).is_empty());
    }

    #[test]
    fn former_members_are_reaped_and_external_nodes_stay() {
        let store = Store::new();
        let members = [member("a", 1, true), member("bb", 1, false)];
        apply(&store, compare("a", "dc1", &members, &store.version()));
        let external =
            RegisterRequest { node: "db".into(), address: "10.9.9.9".into(), ..RegisterRequest::default() };
        apply_one(&store, Command::Register(Box::new(external)));
        let changes = apply(&store, compare("a", "dc1", &members[..1], &store.version()));
        assert_eq!(changes, [("bb".to_owned(), Kind::Reaped)]);
        assert!(store.version().node("db").is_some());
    }

    #[test]
    fn what_a_node_wrote_of_itself_meanwhile_stays() {
        let store = Store::new();
        let members = [member("a", 1, true)];
        let changes = compare("a", "dc1", &members, &store.version());
        let meta = [("rack".to_owned(), "7".to_owned())].into();
        let own = RegisterRequest {
            id: members[0].tags["id"].clone(),
            node: "a".into(),
            address: "10.0.0.1".into(),
            node_meta: Some(meta),
            ..RegisterRequest::default()
        };
        apply_one(&store, Command::Register(Box::new(own)));
        apply(&store, changes);
        let version = store.version();
        let entry = version.node("a").unwrap();
        assert_eq!(entry.node.meta.as_ref().unwrap()["rack"], "7");
        assert!(entry.check(SERF_HEALTH).is_some() && entry.service(SERVER_SERVICE).is_some());
    }

    #[test]
    fn a_name_goes_to_the_node_that_the_members_know_by_it() {
        let store = Store::new();
        apply(&store, compare("a", "dc1", &[member("a", 1, true)], &store.version()));
        let mut successor = member("a", 1, true);
        successor.tags.insert("id".into(), "00000000-0000-0000-0000-00000000000f".into());
        let members = [successor];
        let changes = apply(&store, compare("a", "dc1", &members, &store.version()));
        assert_eq!(changes, [("a".to_owned(), Kind::Reaped), ("a".to_owned(), Kind::Joined)]);
        assert!(store.version().node("a").unwrap().node.id.ends_with('f'));
        assert!(compare("a", "dc1", &members, &store.version()).is_empty());
    }

    #[test]
    fn a_leader_does_not_take_itself_out() {
        let store = Store::new();
        apply(&store, compare("a", "dc1", &[member("a", 1, true)], &store.version()));
        for status in [STATUS_LEAVING, STATUS_LEFT, STATUS_FAILED] {
            assert!(compare("a", "dc1", &[member("a", status, true)], &store.version()).is_empty());
        }
    }
}
