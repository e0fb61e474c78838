//! A connection to one server, and the streams on it that wait for the next call.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::debug;

use super::pool::PoolConfig;
use super::target::Target;
use crate::counters::Counters;
use crate::io::Io;
use crate::mux::{self, Budget, Mux, Stream};

/// Looks whether a connection is idle, per time that it may be.
const LOOKS_PER_IDLE_MAX: u32 = 4;

pub(super) struct Connection {
    mux: Mux,
    idle: Mutex<Vec<Stream>>,
    idle_max: usize,
    next_seq: AtomicU64,
}

impl Connection {
    /// Takes the connection into use, in a task that ends with it.
    pub fn start(
        stream: Box<dyn Io>,
        target: Target,
        config: &PoolConfig,
        budget: Arc<Budget>,
        counters: Arc<Counters>,
    ) -> Arc<Self> {
        let mux_config = mux::Config {
            streams_max: 0,
            keepalive: config.keepalive,
            stall_max: config.stall_max,
            budget,
            counters,
        };
        let (mux, driver) = mux::client(stream, mux_config);
        let connection = Arc::new(Self {
            mux,
            idle: Mutex::default(),
            idle_max: config.idle_streams_max,
            next_seq: AtomicU64::new(1),
        });
        let idle = Arc::clone(&connection).idle_for(config.idle_max);
        tokio::spawn(async move {
            let reason = tokio::select! {
                reason = driver.run(drop) => reason,
                () = idle => mux::Closed::ByUs,
            };
            debug!(server = %target.name, address = %target.address, %reason, "connection for calls ended");
        });
        connection
    }

    /// Ready once nobody has called for `idle_max`.
    async fn idle_for(self: Arc<Self>, idle_max: Duration) {
        let (mut calls, mut since) = (0, Instant::now());
        loop {
            tokio::time::sleep(idle_max / LOOKS_PER_IDLE_MAX).await;
            let calls_now = self.next_seq.load(Ordering::Relaxed);
            let busy = self.mux.stream_count() > self.idle.lock().len();
            if busy || calls_now != calls {
                (calls, since) = (calls_now, Instant::now());
            } else if since.elapsed() >= idle_max {
                return;
            }
        }
    }

    pub fn is_open(&self) -> bool {
        self.mux.is_open()
    }

    pub fn close(&self) {
        self.mux.close();
    }

    pub fn next_seq(&self) -> u64 {
        self.next_seq.fetch_add(1, Ordering::Relaxed)
    }

    /// A stream for one call.
    pub async fn stream(&self) -> io::Result<Stream> {
        loop {
            let idle = self.idle.lock().pop();
            match idle {
                Some(stream) if stream.is_quiet() => return Ok(stream),
                Some(_) => {}
                None => return self.mux.open().await,
            }
        }
    }

    /// Takes back a stream whose call was answered in full.
    pub fn keep(&self, mut stream: Stream) {
        if stream.is_quiet() && self.is_open() {
            let mut idle = self.idle.lock();
            if idle.len() < self.idle_max {
                return idle.push(stream);
            }
        }
        stream.finish();
    }
}
