//! What is said of members, in the orders that hurt.

use std::net::SocketAddr;
use std::time::Duration;

use consul_gossip::swim::DropReason;
use consul_gossip::wire::message::{Accusation, AddrBytes, Alive, Message, Nack, Ping};
use consul_gossip::wire::{Raw, packet};
use consul_gossip::{Config, Member, NodeState, Output, Swim, Time, Versions};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::recorder::{Recorder, What};

const PEER: &str = "10.0.0.9:8301";

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn member() -> Member<Recorder> {
    let config = Config { compression: false, ..Config::lan("own", addr("10.0.0.1:8301")) };
    let now = Time::default();
    Member::new(now, Swim::new(now, config, None, StdRng::seed_from_u64(7)), Recorder::default())
}

fn at(millis: u64) -> Time {
    Time::new(Duration::from_millis(millis))
}

fn say(member: &mut Member<Recorder>, now: Time, message: &Message<'_>) {
    member.packet(now, addr(PEER), &message.encode());
}

fn alive(member: &mut Member<Recorder>, now: Time, name: &str, incarnation: u32, at: &str) {
    let to = addr(at);
    let bytes = AddrBytes::new(to.ip());
    let vsn = Versions::CURRENT.to_bytes();
    let message = Message::Alive(Alive {
        incarnation,
        node: name.into(),
        addr: bytes.raw(),
        port: to.port(),
        meta: Raw(b"tags"),
        vsn: Raw(&vsn),
    });
    say(member, now, &message);
}

fn accusation<'a>(node: &'a str, incarnation: u32, from: &'a str) -> Accusation<'a> {
    Accusation { incarnation, node: node.into(), from: from.into() }
}

fn dead(member: &mut Member<Recorder>, now: Time, node: &str, incarnation: u32, from: &str) {
    say(member, now, &Message::Dead(accusation(node, incarnation, from)));
}

fn suspect(member: &mut Member<Recorder>, now: Time, node: &str, incarnation: u32, from: &str) {
    say(member, now, &Message::Suspect(accusation(node, incarnation, from)));
}

fn state(member: &Member<Recorder>, name: &str) -> Option<(NodeState, u32)> {
    member.swim().seen(name).map(|seen| (seen.state, seen.incarnation))
}

/// All messages in the packets that the member sends now, with where they go.
fn sent(member: &mut Member<Recorder>) -> Vec<(SocketAddr, String)> {
    let mut sent = Vec::new();
    while let Some(output) = member.poll_output() {
        let Output::Packet { to, bytes } = output else { continue };
        let plain = packet::open(&bytes, None, true).unwrap();
        packet::unpack(&plain, &mut |message| sent.push((to, format!("{:?}", message.unwrap()))));
    }
    sent
}

#[test]
fn an_accusation_that_overtakes_the_announcement_holds() {
    let mut own = member();
    dead(&mut own, at(1), "x", 5, "y");
    alive(&mut own, at(2), "x", 5, PEER);
    assert_eq!(state(&own, "x"), None);
    alive(&mut own, at(3), "x", 6, PEER);
    assert_eq!(state(&own, "x"), Some((NodeState::Alive, 6)));

    suspect(&mut own, at(4), "z", 3, "y");
    alive(&mut own, at(5), "z", 3, "10.0.0.8:8301");
    assert_eq!(state(&own, "z"), Some((NodeState::Suspect, 3)));
}

#[test]
fn what_is_known_of_the_dead_rises_and_old_news_does_not_revive_them() {
    let mut own = member();
    alive(&mut own, at(1), "x", 1, PEER);
    dead(&mut own, at(2), "x", 1, "y");
    dead(&mut own, at(3), "x", 7, "y");
    alive(&mut own, at(4), "x", 6, PEER);
    assert_eq!(state(&own, "x"), Some((NodeState::Dead, 7)));
    suspect(&mut own, at(5), "x", 9, "y");
    alive(&mut own, at(6), "x", 9, PEER);
    assert_eq!(state(&own, "x"), Some((NodeState::Dead, 9)));
    alive(&mut own, at(7), "x", 10, PEER);
    assert_eq!(state(&own, "x"), Some((NodeState::Alive, 10)));
    let told: Vec<What> = own.delegate().told.iter().skip(1).map(|(_, what, _)| *what).collect();
    assert_eq!(told, [What::Joined, What::Failed, What::Joined]);
}

#[test]
fn who_announces_itself_with_old_news_hears_that_it_is_accused() {
    let mut own = member();
    alive(&mut own, at(1), "x", 2, PEER);
    dead(&mut own, at(2), "x", 2, "y");
    sent(&mut own);
    alive(&mut own, at(3), "x", 1, PEER);
    let repeated = sent(&mut own);
    assert_eq!(repeated.len(), 1);
    assert_eq!(repeated[0].0, addr(PEER));
    assert!(repeated[0].1.contains("Dead") && repeated[0].1.contains("incarnation: 2"), "{repeated:?}");
    // But not each time.
    alive(&mut own, at(4), "x", 1, PEER);
    assert_eq!(sent(&mut own), []);
    alive(&mut own, at(2000), "x", 1, PEER);
    assert_eq!(sent(&mut own).len(), 1);
}

