//! The task that owns a member.

use std::collections::HashMap;
use std::future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

use super::handle::{Command, Handle, JoinResults};
use super::sockets::{Sockets, canonical};
use super::stream::{self, Events, Happened, Order};
use crate::delegate::Delegate;
use crate::member::Member;
use crate::swim::{JoinError, JoinId, Output, StreamId};
use crate::time::Time;

/// Largest packet that can arrive.
const PACKET_MAX: usize = 65536;

/// Packets taken in a row before anything else is looked at.
const PACKETS_IN_A_ROW: usize = 128;

/// Calls and stream events that may wait.
const CHANNEL_LEN: usize = 256;

/// One message out, one order to close: a stream never has more.
const ORDERS_LEN: usize = 4;

/// How often it is logged that input was dropped.
const DROPS_LOGGED_EVERY: Duration = Duration::from_secs(10);

/// Runs a member on `sockets`. `build` makes it, given the time on the clock that all its inputs will have.
pub fn spawn<D: Delegate + Send + 'static>(
    sockets: Sockets,
    build: impl FnOnce(Time) -> Member<D>,
) -> (Handle<D>, JoinHandle<()>) {
    let (commands, received) = mpsc::channel(CHANNEL_LEN);
    let (events, happened) = mpsc::channel(CHANNEL_LEN);
    let member = build(Time::default());
    let inbound = member.swim().config().inbound_streams_max;
    let runner = Runner {
        sockets,
        member,
        origin: Instant::now(),
        streams: HashMap::new(),
        events,
        inbound: Arc::new(Semaphore::new(inbound.min(Semaphore::MAX_PERMITS))),
        joins: HashMap::new(),
        batches: HashMap::new(),
        next_batch: 0,
        leavers: Vec::new(),
        drops_logged: 0,
        drops_log_at: Instant::now(),
    };
    (Handle::new(commands), tokio::spawn(runner.run(received, happened)))
}

struct OpenStream {
    orders: mpsc::Sender<Order>,
    task: AbortHandle,
}

/// Addresses that one caller wants to join by.
struct Batch {
    results: Vec<(SocketAddr, Option<Result<(), JoinError>>)>,
    open: usize,
    reply: oneshot::Sender<JoinResults>,
}

struct Runner<D> {
    sockets: Sockets,
    member: Member<D>,
    origin: Instant,
    streams: HashMap<StreamId, OpenStream>,
    events: Events,
    inbound: Arc<Semaphore>,
    /// Which batch an attempt to join belongs to, and where in it.
    joins: HashMap<JoinId, (u64, usize)>,
    batches: HashMap<u64, Batch>,
    next_batch: u64,
    leavers: Vec<oneshot::Sender<()>>,
    drops_logged: u64,
    drops_log_at: Instant,
}

