//! Bytes of a command in the log.
//!
//! KV writes are the bulk of every log, so they have a form of their own: a tag, the verb, and fields with their
//! lengths in front. Everything else is MessagePack with field names, which tolerates fields that come later.

use consul_api::types::bytes::{Blob, Key};
use consul_api::types::kv::KvVerb;
use thiserror::Error;

use super::{Command, KvCommand};

/// The bytes are not a command that this version knows.
#[derive(Debug, Error)]
pub enum DecodeError {
    #[error("command is cut short")]
    Truncated,
    #[error("bytes remain after the command")]
    Trailing,
    #[error("unknown command form {0}")]
    UnknownForm(u8),
    #[error("unknown key/value verb {0}")]
    UnknownVerb(u8),
    #[error("text is not UTF-8")]
    NotText,
    #[error("command does not decode")]
    Document(#[from] rmp_serde::decode::Error),
}

const FORM_KV: u8 = 1;
const FORM_DOCUMENT: u8 = 2;

impl Command {
    /// Appends the command to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Kv(command) => encode_kv(command, out),
            other => {
                out.push(FORM_DOCUMENT);
                rmp_serde::encode::write_named(out, other)
                    .expect("writing to memory, of types without failing parts");
            }
        }
    }

    /// Reads exactly one command.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match bytes.split_first().ok_or(DecodeError::Truncated)? {
            (&FORM_KV, body) => decode_kv(body).map(Self::Kv),
            (&FORM_DOCUMENT, body) => Ok(rmp_serde::from_slice(body)?),
            (&other, _) => Err(DecodeError::UnknownForm(other)),
        }
    }
}

fn encode_kv(command: &KvCommand, out: &mut Vec<u8>) {
    out.reserve(command.key.as_slice().len() + command.value.len() + command.session.len() + 24);
    out.push(FORM_KV);
    out.push(verb_number(command.verb));
    put_number(command.flags, out);
    put_number(command.index, out);
    put_bytes(command.key.as_slice(), out);
    put_bytes(command.session.as_bytes(), out);
    put_bytes(command.value.as_slice(), out);
}

fn decode_kv(body: &[u8]) -> Result<KvCommand, DecodeError> {
    let mut reader = Reader(body);
    let verb = reader.verb()?;
    let flags = reader.number()?;
    let index = reader.number()?;
    let key = Key::from(reader.bytes()?);
    let session = std::str::from_utf8(reader.bytes()?).map_err(|_| DecodeError::NotText)?.to_owned();
    let value = Blob::from(reader.bytes()?);
    if !reader.0.is_empty() {
        return Err(DecodeError::Trailing);
    }
    Ok(KvCommand { verb, key, value, flags, index, session })
}

/// Fixed for good: logs on disk hold these numbers.
fn verb_number(verb: KvVerb) -> u8 {
    match verb {
        KvVerb::Set => 0,
        KvVerb::Cas => 1,
        KvVerb::Lock => 2,
        KvVerb::Unlock => 3,
        KvVerb::Delete => 4,
        KvVerb::DeleteCas => 5,
        KvVerb::DeleteTree => 6,
        KvVerb::Get => 7,
        KvVerb::GetOrEmpty => 8,
        KvVerb::GetTree => 9,
        KvVerb::CheckIndex => 10,
        KvVerb::CheckSession => 11,
        KvVerb::CheckNotExists => 12,
    }
}

