//! Pools of the whole stack in virtual time, with packets lost on the way.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use consul_gossip::serf::message::{self, Kind, PushPull};
use consul_gossip::serf::{Event, Hooks, MemberStatus, Notice, QueryOptions, QueryReply, Serf};
use consul_gossip::swim::StreamId;
use consul_gossip::{Delegate, Member, Output, Time, serf, swim};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// When it arrives, its number, sender and receiver, and what it says.
type Packet = (Time, u64, usize, usize, Bytes);

struct World {
    now: Time,
    rng: StdRng,
    loss: f64,
    members: Vec<Option<Member<Serf>>>,
    packets: BinaryHeap<Reverse<Packet>>,
    sent: u64,
    links: HashMap<(usize, StreamId), (usize, StreamId)>,
}

fn addr(index: usize) -> SocketAddr {
    ([10, 0, 0, index as u8 + 1], 8301).into()
}

fn index(addr: SocketAddr) -> usize {
    match addr.ip() {
        IpAddr::V4(ip) => usize::from(ip.octets()[3]) - 1,
        IpAddr::V6(_) => panic!("no such address here"),
    }
}

impl World {
    fn new(count: usize, loss: f64) -> Self {
        let rng = StdRng::seed_from_u64(11);
        let (packets, links) = (BinaryHeap::new(), HashMap::new());
        let mut world =
            Self { now: Time::default(), rng, loss, members: Vec::new(), packets, sent: 0, links };
        for index in 0..count {
            world.members.push(None);
            world.start(index);
            if index > 0 {
                world.act(index, |now, swim, serf| {
                    swim.join(now, addr(0));
                    serf.join_ended(now, false, 1);
                });
            }
        }
        assert!(world.run(120, |world| world.all_see(MemberStatus::Alive, &[])));
        world
    }

    fn start(&mut self, index: usize) {
        let swim = swim::Config::lan(format!("n{index}"), addr(index));
        let rng = StdRng::seed_from_u64(self.rng.random());
        let (swim, serf) =
            Serf::build(self.now, swim, serf::Config::default(), Hooks::default(), None, rng).unwrap();
        self.members[index] = Some(Member::new(self.now, swim, serf));
        self.carry(index);
    }

    fn act<R>(&mut self, index: usize, act: impl FnOnce(Time, &mut swim::Swim, &mut Serf) -> R) -> R {
        let now = self.now;
        let result = self.members[index].as_mut().unwrap().with(now, |swim, serf| act(now, swim, serf));
        self.carry(index);
        result
    }

    /// Does what a member wants done, and what follows from it at others.
    fn carry(&mut self, from: usize) {
        let mut busy = vec![from];
        while let Some(at) = busy.pop() {
            while let Some(output) = self.members[at].as_mut().and_then(Member::poll_output) {
                let now = self.now;
                match output {
                    Output::Packet { to, bytes } => {
                        if !self.rng.random_bool(self.loss) {
                            let due = now + Duration::from_millis(self.rng.random_range(1..20));
                            self.sent += 1;
                            self.packets.push(Reverse((due, self.sent, at, index(to), bytes)));
                        }
                    }
                    Output::Connect { stream, to, .. } => {
                        let to = index(to);
                        let accepted =
                            self.members[to].as_mut().and_then(|peer| peer.stream_accepted(now, addr(at)));
                        let own = self.members[at].as_mut().unwrap();
                        match accepted {
                            Some(other) => {
                                self.links.insert((at, stream), (to, other));
                                self.links.insert((to, other), (at, stream));
                                own.stream_connected(now, stream);
                            }
                            None => own.stream_failed(now, stream, "refused".to_owned()),
                        }
                        busy.push(to);
                    }
                    Output::Write { stream, bytes } => {
                        if let Some((to, other)) = self.links.get(&(at, stream)).copied()
                            && let Some(peer) = &mut self.members[to]
                        {
                            peer.stream_bytes(now, other, &bytes);
                            busy.push(to);
                        }
                    }
                    Output::Close { stream } | Output::Abort { stream } => {
                        if let Some((to, other)) = self.links.remove(&(at, stream))
                            && let Some(peer) = &mut self.members[to]
                        {
                            peer.stream_closed(now, other);
                            busy.push(to);
                        }
                    }
                    Output::JoinDone { .. } | Output::LeaveDone => {}
                }
            }
        }
    }

    fn run(&mut self, seconds: u64, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + Duration::from_secs(seconds);
        while self.now < end && !done(self) {
            let deadlines = self.members.iter().flatten().filter_map(Member::next_deadline);
            let packet = self.packets.peek().map(|Reverse((due, ..))| *due);
            let next = deadlines.chain(packet).min().unwrap_or(end).max(self.now);
            self.now = next;
            while let Some(Reverse((due, _, from, to, bytes))) = self.packets.pop() {
                if due > self.now {
                    self.packets.push(Reverse((due, self.sent + 1, from, to, bytes)));
                    self.sent += 1;
                    break;
                }
                if let Some(member) = &mut self.members[to] {
                    member.packet(self.now, addr(from), &bytes);
                    self.carry(to);
                }
            }
            for at in 0..self.members.len() {
                let now = self.now;
                if let Some(member) = &mut self.members[at]
                    && member.next_deadline().is_some_and(|due| due <= now)
                {
                    member.tick(now);
                    self.carry(at);
                }
            }
        }
        done(self)
    }

