use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::archive::{self, Archive, ReadError, RestoreError};
use super::inspect::{KeyDetails, inspect};
use super::meta::{Meta, Server};
use super::records::{Record, RecordError, RecordReader, RecordType, RecordWriter, StateHeader};
use crate::types::bytes::{Blob, Key};
use crate::types::catalog::NodeServices;
use crate::types::kv::KvPair;
use crate::types::request::RegisterRequest;
use crate::types::session::Session;

/// Saved by HashiCorp Consul 1.8.7.
const REFERENCE: &[u8] = include_bytes!("../../tests/data/consul-1.8.7.snap");
const STATE_MAX: u64 = 1 << 20;

fn read(bytes: &[u8]) -> Result<Archive, ReadError> {
    archive::read(bytes, &std::env::temp_dir(), STATE_MAX)
}

fn refusal(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}

/// Members without the end mark.
fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_path(name).unwrap();
        header.set_size(content.len() as u64);
        header.set_cksum();
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out
}

fn ended(mut tar: Vec<u8>) -> Vec<u8> {
    tar.resize(tar.len() + 1024, 0);
    tar
}

struct Parts {
    meta: Vec<u8>,
    state: Vec<u8>,
    sums: Vec<u8>,
}

impl Parts {
    fn new(meta: &str, state: &[u8]) -> Self {
        let sum =
            |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let sums = format!("{}  meta.json\n{}  state.bin\n", sum(meta.as_bytes()), sum(state));
        Self { meta: meta.into(), state: state.into(), sums: sums.into() }
    }

    fn sample() -> Self {
        Self::new("{\"Version\":1,\"Index\":10,\"Size\":5}\n", b"hello")
    }

    fn members(&self) -> [(&str, &[u8]); 3] {
        [("meta.json", &self.meta), ("state.bin", &self.state), ("SHA256SUMS", &self.sums)]
    }

    fn archive(&self) -> Vec<u8> {
        gzip(&ended(tar(&self.members())))
    }
}

#[test]
fn reads_what_the_reference_saved() {
    let archive = read(REFERENCE).unwrap();
    archive.check_restorable().unwrap();
    assert_eq!((archive.meta.index, archive.meta.term, archive.meta.size), (55, 2, 11918));
    assert_eq!(archive.meta.id, "2-55-1795237094310");
    assert_eq!(archive.meta.configuration.servers[0].address, "127.0.0.1:25110");
}

#[test]
fn counts_what_the_reference_saved() {
    let contents = inspect(read(REFERENCE).unwrap().state, None).unwrap();
    let counted: Vec<(&str, u64)> =
        contents.types.iter().map(|usage| (usage.name.as_str(), usage.count)).collect();
    for expected in [
        ("Register", 10),
        ("CoordinateBatchUpdate", 2),
        ("Session", 1),
        ("ACLToken", 3),
        ("ACLPolicy", 2),
        ("ACLRole", 1),
        ("ACLBindingRule", 2),
        ("ACLAuthMethod", 1),
        ("KVS", 4),
        ("Tombstone", 8),
        ("PreparedQuery", 1),
        ("Autopilot", 1),
        ("Intention", 1),
        ("ConfigEntry", 2),
        ("FederationState", 2),
        ("Index", 21),
        ("ChunkingState", 1),
    ] {
        assert!(counted.contains(&expected), "{expected:?} in {counted:?}");
    }
    assert_eq!(contents.total, 11918);
    assert!(contents.types.is_sorted_by(|a, b| a.sum >= b.sum));
}

#[test]
fn keys_are_grouped_by_their_first_segments() {
    let details = KeyDetails { depth: 1, prefix: String::new() };
    let contents = inspect(read(REFERENCE).unwrap().state, Some(&details)).unwrap();
    assert_eq!(contents.keys.iter().map(|usage| usage.count).sum::<u64>(), 4);
    assert!(contents.keys.iter().any(|usage| usage.name == "foo"));
    let nothing = KeyDetails { depth: 2, prefix: "no such".into() };
    assert!(inspect(read(REFERENCE).unwrap().state, Some(&nothing)).unwrap().keys.is_empty());
}

