//! What takes up the space in a snapshot.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::Read;

use serde::{Deserialize, Serialize};

use super::records::{RecordError, RecordReader, RecordType};
use crate::types::bytes::Key;

/// How many records of a kind there are and how many bytes they take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Usage {
    pub name: String,
    pub sum: u64,
    pub count: u64,
}

/// Which keys to break down, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDetails {
    /// Path segments that keys are grouped by; 0 keeps keys whole.
    pub depth: usize,
    /// Only keys that start with this.
    pub prefix: String,
}

/// Contents of a state file, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    pub types: Vec<Usage>,
    /// Bytes of everything.
    pub total: u64,
    /// By key prefix; empty unless asked for.
    pub keys: Vec<Usage>,
    /// Bytes of the keys counted.
    pub keys_total: u64,
}

/// The part of a KV record that counting needs.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct KeyOnly {
    key: Key,
}

/// Counts the records of a state file.
pub fn inspect(state: impl Read, keys: Option<&KeyDetails>) -> Result<Contents, RecordError> {
    let mut reader = RecordReader::new(state)?;
    // The header counts with the first record: so the total is that of the file.
    let mut uncounted = reader.header_len();
    let mut types: BTreeMap<RecordType, Tally> = BTreeMap::new();
    let mut groups: BTreeMap<String, Tally> = BTreeMap::new();
    while let Some(record) = reader.next_record()? {
        let size = record.size() + std::mem::take(&mut uncounted);
        types.entry(record.kind).or_default().add(size);
        let Some(details) = keys.filter(|_| record.kind == RecordType::KVS) else { continue };
        let key: KeyOnly = record.decode()?;
        let key = key.key.as_text();
        if key.starts_with(&details.prefix) {
            groups.entry(group(&key, details.depth)).or_default().add(size);
        }
    }
    let types = usages(types.into_iter().map(|(kind, tally)| (kind.to_string(), tally)));
    let keys = usages(groups.into_iter());
    let total = types.iter().map(|usage| usage.sum).sum();
    let keys_total = keys.iter().map(|usage| usage.sum).sum();
    Ok(Contents { types, total, keys, keys_total })
}

#[derive(Clone, Copy, Default)]
struct Tally {
    sum: u64,
    count: u64,
}

impl Tally {
    fn add(&mut self, size: u64) {
        self.sum += size;
        self.count += 1;
    }
}

fn group(key: &str, depth: usize) -> String {
    if depth == 0 {
        return key.to_owned();
    }
    key.split('/').take(depth).collect::<Vec<_>>().join("/")
}

fn usages(tallies: impl Iterator<Item = (String, Tally)>) -> Vec<Usage> {
    let mut usages: Vec<Usage> =
        tallies.map(|(name, tally)| Usage { name, sum: tally.sum, count: tally.count }).collect();
    usages.sort_by(|a, b| (Reverse(a.sum), &a.name).cmp(&(Reverse(b.sum), &b.name)));
    usages
}
