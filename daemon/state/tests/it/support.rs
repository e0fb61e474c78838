//! Shorthand for driving a store.

use consul_api::types::catalog::NodeService;
use consul_api::types::health::HealthCheck;
use consul_api::types::kv::KvVerb;
use consul_api::types::request::{DeregisterRequest, RegisterRequest};
use consul_api::types::session::Session;
use consul_state::command::KvCommand;
use consul_state::{ApplyError, Command, Outcome, Reply, Store};

/// A UUID that ends in `number`.
pub fn uuid(number: u32) -> String {
    format!("11111111-2222-3333-4444-0000{number:08x}")
}

pub fn apply(store: &Store, command: Command) -> Outcome {
    store.apply(&[command]).remove(0)
}

pub fn kv(store: &Store, command: KvCommand) -> Result<bool, ApplyError> {
    match apply(store, Command::Kv(command)).reply? {
        Reply::Applied(applied) => Ok(applied),
        other => panic!("a KV write answered {other:?}"),
    }
}

pub fn set(store: &Store, key: &str, value: &str) -> u64 {
    apply(store, Command::Kv(KvCommand::set(key, value))).index
}

pub fn lock(key: &str, session: &str) -> KvCommand {
    KvCommand { session: session.to_owned(), ..KvCommand::new(KvVerb::Lock, key) }
}

pub fn unlock(key: &str, session: &str) -> KvCommand {
    KvCommand { session: session.to_owned(), ..KvCommand::new(KvVerb::Unlock, key) }
}

pub fn session(number: u32, node: &str) -> Session {
    Session { id: uuid(number), node: node.to_owned(), ..Session::default() }
}

pub fn register(store: &Store, request: RegisterRequest) -> Result<u64, ApplyError> {
    let mut request = request;
    consul_state::catalog::validate::registration(&mut request)?;
    let outcome = apply(store, Command::Register(Box::new(request)));
    outcome.reply.map(|_| outcome.index)
}

pub fn node(name: &str) -> RegisterRequest {
    RegisterRequest { node: name.to_owned(), address: "10.0.0.1".to_owned(), ..RegisterRequest::default() }
}

pub fn service(id: &str, name: &str) -> NodeService {
    NodeService { id: id.to_owned(), service: name.to_owned(), port: 80, ..NodeService::default() }
}

pub fn check(id: &str, service: &str, status: &str) -> HealthCheck {
    HealthCheck {
        check_id: id.to_owned(),
        name: id.to_owned(),
        service_id: service.to_owned(),
        status: status.to_owned(),
        ..HealthCheck::default()
    }
}

pub fn with_service(node_name: &str, service: NodeService) -> RegisterRequest {
    RegisterRequest { service: Some(service), ..node(node_name) }
}

pub fn with_check(node_name: &str, check: HealthCheck) -> RegisterRequest {
    RegisterRequest { check: Some(check), ..node(node_name) }
}

pub fn deregister(store: &Store, node: &str, service_id: &str, check_id: &str) -> u64 {
    let request = DeregisterRequest {
        node: node.to_owned(),
        service_id: service_id.to_owned(),
        check_id: check_id.to_owned(),
        ..DeregisterRequest::default()
    };
    apply(store, Command::Deregister(request)).index
}
