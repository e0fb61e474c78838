//! Shorthand for driving a store.

use consul_api::types::kv::KvVerb;
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
