//! A moving line while a snapshot travels: on a terminal only, and gone when the work is done.

use std::io::{self, IsTerminal, Read};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Counts the bytes of a transfer of `len` bytes, or of unknown length.
pub fn bar(verb: &'static str, len: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(len, ProgressDrawTarget::hidden());
    if !io::stderr().is_terminal() {
        return bar;
    }
    let template = match len {
        Some(_) => "{msg} {bytes}/{total_bytes} {wide_bar} {bytes_per_sec}",
        None => "{msg} {bytes} {spinner} {bytes_per_sec}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.set_message(verb);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// A reader that moves a bar.
pub struct Counted<R> {
    pub inner: R,
    pub bar: ProgressBar,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bar.inc(count as u64);
        Ok(count)
    }
}
