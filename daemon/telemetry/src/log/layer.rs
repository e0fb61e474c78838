//! From `tracing` events to sinks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::SystemTime;

use parking_lot::{Mutex, RwLock};
use time::UtcOffset;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::LogConfig;
use super::console::Console;
use super::file::LogFile;
use super::level::Level;
use super::monitor::{Format, Monitor, Queue};
use super::record::{Record, is_chatty, is_foreign};
use super::syslog::Syslog;

/// How many records are kept until the sinks are known. The first ones say why a start failed.
const EARLY_RECORDS_MAX: usize = 1024;

/// Feeds a [`Logs`](super::Logs) from `tracing` events.
pub struct LogLayer {
    shared: Arc<Shared>,
}

impl LogLayer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.shared.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.shared.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.shared.widest().filter())
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut record = Record::new(SystemTime::now(), Level::from(*metadata.level()), metadata.target());
        event.record(&mut record);
        self.shared.write(record);
    }
}

/// The state that the layer, the handle and the monitors share.
pub struct Shared {
    /// Level of the sinks.
    level: AtomicU8,
    /// The least severe level that anybody wants.
    widest: AtomicU8,
    offset: UtcOffset,
    stage: Mutex<Stage>,
    monitors: RwLock<Vec<Arc<Queue>>>,
    is_closing: AtomicBool,
}

enum Stage {
    Early { records: Vec<Record>, dropped: usize },
    Started(Box<Sinks>),
}

struct Sinks {
    json: bool,
    console: Console,
    file: Option<LogFile>,
    syslog: Option<Syslog>,
}

impl Shared {
    pub fn new() -> Self {
        Self {
            // Which of the first records are wanted is known only when the configuration is.
            level: AtomicU8::new(Level::Trace as u8),
            widest: AtomicU8::new(Level::Trace as u8),
            // Asked for once, while the process has one thread: later the C library's answer is not reliable.
            offset: UtcOffset::current_local_offset().unwrap_or(UtcOffset::UTC),
            stage: Mutex::new(Stage::Early { records: Vec::new(), dropped: 0 }),
            monitors: RwLock::default(),
            is_closing: AtomicBool::new(false),
        }
    }

    pub fn start(&self, config: &LogConfig, file: Option<LogFile>, syslog: Option<Syslog>) {
        let mut sinks = Sinks { json: config.json, console: config.console, file, syslog };
        let mut stage = self.stage.lock();
        self.level.store(config.level as u8, Ordering::Relaxed);
        if let Stage::Early { records, dropped } = &mut *stage {
            for record in records.drain(..).filter(|record| record.level <= config.level) {
                sinks.write(&record, self.offset);
            }
            if *dropped > 0 {
                let mut record = Record::new(SystemTime::now(), Level::Warn, "agent");
                record.message = format!("Dropped {dropped} log lines during startup");
                sinks.write(&record, self.offset);
            }
        }
        *stage = Stage::Started(Box::new(sinks));
        drop(stage);
        self.refresh();
    }

    pub fn level(&self) -> Level {
        Level::from_u8(self.level.load(Ordering::Relaxed))
    }

    pub fn set_level(&self, level: Level) {
        self.level.store(level as u8, Ordering::Relaxed);
        self.refresh();
    }

    pub fn monitor(self: &Arc<Self>, level: Level, format: Format) -> Monitor {
        let queue = Arc::new(Queue::new(level, format));
        self.monitors.write().push(Arc::clone(&queue));
        if self.is_closing.load(Ordering::SeqCst) {
            queue.close();
        }
        self.refresh();
        Monitor::new(queue, Arc::clone(self))
    }

    pub fn end_monitor(&self, queue: &Arc<Queue>) {
        self.monitors.write().retain(|other| !Arc::ptr_eq(other, queue));
        self.refresh();
    }

    pub fn close_monitors(&self) {
        self.is_closing.store(true, Ordering::SeqCst);
        self.monitors.read().iter().for_each(|queue| queue.close());
    }

    fn widest(&self) -> Level {
        Level::from_u8(self.widest.load(Ordering::Relaxed))
    }

    /// Works out which levels are wanted at all and lets `tracing` forget what it knew.
    fn refresh(&self) {
        let monitors = self.monitors.read();
        let widest = monitors.iter().map(|queue| queue.level).fold(self.level(), Ord::max);
        self.widest.store(widest as u8, Ordering::Relaxed);
        drop(monitors);
        tracing::callsite::rebuild_interest_cache();
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let level = Level::from(*metadata.level());
        !metadata.is_span()
            && level <= self.widest()
            && (!is_foreign(metadata.target()) || (level <= Level::Warn && !is_chatty(metadata.target())))
    }

    fn write(&self, record: Record) {
        self.feed_monitors(&record);
        let is_wanted = record.level <= self.level();
        match &mut *self.stage.lock() {
            Stage::Started(sinks) if is_wanted => sinks.write(&record, self.offset),
            Stage::Started(_) => {}
            Stage::Early { records, .. } if records.len() < EARLY_RECORDS_MAX => records.push(record),
            Stage::Early { dropped, .. } => *dropped += 1,
        }
    }

    fn feed_monitors(&self, record: &Record) {
        let monitors = self.monitors.read();
        let (mut text, mut json) = (None, None);
        for queue in monitors.iter().filter(|queue| record.level <= queue.level) {
            let line: &Arc<str> = match queue.format {
                Format::Text => text.get_or_insert_with(|| record.text(self.offset).into()),
                Format::Json => json.get_or_insert_with(|| record.json(self.offset).into()),
            };
            queue.push(Arc::clone(line));
        }
    }
}

impl Sinks {
    /// A sink that fails must not stop the others, and where its failure could be told is the log itself.
    fn write(&mut self, record: &Record, offset: UtcOffset) {
        let line = if self.json { record.json(offset) } else { record.text(offset) };
        self.console.write(&line, self.json);
        if let Some(file) = &mut self.file {
            let _ = file.write(&line, record.time);
        }
        if let Some(syslog) = &mut self.syslog {
            let statement = if self.json { line } else { record.statement() };
            let _ = syslog.send(record.level, record.time, offset, &statement);
        }
    }
}
