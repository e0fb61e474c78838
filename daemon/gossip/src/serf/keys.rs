//! Rotating the keys of a whole pool: the requests that every member obeys, and the count of who did.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use thiserror::Error;

use super::message::{self, KeyBytes, KeyRequest, KeyResponse, Kind};
use crate::keyring::{Key, Keyring, KeyringError};

/// What is to be done with a key, or asked of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOperation {
    Install,
    Use,
    Remove,
    List,
}

impl KeyOperation {
    const ALL: [Self; 4] = [Self::Install, Self::Use, Self::Remove, Self::List];

    /// Name of the query that asks for it.
    pub const fn query_name(self) -> &'static str {
        match self {
            Self::Install => "_serf_install-key",
            Self::Use => "_serf_use-key",
            Self::Remove => "_serf_remove-key",
            Self::List => "_serf_list-keys",
        }
    }

    /// The operation that a query asks for, if it asks for one.
    pub fn of_query(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.query_name() == name)
    }
}

/// A key as users write it.
///
/// # Errors
/// The text is no base64 or not of the length of a key.
pub fn parse_key(base64: &str) -> Result<Key, KeyError> {
    let bytes = BASE64.decode(base64).map_err(|_| KeyError::NotBase64)?;
    Ok(Key::new(&bytes)?)
}

/// A key as users write it.
pub fn format_key(key: &Key) -> String {
    BASE64.encode(key.as_bytes())
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    #[error("key is not valid base64")]
    NotBase64,
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

/// The payload of the query that asks for an operation.
pub fn encode_request(key: Option<&Key>) -> Bytes {
    let key = KeyBytes(key.map(|key| key.as_bytes().into()).unwrap_or_default());
    message::encode(Kind::KeyRequest, &KeyRequest { key }).unwrap_or_default().into()
}

/// Does what a request asks. Answers what is to be said to who asked, and whether the ring changed.
pub fn serve(operation: KeyOperation, payload: &[u8], keyring: Option<&mut Keyring>) -> (KeyResponse, bool) {
    let Some(keyring) = keyring else {
        return (failure(no_keyring(operation)), false);
    };
    if operation == KeyOperation::List {
        return (list(keyring), false);
    }
    let request: KeyRequest = match message::decode_as(Kind::KeyRequest, payload) {
        Ok(request) => request,
        Err(error) => return (failure(format!("failed to decode key request: {error}")), false),
    };
    match change(operation, &request.key.0, keyring) {
        Ok(()) => (KeyResponse { result: true, ..KeyResponse::default() }, true),
        Err(error) => (failure(describe(error)), false),
    }
}

fn change(operation: KeyOperation, key: &[u8], keyring: &mut Keyring) -> Result<(), KeyringError> {
    let key = Key::new(key)?;
    match operation {
        KeyOperation::Install => keyring.install(key),
        KeyOperation::Use => keyring.use_key(&key),
        KeyOperation::Remove => keyring.remove(&key),
        KeyOperation::List => Ok(()),
    }
}

/// An answer that says why it was not done.
pub fn failure(message: impl Into<String>) -> KeyResponse {
    KeyResponse { message: message.into(), ..KeyResponse::default() }
}

// The texts are shown by `consul keyring`, whichever member they come from.
fn no_keyring(operation: KeyOperation) -> &'static str {
    match operation {
        KeyOperation::List => "Keyring is empty (encryption not enabled)",
        _ => "No keyring to modify (encryption not enabled)",
    }
}

fn describe(error: KeyringError) -> String {
    match error {
        KeyringError::NotInstalled => "Requested key is not in the keyring".to_owned(),
        KeyringError::RemovesPrimary => "Removing the primary key is not allowed".to_owned(),
        KeyringError::KeyLength { .. } | KeyringError::Full => error.to_string(),
    }
}

fn list(keyring: &Keyring) -> KeyResponse {
    KeyResponse {
        result: true,
        message: String::new(),
        keys: Some(keyring.keys().map(format_key).collect()),
        primary_key: format_key(keyring.primary()),
    }
}

/// Writes an answer of at most `limit` bytes; `overhead` is what the message around it takes. A list of keys that is
/// too long is cut, and says so.
pub fn encode_response(mut response: KeyResponse, overhead: usize, limit: usize) -> Bytes {
    let total = response.keys.as_ref().map_or(0, Vec::len);
    loop {
        let encoded = message::encode(Kind::KeyResponse, &response).unwrap_or_default();
        if encoded.len() + overhead <= limit {
            return encoded.into();
        }
        let Some(keys) = response.keys.as_mut().filter(|keys| !keys.is_empty()) else {
            return encoded.into();
        };
        keys.pop();
        let left = keys.len();
        response.message = format!("truncated key list response, showing first {left} of {total} keys");
    }
}

/// What the members of a pool made of a key operation.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeyReport {
    /// What members had to say, by name.
    pub messages: BTreeMap<String, String>,
    /// How many members have each key, in base64.
    pub keys: BTreeMap<String, usize>,
    /// How many members use each key, in base64.
    pub primary_keys: BTreeMap<String, usize>,
    /// Members asked.
    pub num_nodes: usize,
    /// Members that answered.
    pub num_resp: usize,
    /// Members that failed to do it.
    pub num_err: usize,
}

impl std::fmt::Debug for KeyReport {
    /// Keys are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyReport")
            .field("messages", &self.messages)
            .field("keys", &self.keys.len())
            .field("num_nodes", &self.num_nodes)
            .field("num_resp", &self.num_resp)
            .field("num_err", &self.num_err)
            .finish_non_exhaustive()
    }
}

