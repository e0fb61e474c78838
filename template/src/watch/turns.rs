//! Shares the connections that an agent grants among all watchers.
//!
//! A blocking query holds a connection for as long as it waits, and an agent takes no more than 200 from one address
//! unless it is told otherwise. With more dependencies than that, those that came last would never get an answer and
//! nothing would be rendered. So when watchers outnumber connections, they take turns with short waits; and first
//! questions have connections of their own, so that a template is rendered at once however many watchers wait.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// Connections unless configured otherwise: less than agents grant, because other programs here ask too.
pub const CONNECTIONS: usize = 150;
/// One connection in so many is for first questions.
const FIRST_SHARE: usize = 5;
/// How long a query waits when others wait for its connection.
const SHORT: Duration = Duration::from_secs(1);

/// The connections, in two lots, and how many watchers want those that wait.
#[derive(Clone)]
pub struct Turns(Arc<Shared>);

struct Shared {
    first: Semaphore,
    waiting: Semaphore,
    /// Permits of `waiting`.
    seats: usize,
    watchers: watch::Sender<usize>,
}

impl Turns {
    /// Turns on so many connections; each lot has at least one.
    pub fn on(connections: usize) -> Self {
        let connections = connections.clamp(2, Semaphore::MAX_PERMITS);
        let first = (connections / FIRST_SHARE).max(1);
        let seats = connections - first;
        Self(Arc::new(Shared {
            first: Semaphore::new(first),
            waiting: Semaphore::new(seats),
            seats,
            watchers: watch::Sender::new(0),
        }))
    }

    /// Counts one more watcher, until it is dropped.
    pub fn join(&self) -> Watcher {
        let seats = self.0.seats;
        self.0.watchers.send_modify(|count| {
            *count += 1;
            if *count == seats + 1 {
                tracing::warn!(
                    target: "watcher",
                    "more than {seats} dependencies share the connections to the agent, so changes are seen later; \
                     raise limits.http_max_conns_per_client there and consul.transport.max_conns_per_host here"
                );
            }
        });
        Watcher(Arc::clone(&self.0))
    }
}

/// One of those who share.
pub struct Watcher(Arc<Shared>);

impl Watcher {
    /// Waits for a connection to ask what is newer than `index`; zero is a question that is answered at once.
    pub async fn turn(&self, index: u64) -> Turn<'_> {
        let lot = if index == 0 { &self.0.first } else { &self.0.waiting };
        // The semaphores are never closed; if they were, asking would be better than silence.
        let permit = lot.acquire().await.ok();
        let count = self.0.watchers.subscribe();
        let is_long = index > 0 && *count.borrow() <= self.0.seats;
        Turn { _permit: permit, count, seats: self.0.seats, is_long }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.watchers.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// A connection to ask on.
pub struct Turn<'a> {
    _permit: Option<SemaphorePermit<'a>>,
    count: watch::Receiver<usize>,
    seats: usize,
    is_long: bool,
}

impl Turn<'_> {
    /// How long the query may wait, at most `longest`.
    pub fn wait(&self, longest: Duration) -> Duration {
        if self.is_long { longest } else { longest.min(SHORT) }
    }

    /// Comes when a query that waits long has to end because others wait for the connection.
    pub async fn is_wanted(&mut self) {
        let seats = self.seats;
        if !self.is_long || self.count.wait_for(|count| *count > seats).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Whether something happens without any further cause.
    async fn comes(future: impl Future<Output = ()>) -> bool {
        tokio::select! {
            biased;
            () = future => true,
            () = tokio::task::yield_now() => false,
        }
    }

    #[tokio::test]
    async fn few_watchers_wait_long_and_undisturbed() {
        let turns = Turns::on(10);
        let watchers: Vec<_> = (0..8).map(|_| turns.join()).collect();
        for watcher in &watchers {
            let mut turn = watcher.turn(7).await;
            assert_eq!(turn.wait(LONG), LONG);
            assert!(!comes(turn.is_wanted()).await);
        }
    }

    #[tokio::test]
    async fn one_too_many_makes_all_take_turns_until_it_leaves() {
        let turns = Turns::on(10);
        let watchers: Vec<_> = (0..8).map(|_| turns.join()).collect();
        let mut early = watchers[0].turn(7).await;
        let late = turns.join();
        assert!(comes(early.is_wanted()).await, "a long wait has to end");
        drop(early);
        let turn = late.turn(7).await;
        assert_eq!((turn.wait(LONG), turn.wait(SHORT / 2)), (SHORT, SHORT / 2));
        drop(turn);
        drop(late);
        assert_eq!(watchers[0].turn(7).await.wait(LONG), LONG);
    }

    #[tokio::test]
    async fn first_questions_do_not_queue_behind_those_that_wait() {
        let turns = Turns::on(0);
        let (one, two) = (turns.join(), turns.join());
        let held = one.turn(7).await;
        assert!(!comes(async { drop(two.turn(7).await) }).await);
        assert!(comes(async { drop(two.turn(0).await) }).await);
        drop(held);
        assert!(comes(async { drop(two.turn(7).await) }).await);
    }
}
