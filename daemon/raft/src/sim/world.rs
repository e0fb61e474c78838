//! Servers, writers and readers, and a hand that breaks things.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::{Instant, sleep};

use super::disk::{Fault, SimDisk};
use super::network::{Net, Weather};
use super::truth::{Journal, Shared};
use crate::config::{Bootstrap, Config, Limits, SnapshotPolicy, Storage, Timing};
use crate::error::{Fate, ProposeError};
use crate::handle::RaftHandle;
use crate::types::{Peer, ServerId};

pub(crate) type Raft = RaftHandle<Journal>;

/// A server that runs.
#[derive(Clone)]
pub(crate) struct Live {
    pub peer: Peer,
    pub raft: Raft,
    journal: Arc<Journal>,
}

impl Live {
    fn describe(&self) -> String {
        let metrics = self.raft.metrics();
        format!(
            "{}: {} of term {}, log {}, committed {}, applied {}, failure {:?}",
            self.peer.address,
            metrics.role,
            metrics.term,
            metrics.last_log_index,
            metrics.commit_index,
            metrics.applied_index,
            self.raft.failure(),
        )
    }
}

/// What writers and readers see of the world.
struct Scene {
    truth: Shared,
    live: Mutex<BTreeMap<usize, Live>>,
    /// The longest state that each server showed to a stale read, over its restarts.
    shown: Mutex<BTreeMap<usize, usize>>,
    over: AtomicBool,
}

pub(crate) struct World {
    pub random: StdRng,
    pub net: Net,
    disks: BTreeMap<usize, SimDisk>,
    scene: Arc<Scene>,
    seed: u64,
    voters: Vec<Peer>,
}

pub(crate) fn peer(number: usize) -> Peer {
    Peer { id: ServerId::from_u128(number as u128 + 1), address: format!("s{number}") }
}

impl World {
    /// Starts a cluster of `count` servers, three writers and a reader.
    pub async fn start(seed: u64, count: usize) -> Self {
        let scene = Scene {
            truth: Shared::default(),
            live: Mutex::default(),
            shown: Mutex::default(),
            over: AtomicBool::new(false),
        };
        let mut world = Self {
            random: StdRng::seed_from_u64(seed),
            net: Net::new(seed),
            disks: BTreeMap::new(),
            scene: Arc::new(scene),
            seed,
            voters: (0..count).map(peer).collect(),
        };
        for number in 0..count {
            world.boot(number, Bootstrap::Servers(world.voters.clone())).await;
        }
        for writer in 0..3 {
            tokio::spawn(write(world.scene.clone(), writer, StdRng::seed_from_u64(seed ^ (writer + 1))));
        }
        tokio::spawn(read(world.scene.clone()));
        world
    }

    /// Starts a server on its disk, with or without data.
    pub async fn boot(&mut self, number: usize, bootstrap: Bootstrap) {
        let seed = self.seed.wrapping_mul(31).wrapping_add(number as u64);
        let disk = self.disks.entry(number).or_insert_with(|| SimDisk::new(seed)).clone();
        let peer = peer(number);
        let config = Config {
            me: peer.clone(),
            storage: Storage::Simulated(disk),
            bootstrap,
            timing: Timing::for_multiplier(1),
            limits: Limits { cache_bytes: 4 << 10, ..Limits::default() },
            snapshots: SnapshotPolicy { entries: 60, trailing_entries: 20, ..SnapshotPolicy::default() },
        };
        let journal = Journal::new(self.scene.truth.clone());
        let raft = RaftHandle::open(config, journal.clone(), self.net.port(&peer.address)).await;
        let raft = raft.unwrap_or_else(|error| {
            let disk = self.disks[&number].describe();
            panic!("seed {}: server {number}: {error:?}: {disk}", self.seed)
        });
        self.net.join(&peer.address, &raft);
        self.scene.live.lock().insert(number, Live { peer, raft, journal });
    }

    /// The power of one server fails.
    pub fn crash(&mut self, number: usize) {
        let Some(live) = self.scene.live.lock().remove(&number) else { return };
        self.net.leave(&live.peer.address);
        self.disks[&number].crash();
        // What still runs of it reaches neither disk nor network; this only frees it.
        tokio::spawn(async move { live.raft.shutdown().await });
    }

