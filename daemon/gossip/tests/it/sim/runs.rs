//! Pools of three to forty in trouble.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use consul_gossip::keyring::Key;
use consul_gossip::{Config, Keyring, NodeState, Time};
use rand::Rng;

use super::world::{Faults, World, millis};

/// Runs this seed alone instead of all.
const SEED: &str = "GOSSIP_SIM_SEED";
/// Runs this many seeds instead of the few that fit into a quick test.
const RUNS: &str = "GOSSIP_SIM_RUNS";

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs a scenario with many seeds and names the one that fails.
fn seeds(scenario: &str, count: u64, run: fn(u64)) {
    let seeds = match number(SEED) {
        Some(seed) => seed..seed + 1,
        None => 0..number(RUNS).unwrap_or(count),
    };
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed))) {
            eprintln!("{scenario} failed: replay with {SEED}={seed}");
            resume_unwind(panic);
        }
    }
}

fn plain(config: Config) -> Config {
    Config { compression: false, ..config }
}

fn pool(world: &mut World, size: usize) {
    for _ in 0..size {
        let index = world.add();
        if index > 0 {
            let to = world.rng.random_range(0..index);
            world.join(index, to);
        }
    }
}

/// What operators or the layer above do all the time: those who lost sight of one another are joined again.
fn rejoin(world: &mut World) {
    let running: Vec<usize> = world.running().collect();
    for index in &running {
        let to = running[world.rng.random_range(0..running.len())];
        world.join(*index, to);
    }
}

fn assert_converges(world: &mut World, limit: Duration) {
    world.faults = Faults::NONE;
    for index in 0..world.slots.len() {
        world.slots[index].side = 0;
        if world.slots[index].paused {
            world.resume(index);
        }
    }
    let end = world.now + limit;
    while world.now < end {
        rejoin(world);
        let until = (world.now + secs(10)).min(end);
        if world.run_until(until, World::is_converged) {
            return;
        }
    }
    let running: Vec<usize> = world.running().collect();
    for index in &running {
        let swim = world.slots[*index].member.as_ref().unwrap().swim();
        let seen: Vec<_> = swim
            .all_seen()
            .map(|seen| format!("{}={}@{}", seen.node.name, seen.state, seen.incarnation))
            .collect();
        eprintln!("n{index}: {}", seen.join(" "));
    }
    panic!("no agreement on {running:?}");
}

/// In an agreed pool without faults nobody changes their mind.
fn assert_stays_quiet(world: &mut World, time: Duration) {
    let count = |world: &World| -> usize {
        let members = world.slots.iter().filter_map(|slot| slot.member.as_ref());
        members.map(|member| member.delegate().told.len()).sum()
    };
    // Suspicions that are still running end or are refuted.
    world.run_for(secs(30));
    let before = count(world);
    world.run_for(time);
    assert_eq!(count(world), before, "somebody changed their mind");
    assert!(world.is_converged());
}

fn random_faults(world: &mut World) -> Faults {
    let delay_max = millis(world.rng.random_range(1..600));
    Faults {
        loss: world.rng.random_range(0.0..0.5),
        duplication: world.rng.random_range(0.0..0.3),
        delay_min: Duration::ZERO,
        delay_max,
    }
}

fn trouble(world: &mut World) {
    let index = world.rng.random_range(0..world.slots.len());
    match world.rng.random_range(0..8) {
        0 if world.slots[index].member.is_some() && world.running().count() > 2 => world.kill(index),
        1 | 2 if world.slots[index].member.is_none() => {
            world.start(index);
            rejoin(world);
        }
        3 if world.slots[index].member.is_some() => world.pause(index),
        4 if world.slots[index].paused => world.resume(index),
        5 => {
            let sides = world.rng.random_range(1..4);
            for at in 0..world.slots.len() {
                world.slots[at].side = world.rng.random_range(0..sides);
            }
        }
        6 => {
            let now = world.now;
            let meta = vec![b'm'; world.rng.random_range(0..500)];
            world.with(index, |member| {
                member.with(now, |swim, _| swim.set_meta(meta.into())).expect("short enough");
            });
        }
        7 => world.faults = random_faults(world),
        _ => {}
    }
}

