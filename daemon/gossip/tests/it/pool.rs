//! Pools of real members on loopback.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use consul_gossip::keyring::{Key, Keyring};
use consul_gossip::pool::{Events, KeyFailure, Pool, Settings};
use consul_gossip::serf::keys::format_key;
use consul_gossip::serf::{
    self, Event, Hooks, Member, MemberStatus, OperationResult, QueryOptions, QueryReply, Tags,
};
use consul_gossip::swim;

const PATIENCE: Duration = Duration::from_secs(20);

/// Timing fast enough for tests, on a machine that is busy with other tests.
fn settings(name: &str) -> Settings {
    let addr: SocketAddr = ([127, 0, 0, 1], 0).into();
    let swim = swim::Config {
        gossip_interval: Duration::from_millis(20),
        probe_interval: Duration::from_millis(200),
        push_pull_interval: Duration::from_millis(500),
        suspicion_mult: 2,
        dead_reclaim: Duration::from_millis(1),
        ..swim::Config::local(name, addr)
    };
    let serf = serf::Config {
        tags: Tags::from([("role".to_owned(), "node".to_owned()), ("id".to_owned(), name.to_owned())]),
        leave_propagate_delay: Duration::from_millis(200),
        reconnect_interval: Duration::from_millis(300),
        ..serf::Config::default()
    };
    Settings {
        swim,
        serf,
        hooks: Hooks::default(),
        keyring: None,
        bind: addr,
        snapshot: None,
        rejoin_after_leave: false,
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "not in time: {what}");
}

