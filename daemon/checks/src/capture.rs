//! What is kept of a check's output: a bounded number of bytes, however much the check produces.
//!
//! Scripts and HTTP bodies keep the *last* bytes, where the error usually is; notes sent to a TTL check keep the
//! *first*. The texts that tell about the cut are read by people and by their tools, so they are fixed.

use std::io;

/// Keeps the last `cap` of the bytes pushed into it and counts them all.
#[derive(Debug)]
pub struct TailBuffer {
    cap: usize,
    bytes: Vec<u8>,
    total: u64,
}

impl TailBuffer {
    /// A capacity of zero is taken as one.
    pub fn new(cap: usize) -> Self {
        Self { cap: cap.max(1), bytes: Vec::new(), total: 0 }
    }

    pub fn push(&mut self, chunk: &[u8]) {
        self.total = self.total.saturating_add(chunk.len() as u64);
        let start = chunk.len().saturating_sub(self.cap);
        let kept = chunk.get(start..).unwrap_or_default();
        self.bytes.extend_from_slice(kept);
        // Cutting only at twice the capacity keeps the cost of a push proportional to its own length.
        if self.bytes.len() > self.cap.saturating_mul(2) {
            self.bytes.drain(..self.bytes.len() - self.cap);
        }
    }

    /// Bytes pushed so far, kept or not.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The kept bytes as text, without a word about what is missing.
    pub fn text(&self) -> String {
        printable(self.tail())
    }

    /// The kept bytes as text; if some are missing, a first line says how many.
    pub fn text_with_notice(&self) -> String {
        let tail = self.tail();
        if self.total <= tail.len() as u64 {
            return printable(tail);
        }
        format!("Captured {} of {} bytes\n...\n{}", tail.len(), self.total, printable(tail))
    }

    fn tail(&self) -> &[u8] {
        let start = self.bytes.len().saturating_sub(self.cap);
        self.bytes.get(start..).unwrap_or_default()
    }
}

impl io::Write for TailBuffer {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        self.push(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The first `cap` bytes of a note; a longer one ends with a remark on its full length.
pub fn head(note: &str, cap: usize) -> String {
    let cap = cap.max(1);
    match note.as_bytes().get(..cap) {
        Some(kept) if kept.len() < note.len() => {
            format!("{} ... (captured {} of {} bytes)", printable(kept), cap, note.len())
        }
        _ => note.to_owned(),
    }
}

/// Text of bytes that may not be UTF-8: every byte that is not becomes U+FFFD, one for one.
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(std::iter::repeat_n(char::REPLACEMENT_CHARACTER, chunk.invalid().len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn short_output_is_shown_whole() {
        let mut buffer = TailBuffer::new(4096);
        buffer.push(b"ok\n");
        buffer.push(b"err\n");
        assert_eq!(buffer.text_with_notice(), "ok\nerr\n");
    }

    #[test]
    fn output_of_exactly_the_cap_has_no_notice() {
        let mut buffer = TailBuffer::new(4);
        buffer.push(b"abcd");
        assert_eq!(buffer.text_with_notice(), "abcd");
    }

    #[test]
    fn long_output_keeps_its_end_and_says_so() {
        let mut buffer = TailBuffer::new(4096);
        for _ in 0..9 {
            buffer.push(&[b'x'; 1000]);
        }
        let text = buffer.text_with_notice();
        assert_eq!(text, format!("Captured 4096 of 9000 bytes\n...\n{}", "x".repeat(4096)));
    }

    #[test]
    fn long_note_keeps_its_start_and_says_so() {
        assert_eq!(
            head(&"y".repeat(5000), 4096),
            format!("{} ... (captured 4096 of 5000 bytes)", "y".repeat(4096))
        );
        assert_eq!(head("fine", 4096), "fine");
    }

    #[test]
    fn a_note_cut_inside_a_character_stays_valid_text() {
        assert_eq!(head("a\u{e9}b", 2), "a\u{fffd} ... (captured 2 of 4 bytes)");
    }

    #[test]
    fn each_byte_that_is_not_utf8_is_replaced_on_its_own() {
        assert_eq!(printable(b"a\xff\xe2\x82z"), "a\u{fffd}\u{fffd}\u{fffd}z");
    }

    proptest! {
        #[test]
        fn tail_equals_the_end_of_everything_pushed(
            cap in 1usize..40,
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..12),
        ) {
            let mut buffer = TailBuffer::new(cap);
            let all: Vec<u8> = chunks.concat();
            for chunk in &chunks {
                buffer.push(chunk);
            }
            prop_assert_eq!(buffer.tail(), &all[all.len().saturating_sub(cap)..]);
            prop_assert_eq!(buffer.total(), all.len() as u64);
            prop_assert!(buffer.bytes.len() <= 2 * cap);
        }
    }
}
