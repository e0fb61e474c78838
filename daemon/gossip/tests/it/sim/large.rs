//! A pool far larger than most, beside what theory says of it.

use std::time::{Duration, Instant};

use consul_gossip::{Config, NodeState, Time};

use super::world::{Faults, World};

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn config(config: Config) -> Config {
    Config { compression: false, ..config }
}

/// Members that still take one for alive.
fn believers(world: &World, name: &str) -> usize {
    let members = world.slots.iter().filter_map(|slot| slot.member.as_ref());
    let alive = |state: NodeState| state.is_member();
    members.filter(|member| member.swim().seen(name).is_some_and(|seen| alive(seen.state))).count()
}

/// Run by hand: `cargo test --release -p consul-gossip --test it large -- --ignored --nocapture`, with
/// `GOSSIP_SIM_MEMBERS` (10,000) and `GOSSIP_SIM_LOSS` (percent, 1).
#[test]
#[ignore = "takes minutes and gigabytes"]
fn a_large_pool_notices_deaths_in_logarithmic_time() {
    let members = number("GOSSIP_SIM_MEMBERS", 10_000);
    let loss = number("GOSSIP_SIM_LOSS", 1);
    let started = Instant::now();
    let mut world = World::new(1, config, None);
    world.checked = false;
    for _ in 0..members {
        world.add();
    }
    world.assume_converged();
    world.faults = Faults { loss: loss as f64 / 100.0, ..Faults::NONE };
    println!("{members} members, {loss} % loss; set up in {:.1?}", started.elapsed());

    world.run_for(Duration::from_secs(10));
    let killed = world.now;
    let dead: Vec<usize> = (0..5).map(|at| at * members / 5 + 1).collect();
    for index in &dead {
        world.kill(*index);
    }
    let limit = Time::new(killed.since_origin() + Duration::from_secs(300));
    let done = world.run_until(limit, |world| {
        world.now.since_origin().subsec_millis() % 1000 < 100
            && dead.iter().all(|index| believers(world, &World::name(*index)) == 0)
    });
    let took = world.now - killed;

    let mut false_suspects = 0;
    let mut false_deaths = 0;
    let mut first = None::<Time>;
    let mut last = Time::default();
    for member in world.slots.iter().filter_map(|slot| slot.member.as_ref()) {
        for (at, what, name) in &member.delegate().told {
            if *what == crate::recorder::What::Failed {
                if dead.iter().any(|index| World::name(*index) == *name) {
                    first = Some(first.map_or(*at, |first| first.min(*at)));
                    last = last.max(*at);
                } else {
                    false_deaths += 1;
                }
            }
        }
        false_suspects += member.swim().counters().refutations;
    }
    let spread = first.map(|first| last - first).unwrap_or_default();
    let rounds = took.as_secs_f64() / 0.2;
    let log = (members as f64).log10();
    let shortest = 4.0 * log.max(1.0);
    let seconds = world.now.since_origin().as_secs_f64();
    println!(
        "all of {} deaths known to all: {done}, after {took:.1?} ({rounds:.0} gossip rounds)",
        dead.len()
    );
    println!(
        "theory: suspicion {shortest:.0} s (all confirmations) to {:.0} s (none), spreading about {:.0} rounds",
        shortest * 6.0,
        (members as f64).ln() / 4f64.ln() + (members as f64).ln() / 3.0,
    );
    println!("first to last notice of any death: {spread:.1?}");
    println!("refuted suspicions: {false_suspects}, false deaths told: {false_deaths}");
    println!(
        "{} packets, {:.2} per member and second; real time {:.1?}",
        world.packets,
        world.packets as f64 / members as f64 / seconds,
        started.elapsed(),
    );
    assert!(done, "some death is not known to all");
    assert_eq!(false_deaths, 0);
}
