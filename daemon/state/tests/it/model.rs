//! Random command sequences against a naive model: plain maps, every index computed by walking everything.

mod others;

use std::collections::{BTreeMap, BTreeSet};

use consul_api::types::duration::Nanoseconds;
use consul_api::types::kv::KvVerb;
use consul_api::types::session::Session;
use consul_api::types::txn::{TxnKvOp, TxnOp};
use consul_state::command::KvCommand;
use consul_state::txn::TxnCommand;
use consul_state::{Command, Lookup, Outcome, Reply, Store, Table, Version, WatchSet};
use proptest::prelude::*;

use self::others::Others;
use crate::support::{check, node, service, session, uuid};

const KEYS: [&str; 7] = ["a", "a/", "a/b", "a/b/c", "a/d", "ab", "b"];
const NODES: [&str; 2] = ["n1", "n2"];
const IDS: [&str; 2] = ["s1", "s2"];
const SERVICES: [&str; 2] = ["web", "db"];
const CHECKS: [&str; 2] = ["c1", "c2"];
const STATES: [&str; 3] = ["passing", "warning", "critical"];

#[derive(Clone, Debug)]
enum Step {
    Kv {
        verb: KvVerb,
        key: usize,
        value: u8,
        stale: bool,
        session: usize,
    },
    /// Verb, key, value, whether the index is wrong, and session of each operation.
    Txn(Vec<KvStep>),
    Reap {
        back: u64,
    },
    CreateSession {
        number: usize,
        node: usize,
        check: Option<usize>,
        delete: bool,
    },
    DestroySession {
        number: usize,
    },
    Register {
        node: usize,
        address: u8,
        service: Option<(usize, usize, u8)>,
        check: Option<(usize, usize, bool)>,
    },
    Deregister {
        node: usize,
        service: Option<usize>,
        check: Option<usize>,
    },
    Other(others::Step),
}

type KvStep = (KvVerb, usize, u8, bool, usize);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let verbs = vec![
        KvVerb::Set,
        KvVerb::Cas,
        KvVerb::Lock,
        KvVerb::Unlock,
        KvVerb::Delete,
        KvVerb::DeleteCas,
        KvVerb::DeleteTree,
    ];
    let kv = (prop::sample::select(verbs), 0..KEYS.len(), 0u8..3, any::<bool>(), 0usize..3);
    // Mostly operations that succeed, or hardly any transaction would.
    let easy = (0..KEYS.len(), 0u8..3).prop_map(|(key, value)| (KvVerb::Set, key, value, false, 0));
    let txn = prop::collection::vec(prop_oneof![3 => easy, 1 => kv.clone()], 1..6).prop_map(Step::Txn);
    let kv = kv.prop_map(|(verb, key, value, stale, session)| Step::Kv { verb, key, value, stale, session });
    let create = (0usize..3, 0..NODES.len(), prop::option::of(0..CHECKS.len()), any::<bool>())
        .prop_map(|(number, node, check, delete)| Step::CreateSession { number, node, check, delete });
    let on_node = (0..IDS.len(), 0..SERVICES.len(), 0u8..2);
    let checked = (0..CHECKS.len(), 0..STATES.len(), any::<bool>());
    let register = (0..NODES.len(), 0u8..2, prop::option::of(on_node), prop::option::of(checked))
        .prop_map(|(node, address, service, check)| Step::Register { node, address, service, check });
    let deregister = (0..NODES.len(), prop::option::of(0..IDS.len()), prop::option::of(0..CHECKS.len()))
        .prop_map(|(node, service, check)| Step::Deregister { node, service, check });
    let step = prop_oneof![
        8 => kv,
        3 => txn,
        1 => (0u64..10).prop_map(|back| Step::Reap { back }),
        2 => create,
        1 => (0usize..3).prop_map(|number| Step::DestroySession { number }),
        5 => register,
        2 => deregister,
        8 => others::steps().prop_map(Step::Other),
    ];
    prop::collection::vec(step, 1..60)
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Entry {
    value: u8,
    lock_index: u64,
    session: Option<usize>,
    created: u64,
    modified: u64,
}

#[derive(Clone, Debug, Default)]
struct ModelNode {
    address: u8,
    modified: u64,
    /// Service, port and modify index by id.
    services: BTreeMap<usize, (usize, u8, u64)>,
    /// State, service id and the name that the service had then, by id.
    checks: BTreeMap<usize, (usize, Option<usize>, Option<usize>)>,
}

