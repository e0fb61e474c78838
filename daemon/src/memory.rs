//! Gives back memory that nobody needs any more.
//!
//! An agent idles on every host of a fleet. What its start touched (configuration, command line, tables of libraries)
//! stays resident although it is never looked at again, and what a burst of requests left behind stays in the
//! allocator. Both go back to the operating system here.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::debug;

/// How long after the start the pages of code that it needed are let go.
const AFTER_START: Duration = Duration::from_secs(1);
/// How often the allocator is asked for what it holds and does not use.
const TRIM_EVERY: Duration = Duration::from_secs(2);
/// Less than this is not worth a call.
const TRIM_MIN: usize = 4 << 20;

/// Runs until `stop`.
pub async fn run(stop: CancellationToken) {
    let wait = |span| {
        let stop = stop.clone();
        async move { tokio::time::timeout(span, stop.cancelled()).await.is_ok() }
    };
    if wait(AFTER_START).await {
        return;
    }
    release_code();
    while !wait(TRIM_EVERY).await {
        crate::heap::release();
        trim();
    }
}

/// Unmaps the pages of this program's code. Those in use come back from the page cache with the next call into them.
fn release_code() {
    let Some((start, length)) = code_range() else { return };
    // SAFETY: the range is a file mapping of this program's code, which is never written to: whatever is let go is read
    // from the file again when it is executed next. Writable and relocated mappings are not part of it.
    let result = unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED) };
    if result != 0 {
        debug!(target: "agent", "could not release the code of the start");
    }
}

/// Address and length of the mapping that holds this very function: readable, executable, and not writable.
fn code_range() -> Option<(usize, usize)> {
    let here = code_range as *const () as usize;
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
        let is_code = fields.next()? == "r-xp";
        (is_code && (start..end).contains(&here)).then_some((start, end - start))
    })
}

/// Returns free memory at the end of the heaps, if the allocator holds much of it.
#[cfg(target_env = "gnu")]
fn trim() {
    // SAFETY: both only look at or shrink the allocator's own free lists and take its locks.
    unsafe {
        if libc::mallinfo2().fordblks >= TRIM_MIN {
            libc::malloc_trim(0);
        }
    }
}

/// Other C libraries have no such call.
#[cfg(not(target_env = "gnu"))]
fn trim() {
    let _ = TRIM_MIN;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_survives_being_released() {
        let (_, length) = code_range().expect("tests run on Linux");
        assert!(length > 4096);
        release_code();
        trim();
        assert!(code_range().is_some());
    }
}
