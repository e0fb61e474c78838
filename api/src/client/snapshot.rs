//! `/v1/snapshot`: the whole state in one archive.

use std::io;

use super::options::{Answer, QueryOptions, WriteOptions};
use super::stream::ByteStream;
use super::{Client, ClientError, transport};

pub struct Snapshots<'c>(pub(super) &'c Client);

impl Snapshots<'_> {
    /// The archive piece by piece; the answer's index is that of the last command in it. Verify it with
    /// [`crate::snapshot::archive::read`] before trusting it: a stream that breaks off may look complete.
    pub async fn save(&self, options: &QueryOptions) -> Result<Answer<ByteStream>, ClientError> {
        self.0.get("/v1/snapshot").query(options).without_limit().stream().await
    }

    /// Replaces the state of the datacenter by that of the archive.
    pub async fn restore(
        &self,
        archive: impl io::Read + Send + 'static,
        options: &WriteOptions,
    ) -> Result<(), ClientError> {
        let body = transport::from_reader(archive);
        self.0.put("/v1/snapshot").write(options).body(body).without_limit().done().await
    }
}
