//! Messages of the layer above membership, as captured from real agents, and as nobody should send them.

use std::collections::BTreeMap;
use std::time::Duration;

use consul_gossip::keyring::Key;
use consul_gossip::serf::message::{
    self, EventsAt, KeyRequest, KeyResponse, Kind, MemberBody, Message, PushPull, RESPONSE_ACK,
};
use consul_gossip::serf::{Config, Hooks, Serf, Tags};
use consul_gossip::wire::stream::{self, StreamMessage, StreamReader};
use consul_gossip::wire::{message as base, packet};
use consul_gossip::{Delegate, Time, swim};
use proptest::collection::vec;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::vectors::{hex, keyring, names};

/// The messages for this layer in all captured packets.
fn captured() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for name in names("gossip-udp-").into_iter().chain(names("hand-udp-")) {
        let ring = keyring();
        let sealed = name.contains("-encrypted-");
        let plain = packet::open(&hex(&name), sealed.then_some(&ring), true).unwrap();
        packet::unpack(&plain, &mut |message| {
            if let Ok(base::Message::User(bytes)) = message {
                found.push(bytes.to_vec());
            }
        });
    }
    found
}

/// The states in all captured exchanges.
fn captured_states() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for name in names("gossip-tcp-pushpull") {
        let ring = keyring();
        let ring = name.contains("encrypted").then_some(&ring);
        let bytes = StreamReader::default().push(&hex(&name), ring, true).unwrap().unwrap();
        let StreamMessage::PushPull(exchange) = stream::decode(&bytes).unwrap() else { panic!("{name}") };
        found.push(exchange.user_state.to_vec());
    }
    found
}

fn encode(message: &Message) -> Vec<u8> {
    let encoded = match message {
        Message::Leave(body) => message::encode(Kind::Leave, body),
        Message::Join(body) => message::encode(Kind::Join, body),
        Message::UserEvent(body) => message::encode(Kind::UserEvent, body),
        Message::Query(body) => message::encode(Kind::Query, body),
        Message::QueryResponse(body) => message::encode(Kind::QueryResponse, body),
        Message::Relay(header, inner) => {
            let to = header.dest_addr.addr().unwrap();
            message::encode_relay(to, &header.dest_name, inner)
        }
    };
    encoded.unwrap()
}

#[test]
fn captured_messages_are_written_as_they_were_read() {
    let captured = captured();
    for bytes in &captured {
        let message = Message::decode(bytes).unwrap();
        assert_eq!(&encode(&message), bytes, "{message:?}");
        match &message {
            Message::Query(query) if query.name.ends_with("-key") || query.name.ends_with("-keys") => {
                let request: KeyRequest =
                    message::decode_as(Kind::KeyRequest, query.payload.as_slice()).unwrap();
                assert_eq!(message::encode(Kind::KeyRequest, &request).unwrap(), query.payload.as_slice());
            }
            Message::QueryResponse(response) if response.from == "srv1.dc1" => {
                let keys: KeyResponse =
                    message::decode_as(Kind::KeyResponse, response.payload.as_slice()).unwrap();
                assert_eq!(message::encode(Kind::KeyResponse, &keys).unwrap(), response.payload.as_slice());
                assert_eq!(keys.primary_key, "AAECAwQFBgcICQoLDA0ODw==");
            }
            Message::QueryResponse(response) if response.flags != RESPONSE_ACK => {
                let member: Option<MemberBody> =
                    message::decode_as(Kind::ConflictResponse, response.payload.as_slice()).unwrap();
                assert_eq!(member, None);
                assert_eq!(
                    message::encode(Kind::ConflictResponse, &member).unwrap(),
                    response.payload.as_slice()
                );
            }
            _ => {}
        }
    }
    assert_eq!(captured.len(), 14);
}

#[test]
fn captured_states_are_written_as_they_were_read() {
    let states = captured_states();
    for bytes in &states {
        let state: PushPull = message::decode_as(Kind::PushPull, bytes).unwrap();
        assert_eq!(state.events.len(), 512);
        let written = message::encode(Kind::PushPull, &state).unwrap();
        if state.status_ltimes.len() == 1 {
            assert_eq!(&written, bytes);
        }
        // Agents write maps in random order.
        assert_eq!(written.len(), bytes.len());
        assert_eq!(message::decode_as::<PushPull>(Kind::PushPull, &written).unwrap(), state);
    }
    assert_eq!(states.len(), 8);
    let past: Vec<EventsAt> = states
        .iter()
        .flat_map(|bytes| message::decode_as::<PushPull>(Kind::PushPull, bytes).unwrap().events)
        .flatten()
        .collect();
    assert!(past.iter().any(|slot| slot.events[0].name == "consul:new-leader"));
}

