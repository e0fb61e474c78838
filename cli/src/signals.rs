//! SIGINT and SIGTERM: how users and service managers ask a long command to end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Catches both signals from its creation on.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Resolves when one of them arrives. Nothing is lost if the future is dropped.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