fn troubled_pool(seed: u64) {
    let keyring = seed.is_multiple_of(3).then(|| Keyring::new(Key::new(&[seed as u8; 16]).unwrap()));
    let mut world = World::new(seed, if seed.is_multiple_of(5) { |config| config } else { plain }, keyring);
    let size = 3 + (seed as usize * 7) % if seed % 10 == 9 { 38 } else { 12 };
    pool(&mut world, size);
    world.run_for(secs(5));
    for _ in 0..world.rng.random_range(5..30) {
        trouble(&mut world);
        let time = millis(world.rng.random_range(0..8000));
        world.run_for(time);
    }
    assert_converges(&mut world, secs(600));
    assert_stays_quiet(&mut world, secs(60));
}

#[test]
fn troubled_pools_agree_once_the_trouble_is_over() {
    seeds("troubled pool", 40, troubled_pool);
}

fn lossy_pool(seed: u64) {
    let mut world = World::new(seed, plain, None);
    pool(&mut world, 12);
    assert!(world.run_until(Time::new(secs(60)), World::is_converged));
    let before = world.rules.failures;
    world.faults = Faults { loss: 0.3, duplication: 0.05, delay_min: Duration::ZERO, delay_max: millis(100) };
    world.run_for(secs(180));
    assert_eq!(world.rules.failures, before, "a healthy member was given up");
}

#[test]
fn nobody_is_given_up_while_a_third_of_the_packets_is_lost() {
    seeds("lossy pool", 6, lossy_pool);
}

fn paused_member(seed: u64) {
    let mut world = World::new(seed, plain, None);
    pool(&mut world, 8);
    assert!(world.run_until(Time::new(secs(60)), World::is_converged));
    world.pause(3);
    world.run_for(secs(40));
    let told = |world: &World| world.slots[3].member.as_ref().unwrap().delegate().told.len();
    let before = told(&world);
    world.resume(3);
    world.run_for(secs(20));
    assert_eq!(told(&world), before, "who was paused itself gave others up");
}

#[test]
fn a_member_that_stood_still_blames_nobody() {
    seeds("paused member", 20, paused_member);
}

fn death_is_noticed(seed: u64) {
    let mut world = World::new(seed, plain, None);
    pool(&mut world, 3 + seed as usize % 20);
    assert!(world.run_until(Time::new(secs(60)), World::is_converged));
    world.kill(1);
    // A round of probes, the longest suspicion, and time to spread.
    let limit = world.now + secs(60);
    assert!(world.run_until(limit, World::is_converged), "the dead lives on");
    // It is forgotten, and old news does not bring it back.
    assert_stays_quiet(&mut world, secs(120));
    // But it may come back itself.
    world.start(1);
    world.join(1, 0);
    assert!(world.run_until(world.now + secs(30), World::is_converged), "the restarted is not let in");
}

#[test]
fn the_dead_are_noticed_and_may_come_back() {
    seeds("death", 20, death_is_noticed);
}

fn leaving(seed: u64) {
    let mut world = World::new(seed, plain, None);
    pool(&mut world, 3 + seed as usize % 10);
    assert!(world.run_until(Time::new(secs(60)), World::is_converged));
    let now = world.now;
    world.with(2, |member| member.with(now, |swim, _| swim.leave(now)));
    world.run_for(secs(5));
    let state = |world: &World, at: usize| {
        world.slots[at].member.as_ref().unwrap().swim().seen("n2").map(|seen| seen.state)
    };
    for at in [0, 1] {
        assert_eq!(state(&world, at), Some(NodeState::Left));
    }
    assert!(world.slots[2].member.as_ref().unwrap().swim().has_left());
    world.kill(2);
    world.run_for(secs(90));
    for at in [0, 1] {
        assert_eq!(state(&world, at), None, "who left is forgotten");
    }
    assert_eq!(world.rules.failures, 0, "leaving is no failure");
    world.start(2);
    world.join(2, 0);
    assert!(world.run_until(world.now + secs(30), World::is_converged), "who left is not let in again");
}

#[test]
fn who_leaves_is_let_go_and_let_in_again() {
    seeds("leaving", 10, leaving);
}
