//! Streams: each carries one request and at most one answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::output::{JoinError, JoinId, StreamId};
use super::timers::Timer;
use super::{DropReason, Output, Swim};
use crate::delegate::Delegate;
use crate::time::Time;
use crate::wire::message::{Ack, ErrorAnswer, Message, Ping};
use crate::wire::stream::{self, PushPull, StreamError, StreamMessage, StreamReader};
use crate::wire::{Raw, kind};

/// What a stream is for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// The other side opened it.
    Inbound,
    /// A full exchange; with `join` one that somebody waits for.
    Exchange { join: Option<JoinId> },
    /// The stream part of a probe.
    Ping { seq: u32, node: Arc<str> },
    /// A message of the layer above.
    User { message: Bytes },
}

#[derive(Debug)]
pub(super) struct Stream {
    peer: SocketAddr,
    purpose: Purpose,
    reader: StreamReader,
}

impl Swim {
    pub(super) fn open_stream(
        &mut self,
        now: Time,
        to: SocketAddr,
        purpose: Purpose,
        timeout: Duration,
    ) -> StreamId {
        let stream = self.add_stream(now, to, purpose, timeout);
        self.counters.streams_out += 1;
        self.outputs.push_back(Output::Connect { stream, to, timeout });
        stream
    }

    fn add_stream(&mut self, now: Time, peer: SocketAddr, purpose: Purpose, timeout: Duration) -> StreamId {
        let id = StreamId(self.next_stream);
        self.next_stream += 1;
        self.timers.arm(now + timeout, Timer::Stream(id));
        self.streams.insert(id, Stream { peer, purpose, reader: StreamReader::default() });
        id
    }

    pub(crate) fn stream_accepted(&mut self, now: Time, from: SocketAddr) -> Option<StreamId> {
        if self.inbound_streams >= self.config.inbound_streams_max {
            self.drop_from(from, DropReason::Full);
            return None;
        }
        self.counters.streams_in += 1;
        self.inbound_streams += 1;
        Some(self.add_stream(now, from, Purpose::Inbound, self.config.stream_timeout))
    }

    pub(crate) fn stream_connected(&mut self, now: Time, delegate: &mut dyn Delegate, id: StreamId) {
        let Some(stream) = self.streams.get(&id) else { return };
        let done = matches!(stream.purpose, Purpose::User { .. });
        let message = match &stream.purpose {
            Purpose::Inbound => return,
            Purpose::Exchange { join } => {
                let join = join.is_some();
                self.local_exchange(now, delegate, join)
            }
            Purpose::Ping { seq, node } => self.ping(*seq, node),
            Purpose::User { message } => stream::encode_user(message),
        };
        self.write(id, message);
        if done {
            self.close(id);
        }
    }

