//! Members, the network between them, and time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use consul_gossip::swim::StreamId;
use consul_gossip::{Config, Keyring, Member, NodeState, Output, Swim, Time};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::rules::Rules;
use crate::recorder::Recorder;

pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What the network does to packets. Streams are only slowed down and cut.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    pub loss: f64,
    pub duplication: f64,
    pub delay_min: Duration,
    pub delay_max: Duration,
}

impl Faults {
    pub const NONE: Self = Self { loss: 0.0, duplication: 0.0, delay_min: millis(1), delay_max: millis(5) };
}

enum Event {
    Packet { to: usize, from: usize, bytes: Bytes },
    Accept { to: usize, from: usize, opened: End },
    Refused { at: usize, life: u32, stream: StreamId },
    Connected { at: usize, life: u32, stream: StreamId },
    Bytes { at: usize, life: u32, stream: StreamId, bytes: Bytes },
    Closed { at: usize, life: u32, stream: StreamId },
    Wake { at: usize, life: u32 },
}

/// One end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct End {
    at: usize,
    life: u32,
    stream: StreamId,
}

struct Queued {
    due: (Time, u64),
    event: Event,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}
impl Eq for Queued {}
impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

/// A place for a member: it may be down, paused, or in one of its lives.
pub struct Slot {
    pub member: Option<Member<Recorder>>,
    /// Counts restarts, so that what belongs to an earlier life is recognised.
    pub life: u32,
    pub paused: bool,
    /// What arrived while paused.
    waiting: Vec<Event>,
    wake_at: Option<Time>,
    /// Side of a partition.
    pub side: u8,
}

pub struct World {
    pub now: Time,
    pub rng: StdRng,
    pub faults: Faults,
    pub slots: Vec<Slot>,
    pub rules: Rules,
    /// Whether every member is checked after each of its steps.
    pub checked: bool,
    pub packets: u64,
    tune: fn(Config) -> Config,
    keyring: Option<Keyring>,
    events: BinaryHeap<Reverse<Queued>>,
    next_event: u64,
    links: HashMap<End, End>,
}

/// Most events that wait for a paused member, as a socket buffer would hold.
const WAITING_MAX: usize = 300;

const STREAM_DELAY: Duration = millis(2);

impl World {
    pub fn new(seed: u64, tune: fn(Config) -> Config, keyring: Option<Keyring>) -> Self {
        Self {
            now: Time::default(),
            rng: StdRng::seed_from_u64(seed),
            faults: Faults::NONE,
            slots: Vec::new(),
            rules: Rules::default(),
            checked: true,
            packets: 0,
            tune,
            keyring,
            events: BinaryHeap::new(),
            next_event: 0,
            links: HashMap::new(),
        }
    }

    pub fn name(index: usize) -> String {
        format!("n{index}")
    }

    pub fn addr(index: usize) -> SocketAddr {
        let [_, a, b, c] = (index as u32).to_be_bytes();
        (Ipv4Addr::new(10, a, b, c), 8301).into()
    }

    fn index(addr: SocketAddr) -> usize {
        match addr.ip() {
            std::net::IpAddr::V4(ip) => (u32::from(ip) & 0x00ff_ffff) as usize,
            std::net::IpAddr::V6(_) => usize::MAX,
        }
    }

    /// Adds a member alone in its pool.
    pub fn add(&mut self) -> usize {
        let index = self.slots.len();
        let slot = Slot { member: None, life: 0, paused: false, waiting: Vec::new(), wake_at: None, side: 0 };
        self.slots.push(slot);
        self.start(index);
        index
    }

    /// Starts a member that is down, with nothing known from before.
    pub fn start(&mut self, index: usize) {
        let config = (self.tune)(Config::lan(Self::name(index), Self::addr(index)));
        let rng = StdRng::seed_from_u64(self.rng.random());
        let swim = Swim::new(self.now, config, self.keyring.clone(), rng);
        let slot = &mut self.slots[index];
        slot.member = Some(Member::new(self.now, swim, Recorder::default()));
        slot.life += 1;
        slot.paused = false;
        slot.wake_at = None;
        slot.waiting.clear();
        self.settle(index);
    }

    /// The process is gone from one moment to the next.
    pub fn kill(&mut self, index: usize) {
        self.slots[index].member = None;
        self.slots[index].paused = false;
        self.slots[index].waiting.clear();
        self.rules.died(index);
    }

