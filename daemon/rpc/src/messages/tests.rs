//! Messages recorded from HashiCorp agents: each decodes, and what is encoded again means the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use consul_api::msgpack::{self, DecodeError};
use consul_api::types::acl::{AclPolicy, AclRole, AclToken};
use consul_api::types::bytes::Key;
use consul_api::types::catalog::Node;
use consul_api::types::coordinate::{DatacenterCoordinates, NodeCoordinate};
use consul_api::types::health::HealthCheck;
use consul_api::types::intention::Intention;
use consul_api::types::kv::KvPair;
use consul_api::types::operator::{AutopilotConfig, RaftServer};
use consul_api::types::query::PreparedQuery;
use consul_api::types::request::{DeregisterRequest, RegisterRequest};
use consul_api::types::session::Session;
use consul_api::types::txn::TxnResponse;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::acl::*;
use super::catalog::*;
use super::config_entry::{ConfigEntryQuery, ConfigEntryRequest};
use super::coordinate::*;
use super::intention::*;
use super::internal::*;
use super::kv::*;
use super::operator::*;
use super::query::*;
use super::session::*;
use super::txn::TxnRequest;
use super::*;

type Again = fn(&[u8]) -> Result<Vec<u8>, DecodeError>;

fn flat<A: Serialize + DeserializeOwned, O: Serialize + DeserializeOwned>(
    body: &[u8],
) -> Result<Vec<u8>, DecodeError> {
    decode::<A, O>(body).map(|(own, shared)| encode(&own, &shared))
}

fn read<A: Serialize + DeserializeOwned>(body: &[u8]) -> Result<Vec<u8>, DecodeError> {
    flat::<A, QueryOptions>(body)
}

fn answer<A: Serialize + DeserializeOwned>(body: &[u8]) -> Result<Vec<u8>, DecodeError> {
    flat::<A, QueryMeta>(body)
}

fn write<A: Serialize + DeserializeOwned>(body: &[u8]) -> Result<Vec<u8>, DecodeError> {
    flat::<A, WriteRequest>(body)
}

fn whole<T: Serialize + DeserializeOwned>(body: &[u8]) -> Result<Vec<u8>, DecodeError> {
    msgpack::from_slice::<T>(body).map(|message| value(&message))
}

