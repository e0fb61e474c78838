//! What the store costs: memory for each entry, time for each read and write.
//!
//! Run with `cargo run --release -p consul-state --example figures`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use consul_api::types::catalog::NodeService;
use consul_api::types::request::RegisterRequest;
use consul_state::{Command, KvCommand, Lookup, Store, WatchSet};

/// Counts the bytes in use, as requested; an allocator's own overhead comes on top.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ENTRIES: usize = 100_000;
const VALUE_LEN: usize = 128;
const ROUNDS: usize = 1_000_000;

fn key(number: usize) -> String {
    format!("bench/app{:03}/key{number:06}", number % 500)
}

/// Numbers below `limit` in an order that caches do not like.
fn scattered(limit: usize) -> impl Iterator<Item = usize> {
    (0..ROUNDS).map(move |round| round.wrapping_mul(2_654_435_761) % limit)
}

/// Processor time of this thread where the system tells it, so that other load does not count; else the clock.
fn processor_nanoseconds(start: Instant) -> u64 {
    let on_linux = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let spent = on_linux.and_then(|text| text.split(' ').next()?.parse().ok());
    spent.unwrap_or_else(|| u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

fn timed(what: &str, count: usize, run: impl FnOnce()) {
    let start = Instant::now();
    let before = processor_nanoseconds(start);
    run();
    println!("{what}: {} ns", (processor_nanoseconds(start) - before) / count as u64);
}

fn set(number: usize, round: usize) -> Command {
    let mut value = vec![b'x'; VALUE_LEN];
    value[..8].copy_from_slice(&(round as u64).to_le_bytes());
    Command::Kv(KvCommand::set(key(number), value))
}

fn main() {
    let store = Store::new();
    let before = IN_USE.load(Ordering::Relaxed);
    for number in 0..ENTRIES {
        store.apply(&[set(number, 0)]);
    }
    let used = IN_USE.load(Ordering::Relaxed) - before;
    println!("bytes for each of {ENTRIES} entries with {VALUE_LEN}-byte values: {}", used / ENTRIES);

    let keys: Vec<String> = (0..ENTRIES).map(key).collect();
    timed("kv_get with its watch set, scattered keys", ROUNDS, || {
        for number in scattered(ENTRIES) {
            let version = store.version();
            black_box(version.kv_get(keys[number].as_bytes(), &mut WatchSet::new()));
        }
    });
    let commands: Vec<Command> =
        scattered(ENTRIES).take(200_000).enumerate().map(|(r, n)| set(n, r + 1)).collect();
    let (single, batched) = commands.split_at(100_000);
    timed("set, one command for each publication", single.len(), || {
        for command in single {
            black_box(store.apply(std::slice::from_ref(command)));
        }
    });
    timed("set, 64 commands for each publication", batched.len(), || {
        for batch in batched.chunks(64) {
            black_box(store.apply(batch));
        }
    });
    timed("encoding and decoding a set", single.len(), || {
        let mut bytes = Vec::new();
        for command in single {
            bytes.clear();
            command.encode(&mut bytes);
            black_box(Command::decode(&bytes).expect("what was just encoded"));
        }
    });
    let start = Instant::now();
    let mut out = Vec::new();
    Store::write_snapshot(&store.version(), &mut out).expect("writing to memory");
    println!("snapshot of {ENTRIES} entries: {} bytes written in {:?}", out.len(), start.elapsed());
    let start = Instant::now();
    drop(Store::read_snapshot(&mut &out[..]).map_err(|error| panic!("{error}")));
    println!("read back in {:?}", start.elapsed());
    catalog(&store);
}

fn catalog(store: &Store) {
    let before = IN_USE.load(Ordering::Relaxed);
    let start = Instant::now();
    for number in 0..10_000 {
        let service = |at: usize| NodeService {
            id: format!("s{at}"),
            service: format!("service{}", (number * 10 + at) % 1000),
            port: 80,
            ..NodeService::default()
        };
        for at in 0..10 {
            let request = RegisterRequest {
                node: format!("node{number}"),
                address: "10.0.0.1".to_owned(),
                service: Some(service(at)),
                ..RegisterRequest::default()
            };
            store.apply(&[Command::Register(Box::new(request))]);
        }
    }
    let used = IN_USE.load(Ordering::Relaxed) - before;
    println!("10,000 nodes with 100,000 instances: {} MB in {:?}", used >> 20, start.elapsed());
    timed("health read of 100 instances", 100_000, || {
        for number in 0..100_000 {
            let version = store.version();
            let name = format!("service{}", number % 1000);
            let (_, found) = version.check_service_nodes(&name, Lookup::Service, &mut WatchSet::new());
            black_box(found.iter().map(|instance| instance.service.port).sum::<i64>());
        }
    });
    let start = Instant::now();
    let watchers: Vec<_> = (0..10_000)
        .map(|_| {
            let mut set = WatchSet::new();
            store.version().check_service_nodes("service1", Lookup::Service, &mut set);
            store.watch(&set)
        })
        .collect();
    println!("registering 10,000 watchers: {:?}", start.elapsed());
    timed("set while 10,000 others wait elsewhere", 10_000, || {
        for number in 0..10_000 {
            black_box(store.apply(&[set(number, 7)]));
        }
    });
    let before = IN_USE.load(Ordering::Relaxed);
    drop(watchers);
    println!("bytes for each watcher: {}", (before - IN_USE.load(Ordering::Relaxed)) / 10_000);
}
