//! Signals that we take ourselves: to stop, to reload, or to pass on.

use std::io;

use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Every signal that a program may take and that has no meaning of its own for ours. Those by which the kernel tells
/// of a fault stay as they are, and so do those that stop a background job: caught, they would make it spin.
const CAUGHT: &[Signal] = &[
    Signal::SIGABRT,
    Signal::SIGALRM,
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGIO,
    Signal::SIGPIPE,
    Signal::SIGPROF,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGTSTP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGVTALRM,
    Signal::SIGWINCH,
    Signal::SIGXCPU,
    Signal::SIGXFSZ,
];

/// The signals this process gets, in the order they come.
pub struct Signals(mpsc::UnboundedReceiver<Signal>);

impl Signals {
    /// Catches them from now on. Must be called inside the runtime.
    pub fn catch() -> io::Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        for caught in CAUGHT {
            let mut stream = signal(SignalKind::from_raw(*caught as i32))?;
            let sender = sender.clone();
            tokio::spawn(
                async move { while stream.recv().await.is_some() && sender.send(*caught).is_ok() {} },
            );
        }
        Ok(Self(receiver))
    }

    /// The next signal. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Signal {
        match self.0.recv().await {
            Some(signal) => signal,
            // The tasks that send live as long as the runtime does.
            None => std::future::pending().await,
        }
    }
}
