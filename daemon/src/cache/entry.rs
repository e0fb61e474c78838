//! One entry: its answer, and the task that keeps it fresh if there is one.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::control::CacheControl;
use super::pace::Pace;
use super::{Fetched, noted};
use crate::rpc::RpcError;

/// First pause after a failed fetch; it doubles with every further failure.
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Failures in a row after which pauses are made; a single one is made good at once.
const FREE_RETRIES: u32 = 1;

/// Where a watched entry gets its answers.
pub trait Source: Send + Sync + 'static {
    /// The answer once its index passes `min_index`, or whatever holds after a long wait. `None` ends the entry.
    fn fetch(&self, min_index: u64) -> BoxFuture<'_, Option<Result<Fetched, RpcError>>>;
}

pub(super) struct Entry {
    state: Arc<watch::Sender<State>>,
    /// Plain entries: one fetch at a time.
    fetching: tokio::sync::Mutex<()>,
    task: Option<AbortHandle>,
}

#[derive(Clone, Default)]
struct State {
    answer: Option<(Fetched, Instant)>,
    /// Why the last attempt failed, if it did.
    failure: Option<RpcError>,
}

impl State {
    /// A watched answer is as new as can be while the next change is being waited for.
    fn age(&self, at: Instant) -> Duration {
        if self.failure.is_some() { at.elapsed() } else { Duration::ZERO }
    }
}

impl Entry {
    pub fn plain() -> Self {
        Self {
            state: Arc::new(watch::Sender::new(State::default())),
            fetching: tokio::sync::Mutex::default(),
            task: None,
        }
    }

    pub fn watched(source: Box<dyn Source>, pace: Pace) -> Self {
        let mut entry = Self::plain();
        let task = tokio::spawn(keep_fresh(source, entry.state.clone(), pace));
        entry.task = Some(task.abort_handle());
        entry
    }

    pub fn has_answer(&self) -> bool {
        self.state.borrow().answer.is_some()
    }

    /// Waits for an answer above `min_index` (0: any). After `max_wait` an answer that is not above will do.
    pub async fn wait(&self, min_index: u64, max_wait: Duration) -> Result<Fetched, RpcError> {
        let mut changes = self.state.subscribe();
        let deadline = tokio::time::Instant::now() + max_wait;
        let mut hit = true;
        loop {
            let state = changes.borrow_and_update().clone();
            match (&state.answer, &state.failure) {
                (Some((fetched, at)), _) if min_index == 0 || fetched.meta.index > min_index => {
                    return Ok(noted(fetched, hit, state.age(*at)));
                }
                (None, Some(failure)) => return Err(failure.clone()),
                _ => {}
            }
            hit = false;
            match tokio::time::timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                // The task has ended, because the agent stops.
                Ok(Err(_)) => return Err(RpcError::NoServers),
                Err(_) => {
                    let Some((fetched, at)) = &state.answer else { return Err(RpcError::NoLeader) };
                    return Ok(noted(fetched, hit, state.age(*at)));
                }
            }
        }
    }

    /// The answer if `control` takes it, else what `fetch` brings.
    pub async fn fetch(
        &self,
        control: CacheControl,
        fetch: impl Future<Output = Result<Fetched, RpcError>>,
    ) -> Result<Fetched, RpcError> {
        let _one_at_a_time = self.fetching.lock().await;
        let known = self.state.borrow().answer.clone();
        if let Some((fetched, at)) = known.as_ref().filter(|(_, at)| control.accepts(at.elapsed())) {
            return Ok(noted(fetched, true, at.elapsed()));
        }
        match fetch.await {
            Ok(fetched) => {
                self.state.send_modify(|state| state.answer = Some((fetched.clone(), Instant::now())));
                Ok(noted(&fetched, false, Duration::ZERO))
            }
            Err(error) => {
                let limit = control.stale_if_error.unwrap_or(Duration::ZERO);
                match known.filter(|(_, at)| at.elapsed() < limit) {
                    Some((fetched, at)) => Ok(noted(&fetched, true, at.elapsed())),
                    None => Err(error),
                }
            }
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn keep_fresh(source: Box<dyn Source>, state: Arc<watch::Sender<State>>, pace: Pace) {
    let mut bucket = pace.bucket(Instant::now());
    let (mut index, mut failures) = (0, 0_u32);
    loop {
        tokio::time::sleep(bucket.take(Instant::now())).await;
        match source.fetch(index).await {
            None => return,
            Some(Ok(fetched)) => {
                failures = 0;
                // An index that went back means that the state was replaced: start over.
                index = if fetched.meta.index < index { 0 } else { fetched.meta.index.max(1) };
                state.send_replace(State { answer: Some((fetched, Instant::now())), failure: None });
            }
            Some(Err(error)) => {
                failures += 1;
                state.send_modify(|state| state.failure = Some(error));
                tokio::time::sleep(pause_after(failures)).await;
            }
        }
    }
}

fn pause_after(failures: u32) -> Duration {
    match failures.checked_sub(FREE_RETRIES + 1) {
        None => RETRY_MIN / 10,
        Some(doublings) => RETRY_MIN.saturating_mul(1 << doublings.min(10)).min(RETRY_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::ReadMeta;
    use tokio::sync::mpsc;

    /// Answers with what the test sends it.
    struct Scripted(tokio::sync::Mutex<mpsc::Receiver<Result<u64, RpcError>>>);

    impl Source for Scripted {
        fn fetch(&self, _: u64) -> BoxFuture<'_, Option<Result<Fetched, RpcError>>> {
            Box::pin(async {
                let next = self.0.lock().await.recv().await?;
                Some(next.map(|index| Fetched {
                    meta: ReadMeta { index, ..ReadMeta::default() },
                    value: Arc::new(()),
                }))
            })
        }
    }

    fn scripted() -> (mpsc::Sender<Result<u64, RpcError>>, Entry) {
        let (send, receive) = mpsc::channel(8);
        let source = Box::new(Scripted(tokio::sync::Mutex::new(receive)));
        (send, Entry::watched(source, Pace::unlimited()))
    }

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_watched_entry_answers_at_once_and_blocks_for_newer_answers() {
        let (source, entry) = scripted();
        source.send(Ok(5)).await.unwrap();
        let first = entry.wait(0, LONG).await.unwrap();
        assert_eq!((first.meta.index, first.meta.cache.unwrap().hit), (5, false));
        let again = entry.wait(0, LONG).await.unwrap();
        assert_eq!((again.meta.index, again.meta.cache.unwrap().hit), (5, true));
        let (newer, ()) = tokio::join!(entry.wait(5, LONG), async { source.send(Ok(6)).await.unwrap() });
        let newer = newer.unwrap();
        assert_eq!((newer.meta.index, newer.meta.cache.unwrap().hit), (6, false));
        let timed_out = entry.wait(6, Duration::from_millis(1)).await.unwrap();
        assert_eq!(timed_out.meta.index, 6);
    }

    #[tokio::test]
    async fn a_failure_is_told_only_while_there_is_no_answer() {
        let (source, entry) = scripted();
        source.send(Err(RpcError::NoLeader)).await.unwrap();
        assert_eq!(entry.wait(0, LONG).await.err(), Some(RpcError::NoLeader));
        source.send(Ok(5)).await.unwrap();
        let mut changes = entry.state.subscribe();
        changes.wait_for(|state| state.answer.is_some()).await.unwrap();
        source.send(Err(RpcError::NoLeader)).await.unwrap();
        changes.wait_for(|state| state.failure.is_some()).await.unwrap();
        assert_eq!(entry.wait(0, LONG).await.unwrap().meta.index, 5);
    }
}