#[test]
fn who_pings_although_it_counts_as_dead_hears_of_it() {
    let mut own = member();
    alive(&mut own, at(1), "x", 2, PEER);
    let (source, source_port) = (AddrBytes::new(addr(PEER).ip()), addr(PEER).port());
    let accusations = |own: &mut Member<Recorder>, now, seq_no, from: &str| {
        let (node, source_node) = ("own".into(), from.into());
        let ping = Ping { seq_no, node, source_addr: source.raw(), source_port, source_node };
        say(own, now, &Message::Ping(ping));
        let sent = sent(own);
        assert!(sent.iter().any(|(to, text)| *to == addr(PEER) && text.contains("Ack")), "{sent:?}");
        let tells = |text: &str| text.contains("Dead") && text.contains("incarnation: 2");
        sent.iter().filter(|(to, text)| *to == addr(PEER) && tells(text)).count()
    };
    // What is on its way to everybody travels with each answer, and is not meant here.
    let nothing_travels = |own: &mut Member<Recorder>, now| {
        let quiet = (0..100).any(|_| accusations(own, now, 0, "stranger") == 0);
        assert!(quiet, "an accusation is broadcast for ever");
    };
    assert_eq!(accusations(&mut own, at(2), 1, "x"), 0);
    dead(&mut own, at(3), "x", 2, "y");
    nothing_travels(&mut own, at(3));
    assert_eq!(accusations(&mut own, at(4), 2, "x"), 1);
    assert_eq!(accusations(&mut own, at(5), 3, "x"), 0, "not each time");
    // Who left may still ping while it goes.
    alive(&mut own, at(2000), "x", 3, PEER);
    dead(&mut own, at(2001), "x", 3, "x");
    nothing_travels(&mut own, at(3999));
    assert_eq!(accusations(&mut own, at(4000), 4, "x"), 0);
}

#[test]
fn an_accusation_of_the_own_node_is_contradicted_above_it() {
    for message in [Message::Suspect(accusation("own", 4, "y")), Message::Dead(accusation("own", 4, "y"))] {
        let mut own = member();
        say(&mut own, at(1), &message);
        assert_eq!(state(&own, "own"), Some((NodeState::Alive, 5)));
        assert_eq!(own.swim().health_score(), 1);
    }
}

#[test]
fn the_last_incarnation_is_nobodys() {
    let mut own = member();
    suspect(&mut own, at(1), "own", u32::MAX, "y");
    dead(&mut own, at(1), "own", u32::MAX, "y");
    assert_eq!(state(&own, "own"), Some((NodeState::Alive, 1)));
    alive(&mut own, at(1), "x", u32::MAX, PEER);
    assert_eq!(state(&own, "x"), None);
    assert_eq!(own.swim().counters().dropped(DropReason::BadMember), 1);
}

#[test]
fn a_name_moves_only_when_its_owner_is_gone() {
    let mut own = member();
    alive(&mut own, at(1), "x", 1, PEER);
    alive(&mut own, at(2), "x", 2, "10.0.0.7:8301");
    assert_eq!((own.delegate().conflicts, state(&own, "x")), (1, Some((NodeState::Alive, 1))));
    dead(&mut own, at(3), "x", 1, "y");
    alive(&mut own, at(29_000), "x", 2, "10.0.0.7:8301");
    assert_eq!(own.delegate().conflicts, 2);
    alive(&mut own, at(31_000), "x", 1, "10.0.0.7:8301");
    let seen = own.swim().seen("x").unwrap();
    assert_eq!((seen.state, seen.node.addr), (NodeState::Alive, addr("10.0.0.7:8301")));
    // Who left gives its name away at once.
    dead(&mut own, at(31_001), "x", 1, "x");
    assert_eq!(state(&own, "x"), Some((NodeState::Left, 1)));
    alive(&mut own, at(31_002), "x", 1, PEER);
    assert_eq!(state(&own, "x"), Some((NodeState::Alive, 1)));
}

#[test]
fn an_unwanted_member_stays_out() {
    let mut own = member();
    own.with(at(0), |_, recorder| recorder.unwanted = Some("x".to_owned()));
    alive(&mut own, at(1), "x", 1, PEER);
    assert_eq!(state(&own, "x"), None);
    assert_eq!(own.swim().counters().dropped(DropReason::Refused), 1);
}

#[test]
fn answers_nobody_waits_for_and_pings_for_others_are_dropped_and_counted() {
    let mut own = member();
    say(&mut own, at(1), &Message::Nack(Nack { seq_no: 99 }));
    say(&mut own, at(1), &Message::Ping(Ping { seq_no: 1, node: "other".into(), ..Ping::default() }));
    assert_eq!(own.swim().counters().dropped(DropReason::Unexpected), 1);
    assert_eq!(own.swim().counters().dropped(DropReason::NotForUs), 1);
    assert_eq!(sent(&mut own), []);
    say(&mut own, at(1), &Message::Ping(Ping { seq_no: 1, node: "own".into(), ..Ping::default() }));
    let answers = sent(&mut own);
    assert_eq!((answers[0].0, answers[0].1.contains("Ack")), (addr(PEER), true));
}

#[test]
fn confirmations_of_different_members_shorten_a_suspicion() {
    let failed_at = |confirmers: &[&str]| {
        let mut own = member();
        for index in 0..20 {
            alive(&mut own, at(1), &format!("m{index}"), 1, &format!("10.0.1.{index}:8301"));
        }
        suspect(&mut own, at(10), "m0", 1, "m1");
        for from in confirmers {
            suspect(&mut own, at(11), "m0", 1, from);
        }
        for step in 1..600 {
            // Nobody else is given up: all others keep announcing themselves.
            own.tick(at(step * 100));
            sent(&mut own);
            let told = &own.delegate().told;
            if let Some((time, ..)) =
                told.iter().find(|(_, what, name)| *what == What::Failed && name == "m0")
            {
                return time.since_origin().as_secs();
            }
        }
        panic!("never failed");
    };
    let shortest = failed_at(&["m2", "m3"]);
    let repeated = failed_at(&["m1", "m1", "m1"]);
    assert!((5..=6).contains(&shortest), "{shortest}");
    assert!(repeated > 20, "{repeated}");
}
