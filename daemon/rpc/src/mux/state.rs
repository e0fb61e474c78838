//! What a session knows of its streams, and what arriving frames do to it. No I/O and no clock.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::task::Waker;

use bytes::{Buf, BytesMut};
use thiserror::Error;

use super::budget::Budget;
use super::frame::{Flags, FrameError, HEADER_LEN, Header, Kind};
use super::{Config, WINDOW};
use crate::counters::Counters;

/// Streams that we opened and that the peer has not accepted: its library resets what goes beyond.
const UNACCEPTED_MAX: usize = 256;
/// Control frames are not held back by flow control. A peer that causes this many bytes of them without reading any
/// means no good.
const OUT_MAX: usize = 4 * 1024 * 1024;

/// Which side we are, and so which numbers our streams have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// What the peer did that ends the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProtocolError {
    /// The bytes are no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A stream was opened whose number is taken, or not the peer's to choose.
    #[error("stream {0} cannot be opened")]
    StreamId(u32),
    /// More was sent than allowed.
    #[error("the receive window of stream {0} was exceeded")]
    Window(u32),
    /// An update took the window beyond what can be counted.
    #[error("the send window of stream {0} overflowed")]
    WindowOverflow(u32),
    /// More arrived, on all connections together, than was read.
    #[error("too many bytes are waiting to be read")]
    Unread,
    /// We are asked faster than our answers are taken.
    #[error("the peer does not read what it asks for")]
    Flood,
}

/// One stream. Its entry is there while either the peer or a handle still uses it.
#[derive(Debug)]
pub(super) struct Slot {
    /// Arrived and not read.
    pub received: BytesMut,
    /// What the peer may still send.
    receive_window: u32,
    /// Read, but not yet allowed to the peer again.
    consumed: u32,
    /// What we may still send.
    pub send_window: u32,
    pub reader: Option<Waker>,
    pub writer: Option<Waker>,
    /// Not yet told to the peer: rides on our first frame.
    pub unsent_syn: bool,
    /// We opened it and the peer has not answered.
    unaccepted: bool,
    /// The peer sends no more.
    pub remote_closed: bool,
    /// We send no more.
    pub local_closed: bool,
    /// Cut off by the peer.
    pub reset: bool,
}

impl Slot {
    fn new(opened_by_us: bool) -> Self {
        Self {
            received: BytesMut::new(),
            receive_window: WINDOW,
            consumed: 0,
            send_window: WINDOW,
            reader: None,
            writer: None,
            unsent_syn: opened_by_us,
            unaccepted: opened_by_us,
            remote_closed: false,
            local_closed: false,
            reset: false,
        }
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}

/// All of a session.
#[derive(Debug)]
pub(super) struct State {
    side: Side,
    pub config: Config,
    pub streams: HashMap<u32, Slot>,
    /// Complete frames on their way out.
    pub out: BytesMut,
    /// Who waits for room in `out`.
    pub out_waiters: VecDeque<Waker>,
    /// Who waits for the peer to accept a stream.
    pub open_waiters: VecDeque<Waker>,
    next_id: u32,
    unaccepted: usize,
    remote_streams: usize,
    /// Opened by the peer, not handed out yet.
    pub accepted: Vec<u32>,
    /// The peer wants no more streams.
    pub going_away: bool,
    /// We want no more streams.
    pub draining: bool,
    /// Nothing works any more.
    pub dead: bool,
    /// Where in the input we are.
    input: Input,
    ping_sent: Option<u32>,
    next_ping: u32,
}

/// What the next byte of input belongs to.
#[derive(Clone, Copy, Debug)]
enum Input {
    /// A header, of which some bytes are there.
    Header { bytes: [u8; HEADER_LEN], have: usize },
    /// Data for a stream, which may be its last.
    Data { stream: u32, left: usize, last: bool },
}

impl Input {
    const START: Self = Self::Header { bytes: [0; HEADER_LEN], have: 0 };
}

impl State {
    pub fn new(side: Side, config: Config) -> Self {
        Self {
            side,
            config,
            streams: HashMap::new(),
            out: BytesMut::new(),
            out_waiters: VecDeque::new(),
            open_waiters: VecDeque::new(),
            next_id: match side {
                Side::Client => 1,
                Side::Server => 2,
            },
            unaccepted: 0,
            remote_streams: 0,
            accepted: Vec::new(),
            going_away: false,
            draining: false,
            dead: false,
            input: Input::START,
            ping_sent: None,
            next_ping: 0,
        }
    }

    fn budget(&self) -> &Budget {
        &self.config.budget
    }

    // Input.