    pub fn pause(&mut self, index: usize) {
        self.slots[index].paused = true;
    }

    /// Goes on as an unlucky scheduler would: first with what is due, then with what arrived.
    pub fn resume(&mut self, index: usize) {
        self.slots[index].paused = false;
        self.slots[index].wake_at = None;
        let waiting = std::mem::take(&mut self.slots[index].waiting);
        let now = self.now;
        self.with(index, |member| member.tick(now));
        for event in waiting {
            self.event(event);
        }
    }

    pub fn with(&mut self, index: usize, act: impl FnOnce(&mut Member<Recorder>)) {
        if let Some(member) = &mut self.slots[index].member {
            act(member);
            self.settle(index);
        }
    }

    pub fn join(&mut self, index: usize, to: usize) {
        let (now, addr) = (self.now, Self::addr(to));
        self.with(index, |member| {
            member.with(now, |swim, _| swim.join(now, addr));
        });
    }

    pub fn running(&self) -> impl Iterator<Item = usize> {
        self.slots.iter().enumerate().filter(|(_, slot)| slot.member.is_some()).map(|(index, _)| index)
    }

    /// Whether everybody who runs takes exactly those who run for members.
    pub fn is_converged(&self) -> bool {
        let running = self.running().count();
        self.slots.iter().filter_map(|slot| slot.member.as_ref()).all(|member| {
            let swim = member.swim();
            swim.member_count() == running
                && swim.all_seen().filter(|seen| seen.state == NodeState::Alive).count() == running
                && swim.all_seen().filter(|seen| seen.state.is_member()).all(|seen| {
                    self.slots.get(Self::index(seen.node.addr)).is_some_and(|slot| slot.member.is_some())
                })
        })
    }

    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time, |_| false);
    }

    /// Runs until `end`, or until `done` holds, which is asked each 100 ms. Returns whether it held.
    pub fn run_until(&mut self, end: Time, done: impl Fn(&Self) -> bool) -> bool {
        let mut check = self.now;
        loop {
            if self.now >= check {
                if done(self) {
                    return true;
                }
                check = self.now + millis(100);
            }
            let next = self.events.peek().map(|Reverse(queued)| queued.due.0);
            match next {
                Some(due) if due <= end.min(check) => {
                    self.now = due;
                    if let Some(Reverse(queued)) = self.events.pop() {
                        self.event(queued.event);
                    }
                }
                _ if check < end => self.now = check,
                _ => {
                    self.now = end;
                    return done(self);
                }
            }
        }
    }

    fn push(&mut self, delay: Duration, event: Event) {
        let due = (self.now + delay, self.next_event);
        self.next_event += 1;
        self.events.push(Reverse(Queued { due, event }));
    }

    fn is_reachable(&self, from: usize, to: usize) -> bool {
        self.slots.get(to).is_some_and(|slot| slot.side == self.slots[from].side)
    }

    fn event(&mut self, event: Event) {
        let (at, life) = match &event {
            Event::Packet { to, .. } | Event::Accept { to, .. } => (*to, None),
            Event::Refused { at, life, .. }
            | Event::Connected { at, life, .. }
            | Event::Bytes { at, life, .. }
            | Event::Closed { at, life, .. }
            | Event::Wake { at, life } => (*at, Some(*life)),
        };
        let Some(slot) = self.slots.get_mut(at) else { return };
        if life.is_some_and(|life| life != slot.life) {
            return;
        }
        if slot.paused {
            if slot.waiting.len() < WAITING_MAX && !matches!(event, Event::Wake { .. }) {
                slot.waiting.push(event);
            }
            return;
        }
        let now = self.now;
        match event {
            Event::Packet { from, bytes, .. } => {
                self.with(at, |member| member.packet(now, Self::addr(from), &bytes));
            }
            Event::Accept { from, opened, .. } => self.accept(at, from, opened),
            Event::Refused { stream, .. } => {
                self.with(at, |member| member.stream_failed(now, stream, "refused".to_owned()));
            }
            Event::Connected { stream, .. } => self.with(at, |member| member.stream_connected(now, stream)),
            Event::Bytes { stream, bytes, .. } => {
                self.with(at, |member| member.stream_bytes(now, stream, &bytes));
            }
            Event::Closed { stream, .. } => self.with(at, |member| member.stream_closed(now, stream)),
            Event::Wake { .. } => {
                self.slots[at].wake_at = None;
                self.with(at, |member| {
                    if member.next_deadline().is_some_and(|due| due <= now) {
                        member.tick(now);
                    }
                });
            }
        }
    }

    fn accept(&mut self, at: usize, from: usize, opened: End) {
        let now = self.now;
        let life = self.slots[at].life;
        let mut accepted = None;
        self.with(at, |member| accepted = member.stream_accepted(now, Self::addr(from)));
        let answer = Event::Connected { at: opened.at, life: opened.life, stream: opened.stream };
        match accepted {
            Some(stream) => {
                let end = End { at, life, stream };
                self.links.insert(end, opened);
                self.links.insert(opened, end);
                self.push(STREAM_DELAY, answer);
            }
            None => self.push(
                STREAM_DELAY,
                Event::Refused { at: opened.at, life: opened.life, stream: opened.stream },
            ),
        }
    }

    /// Does what a member wants done, and sees to it that it is woken.
    fn settle(&mut self, index: usize) {
        loop {
            let Some(member) = &mut self.slots[index].member else { return };
            let Some(output) = member.poll_output() else { break };
            self.output(index, output);
        }
        let slot = &mut self.slots[index];
        let Some(member) = &slot.member else { return };
        if self.checked {
            self.rules.check(index, slot.life, member);
        }
        let due = member.next_deadline().map(|due| due.max(self.now));
        if let Some(due) = due
            && slot.wake_at.is_none_or(|wake| due < wake)
        {
            slot.wake_at = Some(due);
            let life = slot.life;
            self.push(due - self.now, Event::Wake { at: index, life });
        }
    }

    fn output(&mut self, at: usize, output: Output) {
        let life = self.slots[at].life;
        match output {
            Output::Packet { to, bytes } => self.packet(at, Self::index(to), bytes),
            Output::Connect { stream, to, .. } => self.connect(End { at, life, stream }, Self::index(to)),
            Output::Write { stream, bytes } => {
                if let Some(far) = self.far_end(End { at, life, stream }) {
                    let event = Event::Bytes { at: far.at, life: far.life, stream: far.stream, bytes };
                    self.push(STREAM_DELAY, event);
                }
            }
            Output::Close { stream } | Output::Abort { stream } => {
                let near = End { at, life, stream };
                if let Some(far) = self.far_end(near) {
                    let event = Event::Closed { at: far.at, life: far.life, stream: far.stream };
                    self.push(STREAM_DELAY, event);
                }
                self.links.remove(&near);
            }
            Output::JoinDone { .. } | Output::LeaveDone => {}
        }
    }

    fn packet(&mut self, from: usize, to: usize, bytes: Bytes) {
        self.packets += 1;
        assert!(bytes.len() <= 1400, "a packet of {} bytes", bytes.len());
        if !self.is_reachable(from, to) || self.rng.random_bool(self.faults.loss) {
            return;
        }
        let copies = if self.rng.random_bool(self.faults.duplication) { 2 } else { 1 };
        for _ in 0..copies {
            let delay = self.rng.random_range(self.faults.delay_min..=self.faults.delay_max);
            self.push(delay, Event::Packet { to, from, bytes: bytes.clone() });
        }
    }

    fn connect(&mut self, opened: End, to: usize) {
        if !self.is_reachable(opened.at, to) {
            return;
        }
        let event = match self.slots[to].member {
            Some(_) => Event::Accept { to, from: opened.at, opened },
            None => Event::Refused { at: opened.at, life: opened.life, stream: opened.stream },
        };
        self.push(STREAM_DELAY, event);
    }

    fn far_end(&self, near: End) -> Option<End> {
        let far = *self.links.get(&near)?;
        self.is_reachable(near.at, far.at).then_some(far)
    }

    /// Makes everybody know everybody, as after a long quiet time.
    pub fn assume_converged(&mut self) {
        let locals: Vec<_> = self
            .slots
            .iter()
            .flat_map(|slot| &slot.member)
            .map(|member| Arc::clone(member.swim().local()))
            .collect();
        let now = self.now;
        for index in 0..self.slots.len() {
            self.with(index, |member| member.with(now, |swim, _| swim.assume(now, &locals)));
        }
    }
}
