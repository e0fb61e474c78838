//! Reads values, forgiving what agents of all releases have sent.

use std::borrow::Cow;

use serde::de::{
    self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::DEPTH_MAX;
use super::error::DecodeError;
use super::read::{Header, Reader};

const NIL: u8 = 0xc0;

/// Reads values one after the other from a slice.
pub struct Deserializer<'de> {
    reader: Reader<'de>,
    depth: usize,
}

impl<'de> Deserializer<'de> {
    pub fn new(bytes: &'de [u8]) -> Self {
        Self { reader: Reader { bytes }, depth: 0 }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'de [u8] {
        self.reader.bytes
    }

    fn header(&mut self, expected: &'static str) -> Result<(Header, u8), DecodeError> {
        let first = self.reader.peek()?;
        match self.reader.header() {
            Ok(header) => Ok((header, first)),
            Err(DecodeError::Unexpected { found, .. }) => Err(DecodeError::Unexpected { expected, found }),
            Err(error) => Err(error),
        }
    }

    /// The bytes of a string; nil reads as empty.
    fn raw(&mut self, expected: &'static str) -> Result<&'de [u8], DecodeError> {
        match self.header(expected)? {
            (Header::Raw(len), _) => self.reader.take(len),
            (Header::Nil, _) => Ok(&[]),
            (_, found) => Err(DecodeError::Unexpected { expected, found }),
        }
    }

    fn is_nil(&self) -> Result<bool, DecodeError> {
        Ok(self.reader.peek()? == NIL)
    }

    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        if self.depth >= DEPTH_MAX {
            return Err(DecodeError::TooDeep);
        }
        self.depth += 1;
        let outcome = read(self);
        self.depth -= 1;
        outcome
    }

    fn visit_text<V: Visitor<'de>>(raw: &'de [u8], visitor: V) -> Result<V::Value, DecodeError> {
        match String::from_utf8_lossy(raw) {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn visit_elements<V: Visitor<'de>>(&mut self, len: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.nested(|this| {
            let mut elements = Elements { from: this, left: len };
            let value = visitor.visit_seq(&mut elements)?;
            elements.skip_rest()?;
            Ok(value)
        })
    }

    fn visit_entries<V: Visitor<'de>>(&mut self, len: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.nested(|this| visitor.visit_map(Entries { from: this, left: len, skip_nil: false }))
    }

    fn skip(&mut self) -> Result<(), DecodeError> {
        super::skip_value(&mut self.reader.bytes).map(|_| ())
    }
}