#[test]
fn a_captured_coordinate_is_written_as_it_was_read() {
    let plain = packet::open(&hex("gossip-udp-ack-coordinate.hex"), None, true).unwrap();
    let mut found = 0;
    packet::unpack(&plain, &mut |message| {
        let Ok(base::Message::Ack(ack)) = message else { panic!("not an ack") };
        let payload = &ack.payload.0;
        let coordinate = message::decode_ping_payload(payload).unwrap();
        assert!(coordinate.is_valid());
        assert_eq!(coordinate.error, 1.4284738168479125);
        assert_eq!(message::encode_ping_payload(&coordinate).unwrap(), &payload[..]);
        found += 1;
    });
    assert_eq!(found, 1);
}

fn serf() -> (swim::Swim, Serf) {
    let addr = ([127, 0, 0, 1], 8301).into();
    let config = Config { tags: Tags::from([("role".to_owned(), "node".to_owned())]), ..Config::default() };
    let (mut swim, mut serf) = Serf::build(
        Time::default(),
        swim::Config::lan("me", addr),
        config,
        Hooks::default(),
        Some(consul_gossip::Keyring::new(Key::new(&[7; 16]).unwrap())),
        StdRng::seed_from_u64(5),
    )
    .unwrap();
    let local = std::sync::Arc::clone(swim.local());
    serf.joined(Time::default(), &local);
    serf.poll(Time::default(), &mut swim);
    (swim, serf)
}

fn feed(messages: &[Vec<u8>]) {
    let (mut swim, mut serf) = serf();
    let from = ([127, 0, 0, 1], 9).into();
    for (second, bytes) in (0..).zip(messages) {
        let now = Time::new(Duration::from_secs(second));
        let before = serf.clocks();
        serf.user_message(now, from, bytes);
        serf.merge_state(now, bytes, second % 2 == 0);
        serf.poll(now, &mut swim);
        let after = serf.clocks();
        assert!(before.member <= after.member && before.event <= after.event && before.query <= after.query);
        assert!(after.member.is_credible() && after.event.is_credible() && after.query.is_credible());
    }
    assert!(serf.members().all(|member| &*member.name == "me"), "a member by hearsay");
    let state = serf.local_state(Time::default(), false);
    let told: PushPull = message::decode_as(Kind::PushPull, &state).unwrap();
    assert_eq!(told.status_ltimes.keys().collect::<Vec<_>>(), ["me"]);
}

#[test]
fn claims_of_length_are_not_believed() {
    for body in [
        &b"\xdd\xff\xff\xff\xff"[..],
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ] {
        for kind in 0..10 {
            let events = b"\x81\xa6Events".iter().copied();
            let filters = b"\x81\xa7Filters".iter().copied();
            let plain = std::iter::once(kind).chain(body.iter().copied()).collect();
            let in_events = std::iter::once(kind).chain(events).chain(body.iter().copied()).collect();
            let in_filters = std::iter::once(kind).chain(filters).chain(body.iter().copied()).collect();
            feed(&[plain, in_events, in_filters]);
        }
    }
}

#[test]
fn a_flood_of_invented_members_is_bounded() {
    let (_swim, mut serf) = serf();
    let status_ltimes: BTreeMap<_, _> =
        (0..20_000).map(|n| (format!("ghost{n}"), consul_gossip::lamport::LamportTime(n + 1))).collect();
    let left_members = status_ltimes.keys().take(10_000).cloned().collect();
    let state = PushPull { status_ltimes, left_members, ..PushPull::default() };
    serf.merge_state(Time::default(), &message::encode(Kind::PushPull, &state).unwrap(), true);
    assert_eq!(serf.members().count(), 1);
    assert!(serf.local_state(Time::default(), false).len() < 2000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn garbage_is_survived(
        garbage in vec((0u8..12, vec(any::<u8>(), 0..200)), 1..8),
        which in any::<prop::sample::Index>(),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        keep in any::<prop::sample::Index>(),
    ) {
        let mut messages: Vec<Vec<u8>> = garbage
            .into_iter()
            .map(|(kind, body)| std::iter::once(kind).chain(body).collect())
            .collect();
        let mut known = captured();
        known.extend(captured_states());
        let mut damaged = which.get(&known).clone();
        for (at, to) in flips {
            let at = at.index(damaged.len());
            damaged[at] = to;
        }
        damaged.truncate(keep.index(damaged.len()) + 1);
        messages.push(damaged);
        feed(&messages);
    }
}
