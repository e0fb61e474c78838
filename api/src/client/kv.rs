//! `/v1/kv`: the key/value store.

use bytes::Bytes;

use super::options::{Answer, QueryOptions, WriteOptions};
use super::request::Request;
use super::{Client, ClientError};
use crate::types::kv::KvPair;

/// Keys may be text or any bytes. A leading slash is dropped, as the path would swallow it.
pub struct Kv<'c>(pub(super) &'c Client);

impl Kv<'_> {
    /// One entry, or none. A blocking read waits for absent keys too.
    pub async fn get(
        &self,
        key: impl AsRef<[u8]>,
        options: &QueryOptions,
    ) -> Result<Answer<Option<KvPair>>, ClientError> {
        let found = self.read(key.as_ref()).query(options).find::<Vec<KvPair>>().await?;
        Ok(found.map(|pairs| pairs.and_then(|pairs| pairs.into_iter().next())))
    }

    /// The bytes of one value, or none.
    pub async fn get_raw(
        &self,
        key: impl AsRef<[u8]>,
        options: &QueryOptions,
    ) -> Result<Answer<Option<Bytes>>, ClientError> {
        self.read(key.as_ref()).flag("raw", true).query(options).find_bytes().await
    }

    /// Every entry whose key begins with `prefix`, in key order.
    pub async fn list(
        &self,
        prefix: impl AsRef<[u8]>,
        options: &QueryOptions,
    ) -> Result<Answer<Vec<KvPair>>, ClientError> {
        let found = self.read(prefix.as_ref()).flag("recurse", true).query(options).find().await?;
        Ok(found.map(Option::unwrap_or_default))
    }

    /// Every key that begins with `prefix`, cut after the first `separator` beyond it unless that is empty.
    pub async fn keys(
        &self,
        prefix: impl AsRef<[u8]>,
        separator: &str,
        options: &QueryOptions,
    ) -> Result<Answer<Vec<String>>, ClientError> {
        let request = self.read(prefix.as_ref()).flag("keys", true).optional("separator", separator);
        let found = request.query(options).find().await?;
        Ok(found.map(Option::unwrap_or_default))
    }

    /// Writes key, value and flags of `pair`.
    pub async fn put(&self, pair: &KvPair, options: &WriteOptions) -> Result<bool, ClientError> {
        self.write(pair).write(options).fetch_value().await
    }

    /// Writes if the entry's modify index still is that of `pair`; 0 means "does not exist".
    pub async fn cas(&self, pair: &KvPair, options: &WriteOptions) -> Result<bool, ClientError> {
        self.write(pair).param("cas", pair.modify_index.to_string()).write(options).fetch_value().await
    }

    /// Writes and locks for the session of `pair`. False if another holds it or a lock delay runs.
    pub async fn acquire(&self, pair: &KvPair, options: &WriteOptions) -> Result<bool, ClientError> {
        self.write(pair).param("acquire", pair.session.as_str()).write(options).fetch_value().await
    }

    /// Writes and unlocks. False if the session of `pair` does not hold the lock.
    pub async fn release(&self, pair: &KvPair, options: &WriteOptions) -> Result<bool, ClientError> {
        self.write(pair).param("release", pair.session.as_str()).write(options).fetch_value().await
    }

    /// Deletes one key; true also if it did not exist.
    pub async fn delete(&self, key: impl AsRef<[u8]>, options: &WriteOptions) -> Result<bool, ClientError> {
        self.erase(key.as_ref()).write(options).fetch_value().await
    }

    /// Deletes if the entry's modify index still is `index`.
    pub async fn delete_cas(
        &self,
        key: impl AsRef<[u8]>,
        index: u64,
        options: &WriteOptions,
    ) -> Result<bool, ClientError> {
        self.erase(key.as_ref()).param("cas", index.to_string()).write(options).fetch_value().await
    }

    /// Deletes every key that begins with `prefix`; all of them if it is empty.
    pub async fn delete_tree(
        &self,
        prefix: impl AsRef<[u8]>,
        options: &WriteOptions,
    ) -> Result<bool, ClientError> {
        self.erase(prefix.as_ref()).flag("recurse", true).write(options).fetch_value().await
    }

    fn read(&self, key: &[u8]) -> Request<'_> {
        self.0.get("/v1/kv/").segment_bytes(without_slash(key))
    }

    fn write(&self, pair: &KvPair) -> Request<'_> {
        let request = self.0.put("/v1/kv/").segment_bytes(without_slash(pair.key.as_slice()));
        let request = if pair.flags == 0 { request } else { request.param("flags", pair.flags.to_string()) };
        request.bytes(pair.value.as_slice().to_vec())
    }

    fn erase(&self, key: &[u8]) -> Request<'_> {
        self.0.delete("/v1/kv/").segment_bytes(without_slash(key))
    }
}

fn without_slash(key: &[u8]) -> &[u8] {
    key.strip_prefix(b"/").unwrap_or(key)
}
