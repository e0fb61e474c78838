//! The file format of a snapshot: a mark, the state, and the SHA-256 of both.
//!
//! The sum stands at the end because the state is streamed and its sum is known only then. A reader
//! checks it before anything that was parsed can take effect.

use std::io::{self, BufReader, BufWriter, Read, Write};

use sha2::{Digest, Sha256};

use crate::error::SnapshotError;
use crate::machine::SnapshotSource;

const MARK: &[u8; 8] = b"CRSNAP1\n";
const SUM: usize = 32;
const BUFFER: usize = 64 << 10;

/// Writes mark, state and sum.
pub(crate) fn write(out: &mut dyn Write, source: &dyn SnapshotSource) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(BUFFER, Summing { inner: out, sum: Sha256::new() });
    out.write_all(MARK)?;
    source.write(&mut out)?;
    let Summing { inner, sum } = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    inner.write_all(&sum.finalize())?;
    inner.flush()
}

/// Gives the state to `parse` and its result to the caller, if the whole of `size` bytes is sound.
pub(crate) fn read<T>(
    input: &mut dyn Read,
    size: u64,
    parse: impl FnOnce(&mut dyn Read) -> Result<T, SnapshotError>,
) -> Result<T, SnapshotError> {
    let overhead = (MARK.len() + SUM) as u64;
    let length = size.checked_sub(overhead).ok_or(SnapshotError::Damaged("it is too short"))?;
    let mut input = BufReader::with_capacity(BUFFER, input);
    let mut mark = [0; MARK.len()];
    input.read_exact(&mut mark)?;
    if mark != *MARK {
        return Err(SnapshotError::Damaged("it is not a snapshot"));
    }
    // The sum must cover the state and not itself, so the buffered reader stops before it.
    let mut summed = Sha256::new();
    summed.update(mark);
    let mut state = Summing { inner: (&mut input).take(length), sum: summed };
    let parsed = parse(&mut state)?;
    if state.inner.limit() > 0 {
        return Err(SnapshotError::Damaged("bytes are left after its end"));
    }
    let computed = state.sum.finalize();
    let mut stored = [0; SUM];
    input.read_exact(&mut stored)?;
    if computed[..] != stored {
        return Err(SnapshotError::Damaged("its checksum is wrong"));
    }
    Ok(parsed)
}

struct Summing<T> {
    inner: T,
    sum: Sha256,
}

impl<T: Write> Write for Summing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Summing<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.sum.update(&bytes[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Text(&'static str);

    impl SnapshotSource for Text {
        fn write(&self, out: &mut dyn Write) -> io::Result<()> {
            out.write_all(self.0.as_bytes())
        }
    }

    fn written() -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, &Text("the state")).unwrap();
        out
    }

    fn text(bytes: &[u8]) -> Result<String, SnapshotError> {
        read(&mut &bytes[..], bytes.len() as u64, |input| {
            let mut text = String::new();
            input.read_to_string(&mut text)?;
            Ok(text)
        })
    }

    #[test]
    fn a_state_comes_back_as_it_was_written() {
        assert_eq!(text(&written()).unwrap(), "the state");
    }

    #[test]
    fn every_changed_byte_and_every_truncation_is_refused() {
        let whole = written();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(text(&changed).is_err(), "changed at {at}");
            assert!(text(&whole[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_parser_that_stops_early_is_refused() {
        let whole = written();
        let result = read(&mut &whole[..], whole.len() as u64, |_| Ok(()));
        assert!(matches!(result, Err(SnapshotError::Damaged(_))));
    }
}