async fn next_event(events: &mut Events, mut wanted: impl FnMut(&Event) -> bool) -> Event {
    let looking = async {
        loop {
            let event = events.next().await.expect("the pool runs");
            if wanted(&event) {
                return event;
            }
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("an event in time")
}

fn status(pool: &Pool, name: &str) -> Option<MemberStatus> {
    pool.member(name).map(|member| member.status)
}

async fn pool_of(settings: Vec<Settings>) -> Vec<(Pool, Events)> {
    let mut pools: Vec<(Pool, Events)> = Vec::new();
    for settings in settings {
        let (pool, events) = Pool::spawn(settings).await.unwrap();
        if let Some((first, _)) = pools.first() {
            let results = pool.join(&[first.addr()], false).await.unwrap();
            assert!(results.iter().all(|(_, result)| result.is_ok()), "{results:?}");
        }
        pools.push((pool, events));
    }
    let count = pools.len();
    for (pool, _) in &pools {
        until("all know all", || {
            pool.members().iter().filter(|member| member.status == MemberStatus::Alive).count() == count
        })
        .await;
    }
    pools
}

async fn three() -> [(Pool, Events); 3] {
    pool_of(["a", "b", "c"].map(settings).into()).await.try_into().unwrap()
}

#[tokio::test]
async fn members_know_each_other_by_their_tags_and_hear_of_changes() {
    let [(a, _), (b, mut b_events), (c, _)] = three().await;
    assert_eq!(c.member("a").unwrap().tag("id"), Some("a"));
    let joined = next_event(
        &mut b_events,
        |event| matches!(event, Event::Joined(who) if who.iter().any(|m| &*m.name == "c")),
    )
    .await;
    assert!(matches!(joined, Event::Joined(_)));

    a.set_tags(Tags::from([("role".to_owned(), "changed".to_owned())])).await.unwrap();
    next_event(&mut b_events, |event| matches!(event, Event::Updated(who) if &*who[0].name == "a")).await;
    assert_eq!(b.member("a").unwrap().tag("role"), Some("changed"));
}

#[tokio::test]
async fn an_event_reaches_every_member_once() {
    let mut pools = three().await;
    let first = pools[0].0.clone();
    first.user_event("deploy", b"v1", true).await.unwrap();
    first.user_event("deploy", b"v2", true).await.unwrap();
    for (_, events) in &mut pools {
        let mut heard = BTreeSet::new();
        for _ in 0..2 {
            let Event::User(event) = next_event(events, |event| matches!(event, Event::User(_))).await else {
                unreachable!()
            };
            assert_eq!((event.name.as_str(), event.coalesce), ("deploy", true));
            assert!(heard.insert(event.payload), "heard twice");
        }
    }
    let error = first.user_event("deploy", &[0; 600], false).await.unwrap_err();
    assert_eq!(error.to_string(), "user event exceeds configured limit of 512 bytes before encoding");
}

#[tokio::test]
async fn who_joins_without_looking_back_does_not_hear_old_events() {
    let (old, _events) = Pool::spawn(settings("old")).await.unwrap();
    old.user_event("before", b"", false).await.unwrap();
    let (new, mut events) = Pool::spawn(settings("new")).await.unwrap();
    new.join(&[old.addr()], true).await.unwrap();
    old.user_event("after", b"", false).await.unwrap();
    let Event::User(first) = next_event(&mut events, |event| matches!(event, Event::User(_))).await else {
        unreachable!()
    };
    assert_eq!(first.name, "after");
}

#[tokio::test]
async fn a_query_is_answered_by_its_audience_only() {
    let mut pools = three().await;
    let mut options = QueryOptions { want_acks: true, relay_factor: 1, ..QueryOptions::default() };
    options.audience.nodes = vec!["b".to_owned(), "c".to_owned()];
    options.audience.tags.insert("id".to_owned(), "^[ac]$".to_owned());
    let mut query = pools[0].0.query("who", b"?", options).await.unwrap();
    let (pool, events) = &mut pools[2];
    let Event::Query(asked) = next_event(events, |event| matches!(event, Event::Query(_))).await else {
        unreachable!()
    };
    assert_eq!((asked.name.as_str(), &asked.payload[..], asked.source.as_str()), ("who", &b"?"[..], "a"));
    pool.respond(&asked, b"me").await.unwrap();
    let (mut acks, mut answers) = (Vec::new(), Vec::new());
    while let Some(reply) = tokio::time::timeout(PATIENCE, query.next()).await.unwrap() {
        match reply {
            QueryReply::Ack { from } => acks.push(from),
            QueryReply::Response { from, payload } => answers.push((from, payload)),
        }
    }
    assert_eq!(acks, ["c"]);
    assert_eq!(answers, [("c".to_owned(), "me".into())]);
}

#[tokio::test]
async fn a_member_that_leaves_has_left_and_one_that_dies_has_failed_until_sent_away() {
    let [(a, mut a_events), (b, _), (c, _)] = three().await;
    b.leave().await.unwrap();
    b.shutdown().await;
    next_event(&mut a_events, |event| matches!(event, Event::Left(who) if &*who[0].name == "b")).await;
    assert_eq!(status(&a, "b"), Some(MemberStatus::Left));

    c.shutdown().await;
    next_event(&mut a_events, |event| matches!(event, Event::Failed(who) if &*who[0].name == "c")).await;
    assert_eq!(status(&a, "c"), Some(MemberStatus::Failed));
    assert_eq!(a.force_leave("c", false).await.unwrap(), OperationResult::Spread);
    assert_eq!(status(&a, "c"), Some(MemberStatus::Left));
    a.force_leave("c", true).await.unwrap();
    assert_eq!(status(&a, "c"), None);
    let stats = a.stats().await.unwrap();
    assert_eq!((stats.members, stats.failed, stats.left), (2, 0, 1));
}

#[tokio::test]
async fn a_failed_member_is_found_again() {
    let mut fixed = settings("b");
    let [(a, _), (b, _)] = <[_; 2]>::try_from(pool_of(vec![settings("a"), settings("b")]).await).unwrap();
    fixed.bind = b.addr();
    fixed.swim.addr = b.addr();
    b.shutdown().await;
    until("b failed", || status(&a, "b") == Some(MemberStatus::Failed)).await;
    let (b, _events) = Pool::spawn(fixed).await.unwrap();
    until("a sees b", || status(&a, "b") == Some(MemberStatus::Alive)).await;
    until("b sees a", || status(&b, "a") == Some(MemberStatus::Alive)).await;
}

#[tokio::test]
async fn a_restarted_member_finds_its_pool_and_does_not_hear_old_events_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("serf/local.snapshot");
    let with_memory = || Settings { snapshot: Some(path.clone()), ..settings("b") };
    let [(a, _), (b, mut b_events)] =
        <[_; 2]>::try_from(pool_of(vec![settings("a"), with_memory()]).await).unwrap();
    a.user_event("old", b"", false).await.unwrap();
    next_event(&mut b_events, |event| matches!(event, Event::User(_))).await;
    b.shutdown().await;

    let (b, mut b_events) = Pool::spawn(with_memory()).await.unwrap();
    until("b is back", || status(&b, "a") == Some(MemberStatus::Alive)).await;
    a.user_event("new", b"", false).await.unwrap();
    let Event::User(first) = next_event(&mut b_events, |event| matches!(event, Event::User(_))).await else {
        unreachable!()
    };
    assert_eq!(first.name, "new");

    until("a sees b", || status(&a, "b") == Some(MemberStatus::Alive)).await;
    b.leave().await.unwrap();
    b.shutdown().await;
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.ends_with("leave\n"), "{written}");
    let (b, _events) = Pool::spawn(with_memory()).await.unwrap();
    assert_eq!(b.members().len(), 1, "it left on purpose and stays away");
}