/// Not all members did what was asked.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum KeyReportError {
    #[error("{failed}/{asked} nodes reported failure")]
    Failed { failed: usize, asked: usize },
    #[error("{answered}/{asked} nodes reported success")]
    Silent { answered: usize, asked: usize },
}

impl KeyReport {
    /// A report on `num_nodes` members of which none has answered.
    pub fn new(num_nodes: usize) -> Self {
        Self { num_nodes, ..Self::default() }
    }

    /// Counts an answer.
    pub fn add(&mut self, from: String, payload: &[u8]) {
        self.num_resp += 1;
        let response: KeyResponse = match message::decode_as(Kind::KeyResponse, payload) {
            Ok(response) => response,
            Err(error) => {
                self.num_err += 1;
                self.messages.insert(from, format!("Failed to decode key query response: {error}"));
                return;
            }
        };
        if !response.result {
            self.num_err += 1;
        }
        if !response.result || !response.message.is_empty() {
            self.messages.insert(from, response.message);
        }
        for key in response.keys.into_iter().flatten() {
            *self.keys.entry(key).or_default() += 1;
        }
        if !response.primary_key.is_empty() {
            *self.primary_keys.entry(response.primary_key).or_default() += 1;
        }
    }

    /// Whether nobody is left to answer.
    pub fn is_complete(&self) -> bool {
        self.num_resp >= self.num_nodes
    }

    /// Whether all members did what was asked.
    ///
    /// # Errors
    /// Some failed, or did not answer.
    pub fn verdict(&self) -> Result<(), KeyReportError> {
        if self.num_err > 0 {
            return Err(KeyReportError::Failed { failed: self.num_err, asked: self.num_nodes });
        }
        if !self.is_complete() {
            return Err(KeyReportError::Silent { answered: self.num_resp, asked: self.num_nodes });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::new(&[byte; 16]).unwrap()
    }

    fn served(operation: KeyOperation, asked: Option<&Key>, ring: &mut Keyring) -> KeyResponse {
        serve(operation, &encode_request(asked), Some(ring)).0
    }

    #[test]
    fn a_list_is_asked_for_with_an_empty_key() {
        assert_eq!(&encode_request(None)[..], b"\x07\x81\xa3Key\xa0");
    }

    #[test]
    fn a_key_is_rotated_by_install_use_and_remove() {
        let mut ring = Keyring::new(key(1));
        assert!(served(KeyOperation::Install, Some(&key(2)), &mut ring).result);
        assert!(served(KeyOperation::Use, Some(&key(2)), &mut ring).result);
        assert!(served(KeyOperation::Remove, Some(&key(1)), &mut ring).result);
        let listed = served(KeyOperation::List, None, &mut ring);
        assert_eq!(listed.keys, Some(vec![format_key(&key(2))]));
        assert_eq!(listed.primary_key, format_key(&key(2)));
    }

    #[test]
    fn refusals_say_why() {
        let mut ring = Keyring::new(key(1));
        let refused = |operation, asked: &Key, ring: &mut Keyring| {
            let response = served(operation, Some(asked), ring);
            assert!(!response.result);
            response.message
        };
        assert_eq!(refused(KeyOperation::Use, &key(9), &mut ring), "Requested key is not in the keyring");
        assert_eq!(
            refused(KeyOperation::Remove, &key(1), &mut ring),
            "Removing the primary key is not allowed"
        );
        let (response, changed) = serve(KeyOperation::Install, b"\x07\x81\xa3Key\xa1x", Some(&mut ring));
        assert_eq!((response.message.as_str(), changed), ("key size must be 16, 24 or 32 bytes", false));
        assert_eq!(
            serve(KeyOperation::List, b"", None).0.message,
            "Keyring is empty (encryption not enabled)"
        );
        assert_eq!(
            serve(KeyOperation::Install, b"", None).0.message,
            "No keyring to modify (encryption not enabled)"
        );
    }

    #[test]
    fn a_list_that_does_not_fit_is_cut_and_says_so() {
        let mut ring = Keyring::new(key(0));
        for byte in 1..60 {
            ring.install(key(byte)).unwrap();
        }
        let encoded = encode_response(list(&ring), 60, 1024);
        assert!(encoded.len() + 60 <= 1024);
        let response: KeyResponse = message::decode_as(Kind::KeyResponse, &encoded).unwrap();
        let shown = response.keys.unwrap().len();
        assert!(shown > 30);
        assert_eq!(
            response.message,
            format!("truncated key list response, showing first {shown} of 60 keys")
        );
    }

    #[test]
    fn the_report_counts_failures_and_silence() {
        let mut report = KeyReport::new(3);
        let answer = |response: &KeyResponse| message::encode(Kind::KeyResponse, response).unwrap();
        report.add("a".into(), &answer(&list(&Keyring::new(key(1)))));
        assert_eq!(report.verdict().unwrap_err().to_string(), "1/3 nodes reported success");
        report.add("b".into(), &answer(&failure("no")));
        report.add("c".into(), b"\x09");
        assert!(report.is_complete());
        assert_eq!(report.verdict().unwrap_err().to_string(), "2/3 nodes reported failure");
        assert_eq!(report.messages["b"], "no");
        assert_eq!(report.primary_keys[&format_key(&key(1))], 1);
        assert!(!format!("{report:?}").contains(&format_key(&key(1))));
    }
}