    pub async fn restart(&mut self, number: usize) {
        if !self.scene.live.lock().contains_key(&number) {
            self.boot(number, Bootstrap::Join).await;
        }
    }

    /// Ends a server for good.
    pub fn forget(&mut self, number: usize) {
        self.crash(number);
        self.disks.remove(&number);
        self.scene.shown.lock().remove(&number);
    }

    pub fn set_fault(&self, number: usize, fault: Fault) {
        self.disks[&number].set_fault(fault);
    }

    pub fn numbers(&self) -> Vec<usize> {
        self.disks.keys().copied().collect()
    }

    pub fn live(&self, number: usize) -> Option<Live> {
        self.scene.live.lock().get(&number).cloned()
    }

    /// The server that may answer reads.
    pub fn leader(&self) -> Option<(usize, Raft)> {
        let live = self.scene.live.lock();
        let mut leading = live.iter().filter(|(_, live)| live.raft.check_lease().is_ok());
        leading.next().map(|(number, live)| (*number, live.raft.clone()))
    }

    pub async fn wait_for_leader(&self) -> (usize, Raft) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            self.check();
            if let Some(leader) = self.leader() {
                return leader;
            }
            assert!(Instant::now() < deadline, "seed {}: nobody leads", self.seed);
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Breaks something.
    pub async fn disturb(&mut self) {
        let numbers = self.numbers();
        let one = numbers[self.random.random_range(0..numbers.len())];
        match self.random.random_range(0..15) {
            0 | 1 => self.isolate(one),
            2 => self.cut_one_way(one),
            3 => self.split(&numbers),
            4 | 5 => self.net.heal(),
            6..=8 => {
                self.crash(one);
                let pause = Duration::from_millis(self.random.random_range(0..2000));
                sleep(pause).await;
                self.restart(one).await;
            }
            9 => {
                numbers.iter().for_each(|number| self.crash(*number));
                for number in numbers {
                    self.restart(number).await;
                }
            }
            10 => self.net.set_weather(Weather {
                loss: self.random.random_range(0.0..0.3),
                duplication: self.random.random_range(0.0..0.3),
                delay_max: Duration::from_millis(self.random.random_range(1..60)),
            }),
            11 => {
                let flush = Duration::from_millis(self.random.random_range(1..500));
                let faults = [Fault::Slow(flush), Fault::Full, Fault::Broken, Fault::None, Fault::None];
                let fault = faults[self.random.random_range(0..faults.len())];
                self.set_fault(one, fault);
            }
            12 => {
                self.net.pause(&peer(one).address, Duration::from_millis(self.random.random_range(1..3000)))
            }
            13 => {
                if let Some((_, raft)) = self.leader() {
                    tokio::spawn(async move { raft.transfer(None).await });
                }
            }
            _ => {
                if let Some(live) = self.live(one) {
                    let _ = live.raft.trigger_snapshot().await;
                }
            }
        }
    }

    fn isolate(&self, one: usize) {
        for other in self.numbers() {
            self.net.cut(&peer(one).address, &peer(other).address);
            self.net.cut(&peer(other).address, &peer(one).address);
        }
    }

    fn cut_one_way(&mut self, one: usize) {
        let outward = self.random.random_bool(0.5);
        for other in self.numbers() {
            match outward {
                true => self.net.cut(&peer(one).address, &peer(other).address),
                false => self.net.cut(&peer(other).address, &peer(one).address),
            }
        }
    }

    fn split(&mut self, numbers: &[usize]) {
        let side: Vec<bool> = numbers.iter().map(|_| self.random.random_bool(0.5)).collect();
        for (a, left) in numbers.iter().zip(&side) {
            for (b, right) in numbers.iter().zip(&side) {
                if left != right {
                    self.net.cut(&peer(*a).address, &peer(*b).address);
                }
            }
        }
    }

    /// Fails with the seed if something that must hold does not.
    pub fn check(&self) {
        let mut truth = self.scene.truth.lock();
        truth.check_fates();
        if let Some(violation) = truth.violation() {
            panic!("seed {}: {violation}", self.seed);
        }
        drop(truth);
        self.check_logs();
    }

