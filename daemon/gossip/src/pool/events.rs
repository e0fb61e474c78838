//! The way of events from the owner task to whoever takes them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::serf::{Event, EventQueue};

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    ready: Notify,
}

#[derive(Debug)]
struct State {
    queue: EventQueue,
    /// Nothing more will come.
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end that never waits: what does not fit is dropped by the rules of [`EventQueue`].
#[derive(Debug)]
pub(super) struct EventSender {
    shared: Arc<Shared>,
}

/// Events of a pool, in order. Who takes them slowly loses what users sent, but what became of members is always to
/// be seen in [`Pool::members`](super::Pool::members).
#[derive(Debug)]
pub struct Events {
    shared: Arc<Shared>,
}

pub(super) fn channel(len_max: usize) -> (EventSender, Events) {
    let state = Mutex::new(State { queue: EventQueue::new(len_max), closed: false });
    let shared = Arc::new(Shared { state, ready: Notify::new() });
    (EventSender { shared: Arc::clone(&shared) }, Events { shared })
}

impl EventSender {
    pub fn send(&self, event: Event) {
        self.shared.lock().queue.push(event);
        self.shared.ready.notify_one();
    }
}

impl Drop for EventSender {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.ready.notify_one();
    }
}

impl Events {
    /// The next event; `None` once the pool is shut down and all were taken. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            {
                let mut state = self.shared.lock();
                if let Some(event) = state.queue.pop() {
                    return Some(event);
                }
                if state.closed {
                    return None;
                }
            }
            // A notification that came since then is kept for us.
            self.shared.ready.notified().await;
        }
    }
}
