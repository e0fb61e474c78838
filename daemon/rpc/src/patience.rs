//! Waiting that has an end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// What `future` gives, or nothing if that takes longer than `within`. Nearly always it is ready at once, and then
/// no timer is set up.
pub(crate) async fn now_or_within<F: Future>(future: F, within: Duration) -> Option<F::Output> {
    let mut future = pin!(future);
    match poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
        Poll::Ready(output) => Some(output),
        Poll::Pending => tokio::time::timeout(within, future).await.ok(),
    }
}