impl<'de> de::Deserializer<'de> for &mut Deserializer<'de> {
    type Error = DecodeError;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.header("a value")? {
            (Header::Nil, _) => visitor.visit_unit(),
            (Header::Bool(value), _) => visitor.visit_bool(value),
            (Header::Unsigned(value), _) => visitor.visit_u64(value),
            (Header::Signed(value), _) => visitor.visit_i64(value),
            (Header::Float(value), _) => visitor.visit_f64(value),
            (Header::Raw(len), _) => Deserializer::visit_text(self.reader.take(len)?, visitor),
            (Header::Array(len), _) => self.visit_elements(len, visitor),
            (Header::Map(len), _) => self.visit_entries(len, visitor),
            (Header::Extension(_), found) => Err(DecodeError::Unexpected { expected: "a value", found }),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.header("a boolean")? {
            (Header::Bool(value), _) => visitor.visit_bool(value),
            (Header::Nil | Header::Unsigned(0) | Header::Signed(0), _) => visitor.visit_bool(false),
            (Header::Unsigned(1) | Header::Signed(1), _) => visitor.visit_bool(true),
            (_, found) => Err(DecodeError::Unexpected { expected: "a boolean", found }),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.header("an integer")? {
            (Header::Unsigned(value), _) => visitor.visit_u64(value),
            (Header::Signed(value), _) => visitor.visit_i64(value),
            (Header::Nil, _) => visitor.visit_u64(0),
            (_, found) => Err(DecodeError::Unexpected { expected: "an integer", found }),
        }
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.header("a number")? {
            (Header::Float(value), _) => visitor.visit_f64(value),
            (Header::Unsigned(value), _) => visitor.visit_f64(value as f64),
            (Header::Signed(value), _) => visitor.visit_f64(value as f64),
            (Header::Nil, _) => visitor.visit_f64(0.0),
            (_, found) => Err(DecodeError::Unexpected { expected: "a number", found }),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        Deserializer::visit_text(self.raw("a string")?, visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.is_nil()? {
            self.skip()?;
            return visitor.visit_unit();
        }
        visitor.visit_borrowed_bytes(self.raw("bytes")?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_borrowed_bytes(self.raw("bytes")?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.is_nil()? {
            self.skip()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.skip()?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.header("a list")? {
            (Header::Array(len), _) => self.visit_elements(len, visitor),
            (Header::Nil, _) => self.visit_elements(0, visitor),
            (_, found) => Err(DecodeError::Unexpected { expected: "a list", found }),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.header("a map")? {
            (Header::Map(len), _) => self.visit_entries(len, visitor),
            (Header::Nil, _) => self.visit_entries(0, visitor),
            (_, found) => Err(DecodeError::Unexpected { expected: "a map", found }),
        }
    }

    /// A map by field name, or a list in declaration order. A field that is nil keeps its default.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let len = match self.header("a struct")? {
            (Header::Map(len), _) => len,
            (Header::Nil, _) => 0,
            (Header::Array(len), _) => return self.visit_elements(len, visitor),
            (_, found) => return Err(DecodeError::Unexpected { expected: "a struct", found }),
        };
        self.nested(|this| visitor.visit_map(Entries { from: this, left: len, skip_nil: true }))
    }

    /// The name of a variant, or a map in which one variant's name has a value that is not nil.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.header("a variant")? {
            (Header::Raw(len), _) => {
                let name = String::from_utf8_lossy(self.reader.take(len)?);
                visitor.visit_enum(name.into_deserializer())
            }
            (Header::Map(len), _) => self.nested(|this| {
                for entry in 0..len {
                    let name = String::from_utf8_lossy(this.raw("a string")?);
                    if this.is_nil()? || !variants.contains(&name.as_ref()) {
                        this.skip()?;
                        continue;
                    }
                    let value = visitor.visit_enum(Variant { name, from: this })?;
                    for _ in 0..(len - entry - 1) * 2 {
                        this.skip()?;
                    }
                    return Ok(value);
                }
                Err(de::Error::custom(format!("none of {} is set", variants.join(", "))))
            }),
            (_, found) => Err(DecodeError::Unexpected { expected: "a variant", found }),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { i128 u128 }
}

struct Elements<'a, 'de> {
    from: &'a mut Deserializer<'de>,
    left: usize,
}

impl Elements<'_, '_> {
    /// Newer agents append fields to what we read as a tuple.
    fn skip_rest(&mut self) -> Result<(), DecodeError> {
        while self.left > 0 {
            self.left -= 1;
            self.from.skip()?;
        }
        Ok(())
    }
}

impl<'de> SeqAccess<'de> for &mut Elements<'_, 'de> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.from).map(Some)
    }

    /// Every element takes a byte, so a claim beyond what is there is cut.
    fn size_hint(&self) -> Option<usize> {
        Some(self.left.min(self.from.rest().len()))
    }
}

struct Entries<'a, 'de> {
    from: &'a mut Deserializer<'de>,
    left: usize,
    skip_nil: bool,
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        while self.left > 0 {
            self.left -= 1;
            if !self.skip_nil {
                return seed.deserialize(&mut *self.from).map(Some);
            }
            let name = self.from.raw("a field name")?;
            if self.from.is_nil()? {
                self.from.skip()?;
                continue;
            }
            return seed.deserialize(FieldName(name)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, DecodeError> {
        seed.deserialize(&mut *self.from)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.min(self.from.rest().len() / 2))
    }
}

/// A field name; bytes suffice, since derived code compares them without checking UTF-8.
struct FieldName<'de>(&'de [u8]);

impl<'de> de::Deserializer<'de> for FieldName<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_borrowed_bytes(self.0)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        Deserializer::visit_text(self.0, visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        Deserializer::visit_text(self.0, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Variant<'a, 'de> {
    name: Cow<'de, str>,
    from: &'a mut Deserializer<'de>,
}

impl<'a, 'de> EnumAccess<'de> for Variant<'a, 'de> {
    type Error = DecodeError;
    type Variant = Content<'a, 'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), DecodeError> {
        let name: de::value::CowStrDeserializer<'_, DecodeError> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, Content { from: self.from }))
    }
}

struct Content<'a, 'de> {
    from: &'a mut Deserializer<'de>,
}

impl<'de> VariantAccess<'de> for Content<'_, 'de> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        self.from.skip()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DecodeError> {
        seed.deserialize(self.from)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        de::Deserializer::deserialize_seq(self.from, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        de::Deserializer::deserialize_struct(self.from, "", fields, visitor)
    }
}