/// Bytes are the same where no struct has fields that the recorded release lacks, or sends empty and we as nil, and no
/// map has an order that the recorded agent did not choose.
const EXACT: &[(&str, Again)] = &[
    ("acl-policyresolve.req", read::<PolicyBatchRequest>),
    ("acl-roleresolve.req", read::<RoleBatchRequest>),
    ("acl-tokenlist.req", read::<TokenListRequest>),
    ("acl-tokenread.req", read::<TokenGetRequest>),
    ("catalog-deregister.resp", whole::<Nothing>),
    ("catalog-listdatacenters.req", read::<Nothing>),
    ("catalog-listdatacenters.resp", whole::<Vec<String>>),
    ("catalog-listnodes.req", read::<DcSpecificRequest>),
    ("catalog-listservices.req", read::<DcSpecificRequest>),
    ("catalog-nodeservicelist.req", read::<NodeSpecificRequest>),
    ("catalog-nodeservices.req", read::<NodeSpecificRequest>),
    ("catalog-register-external.resp", whole::<Nothing>),
    ("catalog-register-node.resp", whole::<Nothing>),
    ("catalog-register-service.resp", whole::<Nothing>),
    ("catalog-servicenodes.req", read::<ServiceSpecificRequest>),
    ("configentry-apply.resp", whole::<bool>),
    ("configentry-get.req", read::<ConfigEntryQuery>),
    ("configentry-list.req", read::<ConfigEntryQuery>),
    ("connectca-roots.req", read::<DcSpecificRequest>),
    ("coordinate-listdatacenters.req", whole::<Nothing>),
    ("coordinate-listdatacenters.resp", whole::<Vec<DatacenterCoordinates>>),
    ("coordinate-listnodes.req", read::<DcSpecificRequest>),
    ("coordinate-listnodes.resp", answer::<Coordinates<Vec<NodeCoordinate>>>),
    ("coordinate-update.req", write::<CoordinateUpdateRequest>),
    ("coordinate-update.resp", whole::<Nothing>),
    ("health-checksinstate.req", read::<ChecksInStateRequest>),
    ("health-nodechecks.req", read::<NodeSpecificRequest>),
    ("health-servicechecks.req", read::<ServiceSpecificRequest>),
    ("health-servicenodes.req", read::<ServiceSpecificRequest>),
    ("intention-apply.resp", whole::<String>),
    ("intention-list.req", read::<DcSpecificRequest>),
    ("intention-list.resp", answer::<Intentions<Vec<Arc<Intention>>>>),
    ("intention-match.req", read::<IntentionQueryRequest>),
    ("intention-match.resp", answer::<Matches<Vec<Vec<Arc<Intention>>>>>),
    ("internal-eventfire.resp", answer::<Nothing>),
    ("internal-nodeinfo.req", read::<NodeSpecificRequest>),
    ("kvs-apply-cas-fail.resp", whole::<bool>),
    ("kvs-apply-lock.req", write::<KvsRequest<KvPair>>),
    ("kvs-apply-lock.resp", whole::<bool>),
    ("kvs-apply-set.resp", whole::<bool>),
    ("kvs-get-blocking-timeout.req", read::<KeyRequest>),
    ("kvs-get-blocking-timeout.resp", answer::<Entries<Option<Vec<Arc<KvPair>>>>>),
    ("kvs-get-error.req", read::<KeyRequest>),
    ("kvs-get-error.resp", whole::<Nothing>),
    ("kvs-get.req", read::<KeyRequest>),
    ("kvs-list.req", read::<KeyRequest>),
    ("kvs-listkeys.req", read::<KeyListRequest>),
    ("kvs-listkeys.resp", answer::<Keys<Option<Vec<Key>>>>),
    ("operator-autopilotget.req", read::<DcSpecificRequest>),
    ("operator-autopilotget.resp", whole::<AutopilotConfig>),
    ("operator-raftgetconfiguration.req", read::<DcSpecificRequest>),
    ("operator-serverhealth.req", read::<DcSpecificRequest>),
    ("preparedquery-apply.resp", whole::<String>),
    ("preparedquery-execute.req", read::<ExecuteRequest>),
    ("preparedquery-explain.req", read::<ExecuteRequest>),
    ("session-create.resp", whole::<String>),
    ("session-destroy.resp", whole::<String>),
    ("session-list.req", read::<SessionSpecificRequest>),
    ("session-renew.req", read::<SessionSpecificRequest>),
    ("status-leader.req", read::<DcSpecificRequest>),
    ("status-leader.resp", whole::<String>),
    ("status-peers.req", read::<DcSpecificRequest>),
    ("status-peers.resp", whole::<Vec<String>>),
    ("status-ping.req", whole::<Nothing>),
    ("status-ping.resp", whole::<Nothing>),
];

const SAME_MEANING: &[(&str, Again)] = &[
    ("acl-policyresolve.resp", answer::<PolicyBatchResponse>),
    ("acl-policyset.req", write::<PolicySetRequest>),
    ("acl-policyset.resp", whole::<AclPolicy>),
    ("acl-roleresolve.resp", answer::<RoleBatchResponse>),
    ("acl-roleset.req", write::<RoleSetRequest>),
    ("acl-roleset.resp", whole::<AclRole>),
    ("acl-tokenlist.resp", answer::<TokenListResponse>),
    ("acl-tokenread.resp", answer::<TokenResponse>),
    ("acl-tokenset.req", write::<TokenSetRequest>),
    ("acl-tokenset.resp", whole::<AclToken>),
    ("catalog-deregister.req", write::<DeregisterRequest>),
    ("catalog-listnodes.resp", answer::<Nodes<Vec<Arc<Node>>>>),
    ("catalog-listservices.resp", answer::<Services<BTreeMap<String, Vec<String>>>>),
    ("catalog-nodeservicelist.resp", answer::<IndexedNodeServices<NodeServiceList>>),
    ("catalog-nodeservices.resp", answer::<IndexedNodeServices<Option<NodeServices>>>),
    ("catalog-register-external.req", write::<RegisterRequest>),
    ("catalog-register-node.req", write::<RegisterRequest>),
    ("catalog-register-service.req", write::<RegisterRequest>),
    ("catalog-servicenodes.resp", answer::<ServiceNodes<Vec<consul_api::types::catalog::ServiceNode>>>),
    ("configentry-apply.req", |body| ConfigEntryRequest::decode(body).map(ConfigEntryRequest::encode)),
    ("configentry-get.resp", |body| {
        config_entry::decode_one(body).map(|(entry, meta)| config_entry::encode_one(entry.as_ref(), &meta))
    }),
    ("configentry-list.resp", |body| {
        config_entry::decode_list(body)
            .map(|(entries, meta)| config_entry::encode_list("service-defaults", entries.iter(), &meta))
    }),
    ("health-checksinstate.resp", answer::<HealthChecks<Vec<Arc<HealthCheck>>>>),
    ("health-nodechecks.resp", answer::<HealthChecks<Vec<Arc<HealthCheck>>>>),
    ("health-servicechecks.resp", answer::<HealthChecks<Vec<Arc<HealthCheck>>>>),
    ("health-servicenodes.resp", answer::<Nodes<Vec<CheckServiceNode>>>),
    ("intention-apply.req", write::<IntentionRequest<Option<Intention>>>),
    ("internal-eventfire.req", read::<EventFireRequest>),
    ("internal-nodeinfo.resp", answer::<NodeDump>),
    ("kvs-apply-cas-fail.req", write::<KvsRequest<KvPair>>),
    ("kvs-apply-denied.req", write::<KvsRequest<KvPair>>),
    ("kvs-apply-set.req", write::<KvsRequest<KvPair>>),
    ("kvs-get.resp", answer::<Entries<Option<Vec<Arc<KvPair>>>>>),
    ("kvs-list.resp", answer::<Entries<Option<Vec<Arc<KvPair>>>>>),
    ("operator-raftgetconfiguration.resp", whole::<RaftConfiguration<RaftServer>>),
    ("operator-serverhealth.resp", whole::<OperatorHealth>),
    ("preparedquery-apply.req", write::<PreparedQueryRequest>),
    ("preparedquery-execute.resp", answer::<ExecuteResponse>),
    ("preparedquery-explain.resp", answer::<Explained<PreparedQuery>>),
    ("session-create.req", write::<SessionRequest<Session>>),
    ("session-destroy.req", write::<SessionRequest<Session>>),
    ("session-list.resp", answer::<Sessions<Vec<Arc<Session>>>>),
    ("session-renew.resp", answer::<Sessions<Vec<Arc<Session>>>>),
    ("txn-apply.req", write::<TxnRequest>),
    ("txn-apply.resp", whole::<TxnResponse>),
    ("txn-read.req", read::<TxnRequest>),
    ("txn-read.resp", answer::<TxnResponse>),
];

