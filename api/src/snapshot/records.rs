//! The state file: a header, then records of one type byte and one MessagePack value each.
//!
//! Records are cut out whole and handed on undecoded: who restores them knows their types, and a type that nobody
//! here knows can be kept byte for byte.

use std::fmt;
use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::msgpack::{self, Length};

/// A record over this size is refused instead of buffered.
pub const RECORD_MAX: usize = 512 << 20;

/// Why a state file could not be read further. Offsets count from its beginning.
#[derive(Debug, Error)]
pub enum RecordError {
    #[error("failed to read snapshot data: {0}")]
    Io(#[source] io::Error),
    #[error("snapshot data has no header")]
    NoHeader,
    #[error("snapshot header is damaged: {0}")]
    Header(msgpack::DecodeError),
    #[error("record of type {kind} at offset {offset} is cut off")]
    Truncated { kind: RecordType, offset: u64 },
    #[error("record of type {kind} at offset {offset} is damaged: {error}")]
    Damaged { kind: RecordType, offset: u64, error: msgpack::DecodeError },
    #[error("record of type {kind} at offset {offset} is larger than {RECORD_MAX} bytes")]
    TooLarge { kind: RecordType, offset: u64 },
}

/// What a record, or a command in the log of other releases, is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordType(pub u8);

macro_rules! record_types {
    ($($number:literal $constant:ident $name:literal,)*) => {
        impl RecordType {
            $(pub const $constant: Self = Self($number);)*

            /// The name that tools print, if the type has one.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

record_types! {
    0 REGISTER "Register",
    1 DEREGISTER "Deregister",
    2 KVS "KVS",
    3 SESSION "Session",
    4 ACL "ACL",
    5 TOMBSTONE "Tombstone",
    6 COORDINATE_BATCH "CoordinateBatchUpdate",
    7 PREPARED_QUERY "PreparedQuery",
    8 TXN "Txn",
    9 AUTOPILOT "Autopilot",
    10 AREA "Area",
    11 ACL_BOOTSTRAP "ACLBootstrap",
    12 INTENTION "Intention",
    13 CONNECT_CA "ConnectCA",
    14 CONNECT_CA_PROVIDER_STATE "ConnectCAProviderState",
    15 CONNECT_CA_CONFIG "ConnectCAConfig",
    16 INDEX "Index",
    17 ACL_TOKEN "ACLToken",
    18 ACL_TOKEN_DELETE "ACLTokenDelete",
    19 ACL_POLICY "ACLPolicy",
    20 ACL_POLICY_DELETE "ACLPolicyDelete",
    21 CONNECT_CA_LEAF "ConnectCALeaf",
    22 CONFIG_ENTRY "ConfigEntry",
    23 ACL_ROLE "ACLRole",
    24 ACL_ROLE_DELETE "ACLRoleDelete",
    25 ACL_BINDING_RULE "ACLBindingRule",
    26 ACL_BINDING_RULE_DELETE "ACLBindingRuleDelete",
    27 ACL_AUTH_METHOD "ACLAuthMethod",
    28 ACL_AUTH_METHOD_DELETE "ACLAuthMethodDelete",
    29 CHUNKING_STATE "ChunkingState",
    30 FEDERATION_STATE "FederationState",
    31 SYSTEM_METADATA "SystemMetadata",
    32 SERVICE_VIRTUAL_IP "ServiceVirtualIP",
    33 FREE_VIRTUAL_IP "FreeVirtualIP",
    34 KIND_SERVICE_NAMES "KindServiceName",
    35 PEERING "Peering",
    38 PEERING_TRUST_BUNDLE "PeeringTrustBundle",
    40 PEERING_SECRETS "PeeringSecret",
    42 RESOURCE "Resource",
}

impl RecordType {
    /// Types from here on belong to the enterprise edition.
    pub const ENTERPRISE_FIRST: u8 = 64;

    pub fn is_enterprise(self) -> bool {
        self.0 >= Self::ENTERPRISE_FIRST
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Unknown({})", self.0),
        }
    }
}

impl fmt::Debug for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the state file begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct StateHeader {
    /// Index of the last command in the file.
    pub last_index: u64,
}

/// One record. The value is a whole MessagePack value, checked for shape but not for content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'r> {
    pub kind: RecordType,
    pub value: &'r [u8],
    /// Where its type byte lies.
    pub offset: u64,
}

impl Record<'_> {
    /// Bytes in the file, type included.
    pub fn size(&self) -> u64 {
        self.value.len() as u64 + 1
    }

    pub fn decode<'s, T: Deserialize<'s>>(&'s self) -> Result<T, RecordError> {
        msgpack::from_slice(self.value).map_err(|error| RecordError::Damaged {
            kind: self.kind,
            offset: self.offset,
            error,
        })
    }
}

/// Cuts a state file into records, one in memory at a time.
pub struct RecordReader<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where the next record begins in the buffer.
    start: usize,
    /// Offset of that record in the file.
    offset: u64,
    header: StateHeader,
    header_len: u64,
}

