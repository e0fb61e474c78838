//! The path of a read.

use std::sync::Arc;
use std::time::Duration;

use consul_acl::Authorizer;
use consul_state::{Store, Version, WatchSet};
use rand::Rng as _;
use tokio::time::Instant;

use super::{ReadMeta, ReadOptions, RpcError};

/// A question that a version of the state answers.
pub trait Read: Send + Sync {
    type Reply: Send;

    /// The answer and its index. Everything looked at goes into `seen`, so that a change of it wakes the caller.
    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError>;

    /// The index alone, where it is cheaper to have than the answer: a caller that goes on waiting needs no answer.
    /// Records in `seen` what [`Read::evaluate`] would.
    fn peek(&self, version: &Version, seen: &mut WatchSet) -> Option<u64> {
        let _ = (version, seen);
        None
    }

    /// Takes out what the caller may not see; tells whether something was taken out.
    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError>;
}

/// Waiting callers are woken over a sixteenth of their time, so that they do not come back all at once.
const JITTER_FRACTION: u32 = 16;

/// Answers at once, or once the index passes `options.min_index`, the wait is over, or the state was replaced by a
/// snapshot.
pub fn evaluate<R: Read>(
    store: &Store,
    request: &R,
    options: &ReadOptions,
    authorizer: &Authorizer,
) -> Result<Evaluated<R::Reply>, RpcError> {
    let version = store.version();
    let mut seen = WatchSet::new();
    let not_yet = |seen| Evaluated::NotYet { seen, version_index: version.index(), epoch: version.epoch() };
    if options.min_index > 0
        && request.peek(&version, &mut seen).is_some_and(|index| index <= options.min_index)
    {
        return Ok(not_yet(seen));
    }
    seen.clear();
    let (index, mut reply) = request.evaluate(&version, &mut seen)?;
    if index > options.min_index || options.min_index == 0 {
        let filtered = request.restrict(authorizer, &mut reply)?;
        return Ok(Evaluated::Answer { index, reply, filtered });
    }
    Ok(not_yet(seen))
}

pub enum Evaluated<T> {
    Answer { index: u64, reply: T, filtered: bool },
    NotYet { seen: WatchSet, version_index: u64, epoch: u64 },
}

/// Blocks until there is an answer. The future holds the request and one registration, not the answer.
///
/// `fresh` tells before each look at the state whether it may still answer: a server that waited may lead no more.
pub async fn block<R: Read>(
    store: &Arc<Store>,
    request: &R,
    options: &ReadOptions,
    authorizer: &Authorizer,
    fresh: impl Fn() -> Result<(), RpcError>,
) -> Result<(ReadMeta, R::Reply), RpcError> {
    let mut first = true;
    let mut deadline = None;
    let mut expired = false;
    let mut epoch_at_start = 0;
    loop {
        let now_or_wait =
            if expired { ReadOptions { min_index: 0, ..options.clone() } } else { options.clone() };
        fresh()?;
        match evaluate(store, request, &now_or_wait, authorizer)? {
            Evaluated::Answer { index, reply, filtered } => {
                let meta = ReadMeta { index, filtered_by_acls: filtered, ..ReadMeta::default() };
                return Ok((meta, reply));
            }
            Evaluated::NotYet { seen, version_index, epoch } => {
                if std::mem::take(&mut first) {
                    epoch_at_start = epoch;
                }
                if epoch != epoch_at_start {
                    expired = true;
                    continue;
                }
                let watcher = store.watch(&seen);
                drop(seen);
                // A write may have come between the evaluation and the registration.
                if store.version().index() != version_index {
                    continue;
                }
                let until = *deadline.get_or_insert_with(|| Instant::now() + with_jitter(options.max_wait));
                expired = tokio::time::timeout_at(until, watcher).await.is_err();
            }
        }
    }
}

fn with_jitter(wait: Duration) -> Duration {
    wait + (wait / JITTER_FRACTION).mul_f64(rand::rng().random::<f64>())
}
