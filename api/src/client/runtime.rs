//! For programs that make one request and end.

use std::future::Future;

use super::error::ClientError;

/// Runs `work` on this thread. Starts no worker threads, so it costs microseconds.
pub fn block_on<T>(work: impl Future<Output = T>) -> Result<T, ClientError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Name lookups and file bodies are all that ever blocks.
        .max_blocking_threads(4)
        .build()
        .map_err(ClientError::Runtime)?;
    let outcome = runtime.block_on(work);
    // Do not wait for a name lookup that nobody listens to any more.
    runtime.shutdown_background();
    Ok(outcome)
}