#[test]
fn records_decode_into_the_shared_types() {
    let mut records = RecordReader::new(read(REFERENCE).unwrap().state).unwrap();
    assert_eq!(records.header(), StateHeader { last_index: 55 });
    let (mut pairs, mut services, mut sessions) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(record) = records.next_record().unwrap() {
        match record.kind {
            RecordType::KVS => pairs.push(record.decode::<KvPair>().unwrap()),
            RecordType::SESSION => sessions.push(record.decode::<Session>().unwrap()),
            RecordType::REGISTER => services.extend(record.decode::<RegisterRequest>().unwrap().service),
            _ => {}
        }
    }
    let pair = pairs.iter().find(|pair| pair.key == Key::from("foo/bar")).unwrap();
    assert_eq!((&pair.value, pair.flags), (&Blob::from("hello"), 42));
    assert!(pairs.iter().any(|pair| pair.session == sessions[0].id));
    let web = services.iter().find(|service| service.id == "web1").unwrap();
    assert_eq!((web.port, web.tags.as_deref().unwrap()), (8080, &["v1".to_owned(), "prod".to_owned()][..]));
}

#[test]
fn known_records_encode_to_the_length_they_had() {
    // Field for field the same; only empty strings may have become nil, which takes as many bytes.
    let mut records = RecordReader::new(read(REFERENCE).unwrap().state).unwrap();
    let mut checked = 0;
    while let Some(record) = records.next_record().unwrap() {
        let again = match record.kind {
            RecordType::KVS | RecordType::TOMBSTONE => {
                crate::msgpack::to_vec(&record.decode::<KvPair>().unwrap())
            }
            _ => continue,
        };
        assert_eq!(again.unwrap().len(), record.value.len(), "{record:?}");
        checked += 1;
    }
    assert_eq!(checked, 12);
}

#[test]
fn what_is_written_is_what_the_reference_would_write() {
    let server = Server { suffrage: 0, id: "a".into(), address: "127.0.0.1:8300".into() };
    let meta = Meta::new(7, 2, vec![server], 1, 1000);
    let (bytes, meta) =
        archive::write(Vec::new(), &std::env::temp_dir(), meta, |out| out.write_all(b"state")).unwrap();
    assert_eq!((meta.size, meta.id.as_str()), (5, "2-7-1000"));

    let tar = gunzip(&bytes);
    assert_eq!(tar.len() % 512, 0);
    assert!(tar[tar.len() - 1024..].iter().all(|byte| *byte == 0));
    assert!(tar[tar.len() - 1536..tar.len() - 1024].iter().any(|byte| *byte != 0));
    let theirs = gunzip(REFERENCE);
    for at in [0, 1024] {
        assert_eq!(tar[at..at + 124], theirs[at..at + 124], "name, mode and owner of the member at {at}");
        assert_eq!(tar[at + 156..at + 512], theirs[at + 156..at + 512], "kind, format and names at {at}");
    }
    let json = String::from_utf8(tar[512..1024].to_vec()).unwrap();
    assert!(json.starts_with(
        "{\"Version\":1,\"ID\":\"2-7-1000\",\"Index\":7,\"Term\":2,\"Peers\":\"ka4xMjcuMC4wLjE6ODMwMA==\",\"Configuration\":\
         {\"Servers\":[{\"Suffrage\":0,\"ID\":\"a\",\"Address\":\"127.0.0.1:8300\"}]},\"ConfigurationIndex\":1,\"Size\":5}\n\0"
    ));

    let mut archive = read(&bytes).unwrap();
    let mut state = String::new();
    archive.state.read_to_string(&mut state).unwrap();
    assert_eq!((state.as_str(), &archive.meta), ("state", &meta));
}

#[test]
fn members_may_come_in_any_order_and_with_padding() {
    let parts = Parts::sample();
    let [meta, state, sums] = parts.members();
    assert_eq!(read(&gzip(&ended(tar(&[sums, state, meta])))).unwrap().state_len, 5);
    let mut padded = ended(tar(&parts.members()));
    padded.resize(padded.len().next_multiple_of(10240), 0);
    assert_eq!(read(&gzip(&padded)).unwrap().state_len, 5);
    assert_eq!(read(&gzip(&tar(&parts.members()))).unwrap().state_len, 5);
    let two_streams = [parts.archive(), gzip(&[0; 100])].concat();
    assert_eq!(read(&two_streams).unwrap().state_len, 5);
}