    /// Takes bytes off the network, cut anywhere.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), ProtocolError> {
        while !bytes.is_empty() {
            match self.input {
                Input::Header { bytes: mut header, have } => {
                    let room = header.get_mut(have..).unwrap_or_default();
                    let taken = room.len().min(bytes.len());
                    let (now, rest) = bytes.split_at(taken);
                    room.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
                    bytes = rest;
                    if have + taken < HEADER_LEN {
                        self.input = Input::Header { bytes: header, have: have + taken };
                        break;
                    }
                    self.input = Input::START;
                    self.on_header(Header::decode(header)?)?;
                }
                Input::Data { stream, left, last } => {
                    let (now, rest) = bytes.split_at(left.min(bytes.len()));
                    bytes = rest;
                    let left = left - now.len();
                    self.on_data(stream, now, last && left == 0)?;
                    self.input = if left == 0 { Input::START } else { Input::Data { stream, left, last } };
                }
            }
        }
        if self.out.len() > OUT_MAX { Err(ProtocolError::Flood) } else { Ok(()) }
    }

    fn on_header(&mut self, header: Header) -> Result<(), ProtocolError> {
        match header.kind {
            Kind::Ping => self.on_ping(header),
            Kind::GoAway => self.on_go_away(),
            Kind::Data | Kind::WindowUpdate => return self.on_stream_frame(header),
        }
        Ok(())
    }

    fn on_ping(&mut self, header: Header) {
        if header.flags.has(Flags::SYN) {
            self.put(Header { flags: Flags::ACK, ..header });
        } else if self.ping_sent == Some(header.len) {
            self.ping_sent = None;
        }
    }

    fn on_go_away(&mut self) {
        self.going_away = true;
        self.open_waiters.drain(..).for_each(Waker::wake);
    }

    fn on_stream_frame(&mut self, header: Header) -> Result<(), ProtocolError> {
        if header.flags.has(Flags::SYN) {
            self.on_open(header.stream)?;
        }
        let data = header.kind == Kind::Data;
        if data && header.len > 0 {
            let last = header.flags.has(Flags::FIN);
            self.input = Input::Data { stream: header.stream, left: header.len as usize, last };
        }
        let Some(slot) = self.streams.get_mut(&header.stream) else {
            Counters::one(&self.config.counters.frames_dropped);
            return Ok(());
        };
        if data {
            let window = slot.receive_window.checked_sub(header.len);
            slot.receive_window = window.ok_or(ProtocolError::Window(header.stream))?;
        } else {
            let window = slot.send_window.checked_add(header.len);
            slot.send_window = window.ok_or(ProtocolError::WindowOverflow(header.stream))?;
            if let Some(writer) = slot.writer.take() {
                writer.wake();
            }
        }
        self.on_flags(header.stream, header.flags, data && header.len > 0);
        Ok(())
    }

    /// `data_follows`: the end of the stream comes after the data of the same frame.
    fn on_flags(&mut self, id: u32, flags: Flags, data_follows: bool) {
        let Some(slot) = self.streams.get_mut(&id) else { return };
        let answered = flags.has(Flags::ACK) || flags.has(Flags::RST);
        let accepted = answered && mem::take(&mut slot.unaccepted);
        if flags.has(Flags::FIN) && !data_follows {
            slot.remote_closed = true;
            slot.wake();
        }
        if flags.has(Flags::RST) {
            slot.reset = true;
            slot.remote_closed = true;
            slot.local_closed = true;
            slot.wake();
        }
        if accepted {
            self.unaccepted = self.unaccepted.saturating_sub(1);
            if let Some(waiter) = self.open_waiters.pop_front() {
                waiter.wake();
            }
        }
    }

    fn on_open(&mut self, id: u32) -> Result<(), ProtocolError> {
        let theirs = match self.side {
            Side::Client => id != 0 && id.is_multiple_of(2),
            Side::Server => !id.is_multiple_of(2),
        };
        if !theirs || self.streams.contains_key(&id) {
            return Err(ProtocolError::StreamId(id));
        }
        // A client of this protocol serves no calls.
        if self.side == Side::Client || self.draining || self.remote_streams >= self.config.streams_max {
            Counters::one(&self.config.counters.streams_refused);
            self.put(Header { kind: Kind::WindowUpdate, flags: Flags::RST, stream: id, len: 0 });
            return Ok(());
        }
        Counters::one(&self.config.counters.streams_opened);
        self.remote_streams += 1;
        self.streams.insert(id, Slot::new(false));
        self.accepted.push(id);
        self.put(Header { kind: Kind::WindowUpdate, flags: Flags::ACK, stream: id, len: 0 });
        Ok(())
    }

    fn on_data(&mut self, id: u32, data: &[u8], last: bool) -> Result<(), ProtocolError> {
        let Some(slot) = self.streams.get_mut(&id) else { return Ok(()) };
        if !self.config.budget.take(data.len()) {
            return Err(ProtocolError::Unread);
        }
        slot.received.extend_from_slice(data);
        slot.remote_closed |= last;
        if let Some(reader) = slot.reader.take() {
            reader.wake();
        }
        Ok(())
    }

    // Output.

    pub fn put(&mut self, header: Header) {
        if !self.dead {
            self.out.extend_from_slice(&header.encode());
        }
    }

