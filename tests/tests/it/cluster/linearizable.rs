//! Clients on all servers while faults happen: what they saw must be explained by one copy of the data.
//!
//! `LINEARIZABILITY_SECONDS`, `LINEARIZABILITY_SEED` and `LINEARIZABILITY_FAULTS` in the environment make a search longer,
//! repeat one, and choose what happens.

use std::time::Duration;

use consul_tests::cluster::load::{Load, Mode};
use consul_tests::cluster::nemesis::{self, Fault, Schedule};
use consul_tests::cluster::{Network, Plan};
use consul_tests::linearizability::Operation;
use consul_tests::linearizability::register::{Input, Output, Register};
use consul_tests::linearizability::search::{STEPS_MAX, Verdict, check};
use consul_tests::{binary, eventually};

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn seconds() -> Duration {
    Duration::from_secs(from_environment("LINEARIZABILITY_SECONDS").unwrap_or(30))
}

/// Those that `LINEARIZABILITY_FAULTS` names, or all.
fn wanted(mut possible: Vec<Fault>) -> Vec<Fault> {
    if let Ok(names) = std::env::var("LINEARIZABILITY_FAULTS") {
        possible.retain(|fault| names.split(',').any(|name| name == format!("{fault:?}")));
        assert!(!possible.is_empty(), "LINEARIZABILITY_FAULTS={names}: none of these is possible here");
    }
    possible
}

fn search(servers: usize) {
    let seed = from_environment("LINEARIZABILITY_SEED").unwrap_or_else(rand::random);
    println!("{servers} servers, LINEARIZABILITY_SEED={seed}");
    Network::run(async move |network| {
        let mut cluster =
            Plan::servers(servers).clocks().config(|config| config["log_level"] = "INFO".into()).on(&network);
        cluster.converged().await;
        let faults = wanted(nemesis::possible(&cluster).await);
        let load = Load::start(&cluster, seed);
        nemesis::run(&mut cluster, Schedule::new(seed, &faults), seconds()).await;
        cluster.converged().await;
        let book = load.finish().await;
        println!("{}", book.summary());
        let summary = book.summary();
        assert!(summary.operations > 100 && summary.stale_reads > 10, "too little was tried: {summary}");
        assert!(summary.grants > 0 && summary.added_acknowledged > 0, "too little was tried: {summary}");
        let default_reads = book.register_complaints(&[Mode::Default]);
        if binary::is_reference() && !default_reads.is_empty() {
            // A new leader answers before it has applied all that was committed, and a paused one outlives its lease.
            println!("reads in default mode were not linearizable:\n{}", default_reads.join("\n"));
        }
        let modes: &[Mode] =
            if binary::is_reference() { &[Mode::Consistent] } else { &[Mode::Consistent, Mode::Default] };
        let complaints = book.complaints(modes);
        assert!(complaints.is_empty(), "{} (seed {seed})", complaints.join("\n"));
    });
}

#[test]
fn three_servers_are_linearizable_under_faults() {
    search(3);
}

#[test]
fn five_servers_are_linearizable_under_faults() {
    search(5);
}

/// The search must notice what it is made for: a server that was cut off answers `stale` reads with what it has, and a
/// history that takes these for `consistent` ones has no explanation.
#[test]
fn stale_reads_do_not_pass_for_consistent_ones() {
    Network::run(async |network| {
        let cluster = Plan::servers(3).on(&network);
        let leader = cluster.converged().await;
        let follower = (leader + 1) % 3;
        let mut history: Vec<Operation<Input, Output>> = Vec::new();
        let mut note = |input, output| {
            let at = 10 * history.len() as u64;
            history.push(Operation { client: 0, input, invoked: at, outcome: Some((at + 5, output)) });
            check(&Register::default(), &history, STEPS_MAX)
        };
        let read = async |mode: &str| {
            let reply = cluster.agent(follower).get(&format!("/v1/kv/key?raw&{mode}")).await.ok();
            Output::Value(reply.text().parse().ok())
        };
        cluster.agent(leader).put("/v1/kv/key", "1").await.ok();
        note(Input::Put(1), Output::Done);
        cluster.agent(follower).until("/v1/kv/key?raw&stale", |reply| reply.text() == "1").await;
        assert_eq!(note(Input::Read, read("stale").await), Verdict::Linearizable);
        cluster.isolate(&[follower]);
        cluster.agent(leader).put("/v1/kv/key", "2").await.ok();
        note(Input::Put(2), Output::Done);
        let fresh = eventually("the cut-off server has lost its leader", async || {
            let reply = cluster.agent(follower).get("/v1/kv/key?raw&consistent").await;
            if reply.status == 500 { Ok(reply.status) } else { Err(reply.text()) }
        });
        assert_eq!(fresh.await, 500);
        let old = read("stale").await;
        assert_eq!(old, Output::Value(Some(1)), "a server that hears nobody has what nobody told it");
        assert!(matches!(note(Input::Read, old), Verdict::Violation { stuck: 3, .. }));
    });
}
