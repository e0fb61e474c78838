//! Faults, by a schedule that a seed decides.
//!
//! Every kind of fault that is possible here comes up once per round, in a shuffled order, on the leader as often as on
//! others. Each ends before the next begins. The schedule is printed as it goes, with the seed that repeats it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::{IteratorRandom, SliceRandom};
use rand::{Rng, SeedableRng};

use super::Cluster;

/// What can happen to servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// kill -9, and a start with the data that is there.
    Kill,
    /// kill -9 of all servers at once: what was acknowledged is on disks, not in memory.
    KillAll,
    /// SIGSTOP, and SIGCONT: a process that wakes up and believes that no time has passed.
    Pause,
    /// A minority that hears nobody else and is heard by nobody else, but still answers clients.
    Isolate,
    /// A server that hears nobody but is heard.
    Deaf,
    /// Every server drops this part of what it is sent.
    Loss,
    /// The wall clock jumps, forwards or back.
    Clock,
}

const LOSS: f64 = 0.3;

/// One entry of a schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Act {
    pub fault: Fault,
    /// The leader of that moment is among the victims.
    pub leader: bool,
    pub lasts: Duration,
    pub rest: Duration,
    /// Decides whatever else is to be decided.
    seed: u64,
}

/// An endless list of acts.
pub struct Schedule {
    rng: StdRng,
    faults: Vec<Fault>,
    round: VecDeque<Fault>,
}

impl Schedule {
    pub fn new(seed: u64, faults: &[Fault]) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), faults: faults.to_vec(), round: VecDeque::new() }
    }
}

impl Iterator for Schedule {
    type Item = Act;

    fn next(&mut self) -> Option<Act> {
        if self.round.is_empty() {
            self.faults.shuffle(&mut self.rng);
            self.round.extend(&self.faults);
        }
        let mut ms = |range| Duration::from_millis(self.rng.random_range(range));
        // Longer and shorter than an election takes.
        let (lasts, rest) = (ms(300..5000), ms(500..4000));
        let (leader, seed) = (self.rng.random_bool(0.5), self.rng.random());
        self.round.pop_front().map(|fault| Act { fault, leader, lasts, rest, seed })
    }
}

/// Which faults are possible with this cluster on this machine; says which are not.
pub async fn possible(cluster: &Cluster) -> Vec<Fault> {
    let mut faults = vec![Fault::Kill, Fault::KillAll, Fault::Pause];
    if cluster.can_cut() {
        faults.extend([Fault::Isolate, Fault::Deaf, Fault::Loss]);
    } else {
        println!("nemesis: no partitions and no loss, the agents share one network");
    }
    let mut movable = true;
    for server in cluster.servers_of("dc1") {
        movable &= cluster.movable_clock(server).await.is_some();
    }
    if movable {
        faults.push(Fault::Clock);
    } else {
        println!("nemesis: no clock jumps, libfaketime is missing or does not move this program's clock");
    }
    faults
}

/// Lets faults happen to the servers of `dc1` for about `time`, and ends them all.
pub async fn run(cluster: &mut Cluster, schedule: Schedule, time: Duration) {
    let began = Instant::now();
    let servers = cluster.servers_of("dc1");
    for act in schedule {
        if began.elapsed() >= time {
            return;
        }
        let mut rng = StdRng::seed_from_u64(act.seed);
        let victims = victims(cluster, &servers, &act, &mut rng).await;
        let names: Vec<&str> = victims.iter().map(|&number| cluster.agent(number).name()).collect();
        println!(
            "nemesis {:6.2?}: {:?} {} for {:.1?}",
            began.elapsed(),
            act.fault,
            names.join(","),
            act.lasts
        );
        begin(cluster, &servers, &victims, act.fault, &mut rng);
        tokio::time::sleep(act.lasts).await;
        end(cluster, &victims, act.fault);
        tokio::time::sleep(act.rest).await;
    }
}

async fn victims(cluster: &Cluster, servers: &[usize], act: &Act, rng: &mut StdRng) -> Vec<usize> {
    if matches!(act.fault, Fault::KillAll | Fault::Loss) {
        return servers.to_vec();
    }
    let minority = (servers.len() - 1) / 2;
    let count = if act.fault == Fault::Deaf { 1 } else { rng.random_range(1..=minority.max(1)) };
    let mut victims = Vec::new();
    if act.leader {
        for &server in servers {
            victims.extend(cluster.leader_seen_by(server).await);
            if !victims.is_empty() {
                break;
            }
        }
    }
    let others = servers.iter().copied().filter(|server| !victims.contains(server));
    let missing = count.saturating_sub(victims.len());
    let others = others.choose_multiple(rng, missing);
    victims.extend(others);
    victims
}

fn begin(cluster: &mut Cluster, servers: &[usize], victims: &[usize], fault: Fault, rng: &mut StdRng) {
    match fault {
        Fault::Kill | Fault::KillAll => victims.iter().for_each(|&victim| cluster.kill(victim)),
        Fault::Pause => victims.iter().for_each(|&victim| cluster.pause(victim)),
        Fault::Isolate => cluster.isolate(victims),
        Fault::Deaf => victims.iter().for_each(|&victim| {
            let others: Vec<usize> = servers.iter().copied().filter(|&server| server != victim).collect();
            cluster.filter(victim, &others, 0.0);
        }),
        Fault::Loss => victims.iter().for_each(|&victim| cluster.filter(victim, &[], LOSS)),
        Fault::Clock => victims.iter().for_each(|&victim| {
            let offset = rng.random_range(-7200..7200);
            if let Some(clock) = cluster.clock(victim) {
                clock.set(offset);
            }
        }),
    }
}

fn end(cluster: &mut Cluster, victims: &[usize], fault: Fault) {
    match fault {
        Fault::Kill | Fault::KillAll => victims.iter().for_each(|&victim| cluster.relaunch(victim)),
        Fault::Pause => victims.iter().for_each(|&victim| cluster.resume(victim)),
        Fault::Isolate | Fault::Deaf | Fault::Loss => cluster.heal(),
        Fault::Clock => victims.iter().for_each(|&victim| {
            if let Some(clock) = cluster.clock(victim) {
                clock.set(0);
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_repeats_the_schedule_and_every_fault_comes_up() {
        let faults = [Fault::Kill, Fault::Pause, Fault::Isolate];
        let acts: Vec<Act> = Schedule::new(7, &faults).take(6).collect();
        assert_eq!(acts, Schedule::new(7, &faults).take(6).collect::<Vec<_>>());
        assert_ne!(acts, Schedule::new(8, &faults).take(6).collect::<Vec<_>>());
        for fault in faults {
            assert_eq!(acts.iter().filter(|act| act.fault == fault).count(), 2, "{acts:?}");
        }
    }
}