    /// Asks whether the peer is there. False if the last question was not answered.
    pub fn ping(&mut self) -> bool {
        if self.ping_sent.is_some() {
            return false;
        }
        let number = self.next_ping;
        self.next_ping = number.wrapping_add(1);
        self.ping_sent = Some(number);
        self.put(Header { kind: Kind::Ping, flags: Flags::SYN, stream: 0, len: number });
        true
    }

    pub fn ping_unanswered(&self) -> bool {
        self.ping_sent.is_some()
    }

    pub fn go_away(&mut self, reason: GoAway) {
        self.draining = true;
        self.put(Header { kind: Kind::GoAway, flags: Flags::NONE, stream: 0, len: reason as u32 });
    }

    // Streams.

    /// Whether another stream may be opened now.
    pub fn may_open(&self) -> bool {
        self.unaccepted < UNACCEPTED_MAX
    }

    /// A new stream, of which the peer hears with its first frame. Nothing if the numbers are used up.
    pub fn open(&mut self) -> Option<u32> {
        let id = self.next_id;
        self.next_id = id.checked_add(2)?;
        self.unaccepted += 1;
        self.streams.insert(id, Slot::new(true));
        Counters::one(&self.config.counters.streams_opened);
        Some(id)
    }

    /// Counts `len` bytes as read, and allows the peer to send as many again once that is worth a frame.
    pub fn consume(&mut self, id: u32, len: usize) {
        self.budget().give_back(len);
        let Some(slot) = self.streams.get_mut(&id) else { return };
        slot.consumed = slot.consumed.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
        if slot.received.is_empty() {
            slot.received = BytesMut::new();
        }
        if slot.consumed < WINDOW / 2 || slot.remote_closed {
            return;
        }
        let more = mem::take(&mut slot.consumed);
        slot.receive_window = slot.receive_window.saturating_add(more);
        self.put(Header { kind: Kind::WindowUpdate, flags: Flags::NONE, stream: id, len: more });
    }

    /// Appends one frame with as much of `parts` as the window and `max` allow. Returns how much that is.
    pub fn write(&mut self, id: u32, parts: &[&[u8]], max: usize) -> usize {
        let Some(slot) = self.streams.get_mut(&id) else { return 0 };
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let len = total.min(max).min(slot.send_window as usize);
        let Ok(frame_len) = u32::try_from(len) else { return 0 };
        slot.send_window -= frame_len;
        let flags = if mem::take(&mut slot.unsent_syn) { Flags::SYN } else { Flags::NONE };
        let header = Header { kind: Kind::Data, flags, stream: id, len: frame_len };
        self.out.reserve(HEADER_LEN + len);
        self.put(header);
        let mut left = len;
        for part in parts {
            let (now, _) = part.split_at(left.min(part.len()));
            self.out.extend_from_slice(now);
            left -= now.len();
        }
        len
    }

    /// Ends our side of a stream.
    pub fn finish(&mut self, id: u32) {
        let Some(slot) = self.streams.get_mut(&id) else { return };
        if mem::replace(&mut slot.local_closed, true) {
            return;
        }
        let mut flags = Flags::FIN;
        if mem::take(&mut slot.unsent_syn) {
            flags = flags.with(Flags::SYN);
        }
        self.put(Header { kind: Kind::WindowUpdate, flags, stream: id, len: 0 });
    }

    /// Forgets a stream that nobody here uses any more. If the peer still does, it is cut off.
    pub fn release(&mut self, id: u32) {
        let Some(slot) = self.streams.get(&id) else { return };
        if slot.remote_closed || slot.unsent_syn {
            if !slot.unsent_syn {
                self.finish(id);
            }
        } else if !slot.local_closed {
            self.put(Header { kind: Kind::WindowUpdate, flags: Flags::RST, stream: id, len: 0 });
        }
        let Some(slot) = self.streams.remove(&id) else { return };
        self.budget().give_back(slot.received.remaining());
        if slot.unaccepted {
            self.unaccepted = self.unaccepted.saturating_sub(1);
            if let Some(waiter) = self.open_waiters.pop_front() {
                waiter.wake();
            }
        }
        let opened_by_us = (self.side == Side::Client) != id.is_multiple_of(2);
        if !opened_by_us {
            self.remote_streams = self.remote_streams.saturating_sub(1);
        }
    }

    /// The connection is gone: everybody who waits learns it.
    pub fn die(&mut self) {
        self.dead = true;
        self.going_away = true;
        self.out = BytesMut::new();
        self.accepted.clear();
        for slot in self.streams.values_mut() {
            slot.reset |= !slot.remote_closed;
            slot.remote_closed = true;
            slot.local_closed = true;
            slot.wake();
        }
        self.out_waiters.drain(..).for_each(Waker::wake);
        self.open_waiters.drain(..).for_each(Waker::wake);
    }
}

/// Why we end a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GoAway {
    Normal = 0,
    ProtocolError = 1,
}
