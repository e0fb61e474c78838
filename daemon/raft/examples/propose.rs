//! Measures proposals on one server: how many a second, and what each costs in processor time.
//!
//! `cargo run --release -p consul-raft --example propose [seconds] [directory]`; without a
//! directory, a temporary one.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use consul_raft::{
    Config, NoPeers, Peer, RaftHandle, RestoreMode, ServerId, SnapshotError, SnapshotSource, StateMachine,
    Storage,
};

/// Counts, so that what is measured is the log.
#[derive(Default)]
struct Counter(Arc<AtomicU64>);

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

fn processor_time() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `getrusage` fills the struct it is given, for which all zeroes is a valid value too.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

async fn measure(raft: &RaftHandle<Counter>, clients: usize, time: Duration) {
    let entries = raft.metrics().last_log_index;
    let (started, used) = (Instant::now(), processor_time());
    let client = |number: usize| {
        let raft = raft.clone();
        tokio::spawn(async move {
            let command = Bytes::from(format!("{number:0128}"));
            let mut done = 0u64;
            while started.elapsed() < time {
                if let Err(error) = raft.propose(command.clone()).await {
                    eprintln!("{error}");
                    break;
                }
                done += 1;
            }
            done
        })
    };
    let running: Vec<_> = (0..clients).map(client).collect();
    let mut done = 0;
    for client in running {
        done += client.await.unwrap_or(0);
    }
    let (elapsed, used) = (started.elapsed(), processor_time() - used);
    let entries = raft.metrics().last_log_index - entries;
    println!(
        "{clients:>4} clients: {:>8.0} proposals/s, {:>6.1} us processor time each, {:>6.1} to an entry",
        done as f64 / elapsed.as_secs_f64(),
        used.as_secs_f64() * 1e6 / done.max(1) as f64,
        done as f64 / entries.max(1) as f64,
    );
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().map_or(Ok(5), |seconds| seconds.parse())?;
    let temporary = tempfile::tempdir()?;
    let directory = arguments.next().map_or(temporary.path().to_owned(), PathBuf::from);
    let me = Peer { id: ServerId::from_u128(1), address: "127.0.0.1:8300".to_owned() };
    for storage in [Storage::Disk(directory), Storage::Memory] {
        println!("{storage:?}");
        let started = Instant::now();
        let config = Config::single(me.clone(), storage);
        let raft = RaftHandle::open(config, Arc::new(Counter::default()), Arc::new(NoPeers)).await?;
        println!("   leads after {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
        for clients in [1, 32, 256] {
            measure(&raft, clients, Duration::from_secs(seconds)).await;
        }
        raft.shutdown().await;
    }
    Ok(())
}