#[derive(Clone, Debug, Default)]
struct Model {
    index: u64,
    kv: BTreeMap<String, Entry>,
    tombstones: BTreeMap<String, u64>,
    /// Node, check and whether its keys are deleted, by number.
    sessions: BTreeMap<usize, (usize, Option<usize>, bool)>,
    nodes: BTreeMap<usize, ModelNode>,
    tables: BTreeMap<Table, u64>,
    services: BTreeMap<usize, u64>,
    others: Others,
}

impl Model {
    fn touch(&mut self, table: Table) {
        self.tables.insert(table, self.index);
    }

    fn table(&self, table: Table) -> u64 {
        self.tables.get(&table).copied().unwrap_or(0).max(1)
    }

    fn bury(&mut self, key: &str) {
        self.tombstones.insert(key.to_owned(), self.index);
        self.touch(Table::Tombstones);
    }

    fn put(&mut self, key: &str, value: u8, lock_index: u64, session: Option<usize>) {
        let existing = self.kv.get(key);
        let same = |e: &Entry| e.value == value && e.lock_index == lock_index && e.session == session;
        if existing.is_some_and(same) {
            return;
        }
        let created = existing.map_or(self.index, |entry| entry.created);
        self.kv.insert(key.to_owned(), Entry { value, lock_index, session, created, modified: self.index });
        self.touch(Table::Kv);
    }

    fn delete(&mut self, key: &str) {
        if self.kv.remove(key).is_some() {
            self.bury(key);
            self.touch(Table::Kv);
        }
    }

    /// Whether the write happened; none if it is refused.
    fn write(&mut self, verb: KvVerb, key: &str, value: u8, index: u64, session: usize) -> Option<bool> {
        let existing = self.kv.get(key).cloned();
        let current = existing.as_ref().map_or(0, |entry| entry.modified);
        match verb {
            KvVerb::Set => self.put(key, value, 0, existing.and_then(|entry| entry.session)),
            KvVerb::Cas if current != index => return Some(false),
            KvVerb::Cas => self.put(key, value, 0, existing.and_then(|entry| entry.session)),
            KvVerb::Lock => {
                self.sessions.get(&session)?;
                let lock_index = match existing {
                    None => 1,
                    Some(entry) if entry.session == Some(session) => entry.lock_index,
                    Some(entry) if entry.session.is_none() => entry.lock_index + 1,
                    Some(_) => return Some(false),
                };
                self.put(key, value, lock_index, Some(session));
            }
            KvVerb::Unlock => match existing.filter(|entry| entry.session == Some(session)) {
                None => return Some(false),
                Some(entry) => self.put(key, value, entry.lock_index, None),
            },
            KvVerb::Delete => self.delete(key),
            KvVerb::DeleteCas if existing.is_some() && current != index => return Some(false),
            KvVerb::DeleteCas => self.delete(key),
            _ => {
                let before = self.kv.len();
                self.kv.retain(|other, _| !other.starts_with(key));
                if self.kv.len() < before {
                    self.bury(key);
                    self.touch(Table::Kv);
                }
            }
        }
        Some(true)
    }

    fn end_sessions(&mut self, ends: impl Fn(usize, &(usize, Option<usize>, bool)) -> bool) {
        let over: Vec<usize> = self
            .sessions
            .iter()
            .filter(|(number, session)| ends(**number, session))
            .map(|(n, _)| *n)
            .collect();
        for number in over {
            let (_, _, delete) = self.sessions.remove(&number).expect("just listed");
            self.touch(Table::Sessions);
            self.others.session_ended(number, self.index);
            let held: Vec<String> = self
                .kv
                .iter()
                .filter(|(_, e)| e.session == Some(number))
                .map(|(key, _)| key.clone())
                .collect();
            for key in held {
                if delete {
                    self.delete(&key);
                } else {
                    let entry = self.kv.get_mut(&key).expect("just listed");
                    (entry.session, entry.modified) = (None, self.index);
                    self.touch(Table::Kv);
                }
            }
        }
    }

    fn create_session(&mut self, number: usize, node: usize, check: Option<usize>, delete: bool) -> bool {
        let Some(entry) = self.nodes.get(&node) else { return false };
        let healthy =
            |check: usize| entry.checks.get(&check).is_some_and(|(state, ..)| STATES[*state] != "critical");
        if !check.is_none_or(healthy) {
            return false;
        }
        self.sessions.insert(number, (node, check, delete));
        self.touch(Table::Sessions);
        true
    }