/// Answers to what is not served.
const OTHERS: [&str; 3] = ["connectca-roots.resp", "kvs-apply-denied.resp", "unknown-service.resp"];

fn recorded(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/{name}.hex"));
    let digits: Vec<u8> =
        std::fs::read(path).unwrap().into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// What follows the header.
fn body(name: &str) -> Vec<u8> {
    let bytes = recorded(name);
    let mut rest = bytes.as_slice();
    msgpack::skip_value(&mut rest).unwrap();
    rest.to_vec()
}

/// A value without its types: what is zero is not there.
#[derive(Debug, PartialEq)]
enum Meaning {
    Zero,
    Int(i128),
    Float(f64),
    Raw(Vec<u8>),
    List(Vec<Meaning>),
    Map(BTreeMap<Vec<u8>, Meaning>),
}

fn parse(bytes: &mut &[u8]) -> Meaning {
    let take = |bytes: &mut &[u8], len: usize| {
        let (head, rest) = bytes.split_at(len);
        *bytes = rest;
        head.to_vec()
    };
    let number = |bytes: &mut &[u8], len| {
        take(bytes, len).into_iter().fold(0u64, |sum, byte| sum << 8 | u64::from(byte))
    };
    let first = take(bytes, 1)[0];
    let int = |value: i128| if value == 0 { Meaning::Zero } else { Meaning::Int(value) };
    let (raw, list, map) = match first {
        0x80..=0x8f => (None, None, Some(usize::from(first & 15))),
        0xde => (None, None, Some(number(bytes, 2) as usize)),
        0x90..=0x9f => (None, Some(usize::from(first & 15)), None),
        0xdc => (None, Some(number(bytes, 2) as usize), None),
        0xa0..=0xbf => (Some(usize::from(first & 31)), None, None),
        0xd9 => (Some(number(bytes, 1) as usize), None, None),
        0xda => (Some(number(bytes, 2) as usize), None, None),
        0xc0 | 0xc2 => return Meaning::Zero,
        0xc3 => return Meaning::Int(1),
        0x00..=0x7f => return int(first.into()),
        0xe0..=0xff => return int((first as i8).into()),
        0xcb => return Meaning::Float(f64::from_bits(number(bytes, 8))),
        0xcc..=0xcf => return int(number(bytes, 1 << (first - 0xcc)).into()),
        0xd0 => return int((number(bytes, 1) as i8).into()),
        0xd1 => return int((number(bytes, 2) as i16).into()),
        0xd2 => return int((number(bytes, 4) as i32).into()),
        0xd3 => return int((number(bytes, 8) as i64).into()),
        _ => panic!("{first:#x} is not of the dialect"),
    };
    if let Some(len) = raw {
        return text(take(bytes, len));
    }
    if let Some(len) = list {
        let items: Vec<Meaning> = (0..len).map(|_| parse(bytes)).collect();
        return if items.is_empty() { Meaning::Zero } else { Meaning::List(items) };
    }
    let mut fields = BTreeMap::new();
    for _ in 0..map.unwrap_or_default() {
        let Meaning::Raw(name) = parse(bytes) else { panic!("a field without a name") };
        match parse(bytes) {
            Meaning::Zero => {}
            field => {
                fields.insert(name, field);
            }
        }
    }
    if fields.is_empty() { Meaning::Zero } else { Meaning::Map(fields) }
}

/// Points in time mean the same in whatever zone.
fn text(mut bytes: Vec<u8>) -> Meaning {
    const ZERO_TIME: [u8; 13] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    if bytes.len() == 15 && bytes.starts_with(&[1, 0, 0]) {
        bytes.truncate(13);
    }
    if bytes.is_empty() || bytes == ZERO_TIME { Meaning::Zero } else { Meaning::Raw(bytes) }
}

fn meaning(mut bytes: &[u8]) -> Vec<Meaning> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        values.push(match parse(&mut bytes) {
            // Blobs hold several values.
            Meaning::Raw(blob) if blob.len() > 40 => Meaning::List(meaning(&blob)),
            other => other,
        });
    }
    values
}

