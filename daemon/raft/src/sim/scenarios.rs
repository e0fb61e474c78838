//! What happens to the world.

use std::time::Duration;

use rand::Rng;
use tokio::time::sleep;

use super::network::Weather;
use super::world::{Raft, World, peer};
use crate::config::Bootstrap;
use crate::error::MembershipError;
use crate::jitter;

/// Seeds of an ordinary run; `SIM_SEEDS` asks for more.
const SEEDS: u64 = 8;

/// Runs a scenario for each seed, each in a runtime of its own on simulated time.
fn for_each_seed(scenario: impl AsyncFn(u64) -> usize) {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds: Vec<u64> = match number("SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("SIM_SEEDS").unwrap_or(SEEDS)).collect(),
    };
    let mut acknowledged = 0;
    for seed in seeds {
        jitter::seeded::seed(seed);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.unwrap();
        acknowledged += runtime.block_on(scenario(seed));
    }
    assert!(acknowledged > 0, "nothing was ever acknowledged");
}

async fn chaos(seed: u64, servers: usize) -> usize {
    let mut world = World::start(seed, servers).await;
    world.wait_for_leader().await;
    for _ in 0..20 {
        let pause = Duration::from_millis(world.random.random_range(50..1500));
        sleep(pause).await;
        world.disturb().await;
        world.check();
    }
    world.settle().await;
    world.acknowledged()
}

#[test]
fn three_servers_agree_and_lose_nothing_whatever_happens() {
    for_each_seed(async |seed| chaos(seed, 3).await);
}

#[test]
fn five_servers_agree_and_lose_nothing_whatever_happens() {
    for_each_seed(async |seed| chaos(seed.wrapping_add(1 << 32), 5).await);
}

/// Repeats a change on whoever leads until it is done.
async fn on_leader(world: &World, what: &str, change: impl AsyncFn(Raft) -> Result<(), MembershipError>) {
    let mut last = None;
    for _ in 0..100 {
        let (_, leader) = world.wait_for_leader().await;
        match change(leader).await {
            Ok(()) => return,
            Err(error) => last = Some(error),
        }
        sleep(Duration::from_millis(200)).await;
    }
    panic!("{what}: {last:?}");
}

async fn replacement(seed: u64) -> usize {
    const LIMIT: Duration = Duration::from_secs(20);
    let mut world = World::start(seed, 3).await;
    let delay_max = Duration::from_millis(20);
    world.net.set_weather(Weather { loss: 0.03, duplication: 0.03, delay_max });
    for old in 0..3 {
        let new = old + 3;
        world.boot(new, Bootstrap::Join).await;
        on_leader(&world, "add", async |leader| leader.add_voter(&peer(new), LIMIT).await).await;
        on_leader(&world, "remove", async |leader| match leader.remove(peer(old).id).await {
            // An attempt whose answer was lost had removed it.
            Err(MembershipError::Unknown(_)) => Ok(()),
            other => other,
        })
        .await;
        world.forget(old);
        world.check();
    }
    assert_eq!(world.numbers(), [3, 4, 5]);
    world.converge().await;
    world.acknowledged()
}

#[test]
fn all_servers_can_be_replaced_one_by_one_while_writes_go_on() {
    for_each_seed(async |seed| replacement(seed).await);
}