#[test]
fn what_is_no_archive_is_named_so() {
    assert_eq!(refusal(b""), "failed to decompress snapshot: EOF");
    assert_eq!(refusal(&REFERENCE[..5]), "failed to decompress snapshot: unexpected EOF");
    assert_eq!(refusal(b"junk junk junk junk"), "failed to decompress snapshot: gzip: invalid header");
    assert_eq!(
        refusal(&gzip(&b"hello".repeat(300))),
        "failed to read snapshot file: failed reading snapshot: archive/tar: invalid tar header"
    );
}

#[test]
fn damage_is_refused_in_the_known_words() {
    const INTEGRITY: &str = "failed to read snapshot file: failed checking integrity of snapshot: ";
    let parts = Parts::sample();
    let [meta, state, sums] = parts.members();
    let first_line = &sums.1[..sums.1.iter().position(|byte| *byte == b'\n').unwrap() + 1];
    let three_lines = [sums.1, b"00  other\n"].concat();
    for (members, expected) in [
        (vec![meta, ("state.bin", b"hellp"), sums], "hash check failed for \"state.bin\""),
        (vec![meta, meta, state, sums], "hash check failed for \"meta.json\""),
        (vec![state, sums], "hash check failed for \"meta.json\""),
        (vec![meta, sums], "hash check failed for \"state.bin\""),
        (vec![meta, state], "file missing for \"meta.json\""),
        (vec![], "file missing for \"meta.json\""),
        (vec![meta, state, ("SHA256SUMS", first_line)], "file missing for \"state.bin\""),
        (vec![meta, state, ("SHA256SUMS", &three_lines)], "list missing hash for \"other\""),
        (vec![meta, state, ("SHA256SUMS", b"hello\n")], "malformed line in SHA256SUMS"),
    ] {
        assert_eq!(refusal(&gzip(&ended(tar(&members)))), format!("{INTEGRITY}{expected}"));
    }
    assert_eq!(
        refusal(&gzip(&ended(tar(&[meta, state, sums, ("x", b"abc")])))),
        "failed to read snapshot file: unexpected file \"x\" in snapshot"
    );
    assert_eq!(
        refusal(&Parts::new("{junk", b"hello").archive()),
        "failed to read snapshot file: failed to decode snapshot metadata: \
         invalid character 'j' looking for beginning of object key string"
    );
}

#[test]
fn truncation_is_noticed_everywhere() {
    let whole = Parts::sample().archive();
    for len in 0..whole.len() {
        assert!(read(&whole[..len]).is_err(), "{len} of {} bytes", whole.len());
    }
    let tar = tar(&Parts::sample().members());
    assert!(read(&gzip(&tar[..1500])).is_err());
    let state = "failed to read snapshot file: failed to read or write snapshot data: unexpected EOF";
    assert_eq!(refusal(&REFERENCE[..2000]), state);
}

#[test]
fn bytes_after_the_end_are_counted() {
    let mut tail = ended(tar(&Parts::sample().members()));
    tail.extend_from_slice(&[b'x'; 600]);
    assert_eq!(refusal(&gzip(&tail)), "600 unread uncompressed bytes remain");
    let mut crc = Parts::sample().archive();
    let at = crc.len() - 8;
    crc[at] ^= 1;
    assert_eq!(refusal(&crc), "gzip: invalid checksum");
}

#[test]
fn a_bomb_is_refused_before_it_goes_off() {
    let bomb = Parts::new("{}", &vec![0; STATE_MAX as usize + 1]).archive();
    assert!(bomb.len() < 20_000);
    assert_eq!(refusal(&bomb), "failed to read snapshot file: state of more than 1048576 bytes");
    let mut padding = ended(tar(&Parts::sample().members()));
    padding.resize(padding.len() + (8 << 20), 0);
    assert!(refusal(&gzip(&padding)).ends_with("unread uncompressed bytes remain"));
}

#[test]
fn restoring_asks_more_than_inspecting() {
    let version = read(&Parts::new("{\"Version\":2,\"Size\":5}", b"hello").archive()).unwrap();
    assert_eq!(version.check_restorable(), Err(RestoreError::Version(2)));
    let size = read(&Parts::new("{\"Version\":1,\"Size\":6}", b"hello").archive()).unwrap();
    assert_eq!(
        size.check_restorable().unwrap_err().to_string(),
        "failed to write snapshot, size didn't match (5 != 6)"
    );
    assert!(read(&Parts::sample().archive()).unwrap().check_restorable().is_ok());
}

