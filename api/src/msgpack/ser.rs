//! Writes values in the one form that every release reads.

use serde::Serialize;
use serde::ser::{self, SerializeMap, SerializeSeq, SerializeStruct};

use super::error::EncodeError;

/// Encodes with struct fields in byte order of their names: what agents and snapshots expect.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::with_capacity(128);
    encode_into(&mut out, value)?;
    Ok(out)
}

/// [`to_vec`] at the end of a buffer. After an error the buffer holds a partial value.
pub fn encode_into<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), EncodeError> {
    value.serialize(&mut Serializer::new(out, FieldOrder::ByName))
}

/// Encodes with struct fields as declared: for bytes that only we read. Takes well under half the time, which
/// matters where every write passes.
pub fn to_vec_unsorted<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::with_capacity(128);
    value.serialize(&mut Serializer::new(&mut out, FieldOrder::AsDeclared))?;
    Ok(out)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FieldOrder {
    ByName,
    AsDeclared,
}

/// Where an entry of a map under construction lies in the output.
#[derive(Clone, Copy)]
struct Entry {
    start: usize,
    /// Name without its header.
    name_start: usize,
    name_end: usize,
    end: usize,
}

/// Appends values to a buffer.
pub struct Serializer<'o> {
    out: &'o mut Vec<u8>,
    order: FieldOrder,
    /// Entries of all open maps, innermost last.
    entries: Vec<Entry>,
    scratch: Vec<u8>,
}

impl<'o> Serializer<'o> {
    fn new(out: &'o mut Vec<u8>, order: FieldOrder) -> Self {
        // Room for the fields of most structs and of what nests in them.
        let entries = Vec::with_capacity(if order == FieldOrder::ByName { 32 } else { 0 });
        Self { out, order, entries, scratch: Vec::new() }
    }

    fn unsigned(&mut self, value: u64) {
        if let Ok(small) = u8::try_from(value) {
            if small >= 0x80 {
                self.out.push(0xcc);
            }
            self.out.push(small);
        } else if let Ok(half) = u16::try_from(value) {
            self.out.push(0xcd);
            self.out.extend_from_slice(&half.to_be_bytes());
        } else if let Ok(word) = u32::try_from(value) {
            self.out.push(0xce);
            self.out.extend_from_slice(&word.to_be_bytes());
        } else {
            self.out.push(0xcf);
            self.out.extend_from_slice(&value.to_be_bytes());
        }
    }

