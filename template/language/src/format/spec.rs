//! Flags, width and precision, and what can be done with them alone.

/// What stands between `%` and the verb.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spec {
    pub(crate) width: Option<usize>,
    pub(crate) precision: Option<usize>,
    pub(crate) plus: bool,
    pub(crate) minus: bool,
    pub(crate) sharp: bool,
    pub(crate) space: bool,
    pub(crate) zero: bool,
    /// `%+v`: records with the names of their fields.
    pub(crate) named: bool,
    /// `%#v`: the value as a program would write it.
    pub(crate) syntax: bool,
}

impl Spec {
    /// Writes text filled up to the width, in characters.
    pub(crate) fn pad(&self, out: &mut Vec<u8>, text: &[u8]) {
        self.pad_with(out, text, if self.zero && !self.minus { b'0' } else { b' ' });
    }

    /// The same, but never with zeros.
    pub(crate) fn pad_with_spaces(&self, out: &mut Vec<u8>, text: &[u8]) {
        self.pad_with(out, text, b' ');
    }

    fn pad_with(&self, out: &mut Vec<u8>, text: &[u8], filler: u8) {
        let missing = self.width.map_or(0, |width| width.saturating_sub(characters(text)));
        if self.minus {
            out.extend_from_slice(text);
            fill(out, b' ', missing);
        } else {
            fill(out, filler, missing);
            out.extend_from_slice(text);
        }
    }

    /// The first characters of text, as many as the precision allows.
    pub(crate) fn truncate<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let Some(limit) = self.precision else { return text };
        let mut length = 0;
        for _ in 0..limit {
            match crate::lex::decode(text.get(length..).unwrap_or(&[])) {
                Some((_, width)) => length += width,
                None => return text,
            }
        }
        text.get(..length).unwrap_or(text)
    }
}

pub(crate) fn fill(out: &mut Vec<u8>, byte: u8, count: usize) {
    out.resize(out.len() + count, byte);
}

fn characters(text: &[u8]) -> usize {
    match std::str::from_utf8(text) {
        Ok(text) => text.chars().count(),
        Err(_) => {
            let (mut rest, mut count) = (text, 0);
            while let Some((_, width)) = crate::lex::decode(rest) {
                rest = rest.get(width..).unwrap_or(&[]);
                count += 1;
            }
            count
        }
    }
}