    fn move_services(&mut self, node: usize, only: Option<usize>) {
        let entry = &self.nodes[&node];
        let chosen = entry.services.iter().filter(|(id, _)| only.is_none_or(|only| only == **id));
        let names: BTreeSet<usize> = chosen.map(|(_, (name, ..))| *name).collect();
        for name in names {
            self.services.insert(name, self.index);
        }
    }

    fn leave_service(&mut self, name: usize) {
        let left = self.nodes.values().any(|node| node.services.values().any(|(other, ..)| *other == name));
        if left {
            self.services.insert(name, self.index);
        } else {
            self.services.remove(&name);
            self.touch(Table::ServiceExtinction);
        }
    }

    fn register(
        &mut self,
        node: usize,
        address: u8,
        service: Option<(usize, usize, u8)>,
        check: Option<(usize, usize, bool)>,
    ) {
        let index = self.index;
        if self.nodes.get(&node).is_none_or(|known| known.address != address) {
            let entry = self.nodes.entry(node).or_default();
            (entry.address, entry.modified) = (address, index);
            self.touch(Table::Nodes);
            self.move_services(node, None);
        }
        if let Some((id, name, port)) = service {
            let entry = self.nodes.get_mut(&node).expect("just registered");
            let before = entry.services.get(&id).copied();
            if before.is_none_or(|(old, old_port, _)| (old, old_port) != (name, port)) {
                entry.services.insert(id, (name, port, index));
                if let Some((old, ..)) = before.filter(|(old, ..)| *old != name) {
                    self.leave_service(old);
                }
                self.touch(Table::Services);
                self.services.insert(name, index);
            }
        }
        if let Some((id, state, of_service)) = check {
            let service = service.filter(|_| of_service);
            let (tied, name) = (service.map(|(id, ..)| id), service.map(|(_, name, _)| name));
            if STATES[state] == "critical" {
                self.end_sessions(|_, session| session.0 == node && session.1 == Some(id));
            }
            let entry = self.nodes.get_mut(&node).expect("just registered");
            let before = entry.checks.insert(id, (state, tied, name));
            if before != Some((state, tied, name)) {
                self.touch(Table::Checks);
                if let Some((_, old_tied, _)) = before {
                    self.move_services(node, old_tied);
                }
                self.move_services(node, tied);
            }
        }
    }

    fn drop_check(&mut self, node: usize, id: usize) {
        let Some((_, tied, _)) = self.nodes.get_mut(&node).and_then(|entry| entry.checks.remove(&id)) else {
            return;
        };
        self.touch(Table::Checks);
        self.move_services(node, tied);
        self.end_sessions(|_, session| session.0 == node && session.1 == Some(id));
    }

    fn drop_service(&mut self, node: usize, id: usize) {
        let Some(entry) = self.nodes.get(&node).filter(|entry| entry.services.contains_key(&id)) else {
            return;
        };
        let checks: Vec<usize> =
            entry.checks.iter().filter(|(_, (_, tied, _))| *tied == Some(id)).map(|(id, _)| *id).collect();
        for check in checks {
            self.drop_check(node, check);
        }
        let (name, ..) =
            self.nodes.get_mut(&node).and_then(|entry| entry.services.remove(&id)).expect("present above");
        self.leave_service(name);
        self.touch(Table::Services);
    }

    fn drop_node(&mut self, node: usize) {
        let Some(entry) = self.nodes.get(&node).cloned() else { return };
        entry.services.keys().for_each(|id| self.drop_service(node, *id));
        entry.checks.keys().for_each(|id| self.drop_check(node, *id));
        self.end_sessions(|_, session| session.0 == node);
        self.nodes.remove(&node);
        self.others.node_gone(node, self.index);
        self.touch(Table::Nodes);
    }
}