/// LEB128: seven bits a byte, lowest first.
fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_number(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.0.split_first().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*first)
    }

    fn verb(&mut self) -> Result<KvVerb, DecodeError> {
        let number = self.byte()?;
        let verb = KvVerb::ALL.into_iter().find(|verb| verb_number(*verb) == number);
        verb.ok_or(DecodeError::UnknownVerb(number))
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(DecodeError::Truncated)
    }

    fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = usize::try_from(self.number()?).map_err(|_| DecodeError::Truncated)?;
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::AclCommand;
    use crate::autopilot::AutopilotCommand;
    use crate::config_entry::ConfigEntryCommand;
    use crate::intention::IntentionCommand;
    use crate::query::QueryCommand;
    use crate::txn::TxnCommand;
    use consul_api::types::request::{DeregisterRequest, RegisterRequest};
    use consul_api::types::session::Session;
    use proptest::prelude::*;

    fn round_trip(command: &Command) {
        let mut bytes = Vec::new();
        command.encode(&mut bytes);
        assert_eq!(&Command::decode(&bytes).unwrap(), command);
        for len in 0..bytes.len() {
            assert!(Command::decode(&bytes[..len]).is_err(), "a command cut to {len} bytes was accepted");
        }
    }

    #[test]
    fn commands_survive_the_log() {
        let lock = KvCommand {
            session: "3c244b54-f64f-48af-17d1-070fea70c10b".to_owned(),
            flags: u64::MAX,
            index: 300,
            ..KvCommand::new(KvVerb::Lock, vec![0xff, 0, 7])
        };
        round_trip(&Command::Kv(lock));
        round_trip(&Command::SessionCreate(Session { node: "n".to_owned(), ..Session::default() }));
        round_trip(&Command::TombstoneReap { index: 9 });
    }

    #[test]
    fn documents_with_everything_in_them_survive_the_log() {
        use consul_api::types::{acl, catalog, config_entry, coordinate, health, operator, txn};
        let map =
            |text: &str| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).unwrap();
        let service = catalog::NodeService {
            tags: Some(vec!["a".to_owned()]),
            meta: Some([("k".to_owned(), "v".to_owned())].into()),
            weights: Some(catalog::Weights { passing: 2, warning: 0 }),
            proxy: catalog::ProxyConfig {
                config: Some(map(r#"{"deep":{"list":[1,-2,1.5,null,true,"t"]}}"#)),
                upstreams: Some(vec![catalog::Upstream::default()]),
                ..catalog::ProxyConfig::default()
            },
            ..catalog::NodeService::default()
        };
        let check = health::HealthCheck {
            definition: health::HealthCheckDefinition {
                interval: consul_api::types::duration::GoDuration::from_secs(10),
                header: Some([("h".to_owned(), vec!["x".to_owned()])].into()),
                ..health::HealthCheckDefinition::default()
            },
            ..health::HealthCheck::default()
        };
        let op = txn::TxnOp {
            kv: Some(txn::TxnKvOp {
                key: vec![0xff].into(),
                value: vec![0, 0xff].into(),
                ..txn::TxnKvOp::default()
            }),
            check: Some(txn::TxnCheckOp { verb: "set".to_owned(), check: check.clone() }),
            ..txn::TxnOp::default()
        };
        let token = acl::AclToken {
            expiration_time: Some(consul_api::types::time::GoTime::from_unix(1_700_000_000, 5)),
            policies: Some(vec![acl::AclLink::default()]),
            hash: vec![0xff; 32].into(),
            ..acl::AclToken::default()
        };
        let entry = config_entry::ConfigEntry {
            kind: "service-resolver".to_owned(),
            fields: map(r#"{"ConnectTimeout":"15s","Subsets":{"v1":{"OnlyPassing":false}}}"#),
            ..config_entry::ConfigEntry::default()
        };
        let method =
            acl::AclAuthMethod { config: Some(map(r#"{"a":{"b":[1]}}"#)), ..acl::AclAuthMethod::default() };
        let coordinate = coordinate::NodeCoordinate {
            coord: Some(coordinate::Coordinate::default()),
            ..coordinate::NodeCoordinate::default()
        };
        let request =
            RegisterRequest { service: Some(service), check: Some(check), ..RegisterRequest::default() };
        for command in [
            Command::Register(Box::new(request)),
            Command::Deregister(DeregisterRequest::default()),
            Command::Txn(TxnCommand { ops: vec![op], lock_delayed: vec![3] }),
            Command::Coordinates(vec![coordinate]),
            Command::PreparedQuery(QueryCommand::Set(Box::default())),
            Command::ConfigEntry(ConfigEntryCommand::Set { entry: Box::new(entry), cas: Some(7) }),
            Command::Intention(IntentionCommand::Set(Box::default())),
            Command::Acl(AclCommand::Bootstrap { token: Box::new(token), reset_index: 9 }),
            Command::Acl(AclCommand::SetAuthMethods(vec![method])),
            Command::Autopilot(AutopilotCommand { config: operator::AutopilotConfig::default(), cas: None }),
            Command::SessionDestroy { id: "x".to_owned() },
        ] {
            round_trip(&command);
        }
    }

    #[test]
    fn every_verb_has_its_number() {
        for verb in KvVerb::ALL {
            round_trip(&Command::Kv(KvCommand::new(verb, "k")));
        }
    }

    proptest! {
        #[test]
        fn garbage_is_an_error_or_a_command(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Command::decode(&bytes);
        }

        #[test]
        fn any_write_survives(key in prop::collection::vec(any::<u8>(), 0..40), value: Vec<u8>, flags: u64) {
            let command = Command::Kv(KvCommand { flags, ..KvCommand::set(key, value) });
            let mut bytes = Vec::new();
            command.encode(&mut bytes);
            prop_assert_eq!(Command::decode(&bytes).unwrap(), command);
        }
    }
}