#[test]
fn what_agents_send_is_read_and_written_as_they_do() {
    let mut inexact: Vec<&str> = Vec::new();
    for (name, again) in EXACT {
        let sent = body(name);
        let ours = again(&sent).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(meaning(&ours), meaning(&sent), "{name}");
        inexact.extend((hex(&ours) != hex(&sent)).then_some(*name));
    }
    assert!(inexact.is_empty(), "{inexact:?}");
    for (name, again) in SAME_MEANING {
        let sent = body(name);
        let ours = again(&sent).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(meaning(&ours), meaning(&sent), "{name}");
        assert_eq!(hex(&again(&ours).unwrap()), hex(&ours), "{name} again");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_recorded_message_is_known() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    for file in std::fs::read_dir(dir).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let name = name.trim_end_matches(".hex");
        let known = EXACT.iter().chain(SAME_MEANING).any(|(known, _)| *known == name);
        assert!(known || OTHERS.contains(&name), "{name}");
    }
}

#[test]
fn nil_bodies_missing_fields_and_unknown_fields_are_taken() {
    let (request, options): (KeyRequest, QueryOptions) = decode(&[0xc0]).unwrap();
    assert_eq!((request, options), Default::default());
    let newer = value(&serde_json::json!({
        "Key": "a", "PeerName": "x", "Nested": {"Token": "no"}, "AllowNotModifiedResponse": true, "AllowStale": 1,
    }));
    let (request, options): (KeyRequest, QueryOptions) = decode(&newer).unwrap();
    assert_eq!(request.key, Key::from("a"));
    assert_eq!((options.allow_stale, options.token.as_str()), (true, ""));
    assert!(decode::<KeyRequest, QueryOptions>(&[7]).is_err(), "an integer is no message");
}

#[test]
fn our_own_flags_travel_only_when_set() {
    let options = QueryOptions { forwarded: true, ..QueryOptions::default() };
    let sent = encode(&KeyRequest::default(), &options);
    let (_, read): (KeyRequest, QueryOptions) = decode(&sent).unwrap();
    assert!(read.forwarded);
    let unset = encode(&KeyRequest::default(), &QueryOptions::default());
    assert!(!unset.windows(9).any(|window| window == b"Forwarded"));
}

#[test]
fn secrets_do_not_show_in_debug_texts() {
    let options = QueryOptions { token: "s3cret".into(), ..QueryOptions::default() };
    let write = WriteRequest { token: "s3cret".into(), ..WriteRequest::default() };
    let keyring = KeyringRequest { key: "s3cret".into(), ..KeyringRequest::default() };
    assert!(!format!("{options:?}{write:?}{keyring:?}").contains("s3cret"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Damage is refused or read as something else, never a panic.
    #[test]
    fn damaged_messages_do_no_harm(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        for (name, again) in EXACT.iter().chain(SAME_MEANING) {
            let mut sent = body(name);
            let at = at.index(sent.len());
            sent[at] = byte;
            if cut {
                sent.truncate(at);
            }
            let _ = again(&sent);
        }
    }

    #[test]
    fn garbage_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (_, again) in EXACT.iter().chain(SAME_MEANING) {
            let _ = again(&bytes);
        }
        let _ = config_entry::decode_all(&bytes);
    }
}