#[tokio::test]
async fn keys_are_changed_in_the_whole_pool_and_saved() {
    let keys = [1, 2].map(|byte| Key::new(&[byte; 16]).unwrap());
    let saved: Arc<std::sync::Mutex<Option<Keyring>>> = Arc::default();
    let with_key = |name: &str| Settings { keyring: Some(Keyring::new(keys[0].clone())), ..settings(name) };
    let mut saving = with_key("b");
    saving.hooks.save_keyring = Some(Arc::new({
        let saved = Arc::clone(&saved);
        move |keyring: &Keyring| {
            *saved.lock().unwrap() = Some(keyring.clone());
            Ok(())
        }
    }));
    let pools = pool_of(vec![with_key("a"), saving, with_key("c")]).await;
    let (a, _) = &pools[0];
    let listed = a.keys().list().await.unwrap();
    assert_eq!((listed.num_nodes, listed.keys[&format_key(&keys[0])]), (3, 3));
    let Err(KeyFailure::Incomplete { reason, report }) = a.keys().use_key(&keys[1]).await else { panic!() };
    assert_eq!(reason.to_string(), "3/3 nodes reported failure");
    assert_eq!(report.messages["b"], "Requested key is not in the keyring");
    a.keys().install(&keys[1]).await.unwrap();
    a.keys().use_key(&keys[1]).await.unwrap();
    a.keys().remove(&keys[0]).await.unwrap();
    let listed = a.keys().list().await.unwrap();
    assert_eq!(listed.primary_keys, [(format_key(&keys[1]), 3)].into());
    assert_eq!(saved.lock().unwrap().as_ref(), Some(&Keyring::new(keys[1].clone())));
}

#[tokio::test]
async fn an_unwanted_member_does_not_get_in_and_is_told_why() {
    let mut picky = settings("picky");
    picky.hooks.admission = Some(Arc::new(|member: &Member| match member.tag("id") {
        Some("bad") => Err("Member 'bad' is not wanted".to_owned()),
        _ => Ok(()),
    }));
    let (pool, _events) = Pool::spawn(picky).await.unwrap();
    let (bad, _bad_events) = Pool::spawn(settings("bad")).await.unwrap();
    let (good, _good_events) = Pool::spawn(settings("good")).await.unwrap();
    let refused = pool.join(&[bad.addr()], false).await.unwrap();
    assert_eq!(refused[0].1.as_ref().unwrap_err().to_string(), "Member 'bad' is not wanted");
    good.join(&[pool.addr()], false).await.unwrap();
    until("good is in", || status(&pool, "good") == Some(MemberStatus::Alive)).await;
    assert_eq!(status(&pool, "bad"), None);
}

#[tokio::test]
async fn coordinates_are_learned_from_probes() {
    let [(a, _), (b, _), _c] = three().await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let (own, other) = loop {
        let (own, other) = (a.coordinate().await.unwrap(), a.coordinate_of("b").await.unwrap());
        // A round trip on a busy machine can be anything; the estimate gets better with more of them.
        if let Some(other) = other
            && own.error < 1.5
        {
            break (own, other);
        }
        assert!(tokio::time::Instant::now() < deadline, "nothing is learned: {own:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(own.is_valid());
    assert!(own.distance_to(&other) < 10.0);
    assert!(b.coordinates().await.unwrap().iter().any(|(name, _)| name == "b"));
}

#[tokio::test]
async fn events_end_when_the_pool_does() {
    let dir: PathBuf = tempfile::tempdir().unwrap().path().join("gone");
    let (pool, mut events) = Pool::spawn(Settings { snapshot: Some(dir), ..settings("a") }).await.unwrap();
    pool.shutdown().await;
    next_event(&mut events, |event| matches!(event, Event::Joined(_))).await;
    assert!(tokio::time::timeout(PATIENCE, events.next()).await.unwrap().is_none());
    assert!(pool.stats().await.is_err());
    assert!(pool.leave().await.is_err());
}
