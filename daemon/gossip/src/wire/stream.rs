//! Streams: one message each way, put together from whatever pieces arrive.

use consul_api::msgpack::{self, DecodeError, Length};

use super::compress::{self, ExpandError};
use super::message::{Ack, ErrorAnswer, Ping, PushNode, PushPullHeader, UserHeader, append, front};
use super::seal::{self, NONCE_LEN, OpenError, Padding};
use super::{STREAM_MAX, kind};
use crate::keyring::{Key, Keyring};

/// Type byte and length in front of an encrypted message.
const FRAME_HEAD: usize = 5;

/// A message that came by stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamMessage<'a> {
    PushPull(PushPull<'a>),
    User(&'a [u8]),
    Ping(Ping<'a>),
    Ack(Ack<'a>),
    Error(ErrorAnswer<'a>),
}

/// One side of a full exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushPull<'a> {
    pub join: bool,
    pub nodes: Vec<PushNode<'a>>,
    /// Of the layer above; empty if it sent none.
    pub user_state: &'a [u8],
}

/// Why a stream cannot be read. The texts go to the other side.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error("Remote state is encrypted and encryption is not configured")]
    NoKeyring,
    #[error("Encryption is configured but remote state is not encrypted")]
    NotEncrypted,
    #[error("Remote node state is larger than limit ({0})")]
    TooLarge(usize),
    #[error("{0}")]
    Open(#[from] OpenError),
    #[error("{0}")]
    Expand(#[from] ExpandError),
    #[error("message is damaged: {0}")]
    Body(#[from] DecodeError),
    #[error("unexpected label")]
    Label,
    #[error("message type {0} not supported in a stream")]
    UnknownType(u8),
}

impl PushPull<'_> {
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = PushPullWriter::new(self.nodes.len(), self.user_state.len(), self.join);
        for node in &self.nodes {
            writer.node(node);
        }
        writer.finish(self.user_state)
    }
}

/// Writes a full exchange without first collecting its nodes.
pub struct PushPullWriter {
    out: Vec<u8>,
}

impl PushPullWriter {
    pub fn new(nodes: usize, user_state_len: usize, join: bool) -> Self {
        const NODE_ESTIMATE: usize = 192;
        let mut out = Vec::with_capacity(64 + nodes * NODE_ESTIMATE + user_state_len);
        out.push(kind::PUSH_PULL);
        append(
            &mut out,
            &PushPullHeader { nodes: nodes as u64, user_state_len: user_state_len as u64, join },
        );
        Self { out }
    }

    pub fn node(&mut self, node: &PushNode<'_>) {
        append(&mut self.out, node);
    }

    pub fn finish(mut self, user_state: &[u8]) -> Vec<u8> {
        self.out.extend_from_slice(user_state);
        self.out
    }
}

/// A message of the layer above for a stream.
pub fn encode_user(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + message.len());
    out.push(kind::USER);
    append(&mut out, &UserHeader { user_msg_len: message.len() as u64 });
    out.extend_from_slice(message);
    out
}

/// Makes what goes into the stream from a message.
pub fn finish(
    mut message: Vec<u8>,
    compression: bool,
    encryption: Option<(&Key, [u8; NONCE_LEN])>,
) -> Vec<u8> {
    if compression {
        message = compress::compress_if_shorter(message);
    }
    match encryption {
        Some((key, nonce)) => seal_frame(key, Padding::None, nonce, &message),
        None => message,
    }
}

/// An encrypted frame.
pub fn seal_frame(key: &Key, padding: Padding, nonce: [u8; NONCE_LEN], message: &[u8]) -> Vec<u8> {
    let fill = match padding {
        Padding::None => 0,
        Padding::Pkcs7 => 16 - message.len() % 16,
    };
    let len = (seal::OVERHEAD + message.len() + fill) as u32;
    let mut out = Vec::with_capacity(FRAME_HEAD + seal::OVERHEAD + message.len() + fill);
    out.push(kind::ENCRYPT);
    out.extend_from_slice(&len.to_be_bytes());
    let sealed = seal::seal(key, padding, nonce, message, &out);
    out.extend_from_slice(&sealed);
    out
}

/// Collects the bytes of one message.
#[derive(Debug, Default)]
pub struct StreamReader {
    buffer: Vec<u8>,
    /// Fewer bytes than this cannot be enough.
    needed: usize,
    exchange: Option<ExchangeProgress>,
}

/// How far a plain full exchange was found to be whole, so that each piece that arrives is looked at once.
#[derive(Debug)]
struct ExchangeProgress {
    at: usize,
    nodes_left: u64,
    user_state_len: u64,
}

impl StreamReader {
    /// Adds what arrived. Returns the message, type byte first and nothing around it, once it is whole.
    pub fn push(
        &mut self,
        bytes: &[u8],
        keyring: Option<&Keyring>,
        verify: bool,
    ) -> Result<Option<Vec<u8>>, StreamError> {
        if self.buffer.len() + bytes.len() > STREAM_MAX + FRAME_HEAD {
            return Err(StreamError::TooLarge(STREAM_MAX));
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.is_empty() || self.buffer.len() < self.needed {
            return Ok(None);
        }
        match self.buffer.first() {
            Some(&kind::LABEL) => Err(StreamError::Label),
            Some(&kind::ENCRYPT) => self.sealed(keyring),
            _ if keyring.is_some() && verify => Err(StreamError::NotEncrypted),
            _ => self.plain(),
        }
    }

    fn sealed(&mut self, keyring: Option<&Keyring>) -> Result<Option<Vec<u8>>, StreamError> {
        let keyring = keyring.ok_or(StreamError::NoKeyring)?;
        let Some((head, rest)) = self.buffer.split_first_chunk::<FRAME_HEAD>() else { return Ok(None) };
        let [_, len @ ..] = *head;
        let len = u32::from_be_bytes(len) as usize;
        if len > STREAM_MAX {
            return Err(StreamError::TooLarge(STREAM_MAX));
        }
        self.needed = FRAME_HEAD + len;
        let Some(payload) = rest.get(..len) else { return Ok(None) };
        expanded(seal::open(keyring, payload, head)?).map(Some)
    }

    fn plain(&mut self) -> Result<Option<Vec<u8>>, StreamError> {
        let whole = match self.buffer.first() {
            Some(&kind::PUSH_PULL) => self.exchange_is_whole()?,
            Some(&kind::USER) => self.user_is_whole()?,
            _ => self.value_is_whole(1)?.is_some(),
        };
        if !whole {
            return Ok(None);
        }
        expanded(std::mem::take(&mut self.buffer)).map(Some)
    }

    /// Where the value that begins at `at` ends, if it is there.
    fn value_is_whole(&mut self, at: usize) -> Result<Option<usize>, StreamError> {
        match msgpack::value_len(self.buffer.get(at..).unwrap_or_default())? {
            Length::Complete(len) => Ok(Some(at + len)),
            Length::AtLeast(len) if at.saturating_add(len) > STREAM_MAX => {
                Err(StreamError::TooLarge(STREAM_MAX))
            }
            Length::AtLeast(len) => {
                self.needed = at + len;
                Ok(None)
            }
        }
    }

    fn bytes_are_whole(&mut self, at: usize, len: u64) -> Result<bool, StreamError> {
        let end = usize::try_from(len).ok().and_then(|len| at.checked_add(len));
        let end = end.filter(|end| *end <= STREAM_MAX).ok_or(StreamError::TooLarge(STREAM_MAX))?;
        self.needed = end;
        Ok(self.buffer.len() >= end)
    }

    fn user_is_whole(&mut self) -> Result<bool, StreamError> {
        let Some(at) = self.value_is_whole(1)? else { return Ok(false) };
        let header: UserHeader = front(self.buffer.get(1..).unwrap_or_default())?;
        self.bytes_are_whole(at, header.user_msg_len)
    }

    fn exchange_is_whole(&mut self) -> Result<bool, StreamError> {
        let mut progress = match self.exchange.take() {
            Some(progress) => progress,
            None => {
                let Some(at) = self.value_is_whole(1)? else { return Ok(false) };
                let header: PushPullHeader = front(self.buffer.get(1..).unwrap_or_default())?;
                ExchangeProgress { at, nodes_left: header.nodes, user_state_len: header.user_state_len }
            }
        };
        while progress.nodes_left > 0 {
            let Some(at) = self.value_is_whole(progress.at)? else {
                self.exchange = Some(progress);
                return Ok(false);
            };
            progress.at = at;
            progress.nodes_left -= 1;
        }
        let whole = self.bytes_are_whole(progress.at, progress.user_state_len);
        self.exchange = Some(progress);
        whole
    }
}

fn expanded(message: Vec<u8>) -> Result<Vec<u8>, StreamError> {
    match message.split_first() {
        Some((&kind::COMPRESS, body)) => Ok(compress::expand(body, STREAM_MAX)?),
        _ => Ok(message),
    }
}

/// Reads a message that [`StreamReader::push`] returned.
pub fn decode(message: &[u8]) -> Result<StreamMessage<'_>, StreamError> {
    let (&first, body) = message.split_first().ok_or(DecodeError::Truncated)?;
    Ok(match first {
        kind::PUSH_PULL => StreamMessage::PushPull(decode_push_pull(body)?),
        kind::USER => StreamMessage::User(decode_user(body)?),
        kind::PING => StreamMessage::Ping(front(body)?),
        kind::ACK => StreamMessage::Ack(front(body)?),
        kind::ERROR => StreamMessage::Error(front(body)?),
        other => return Err(StreamError::UnknownType(other)),
    })
}

fn decode_push_pull(mut body: &[u8]) -> Result<PushPull<'_>, StreamError> {
    let header: PushPullHeader = msgpack::from_front(&mut body)?;
    // The count is a claim: room is made as nodes are read, which take more bytes than this each.
    const NODE_LEN_MIN: u64 = 24;
    if header.nodes > body.len() as u64 / NODE_LEN_MIN {
        return Err(DecodeError::Truncated.into());
    }
    let mut nodes = Vec::new();
    for _ in 0..header.nodes {
        nodes.push(msgpack::from_front(&mut body)?);
    }
    let len = usize::try_from(header.user_state_len).map_err(|_| DecodeError::Truncated)?;
    let user_state = body.get(..len).ok_or(DecodeError::Truncated)?;
    Ok(PushPull { join: header.join, nodes, user_state })
}

fn decode_user(mut body: &[u8]) -> Result<&[u8], StreamError> {
    let header: UserHeader = msgpack::from_front(&mut body)?;
    let len = usize::try_from(header.user_msg_len).map_err(|_| DecodeError::Truncated)?;
    Ok(body.get(..len).ok_or(DecodeError::Truncated)?)
}