    /// Logs that agree on an entry's id agree on the entry and on all before it.
    fn check_logs(&self) {
        let logs: Vec<_> = self.disks.values().map(SimDisk::log).collect();
        for (at, one) in logs.iter().enumerate() {
            for other in &logs[at + 1..] {
                let mut agree = false;
                for (index, entry) in one.iter().rev() {
                    let Some(there) = other.get(index) else { continue };
                    agree |= there.log_id == entry.log_id;
                    let same = there.log_id == entry.log_id && there.payload == entry.payload;
                    assert!(!agree || same, "seed {}: logs differ at {index} below a match", self.seed);
                }
            }
        }
    }

    /// Ends all faults; every server must then reach the same state, and nothing acknowledged may be missing.
    pub async fn settle(&mut self) {
        self.net.heal();
        for number in self.numbers() {
            let stopped = self.live(number).is_none_or(|live| live.raft.failure().is_some());
            self.set_fault(number, Fault::None);
            if stopped {
                self.crash(number);
                self.restart(number).await;
            }
        }
        self.converge().await;
    }

    /// A last command must get through and reach everybody.
    pub async fn converge(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let known = self.scene.truth.lock().acknowledged_count();
        self.scene.over.store(false, Ordering::Release);
        loop {
            self.check();
            let history = self.scene.truth.lock().history().len();
            let progress = self.scene.truth.lock().acknowledged_count() > known;
            let lengths: Vec<_> = self.scene.live.lock().values().map(|live| live.journal.length()).collect();
            if progress {
                self.scene.over.store(true, Ordering::Release);
            }
            if progress && lengths.iter().all(|length| *length == history) {
                return;
            }
            if Instant::now() > deadline {
                let live = self.scene.live.lock();
                let states: Vec<_> = live.values().map(|live| live.describe()).collect();
                panic!("seed {}: of {history} commands the servers have {lengths:?}: {states:#?}", self.seed);
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    pub fn acknowledged(&self) -> usize {
        self.scene.truth.lock().acknowledged_count()
    }
}

/// Writes one command after the other, to whoever seems to lead, and notes what it was told of each.
async fn write(scene: Arc<Scene>, writer: u64, mut random: StdRng) {
    let mut target = 0;
    for number in 0.. {
        sleep(Duration::from_millis(random.random_range(1..40))).await;
        if scene.over.load(Ordering::Acquire) {
            sleep(Duration::from_millis(200)).await;
            continue;
        }
        let chosen = {
            let live = scene.live.lock();
            let chosen = live
                .get(&target)
                .or_else(|| live.values().nth(random.random_range(0..5) % live.len().max(1)));
            chosen.map(|live| live.raft.clone())
        };
        let Some(raft) = chosen else { continue };
        let command = format!("{writer}/{number}");
        let proposed =
            tokio::time::timeout(Duration::from_secs(3), raft.propose(command.clone().into())).await;
        let mut truth = scene.truth.lock();
        match proposed {
            Ok(Ok(position)) => truth.acknowledged(position, &command),
            Ok(Err(error)) => {
                target = match &error {
                    ProposeError::ForwardTo(leader) => number_of(leader),
                    _ => random.random_range(0..8),
                };
                if error.fate() == Fate::NotSent {
                    truth.not_sent(command);
                }
            }
            Err(_) => target = random.random_range(0..8),
        }
    }
}

fn number_of(peer: &Peer) -> usize {
    peer.address.trim_start_matches('s').parse().unwrap_or(0)
}

/// Reads everywhere, all the time: under the lease, and stale where the server says that its state may be shown.
async fn read(scene: Arc<Scene>) {
    loop {
        sleep(Duration::from_millis(5)).await;
        let live: Vec<(usize, Live)> =
            scene.live.lock().iter().map(|(number, live)| (*number, live.clone())).collect();
        let mut leaders = Vec::new();
        let mut truth = scene.truth.lock();
        for (number, Live { raft, journal, .. }) in live {
            if raft.check_lease().is_ok() {
                leaders.push(number);
                truth.read(journal.length());
            }
            if raft.has_caught_up() {
                let mut shown = scene.shown.lock();
                let before = shown.entry(number).or_default();
                let now = journal.length();
                if now < *before {
                    truth.violate(format!("server {number} showed {before} commands, and {now} later"));
                }
                *before = now;
            }
            if let Some(failure) = raft.failure().filter(|failure| failure.contains("anic")) {
                truth.violate(format!("server {number}: {failure}"));
            }
        }
        if leaders.len() > 1 {
            truth.violate(format!("servers {leaders:?} answer reads as leader at the same time"));
        }
    }
}
