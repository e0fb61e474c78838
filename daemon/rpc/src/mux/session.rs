//! What the task that drives a connection and the users of its streams share.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;

use futures::task::AtomicWaker;
use parking_lot::Mutex;

use super::Config;
use super::state::{GoAway, Side, State};
use super::stream::Stream;

/// The state, and how to wake the driver when there is something to send.
#[derive(Debug)]
pub(super) struct Session {
    state: Mutex<State>,
    pub driver: AtomicWaker,
}

impl Session {
    pub fn new(side: Side, config: Config) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::new(side, config)), driver: AtomicWaker::new() })
    }

    /// Runs `change`, and has the driver send what it left to be sent. Only what comes first into the empty buffer
    /// wakes: the driver takes the whole.
    pub fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let (result, wake) = {
            let mut state = self.state.lock();
            let had_output = !state.out.is_empty();
            let result = change(&mut state);
            (result, !had_output && !state.out.is_empty())
        };
        if wake {
            self.driver.wake();
        }
        result
    }
}

/// A connection's streams, for those who use them. The connection does nothing unless its [`Driver`] runs.
///
/// [`Driver`]: super::Driver
#[derive(Clone, Debug)]
pub struct Mux {
    pub(super) session: Arc<Session>,
}

impl Mux {
    /// Opens a stream. Waits while the peer has many to accept; the peer hears of it with the first write.
    pub async fn open(&self) -> io::Result<Stream> {
        poll_fn(|cx| {
            self.session.with(|state| {
                if state.going_away {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::NotConnected, "session shutdown")));
                }
                if !state.may_open() {
                    state.open_waiters.push_back(cx.waker().clone());
                    return Poll::Pending;
                }
                let used_up = || io::Error::other("all stream numbers are used up");
                let id = state.open().ok_or_else(used_up);
                Poll::Ready(id.map(|id| Stream::new(Arc::clone(&self.session), id)))
            })
        })
        .await
    }

    /// Whether streams can still be opened.
    pub fn is_open(&self) -> bool {
        self.session.with(|state| !state.going_away)
    }

    /// Streams in use on this side.
    pub fn stream_count(&self) -> usize {
        self.session.with(|state| state.streams.len())
    }

    /// Tells the peer that no more streams are wanted; those that are open go on.
    pub fn drain(&self) {
        self.session.with(|state| {
            if !state.draining {
                state.go_away(GoAway::Normal);
            }
        });
    }

    /// Ends the connection now.
    pub fn close(&self) {
        self.session.with(|state| state.die());
        self.session.driver.wake();
    }
}