fn state_file(values: &[(RecordType, serde_json::Value)]) -> Vec<u8> {
    let mut writer = RecordWriter::new(Vec::new(), StateHeader { last_index: 9 }).unwrap();
    for (kind, value) in values {
        writer.record(*kind, value).unwrap();
    }
    writer.into_inner()
}

fn walk(state: impl Read) -> Result<Vec<(RecordType, Vec<u8>)>, RecordError> {
    let mut reader = RecordReader::new(state)?;
    let mut records = Vec::new();
    while let Some(Record { kind, value, .. }) = reader.next_record()? {
        records.push((kind, value.to_vec()));
    }
    Ok(records)
}

/// Hands out a byte at a time.
struct Trickle<'b>(&'b [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.0.len().min(buffer.len()).min(1);
        let (now, later) = self.0.split_at(len);
        buffer[..len].copy_from_slice(now);
        self.0 = later;
        Ok(len)
    }
}

#[test]
fn records_come_out_as_they_went_in_whatever_the_reads() {
    let big = "x".repeat(300_000);
    let values: Vec<_> = (0..50u8)
        .map(|n| {
            (
                RecordType(n),
                serde_json::json!({"n": n, "list": [1, [2, n]], "text": if n == 7 { &big } else { "" }}),
            )
        })
        .collect();
    let state = state_file(&values);
    let expected: Vec<_> =
        values.iter().map(|(kind, value)| (*kind, crate::msgpack::to_vec(value).unwrap())).collect();
    assert_eq!(walk(&state[..]).unwrap(), expected);
    let small = state_file(&values[..5]);
    assert_eq!(walk(Trickle(&small)).unwrap(), expected[..5]);
}

#[test]
fn damaged_state_says_where() {
    assert_eq!(walk(&b""[..]).unwrap_err().to_string(), "snapshot data has no header");
    assert_eq!(walk(&b"\x02\xa1a"[..]).unwrap_err().to_string(), "snapshot data has no header");
    let state = state_file(&[(RecordType::KVS, serde_json::json!({"Key": "a"}))]);
    let cut = walk(&state[..state.len() - 1]).unwrap_err().to_string();
    assert_eq!(cut, "record of type KVS at offset 12 is cut off");
    let claims = [&state[..12], b"\x02\xdb\xff\xff\xff\xff"].concat();
    assert!(walk(&claims[..]).unwrap_err().to_string().contains("larger than"));
    assert_eq!(RecordType(99).to_string(), "Unknown(99)");
    assert!(RecordType(64).is_enterprise());
    let damaged = walk(&[&state[..12], b"\x02\xc1"].concat()[..]).unwrap_err().to_string();
    assert!(damaged.starts_with("record of type KVS at offset 12 is damaged"), "{damaged}");
}

#[test]
fn decoding_a_record_names_it() {
    let state = state_file(&[(RecordType::REGISTER, serde_json::json!({"Node": 5}))]);
    let mut reader = RecordReader::new(&state[..]).unwrap();
    let record = reader.next_record().unwrap().unwrap();
    let error = record.decode::<RegisterRequest>().unwrap_err().to_string();
    assert!(error.starts_with("record of type Register at offset 12 is damaged"), "{error}");
    assert!(record.decode::<NodeServices>().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn garbage_never_panics(state in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = walk(&state[..]);
        let _ = read(&state);
        let _ = read(&gzip(&state));
    }

    #[test]
    fn a_flipped_bit_is_never_accepted_as_another_state(at in 0usize..4368, bit in 0u8..8) {
        let mut bytes = REFERENCE.to_vec();
        bytes[at] ^= 1 << bit;
        if let Ok(archive) = read(&bytes) {
            prop_assert_eq!(archive.state_len, 11918);
            prop_assert_eq!(archive.meta.index, 55);
        }
    }

    #[test]
    fn a_broken_state_file_never_panics(at in 0usize..11918, byte in any::<u8>()) {
        let mut state = Vec::new();
        read(REFERENCE).unwrap().state.read_to_end(&mut state).unwrap();
        state[at] = byte;
        let _ = inspect(&state[..], Some(&KeyDetails { depth: 1, prefix: String::new() }));
    }
}