impl<R: Read> RecordReader<R> {
    /// Reads the header.
    pub fn new(input: R) -> Result<Self, RecordError> {
        let header = StateHeader::default();
        let mut reader = Self { input, buffer: Vec::new(), start: 0, offset: 0, header, header_len: 0 };
        reader.fill(1)?;
        if !matches!(reader.window().first(), Some(0x80..=0x8f | 0xde | 0xdf)) {
            return Err(RecordError::NoHeader);
        }
        let len = reader.value_end(0)?.ok_or(RecordError::Header(msgpack::DecodeError::Truncated))?;
        let bytes = reader.window().get(..len).unwrap_or_default();
        reader.header = msgpack::from_slice(bytes).map_err(RecordError::Header)?;
        reader.header_len = len as u64;
        reader.advance(len);
        Ok(reader)
    }

    pub fn header(&self) -> StateHeader {
        self.header
    }

    /// Bytes that the header takes.
    pub fn header_len(&self) -> u64 {
        self.header_len
    }

    /// The next record, or none at the end of the file. After an error the reader is of no further use.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, RecordError> {
        self.fill(1)?;
        if self.window().is_empty() {
            return Ok(None);
        }
        let (kind, offset) = (self.kind(), self.offset);
        let len = self.value_end(1)?.ok_or(RecordError::Truncated { kind, offset })?;
        let start = self.start;
        self.advance(len);
        let value = self.buffer.get(start + 1..start + len).unwrap_or_default();
        Ok(Some(Record { kind, value, offset }))
    }

    fn window(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    fn kind(&self) -> RecordType {
        RecordType(self.window().first().copied().unwrap_or_default())
    }

    fn advance(&mut self, len: usize) {
        self.start += len;
        self.offset += len as u64;
    }

    /// Makes whole the value that lies `skip` bytes into the window; where it ends, or none if the file ends first.
    fn value_end(&mut self, skip: usize) -> Result<Option<usize>, RecordError> {
        let (kind, offset) = (self.kind(), self.offset);
        loop {
            let value = self.window().get(skip..).unwrap_or_default();
            let length = msgpack::value_len(value).map_err(|error| match skip {
                0 => RecordError::Header(error),
                _ => RecordError::Damaged { kind, offset, error },
            })?;
            let needed = match length {
                Length::Complete(len) => return Ok(Some(skip + len)),
                Length::AtLeast(len) => skip.saturating_add(len),
            };
            if needed > RECORD_MAX {
                return Err(RecordError::TooLarge { kind, offset });
            }
            // Twice as much each time, so that a value of many parts is not walked once per part.
            let wanted = needed.max(self.window().len().saturating_mul(2)).min(RECORD_MAX);
            self.fill(wanted)?;
            if self.window().len() < needed {
                return Ok(None);
            }
        }
    }

    /// Reads until the window holds `wanted` bytes or the file ends.
    fn fill(&mut self, wanted: usize) -> Result<(), RecordError> {
        const CHUNK: usize = 64 << 10;
        if self.window().len() >= wanted {
            return Ok(());
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        while self.buffer.len() < wanted {
            let missing = (wanted - self.buffer.len()).max(CHUNK) as u64;
            let read = self.input.by_ref().take(missing).read_to_end(&mut self.buffer);
            if read.map_err(RecordError::Io)? == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// Writes a state file.
pub struct RecordWriter<W> {
    output: W,
    scratch: Vec<u8>,
}

impl<W: Write> RecordWriter<W> {
    /// Writes the header.
    pub fn new(mut output: W, header: StateHeader) -> io::Result<Self> {
        let scratch = msgpack::to_vec(&header).map_err(io::Error::other)?;
        output.write_all(&scratch)?;
        Ok(Self { output, scratch })
    }

    pub fn record<T: Serialize + ?Sized>(&mut self, kind: RecordType, value: &T) -> io::Result<()> {
        self.scratch.clear();
        self.scratch.push(kind.0);
        msgpack::encode_into(&mut self.scratch, value).map_err(io::Error::other)?;
        self.output.write_all(&self.scratch)
    }

    /// A record whose value is already encoded.
    pub fn raw_record(&mut self, kind: RecordType, value: &[u8]) -> io::Result<()> {
        self.output.write_all(&[kind.0])?;
        self.output.write_all(value)
    }

    pub fn into_inner(self) -> W {
        self.output
    }
}