    fn signed(&mut self, value: i64) {
        if let Ok(positive) = u64::try_from(value) {
            self.unsigned(positive);
        } else if value >= -32 {
            self.out.push((value as i8).cast_unsigned());
        } else if let Ok(small) = i8::try_from(value) {
            self.out.push(0xd0);
            self.out.push(small.cast_unsigned());
        } else if let Ok(half) = i16::try_from(value) {
            self.out.push(0xd1);
            self.out.extend_from_slice(&half.to_be_bytes());
        } else if let Ok(word) = i32::try_from(value) {
            self.out.push(0xd2);
            self.out.extend_from_slice(&word.to_be_bytes());
        } else {
            self.out.push(0xd3);
            self.out.extend_from_slice(&value.to_be_bytes());
        }
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let len = u32::try_from(bytes.len()).map_err(|_| EncodeError::TooLong)?;
        if len < 32 {
            self.out.push(0xa0 | len as u8);
        } else if let Ok(half) = u16::try_from(len) {
            self.out.push(0xda);
            self.out.extend_from_slice(&half.to_be_bytes());
        } else {
            self.out.push(0xdb);
            self.out.extend_from_slice(&len.to_be_bytes());
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn nil(&mut self) {
        self.out.push(0xc0);
    }

    fn open(
        &mut self,
        sorted: bool,
        kind: Kind,
        len: Option<usize>,
    ) -> Result<Compound<'_, 'o>, EncodeError> {
        let start = self.out.len();
        match len {
            Some(len) => {
                let header = Head::new(kind, len)?;
                self.out.extend_from_slice(header.bytes());
            }
            // Most structs have few fields: room for the short header, fixed at the end if that was wrong.
            None => self.out.push(0),
        }
        let first_entry = self.entries.len();
        Ok(Compound { count: 0, known_len: len, start, first_entry, sorted, kind, to: self })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Array,
    Map,
}

/// The header of a list or map.
struct Head {
    bytes: [u8; 5],
    len: usize,
}

impl Head {
    fn new(kind: Kind, len: usize) -> Result<Self, EncodeError> {
        let (fix, half, word) = match kind {
            Kind::Array => (0x90, 0xdc, 0xdd),
            Kind::Map => (0x80, 0xde, 0xdf),
        };
        let len = u32::try_from(len).map_err(|_| EncodeError::TooLong)?;
        let [b0, b1, b2, b3] = len.to_be_bytes();
        Ok(match len {
            0..16 => Self { bytes: [fix | b3, 0, 0, 0, 0], len: 1 },
            16..0x1_0000 => Self { bytes: [half, b2, b3, 0, 0], len: 3 },
            _ => Self { bytes: [word, b0, b1, b2, b3], len: 5 },
        })
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// A list, map or struct under construction.
pub struct Compound<'a, 'o> {
    to: &'a mut Serializer<'o>,
    start: usize,
    first_entry: usize,
    /// Elements or entries so far.
    count: usize,
    /// Length already in the header.
    known_len: Option<usize>,
    sorted: bool,
    kind: Kind,
}

impl Compound<'_, '_> {
    fn begin_entry(&mut self) {
        self.count += 1;
        if self.sorted {
            let start = self.to.out.len();
            self.to.entries.push(Entry { start, name_start: start, name_end: start, end: start });
        }
    }

    fn name_written(&mut self) {
        if !self.sorted {
            return;
        }
        let name_end = self.to.out.len();
        if let Some(entry) = self.to.entries.last_mut() {
            let header = match self.to.out.get(entry.start) {
                Some(0xda) => 3,
                Some(0xdb) => 5,
                _ => 1,
            };
            entry.name_start = (entry.start + header).min(name_end);
            entry.name_end = name_end;
        }
    }

    fn end_entry(&mut self) {
        let end = self.to.out.len();
        if self.sorted
            && let Some(entry) = self.to.entries.last_mut()
        {
            entry.end = end;
        }
    }

    fn field(
        &mut self,
        name: &'static str,
        write: impl FnOnce(&mut Serializer<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.begin_entry();
        self.to.raw(name.as_bytes())?;
        self.name_written();
        write(self.to)?;
        self.end_entry();
        Ok(())
    }

    fn finish(self) -> Result<(), EncodeError> {
        let Self { to, start, first_entry, count, known_len, sorted, kind } = self;
        if sorted {
            sort_entries(to, first_entry);
            to.entries.truncate(first_entry);
        }
        if known_len == Some(count) {
            return Ok(());
        }
        let header_len = match known_len {
            Some(len) => Head::new(kind, len)?.len,
            None => 1,
        };
        let header = Head::new(kind, count)?;
        if header.len == header_len {
            if let Some(place) = to.out.get_mut(start..start + header_len) {
                place.copy_from_slice(header.bytes());
            }
        } else {
            to.out.splice(start..start + header_len, header.bytes().iter().copied());
        }
        Ok(())
    }
}

/// Puts the innermost map's entries in byte order of their names.
fn sort_entries(to: &mut Serializer<'_>, first_entry: usize) {
    let Serializer { out, entries, scratch, .. } = to;
    let Some(entries) = entries.get_mut(first_entry..) else { return };
    let name = |entry: &Entry| out.get(entry.name_start..entry.name_end).unwrap_or_default();
    if entries.is_sorted_by(|a, b| name(a) <= name(b)) {
        return;
    }
    let Some(start) = entries.first().map(|entry| entry.start) else { return };
    entries.sort_by(|a, b| name(a).cmp(name(b)));
    scratch.clear();
    scratch.reserve(out.len() - start);
    for entry in entries.iter() {
        scratch.extend_from_slice(out.get(entry.start..entry.end).unwrap_or_default());
    }
    out.truncate(start);
    out.extend_from_slice(scratch);
}

impl<'a, 'o> ser::Serializer for &'a mut Serializer<'o> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Compound<'a, 'o>;
    type SerializeTuple = Compound<'a, 'o>;
    type SerializeTupleStruct = Compound<'a, 'o>;
    type SerializeTupleVariant = Compound<'a, 'o>;
    type SerializeMap = Compound<'a, 'o>;
    type SerializeStruct = Compound<'a, 'o>;
    type SerializeStructVariant = Compound<'a, 'o>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result<(), EncodeError> {
        self.out.push(if value { 0xc3 } else { 0xc2 });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), EncodeError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), EncodeError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), EncodeError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), EncodeError> {
        self.signed(value);
        Ok(())
    }

    fn serialize_i128(self, _: i128) -> Result<(), EncodeError> {
        Err(EncodeError::WideInteger)
    }

    fn serialize_u8(self, value: u8) -> Result<(), EncodeError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), EncodeError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), EncodeError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), EncodeError> {
        self.unsigned(value);
        Ok(())
    }

    fn serialize_u128(self, _: u128) -> Result<(), EncodeError> {
        Err(EncodeError::WideInteger)
    }

    fn serialize_f32(self, value: f32) -> Result<(), EncodeError> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), EncodeError> {
        self.out.push(0xcb);
        self.out.extend_from_slice(&value.to_be_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), EncodeError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), EncodeError> {
        self.raw(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), EncodeError> {
        self.raw(value)
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        self.nil();
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        self.serialize_none()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), EncodeError> {
        self.serialize_none()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), EncodeError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        self.out.push(0x81);
        self.raw(variant.as_bytes())?;
        value.serialize(self)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Compound<'a, 'o>, EncodeError> {
        self.open(false, Kind::Array, len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Compound<'a, 'o>, EncodeError> {
        self.open(false, Kind::Array, Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Compound<'a, 'o>, EncodeError> {
        self.open(false, Kind::Array, Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'a, 'o>, EncodeError> {
        self.out.push(0x81);
        self.raw(variant.as_bytes())?;
        self.open(false, Kind::Array, Some(len))
    }

    /// A map of unknown length is a struct with flattened parts, and sorted like one.
    fn serialize_map(self, len: Option<usize>) -> Result<Compound<'a, 'o>, EncodeError> {
        self.open(len.is_none() && self.order == FieldOrder::ByName, Kind::Map, len)
    }

    /// The length is not known before the end: fields left out in JSON are written here, as nil.
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Compound<'a, 'o>, EncodeError> {
        self.open(self.order == FieldOrder::ByName, Kind::Map, None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a, 'o>, EncodeError> {
        self.out.push(0x81);
        self.raw(variant.as_bytes())?;
        self.open(self.order == FieldOrder::ByName, Kind::Map, None)
    }
}

impl SerializeSeq for Compound<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.count += 1;
        value.serialize(&mut *self.to)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.finish()
    }
}

impl ser::SerializeTuple for Compound<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.finish()
    }
}

impl ser::SerializeTupleStruct for Compound<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.finish()
    }
}

impl ser::SerializeTupleVariant for Compound<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.finish()
    }
}

impl SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.begin_entry();
        key.serialize(&mut *self.to)?;
        self.name_written();
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        value.serialize(&mut *self.to)?;
        self.end_entry();
        Ok(())
    }

    fn end(self) -> Result<(), EncodeError> {
        self.finish()
    }
}

impl SerializeStruct for Compound<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        self.field(name, |to| value.serialize(to))
    }

    fn skip_field(&mut self, name: &'static str) -> Result<(), EncodeError> {
        self.field(name, |to| {
            to.nil();
            Ok(())
        })
    }

    fn end(self) -> Result<(), EncodeError> {
        self.finish()
    }
}

impl ser::SerializeStructVariant for Compound<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        SerializeStruct::serialize_field(self, name, value)
    }

    fn skip_field(&mut self, name: &'static str) -> Result<(), EncodeError> {
        SerializeStruct::skip_field(self, name)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.finish()
    }
}