/// Runs one step on both and checks that they answer the same.
fn step(model: &mut Model, store: &Store, step: &Step) {
    let send = |command| -> Outcome { store.apply(&[command]).remove(0) };
    model.index += 1;
    match step {
        Step::Kv { verb, key, value, stale, session } => {
            let key = KEYS[*key];
            let index = model.kv.get(key).map_or(0, |entry| entry.modified) + u64::from(*stale);
            let command = KvCommand {
                index,
                session: uuid(*session as u32),
                value: vec![*value].into(),
                ..KvCommand::new(*verb, key)
            };
            let expected = model.write(*verb, key, *value, index, *session);
            let happened = match send(Command::Kv(command)).reply {
                Ok(Reply::Applied(happened)) => Some(happened),
                _ => None,
            };
            assert_eq!(happened, expected);
        }
        Step::Txn(steps) => {
            let mut after = model.clone();
            let mut ops = Vec::new();
            let mut happens = true;
            for (verb, key, value, stale, session) in steps {
                let index = after.kv.get(KEYS[*key]).map_or(0, |entry| entry.modified) + u64::from(*stale);
                ops.push(kv_op(*verb, KEYS[*key], *value, index, *session));
                happens &= after.write(*verb, KEYS[*key], *value, index, *session) == Some(true);
            }
            let command = TxnCommand { ops, lock_delayed: Vec::new() };
            let Ok(Reply::Txn(response)) = send(Command::Txn(command)).reply else { panic!("no response") };
            assert_eq!(response.errors.is_none(), happens, "{:?}", response.errors);
            if happens {
                *model = after;
            }
        }
        Step::Other(other) => {
            let sessions = model.sessions.keys().copied().collect();
            let nodes = model.nodes.keys().copied().collect();
            let (expected, command) = model.others.step(other, model.index, &sessions, &nodes);
            let reply = send(command).reply;
            let happened = !matches!(reply, Err(_) | Ok(Reply::Applied(false)));
            assert_eq!(happened, expected, "{reply:?}");
        }
        Step::Reap { back } => {
            let index = model.index.saturating_sub(*back);
            model.tombstones.retain(|_, at| *at > index);
            send(Command::TombstoneReap { index });
        }
        Step::CreateSession { number, node, check, delete } => {
            if model.sessions.contains_key(number) {
                model.index -= 1;
                return;
            }
            let created = Session {
                node_checks: check.map(|check| vec![CHECKS[check].to_owned()]),
                behavior: if *delete { "delete" } else { "release" }.to_owned(),
                lock_delay: Nanoseconds(1),
                ..session(*number as u32, NODES[*node])
            };
            let expected = model.create_session(*number, *node, *check, *delete);
            assert_eq!(send(Command::SessionCreate(created)).reply.is_ok(), expected);
        }
        Step::DestroySession { number } => {
            model.end_sessions(|other, _| other == *number);
            send(Command::SessionDestroy { id: uuid(*number as u32) });
        }
        Step::Register { node: at, address, service: instance, check: tested } => {
            let mut request = node(NODES[*at]);
            request.address = address.to_string();
            request.service = instance.map(|(id, name, port)| {
                let mut service = service(IDS[id], SERVICES[name]);
                service.port = i64::from(port);
                service
            });
            request.check = tested.map(|(id, state, of_service)| {
                let service = instance.filter(|_| of_service).map_or("", |(id, ..)| IDS[id]);
                let mut check = check(CHECKS[id], service, STATES[state]);
                check.node = NODES[*at].to_owned();
                check
            });
            model.register(*at, *address, *instance, *tested);
            send(Command::Register(Box::new(request))).reply.expect("a valid registration");
        }
        Step::Deregister { node, service, check } => {
            match (service, check) {
                (Some(service), _) => model.drop_service(*node, *service),
                (None, Some(check)) => model.drop_check(*node, *check),
                (None, None) => model.drop_node(*node),
            }
            let name = |names: &[&str], at: Option<usize>| at.map_or("", |at| names[at]).to_owned();
            let request = consul_api::types::request::DeregisterRequest {
                node: NODES[*node].to_owned(),
                service_id: name(&IDS, *service),
                check_id: name(&CHECKS, *check),
                ..Default::default()
            };
            send(Command::Deregister(request));
        }
    }
}

fn kv_op(verb: KvVerb, key: &str, value: u8, index: u64, session: usize) -> TxnOp {
    let kv = TxnKvOp {
        verb: verb.as_str().to_owned(),
        key: key.into(),
        value: vec![value].into(),
        index,
        session: uuid(session as u32),
        ..TxnKvOp::default()
    };
    TxnOp { kv: Some(kv), ..TxnOp::default() }
}

