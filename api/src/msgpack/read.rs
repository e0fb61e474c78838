//! Headers: the byte that says what a value is, with the length or number that belongs to it.

use super::error::DecodeError;

/// A decoded header. Lengths are claims of the sender: never allocate by them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Header {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    /// Text or bytes of this many bytes.
    Raw(usize),
    Array(usize),
    Map(usize),
    /// An extension: its kind, which is not looked at, and data of this many bytes together.
    Extension(usize),
}

/// A position in a byte slice.
#[derive(Clone, Debug)]
pub(super) struct Reader<'de> {
    pub bytes: &'de [u8],
}

impl<'de> Reader<'de> {
    pub fn peek(&self) -> Result<u8, DecodeError> {
        self.bytes.first().copied().ok_or(DecodeError::Truncated)
    }

    pub fn take(&mut self, len: usize) -> Result<&'de [u8], DecodeError> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(*taken)
    }

    fn len8(&mut self) -> Result<usize, DecodeError> {
        Ok(usize::from(u8::from_be_bytes(self.array()?)))
    }

    fn len16(&mut self) -> Result<usize, DecodeError> {
        Ok(usize::from(u16::from_be_bytes(self.array()?)))
    }

    fn len32(&mut self) -> Result<usize, DecodeError> {
        usize::try_from(u32::from_be_bytes(self.array()?)).map_err(|_| DecodeError::Truncated)
    }

    #[inline]
    pub fn header(&mut self) -> Result<Header, DecodeError> {
        let [first] = self.array()?;
        Ok(match first {
            0x00..=0x7f => Header::Unsigned(u64::from(first)),
            0x80..=0x8f => Header::Map(usize::from(first & 0x0f)),
            0x90..=0x9f => Header::Array(usize::from(first & 0x0f)),
            0xa0..=0xbf => Header::Raw(usize::from(first & 0x1f)),
            0xc0 => Header::Nil,
            0xc2 => Header::Bool(false),
            0xc3 => Header::Bool(true),
            0xc4 | 0xd9 => Header::Raw(self.len8()?),
            0xc5 | 0xda => Header::Raw(self.len16()?),
            0xc6 | 0xdb => Header::Raw(self.len32()?),
            0xc7 => Header::Extension(self.len8()?.saturating_add(1)),
            0xc8 => Header::Extension(self.len16()?.saturating_add(1)),
            0xc9 => Header::Extension(self.len32()?.saturating_add(1)),
            0xca => Header::Float(f64::from(f32::from_be_bytes(self.array()?))),
            0xcb => Header::Float(f64::from_be_bytes(self.array()?)),
            0xcc => Header::Unsigned(u64::from(u8::from_be_bytes(self.array()?))),
            0xcd => Header::Unsigned(u64::from(u16::from_be_bytes(self.array()?))),
            0xce => Header::Unsigned(u64::from(u32::from_be_bytes(self.array()?))),
            0xcf => Header::Unsigned(u64::from_be_bytes(self.array()?)),
            0xd0 => Header::Signed(i64::from(i8::from_be_bytes(self.array()?))),
            0xd1 => Header::Signed(i64::from(i16::from_be_bytes(self.array()?))),
            0xd2 => Header::Signed(i64::from(i32::from_be_bytes(self.array()?))),
            0xd3 => Header::Signed(i64::from_be_bytes(self.array()?)),
            0xd4..=0xd8 => Header::Extension((1 << (first - 0xd4)) + 1),
            0xdc => Header::Array(self.len16()?),
            0xdd => Header::Array(self.len32()?),
            0xde => Header::Map(self.len16()?),
            0xdf => Header::Map(self.len32()?),
            0xe0..=0xff => Header::Signed(i64::from(first.cast_signed())),
            0xc1 => return Err(DecodeError::Unexpected { expected: "a value", found: first }),
        })
    }
}
