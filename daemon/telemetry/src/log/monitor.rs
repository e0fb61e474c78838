//! Streams of log lines for people who watch a running agent.
//!
//! A watcher that does not keep up loses the oldest lines and learns how many: it can slow nobody down.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::layer::Shared;
use super::level::Level;

/// How many lines wait for a watcher.
pub const MONITOR_LINES_MAX: usize = 512;

/// How a stream spells records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text lines.
    Text,
    /// JSON objects.
    Json,
}

/// What a watcher gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MonitorEvent {
    /// A log line without its line break.
    Line(Arc<str>),
    /// This many lines were dropped here.
    Dropped(u64),
}

/// A stream of log lines. Dropping it ends it.
pub struct Monitor {
    queue: Arc<Queue>,
    shared: Arc<Shared>,
}

impl Monitor {
    pub(super) fn new(queue: Arc<Queue>, shared: Arc<Shared>) -> Self {
        Self { queue, shared }
    }

    /// Waits for the next line. `None` once the log has been closed and everything has been read.
    pub async fn next(&mut self) -> Option<MonitorEvent> {
        loop {
            // Taken before looking, so that a line that comes in between wakes us.
            let notified = self.queue.notify.notified();
            if let Some(event) = self.queue.pop() {
                return Some(event);
            }
            if self.queue.closed.load(Ordering::Acquire) {
                return self.queue.pop();
            }
            notified.await;
        }
    }

    /// The next line if there is one already.
    pub fn try_next(&mut self) -> Option<MonitorEvent> {
        self.queue.pop()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.shared.end_monitor(&self.queue);
    }
}

pub(super) struct Queue {
    pub level: Level,
    pub format: Format,
    lines: Mutex<Lines>,
    notify: Notify,
    closed: AtomicBool,
}

#[derive(Default)]
struct Lines {
    waiting: VecDeque<Arc<str>>,
    dropped: u64,
}

impl Queue {
    pub fn new(level: Level, format: Format) -> Self {
        Self { level, format, lines: Mutex::default(), notify: Notify::new(), closed: AtomicBool::new(false) }
    }

    pub fn push(&self, line: Arc<str>) {
        let mut lines = self.lines.lock();
        if lines.waiting.len() == MONITOR_LINES_MAX {
            lines.waiting.pop_front();
            lines.dropped += 1;
        }
        lines.waiting.push_back(line);
        drop(lines);
        self.notify.notify_one();
    }

    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    fn pop(&self) -> Option<MonitorEvent> {
        let mut lines = self.lines.lock();
        if lines.dropped > 0 {
            return Some(MonitorEvent::Dropped(std::mem::take(&mut lines.dropped)));
        }
        lines.waiting.pop_front().map(MonitorEvent::Line)
    }
}