    pub(crate) fn stream_bytes(
        &mut self,
        now: Time,
        delegate: &mut dyn Delegate,
        id: StreamId,
        bytes: &[u8],
    ) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        self.counters.stream_bytes_in += bytes.len() as u64;
        match stream.reader.push(bytes, self.keyring.as_ref(), self.config.verify_incoming) {
            Ok(None) => {}
            Ok(Some(message)) => self.stream_message(now, delegate, id, &message),
            Err(error) => self.stream_broken(id, &error),
        }
    }

    fn stream_message(&mut self, now: Time, delegate: &mut dyn Delegate, id: StreamId, message: &[u8]) {
        match stream::decode(message) {
            Ok(message) => {
                // Only the first message counts, whatever it causes.
                let Some(stream) = self.streams.remove(&id) else { return };
                self.release(&stream);
                match stream.purpose {
                    Purpose::Inbound => self.request(now, delegate, id, stream.peer, message),
                    _ => self.answer(now, delegate, id, stream, message),
                }
            }
            Err(error) => self.stream_broken(id, &error),
        }
    }

    /// Something that another member asks for.
    fn request(
        &mut self,
        now: Time,
        delegate: &mut dyn Delegate,
        id: StreamId,
        from: SocketAddr,
        message: StreamMessage<'_>,
    ) {
        match message {
            StreamMessage::PushPull(theirs) => {
                let ours = self.local_exchange(now, delegate, theirs.join);
                self.write(id, ours);
                self.outputs.push_back(Output::Close { stream: id });
                if self.merge(now, delegate, &theirs).is_err() {
                    self.drop_from(from, DropReason::Refused);
                }
                return;
            }
            StreamMessage::User(bytes) => delegate.user_message(now, from, bytes),
            StreamMessage::Ping(ping) if is_for(&ping, &self.config.name) => {
                let ack = Ack { seq_no: ping.seq_no, payload: Raw(&[]) };
                self.write(id, Message::Ack(ack).encode());
            }
            StreamMessage::Ping(_) => self.drop_from(from, DropReason::NotForUs),
            StreamMessage::Ack(_) | StreamMessage::Error(_) => self.drop_from(from, DropReason::Unexpected),
        }
        self.outputs.push_back(Output::Close { stream: id });
    }

    /// The answer to something this node asked for.
    fn answer(
        &mut self,
        now: Time,
        delegate: &mut dyn Delegate,
        id: StreamId,
        stream: Stream,
        message: StreamMessage<'_>,
    ) {
        self.outputs.push_back(Output::Close { stream: id });
        match (stream.purpose, message) {
            (Purpose::Exchange { join }, StreamMessage::PushPull(theirs)) => {
                let result = self.merge_answer(now, delegate, join, theirs);
                self.join_done(join, result);
            }
            (Purpose::Exchange { join }, StreamMessage::Error(answer)) => {
                self.join_done(join, Err(JoinError::Remote(answer.error.into_owned())));
            }
            (Purpose::Exchange { join }, _) => {
                self.drop_from(stream.peer, DropReason::Unexpected);
                self.join_done(join, Err(JoinError::BadAnswer("not a full exchange".to_owned())));
            }
            (Purpose::Ping { seq, .. }, StreamMessage::Ack(ack)) if ack.seq_no == seq => {
                if let Some(probe) = self.probe.as_mut().filter(|probe| probe.seq == seq) {
                    probe.stream_answered = true;
                }
            }
            _ => self.drop_from(stream.peer, DropReason::Unexpected),
        }
    }

    fn merge_answer(
        &mut self,
        now: Time,
        delegate: &mut dyn Delegate,
        join: Option<JoinId>,
        theirs: PushPull<'_>,
    ) -> Result<(), JoinError> {
        // Whoever asked for joining judges by that, whatever the answer says.
        let theirs = PushPull { join: join.is_some(), ..theirs };
        self.merge(now, delegate, &theirs).map_err(JoinError::Refused)
    }

    fn join_done(&mut self, join: Option<JoinId>, result: Result<(), JoinError>) {
        if let Some(join) = join {
            self.outputs.push_back(Output::JoinDone { join, result });
        }
    }

    /// What came cannot be read: the other side is told if it asked.
    fn stream_broken(&mut self, id: StreamId, error: &StreamError) {
        let Some(stream) = self.streams.remove(&id) else { return };
        self.release(&stream);
        self.drop_from(stream.peer, drop_reason(error));
        match stream.purpose {
            Purpose::Inbound if !matches!(error, StreamError::Label | StreamError::UnknownType(_)) => {
                let error = error.to_string();
                let answer = ErrorAnswer { error: error.into() };
                self.write(id, crate::wire::message::encode(kind::ERROR, &answer));
                self.outputs.push_back(Output::Close { stream: id });
            }
            Purpose::Inbound => self.outputs.push_back(Output::Close { stream: id }),
            purpose => {
                self.outputs.push_back(Output::Abort { stream: id });
                self.ended(purpose, JoinError::BadAnswer(error.to_string()));
            }
        }
    }

    /// The other side has nothing more to say, and what it said was not whole.
    pub(crate) fn stream_closed(&mut self, id: StreamId) {
        self.stream_failed(id, JoinError::Closed);
    }

    pub(crate) fn stream_failed(&mut self, id: StreamId, error: JoinError) {
        let Some(stream) = self.streams.remove(&id) else { return };
        self.release(&stream);
        self.outputs.push_back(Output::Abort { stream: id });
        self.ended(stream.purpose, error);
    }

    pub(super) fn stream_timed_out(&mut self, id: StreamId) {
        self.stream_failed(id, JoinError::Timeout);
    }

    fn ended(&mut self, purpose: Purpose, error: JoinError) {
        if let Purpose::Exchange { join } = purpose {
            self.join_done(join, Err(error));
        }
    }

    /// Forgets a stream of which nothing is expected any more.
    pub(super) fn abort(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.remove(&id) {
            self.release(&stream);
            self.outputs.push_back(Output::Abort { stream: id });
        }
    }

    fn close(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.remove(&id) {
            self.release(&stream);
            self.outputs.push_back(Output::Close { stream: id });
        }
    }

    fn release(&mut self, stream: &Stream) {
        if matches!(stream.purpose, Purpose::Inbound) {
            self.inbound_streams -= 1;
        }
    }

    fn write(&mut self, id: StreamId, message: Vec<u8>) {
        let nonce = self.nonce();
        let key = self.keyring.as_ref().filter(|_| self.config.verify_outgoing).map(|ring| ring.primary());
        let bytes = stream::finish(message, self.config.compression, key.map(|key| (key, nonce)));
        self.counters.stream_bytes_out += bytes.len() as u64;
        self.outputs.push_back(Output::Write { stream: id, bytes: bytes.into() });
    }
}

fn is_for(ping: &Ping<'_>, name: &str) -> bool {
    ping.node.is_empty() || *ping.node == *name
}

fn drop_reason(error: &StreamError) -> DropReason {
    match error {
        StreamError::NoKeyring | StreamError::NotEncrypted | StreamError::Open(_) => DropReason::Decrypt,
        StreamError::TooLarge(_) => DropReason::TooLarge,
        StreamError::Expand(crate::wire::compress::ExpandError::TooLarge { .. }) => DropReason::TooLarge,
        StreamError::Label => DropReason::Label,
        StreamError::UnknownType(_) => DropReason::UnknownType,
        StreamError::Expand(_) | StreamError::Body(_) => DropReason::Malformed,
    }
}
