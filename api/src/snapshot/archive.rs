//! The archive: `gzip(tar(meta.json, state.bin, SHA256SUMS))`.
//!
//! Writing needs the state file's size and hash before its first byte may go out, reading must not hand out a byte
//! before the last checksum is known. Both therefore pass the state through a temporary file, which stays in memory
//! while it is small.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tempfile::SpooledTempFile;
use thiserror::Error;

use super::meta::{Meta, VERSION};
use crate::json::{self, Unknown};

const META: &str = "meta.json";
const STATE: &str = "state.bin";
const SUMS: &str = "SHA256SUMS";

/// Up to this size a state file never touches the disk.
const IN_MEMORY_MAX: usize = 4 << 20;
/// Far above what a cluster description or two checksum lines can need.
const SMALL_MEMBER_MAX: u64 = 4 << 20;
/// Zeros after the end mark that are accepted: other tools pad to their block size.
const PADDING_MAX: u64 = 1 << 20;

/// Why an archive could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    #[error("failed to buffer snapshot data")]
    Spool(#[source] io::Error),
    #[error("failed to encode snapshot metadata")]
    Meta(#[source] serde_json::Error),
    #[error("failed to write snapshot archive")]
    Output(#[source] io::Error),
}

/// Why an archive was not accepted. The texts are those that users of `consul snapshot` know.
#[derive(Debug, Error)]
pub enum ReadError {
    #[error("failed to decompress snapshot: {0}")]
    Header(&'static str),
    #[error("failed to read snapshot file: {0}")]
    Content(#[from] ContentError),
    /// The stream broke after the last member.
    #[error("{0}")]
    Tail(String),
    #[error("{0} unread uncompressed bytes remain")]
    Unread(u64),
    /// The archive itself could not be read, or the temporary file not written.
    #[error("failed to read snapshot: {0}")]
    Io(io::Error),
}

/// What is wrong with the members of an archive.
#[derive(Debug, Error)]
pub enum ContentError {
    #[error("failed reading snapshot: {0}")]
    Tar(String),
    #[error("unexpected file {0:?} in snapshot")]
    UnexpectedFile(String),
    #[error("failed to read snapshot metadata: {0}")]
    MetaRead(String),
    #[error("failed to decode snapshot metadata: {0}")]
    MetaDecode(String),
    #[error("failed to read or write snapshot data: {0}")]
    State(String),
    #[error("failed to read snapshot hashes: {0}")]
    Sums(String),
    #[error("state of more than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("failed checking integrity of snapshot: {0}")]
    Integrity(#[from] IntegrityError),
}

/// How checksums and members disagree.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum IntegrityError {
    #[error("hash check failed for {0:?}")]
    Mismatch(String),
    #[error("file missing for {0:?}")]
    FileMissing(&'static str),
    #[error("list missing hash for {0:?}")]
    ListMissing(String),
    #[error("malformed line in SHA256SUMS")]
    Malformed,
}

/// Why an intact archive must not be restored.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RestoreError {
    #[error("unsupported snapshot version {0}")]
    Version(i64),
    #[error("failed to write snapshot, size didn't match ({state} != {declared})")]
    Size { state: u64, declared: u64 },
}

/// An archive whose checksums held.
#[derive(Debug)]
pub struct Archive {
    pub meta: Meta,
    /// Length of the state file, whatever the metadata claims.
    pub state_len: u64,
    /// The state file, at its beginning. It also seeks.
    pub state: SpooledTempFile,
}

impl Archive {
    /// Inspecting an archive needs no more than matching checksums; restoring it does.
    pub fn check_restorable(&self) -> Result<(), RestoreError> {
        if self.meta.version != VERSION {
            return Err(RestoreError::Version(self.meta.version));
        }
        if self.meta.size != self.state_len {
            return Err(RestoreError::Size { state: self.state_len, declared: self.meta.size });
        }
        Ok(())
    }
}

/// A state file on its way into an archive: write records to it, then [`finish`](Self::finish).
pub struct StateSpool {
    file: SpooledTempFile,
    hash: Sha256,
    len: u64,
}

impl StateSpool {
    /// `dir` takes the bytes that do not fit in memory.
    pub fn new(dir: &Path) -> Self {
        Self { file: tempfile::spooled_tempfile_in(IN_MEMORY_MAX, dir), hash: Sha256::new(), len: 0 }
    }

    /// Bytes written so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes the archive to `out` and returns `out` with the metadata, its size filled in.
    pub fn finish<W: Write>(self, mut meta: Meta, out: W) -> Result<(W, Meta), WriteError> {
        let Self { mut file, hash, len } = self;
        meta.size = len;
        let mut meta_json = json::to_vec(&meta).map_err(WriteError::Meta)?;
        meta_json.push(b'\n');
        let sums =
            format!("{}  {META}\n{}  {STATE}\n", hex(&Sha256::digest(&meta_json)), hex(&hash.finalize()));
        file.seek(SeekFrom::Start(0)).map_err(WriteError::Spool)?;

        let modified = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |span| span.as_secs());
        // Fast beats small: a snapshot is written while the cluster works and read once, if ever.
        let mut tar = tar::Builder::new(GzEncoder::new(out, Compression::fast()));
        let mut append = |name: &str, len: u64, content: &mut dyn Read| -> io::Result<()> {
            let mut header = tar::Header::new_ustar();
            header.set_path(name)?;
            header.set_mode(0o600);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(modified);
            header.set_entry_type(tar::EntryType::Regular);
            header.set_device_major(0)?;
            header.set_device_minor(0)?;
            header.set_size(len);
            header.set_cksum();
            tar.append(&header, content)
        };
        append(META, meta_json.len() as u64, &mut meta_json.as_slice()).map_err(WriteError::Output)?;
        append(STATE, len, &mut file).map_err(WriteError::Output)?;
        append(SUMS, sums.len() as u64, &mut sums.as_bytes()).map_err(WriteError::Output)?;
        let out = tar.into_inner().and_then(GzEncoder::finish).map_err(WriteError::Output)?;
        Ok((out, meta))
    }
}

impl Write for StateSpool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes an archive in one go: `state` is called once to write the state file.
pub fn write<W: Write>(
    out: W,
    spool_dir: &Path,
    meta: Meta,
    state: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(W, Meta), WriteError> {
    let mut spool = io::BufWriter::with_capacity(64 << 10, StateSpool::new(spool_dir));
    state(&mut spool).map_err(WriteError::Spool)?;
    let spool = spool.into_inner().map_err(|error| WriteError::Spool(error.into_error()))?;
    spool.finish(meta, out)
}

/// Reads and verifies an archive. State files over `state_max` bytes are refused: a few kilobytes of gzip can stand
/// for gigabytes. `spool_dir` takes a state file that does not fit in memory.
pub fn read(input: impl Read, spool_dir: &Path, state_max: u64) -> Result<Archive, ReadError> {
    let input = checked_gzip_header(input)?;
    let mut tar = tar::Archive::new(MultiGzDecoder::new(input));
    let mut members = Members::new(spool_dir);
    for entry in tar.entries().map_err(|error| ContentError::Tar(reason(&error)))? {
        let entry = entry.map_err(|error| ContentError::Tar(tar_reason(&error)))?;
        members.take(entry, state_max)?;
    }
    let mut archive = members.verified()?;
    expect_only_padding(tar.into_inner())?;
    archive.state.seek(SeekFrom::Start(0)).map_err(ReadError::Io)?;
    Ok(archive)
}

/// Looks at the first ten bytes, so that "this is no snapshot" can be told from "this snapshot is damaged".
fn checked_gzip_header(mut input: impl Read) -> Result<impl Read, ReadError> {
    let mut header = Vec::with_capacity(10);
    input.by_ref().take(10).read_to_end(&mut header).map_err(ReadError::Io)?;
    match header.as_slice() {
        [] => Err(ReadError::Header("EOF")),
        short if short.len() < 10 => Err(ReadError::Header("unexpected EOF")),
        [0x1f, 0x8b, 8, ..] => Ok(io::Cursor::new(header).chain(input)),
        _ => Err(ReadError::Header("gzip: invalid header")),
    }
}

/// What has been read of an archive whose checksums are not known yet.
struct Members {
    meta: Vec<u8>,
    sums: Vec<u8>,
    meta_hash: Sha256,
    state_hash: Sha256,
    state: SpooledTempFile,
    state_len: u64,
}

impl Members {
    fn new(spool_dir: &Path) -> Self {
        Self {
            meta: Vec::new(),
            sums: Vec::new(),
            meta_hash: Sha256::new(),
            state_hash: Sha256::new(),
            state: tempfile::spooled_tempfile_in(IN_MEMORY_MAX, spool_dir),
            state_len: 0,
        }
    }

    fn take<R: Read>(&mut self, mut entry: tar::Entry<'_, R>, state_max: u64) -> Result<(), ReadError> {
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        if !kind.is_file() && !kind.is_contiguous() {
            return Err(ContentError::UnexpectedFile(name).into());
        }
        let len = entry.size();
        match name.as_str() {
            META => {
                let member = small_member(&mut entry, len).map_err(ContentError::MetaRead)?;
                self.meta_hash.update(&member);
                self.meta = member;
            }
            SUMS => self.sums = small_member(&mut entry, len).map_err(ContentError::Sums)?,
            STATE => self.take_state(&mut entry, len, state_max)?,
            _ => return Err(ContentError::UnexpectedFile(name).into()),
        }
        Ok(())
    }

    fn take_state(&mut self, entry: &mut impl Read, len: u64, state_max: u64) -> Result<(), ReadError> {
        if self.state_len.saturating_add(len) > state_max {
            return Err(ContentError::TooLarge { limit: state_max }.into());
        }
        let mut buffer = vec![0; 64 << 10];
        let mut left = len;
        while left > 0 {
            let read = entry.read(&mut buffer).map_err(|error| ContentError::State(reason(&error)))?;
            let part = buffer.get(..read).unwrap_or_default();
            if part.is_empty() {
                return Err(ContentError::State("unexpected EOF".to_owned()).into());
            }
            self.state_hash.update(part);
            self.state.write_all(part).map_err(ReadError::Io)?;
            left = left.saturating_sub(part.len() as u64);
        }
        self.state_len += len;
        Ok(())
    }

    fn verified(self) -> Result<Archive, ReadError> {
        // Damaged metadata is better called that than a failed checksum.
        let meta = if self.meta.is_empty() { None } else { Some(decoded_meta(&self.meta)?) };
        let actual = [(META, hex(&self.meta_hash.finalize())), (STATE, hex(&self.state_hash.finalize()))];
        check_sums(&self.sums, &actual).map_err(ContentError::from)?;
        let meta = meta.ok_or_else(|| ContentError::MetaDecode("unexpected end of JSON input".to_owned()))?;
        Ok(Archive { meta, state_len: self.state_len, state: self.state })
    }
}

fn decoded_meta(bytes: &[u8]) -> Result<Meta, ContentError> {
    json::from_slice(bytes, Unknown::Ignore).map_err(|error| ContentError::MetaDecode(error.to_string()))
}

fn small_member(entry: &mut impl Read, len: u64) -> Result<Vec<u8>, String> {
    if len > SMALL_MEMBER_MAX {
        return Err("file is too large".to_owned());
    }
    let mut content = Vec::new();
    entry.take(SMALL_MEMBER_MAX).read_to_end(&mut content).map_err(|error| reason(&error))?;
    if content.len() as u64 != len {
        return Err("unexpected EOF".to_owned());
    }
    Ok(content)
}

/// Every line must match a member, and every member must have a line.
fn check_sums(list: &[u8], actual: &[(&'static str, String); 2]) -> Result<(), IntegrityError> {
    let mut listed = [false; 2];
    for line in String::from_utf8_lossy(list).lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(sum), Some(name), None) = (words.next(), words.next(), words.next()) else {
            return Err(IntegrityError::Malformed);
        };
        if !sum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(IntegrityError::Malformed);
        }
        let known = actual.iter().zip(&mut listed).find(|((known, _), _)| *known == name);
        let Some(((_, expected), seen)) = known else {
            return Err(IntegrityError::ListMissing(name.to_owned()));
        };
        if !sum.eq_ignore_ascii_case(expected) {
            return Err(IntegrityError::Mismatch(name.to_owned()));
        }
        *seen = true;
    }
    match actual.iter().zip(listed).find(|(_, seen)| !seen) {
        Some(((name, _), _)) => Err(IntegrityError::FileMissing(name)),
        None => Ok(()),
    }
}

/// After the members only zeros may follow, and the stream must end well: its checksum covers everything before.
fn expect_only_padding(mut rest: impl Read) -> Result<(), ReadError> {
    let mut buffer = vec![0; 16 << 10];
    // The end mark is two blocks of zeros, of which the tar reader has taken the first.
    let mut second = Vec::with_capacity(512);
    rest.by_ref().take(512).read_to_end(&mut second).map_err(|error| ReadError::Tail(reason(&error)))?;
    let mut dirty = second.iter().any(|byte| *byte != 0);
    let mut unread = if dirty { second.len() as u64 } else { 0 };
    loop {
        let read = rest.read(&mut buffer).map_err(|error| ReadError::Tail(reason(&error)))?;
        if read == 0 {
            break;
        }
        let part = buffer.get(..read).unwrap_or_default();
        dirty |= part.iter().any(|byte| *byte != 0);
        unread += read as u64;
        if unread > PADDING_MAX {
            return Err(ReadError::Unread(unread));
        }
    }
    if dirty { Err(ReadError::Unread(unread)) } else { Ok(()) }
}

/// The error in the words that users know from Go programs.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "unexpected EOF".to_owned(),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            let text = error.to_string();
            if text.contains("checksum") {
                "gzip: invalid checksum".to_owned()
            } else if text.contains("gzip header") {
                "gzip: invalid header".to_owned()
            } else if text.contains("deflate") {
                "flate: corrupt input".to_owned()
            } else {
                text
            }
        }
        _ => error.to_string(),
    }
}

fn tar_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::Other => "archive/tar: invalid tar header".to_owned(),
        _ => reason(error),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
