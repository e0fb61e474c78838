//! Several messages in one packet.

use super::kind;

/// Most parts that every release can read: older ones miscount more.
pub const PARTS_MAX: usize = 127;

/// What a compound costs, besides two bytes for each part.
pub const OVERHEAD: usize = 2;

/// What each part costs besides itself.
pub const PART_OVERHEAD: usize = 2;

/// Puts messages into one. Parts above [`PARTS_MAX`], or longer than a part can be, are left out: the caller counts.
pub fn join(parts: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let parts = parts.iter().map(AsRef::as_ref).filter(|part| part.len() <= usize::from(u16::MAX));
    let parts: Vec<&[u8]> = parts.take(PARTS_MAX).collect();
    let total: usize = parts.iter().map(|part| part.len() + PART_OVERHEAD).sum();
    let mut out = Vec::with_capacity(OVERHEAD + total);
    out.push(kind::COMPOUND);
    out.push(parts.len() as u8);
    for part in &parts {
        out.extend_from_slice(&(part.len() as u16).to_be_bytes());
    }
    for part in &parts {
        out.extend_from_slice(part);
    }
    out
}

/// The parts of a compound, from the bytes behind its type, as far as they are there. `None`: not even the list of
/// lengths is.
pub fn split(body: &[u8]) -> Option<Parts<'_>> {
    let (&count, rest) = body.split_first()?;
    let (lengths, bodies) = rest.split_at_checked(usize::from(count) * 2)?;
    Some(Parts { lengths, bodies, cut: false })
}

/// Iterates over whole parts.
pub struct Parts<'a> {
    lengths: &'a [u8],
    bodies: &'a [u8],
    cut: bool,
}

impl Parts<'_> {
    /// Whether the last part was cut off and left out.
    pub fn was_cut(&self) -> bool {
        self.cut
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, lengths) = self.lengths.split_first_chunk::<2>()?;
        let Some((part, bodies)) = self.bodies.split_at_checked(usize::from(u16::from_be_bytes(*length)))
        else {
            self.cut = true;
            self.lengths = &[];
            return None;
        };
        self.lengths = lengths;
        self.bodies = bodies;
        Some(part)
    }
}