fn compare_kv(model: &Model, version: &Version) {
    let mut watch = WatchSet::new();
    let whole = model.table(Table::Kv).max(model.table(Table::Tombstones));
    for key in KEYS {
        let (index, entry) = version.kv_get(key.as_bytes(), &mut watch);
        let expected = model.kv.get(key);
        assert_eq!(index, expected.map_or(whole, |entry| entry.modified), "index of {key}");
        assert_eq!(entry.map(|entry| entry.lock_index), expected.map(|entry| entry.lock_index), "{key}");
        let holder =
            expected.map(|entry| entry.session.map(|number| uuid(number as u32)).unwrap_or_default());
        assert_eq!(entry.map(|entry| entry.session.clone()), holder, "holder of {key}");
        assert_eq!(entry.map(|entry| entry.create_index), expected.map(|entry| entry.created), "{key}");
        let under = |name: &&String| name.starts_with(key);
        let written = model.kv.iter().filter(|(name, _)| under(name)).map(|(_, entry)| entry.modified).max();
        let deleted = model.tombstones.iter().filter(|(name, _)| under(name)).map(|(_, index)| *index).max();
        let (index, keys) = version.kv_keys(key.as_bytes(), b"", &mut watch);
        assert_eq!(index, written.max(deleted).unwrap_or(whole), "index under {key}");
        assert!(
            keys.iter().copied().eq(model.kv.keys().filter(under).map(|name| name.as_bytes())),
            "under {key}"
        );
    }
    for number in 0..3 {
        let held =
            model.kv.iter().filter(|(_, entry)| entry.session == Some(number)).map(|(key, _)| key.as_bytes());
        assert_eq!(version.kv_held(&uuid(number as u32)), held.collect::<Vec<_>>());
    }
}

fn compare_catalog(model: &Model, version: &Version) {
    let mut watch = WatchSet::new();
    for table in [Table::Nodes, Table::Services, Table::Checks, Table::Sessions, Table::ServiceExtinction] {
        assert_eq!(version.table_index(table, &mut watch), model.table(table), "{table:?}");
    }
    for (at, name) in SERVICES.iter().enumerate() {
        let (index, found) = version.check_service_nodes(name, Lookup::Service, &mut watch);
        let absent = model.tables.get(&Table::ServiceExtinction).copied();
        let absent = absent.unwrap_or_else(|| model.table(Table::Services));
        assert_eq!(index, model.services.get(&at).copied().unwrap_or(absent), "index of {name}");
        let mut expected = Vec::new();
        for (number, node) in &model.nodes {
            for (id, _) in node.services.iter().filter(|(_, (service, ..))| *service == at) {
                let of_node = node.checks.iter().filter(|(_, (_, tied, _))| tied.is_none());
                let own = node.checks.iter().filter(|(_, (_, tied, _))| *tied == Some(*id));
                let checks: Vec<(&str, &str)> =
                    of_node.chain(own).map(|(check, (state, ..))| (CHECKS[*check], STATES[*state])).collect();
                expected.push((NODES[*number], IDS[*id], node.address.to_string(), checks));
            }
        }
        let actual: Vec<_> = found
            .iter()
            .map(|instance| {
                let checks =
                    instance.checks.iter().map(|c| (c.check_id.as_str(), c.status.as_str())).collect();
                (&*instance.node.node, &*instance.service.id, instance.node.address.clone(), checks)
            })
            .collect();
        assert_eq!(actual, expected, "instances of {name}");
    }
    let sessions: Vec<String> = version.sessions(&mut watch).1.map(|session| session.id.clone()).collect();
    assert_eq!(sessions, model.sessions.keys().map(|number| uuid(*number as u32)).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_store_agrees_with_plain_maps(steps in steps()) {
        let (mut model, store) = (Model::default(), Store::new());
        for one in &steps {
            step(&mut model, &store, one);
            let version = store.version();
            prop_assert_eq!(version.index(), model.index);
            compare_kv(&model, &version);
            compare_catalog(&model, &version);
            model.others.compare(&version);
        }
        let mut bytes = Vec::new();
        Store::write_snapshot(&store.version(), &mut bytes).unwrap();
        let copy = Store::new();
        copy.recover(Store::read_snapshot(&mut &bytes[..]).unwrap());
        compare_kv(&model, &copy.version());
        compare_catalog(&model, &copy.version());
        model.others.compare(&copy.version());
    }
}