impl<D: Delegate + Send + 'static> Runner<D> {
    async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command<D>>,
        mut events: mpsc::Receiver<(StreamId, Happened)>,
    ) {
        let mut buffer = vec![0; PACKET_MAX];
        let stopped = loop {
            self.do_outputs();
            self.log_drops();
            let due = self.member.next_deadline().map(|due| self.origin + due.since_origin());
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Shutdown { reply }) => break Some(reply),
                    Some(command) => self.command(command),
                    None => break None,
                },
                event = events.recv() => {
                    if let Some((stream, happened)) = event {
                        self.stream_event(stream, happened);
                    }
                }
                readable = self.sockets.packets.readable() => {
                    if readable.is_ok() {
                        self.read_packets(&mut buffer);
                    }
                }
                accepted = self.sockets.streams.accept() => self.accepted(accepted).await,
                writable = self.sockets.packets.writable(), if self.sockets.has_backlog() => {
                    if writable.is_ok() {
                        self.sockets.send_backlog();
                    }
                }
                () = at(due) => {
                    // What arrived before the deadline counts as before it, however late this task is.
                    self.read_packets(&mut buffer);
                    self.member.tick(self.now());
                }
            }
        };
        for (_, stream) in self.streams.drain() {
            stream.task.abort();
        }
        drop(self);
        if let Some(reply) = stopped {
            let _ = reply.send(());
        }
    }

    fn now(&self) -> Time {
        Time::new(self.origin.elapsed())
    }

    fn read_packets(&mut self, buffer: &mut [u8]) {
        for _ in 0..PACKETS_IN_A_ROW {
            match self.sockets.packets.try_recv_from(buffer) {
                Ok((len, from)) => {
                    let packet = buffer.get(..len).unwrap_or_default();
                    self.member.packet(self.now(), canonical(from), packet);
                    self.do_outputs();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An error that an earlier packet caused, reported late: nothing to do about it.
                Err(_) => {}
            }
        }
    }

    async fn accepted(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a gossip stream");
                // Out of file descriptors: at once it would be the same.
                tokio::time::sleep(Duration::from_millis(20)).await;
                return;
            }
        };
        let Ok(permit) = Arc::clone(&self.inbound).try_acquire_owned() else { return };
        let Some(id) = self.member.stream_accepted(self.now(), canonical(from)) else { return };
        let (orders, received) = mpsc::channel(ORDERS_LEN);
        let events = self.events.clone();
        let patience = self.member.swim().config().stream_timeout;
        let task = tokio::spawn(async move {
            stream::carry(id, stream, patience, events, received).await;
            drop(permit);
        });
        self.streams.insert(id, OpenStream { orders, task: task.abort_handle() });
    }

    fn stream_event(&mut self, stream: StreamId, happened: Happened) {
        if !self.streams.contains_key(&stream) {
            return;
        }
        let now = self.now();
        match happened {
            Happened::Connected => self.member.stream_connected(now, stream),
            Happened::Bytes(bytes) => self.member.stream_bytes(now, stream, &bytes),
            Happened::Closed => self.member.stream_closed(now, stream),
            Happened::Failed(reason) => self.member.stream_failed(now, stream, reason),
        }
    }

    fn command(&mut self, command: Command<D>) {
        let now = self.now();
        match command {
            Command::With(act) => self.member.with(now, |swim, delegate| act(now, swim, delegate)),
            Command::Join { addrs, reply } => self.join(now, &addrs, reply),
            Command::Leave { reply } => {
                self.member.with(now, |swim, _| swim.leave(now));
                if self.member.swim().has_left() {
                    let _ = reply.send(());
                } else {
                    self.leavers.push(reply);
                }
            }
            // Ends the loop before it comes here.
            Command::Shutdown { reply } => drop(reply),
        }
    }

    fn join(&mut self, now: Time, addrs: &[SocketAddr], reply: oneshot::Sender<JoinResults>) {
        if addrs.is_empty() {
            let _ = reply.send(Vec::new());
            return;
        }
        let number = self.next_batch;
        self.next_batch += 1;
        for (index, addr) in addrs.iter().enumerate() {
            let join = self.member.with(now, |swim, _| swim.join(now, *addr));
            self.joins.insert(join, (number, index));
        }
        let results = addrs.iter().map(|addr| (*addr, None)).collect();
        self.batches.insert(number, Batch { results, open: addrs.len(), reply });
    }

    fn join_done(&mut self, join: JoinId, result: Result<(), JoinError>) {
        // The layer above joins on its own account, too.
        let Some((number, index)) = self.joins.remove(&join) else { return };
        let Some(batch) = self.batches.get_mut(&number) else { return };
        if let Some((_, place)) = batch.results.get_mut(index) {
            *place = Some(result);
        }
        batch.open -= 1;
        if batch.open > 0 {
            return;
        }
        if let Some(batch) = self.batches.remove(&number) {
            let results = batch.results.into_iter();
            let results = results.filter_map(|(addr, result)| result.map(|result| (addr, result))).collect();
            let _ = batch.reply.send(results);
        }
    }

    fn do_outputs(&mut self) {
        while let Some(output) = self.member.poll_output() {
            match output {
                Output::Packet { to, bytes } => {
                    if self.sockets.send(to, bytes).is_err() {
                        self.member.packet_failed(self.now(), to);
                    }
                }
                Output::Connect { stream, to, timeout } => self.connect(stream, to, timeout),
                Output::Write { stream, bytes } => self.order(stream, Order::Write(bytes)),
                Output::Close { stream } => {
                    self.order(stream, Order::Close);
                    self.streams.remove(&stream);
                }
                Output::Abort { stream } => {
                    if let Some(stream) = self.streams.remove(&stream) {
                        stream.task.abort();
                    }
                }
                Output::JoinDone { join, result } => self.join_done(join, result),
                Output::LeaveDone => {
                    for leaver in self.leavers.drain(..) {
                        let _ = leaver.send(());
                    }
                }
            }
        }
    }

    fn connect(&mut self, stream: StreamId, to: SocketAddr, patience: Duration) {
        let (orders, received) = mpsc::channel(ORDERS_LEN);
        let task = tokio::spawn(stream::dial(stream, to, patience, self.events.clone(), received));
        self.streams.insert(stream, OpenStream { orders, task: task.abort_handle() });
    }

    fn order(&mut self, stream: StreamId, order: Order) {
        let Some(open) = self.streams.get(&stream) else { return };
        if open.orders.try_send(order).is_err() {
            // Its task has ended; the event that says so is on its way, or nobody waits for one.
            tracing::trace!(?stream, "order for a stream that has ended");
        }
    }

    /// Says now and then that input was dropped: as often as somebody sends it would fill the log.
    fn log_drops(&mut self) {
        let counters = self.member.swim().counters();
        let dropped = counters.dropped_total();
        if dropped == self.drops_logged || Instant::now() < self.drops_log_at {
            return;
        }
        let count = dropped - self.drops_logged;
        if let Some((from, reason)) = counters.last_drop {
            if reason == crate::swim::DropReason::Unexpected {
                // Mostly an answer that came too late.
                tracing::debug!(count, %from, %reason, "dropped gossip input; the latest is named");
            } else {
                tracing::warn!(count, %from, %reason, "dropped gossip input; the latest is named");
            }
        }
        self.drops_logged = dropped;
        self.drops_log_at = Instant::now() + DROPS_LOGGED_EVERY;
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => future::pending().await,
    }
}
