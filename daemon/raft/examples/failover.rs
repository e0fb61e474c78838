//! Measures how long three servers of one process need for a new leader, and how fast they replicate to disk.
//!
//! `cargo run --release -p consul-raft --example failover [multiplier] [rounds]`

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use consul_raft::memory::Hub;
use consul_raft::{
    Bootstrap, Config, Peer, RaftHandle, RestoreMode, ServerId, SnapshotError, SnapshotSource, StateMachine,
    Storage, Timing,
};

#[derive(Default)]
struct Counter(AtomicU64);

struct Count(u64);

impl SnapshotSource for Count {
    fn index(&self) -> u64 {
        self.0
    }

    fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        out.write_all(&self.0.to_le_bytes())
    }
}

impl StateMachine for Counter {
    type Outcome = u64;
    type Restored = u64;

    fn apply(&self, commands: &[Bytes]) -> Vec<u64> {
        commands.iter().map(|_| self.0.fetch_add(1, Ordering::Relaxed)).collect()
    }

    fn snapshot(&self) -> Arc<dyn SnapshotSource> {
        Arc::new(Count(self.0.load(Ordering::Relaxed)))
    }

    fn parse(&self, input: &mut dyn Read) -> Result<u64, SnapshotError> {
        let mut count = [0; 8];
        input.read_exact(&mut count)?;
        Ok(u64::from_le_bytes(count))
    }

    fn install(&self, count: u64, _: RestoreMode) {
        self.0.store(count, Ordering::Relaxed);
    }
}

type Raft = RaftHandle<Counter>;

/// Waits for a server other than `not` that may answer reads.
async fn leader(servers: &[(Peer, Raft)], not: Option<usize>) -> usize {
    loop {
        let leads = |at: &usize| Some(*at) != not && servers[*at].1.check_lease().is_ok();
        if let Some(at) = (0..servers.len()).find(leads) {
            return at;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn measure_writes(raft: &Raft, clients: usize) {
    let (started, time) = (Instant::now(), Duration::from_secs(3));
    let client = |number: usize| {
        let raft = raft.clone();
        tokio::spawn(async move {
            let command = Bytes::from(format!("{number:0128}"));
            let mut done = 0u64;
            while started.elapsed() < time && raft.propose(command.clone()).await.is_ok() {
                done += 1;
            }
            done
        })
    };
    let mut done = 0;
    for client in (0..clients).map(client).collect::<Vec<_>>() {
        done += client.await.unwrap_or(0);
    }
    println!("{clients:>4} clients: {:>7.0} proposals/s", done as f64 / started.elapsed().as_secs_f64());
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let multiplier: u32 = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(10), |text| text.parse())?;
    let (hub, disk) = (Hub::default(), tempfile::tempdir()?);
    let peers: Vec<Peer> = (1..=3u128)
        .map(|number| Peer { id: ServerId::from_u128(number), address: format!("server-{number}") })
        .collect();
    let mut servers = Vec::new();
    for peer in &peers {
        let mut config = Config::single(peer.clone(), Storage::Disk(disk.path().join(&peer.address)));
        config.bootstrap = Bootstrap::Servers(peers.clone());
        config.timing = Timing::for_multiplier(multiplier);
        let raft = Raft::open(config, Arc::new(Counter::default()), hub.transport(&peer.address)).await?;
        hub.join(&peer.address, &raft);
        servers.push((peer.clone(), raft));
    }
    let mut leads = leader(&servers, None).await;
    for clients in [1, 32, 256] {
        measure_writes(&servers[leads].1, clients).await;
    }
    let mut times = Vec::new();
    for _ in 0..rounds {
        tokio::time::sleep(Timing::for_multiplier(multiplier).election_max * 2).await;
        let (cut, started) = (leads, Instant::now());
        hub.cut(&servers[cut].0.address);
        leads = leader(&servers, Some(cut)).await;
        servers[leads].1.propose(Bytes::from_static(b"first")).await?;
        times.push(started.elapsed());
        hub.heal(&servers[cut].0.address);
    }
    times.sort_unstable();
    println!("first write after the leader vanished, {rounds} times at multiplier {multiplier}: {times:.2?}");
    println!("term after all: {}", servers[leads].1.metrics().term);
    Ok(())
}