    fn status(&self, at: usize, of: usize) -> Option<MemberStatus> {
        let member = self.members[at].as_ref()?.delegate().member(&format!("n{of}"))?;
        Some(member.status)
    }

    /// Whether all that run see those named in this status, or all of them if nobody is named.
    fn all_see(&self, status: MemberStatus, who: &[usize]) -> bool {
        let everybody: Vec<usize> = (0..self.members.len()).collect();
        let who = if who.is_empty() { &everybody } else { who };
        let running = everybody.iter().filter(|at| self.members[**at].is_some());
        running.into_iter().all(|at| who.iter().all(|of| self.status(*at, *of) == Some(status)))
    }

    /// When the last intent about each member was sent, as one member knows it.
    fn intent_times(&mut self, at: usize) -> BTreeMap<String, u64> {
        let state = self.act(at, |now, _, serf| serf.local_state(now, false));
        let state: PushPull = message::decode_as(Kind::PushPull, &state).unwrap();
        state.status_ltimes.into_iter().map(|(name, time)| (name, time.0)).collect()
    }
}

#[test]
fn an_event_reaches_everybody_and_a_query_nearly_so_although_packets_are_lost() {
    let mut world = World::new(20, 0.2);
    world.act(3, |_, _, serf| serf.user_event("deploy", b"1", false).unwrap());
    world.run(40, |_| false);
    for at in 0..20 {
        let mut heard = 0;
        while let Some(event) = world.act(at, |_, _, serf| serf.pop_event()) {
            heard += usize::from(matches!(event, Event::User(_)));
        }
        assert_eq!(heard, 1, "n{at}");
    }
    let options = QueryOptions {
        want_acks: true,
        relay_factor: 3,
        timeout: Some(Duration::from_secs(20)),
        ..QueryOptions::default()
    };
    world.act(5, |now, swim, serf| serf.query(now, swim, "who", b"", &options).unwrap());
    world.run(21, |_| false);
    let (mut acks, mut over) = (0, 0);
    while let Some(notice) = world.act(5, |_, _, serf| serf.pop_notice()) {
        match notice {
            Notice::Reply(_, QueryReply::Ack { .. }) => acks += 1,
            Notice::QueryOver(_) => over += 1,
            other => panic!("{other:?}"),
        }
    }
    // Unlike events, queries are not part of exchanges: gossip alone misses somebody now and then.
    assert!((18..=20).contains(&acks), "{acks}");
    assert_eq!(over, 1);
}

#[test]
fn who_leaves_has_left_and_who_dies_has_failed_for_everybody_and_a_restart_brings_both_back() {
    let mut world = World::new(12, 0.05);
    world.act(4, |now, _, serf| serf.leave(now).unwrap());
    world.run(30, |world| world.members[4].as_ref().is_some_and(|member| member.swim().has_left()));
    world.run(5, |_| false);
    world.members[4] = None;
    world.members[7] = None;
    assert!(world.run(120, |world| {
        world.all_see(MemberStatus::Left, &[4]) && world.all_see(MemberStatus::Failed, &[7])
    }));
    for back in [4, 7] {
        world.start(back);
        world.act(back, |now, swim, serf| {
            swim.join(now, addr(1));
            serf.join_ended(now, false, 1);
        });
    }
    assert!(world.run(120, |world| world.all_see(MemberStatus::Alive, &[])));
    world.run(120, |_| false);
    assert!(world.all_see(MemberStatus::Alive, &[]), "and they stay");
}

#[test]
fn times_of_intents_only_grow_and_rest_when_nothing_happens() {
    let mut world = World::new(8, 0.1);
    world.members[2] = None;
    assert!(world.run(120, |world| world.all_see(MemberStatus::Failed, &[2])));
    let before = world.intent_times(0);
    world.act(5, |now, _, serf| serf.force_leave(now, "n2", false));
    assert!(world.run(120, |world| world.all_see(MemberStatus::Left, &[2])));
    world.run(60, |_| false);
    let after: Vec<_> = [0, 1, 7].into_iter().map(|at| world.intent_times(at)).collect();
    assert!(after.iter().all(|times| before.iter().all(|(name, time)| times[name] >= *time)));
    world.run(600, |_| false);
    for (at, times) in [0, 1, 7].into_iter().zip(after) {
        assert_eq!(world.intent_times(at), times, "exchanges alone moved times of n{at}");
    }
}
