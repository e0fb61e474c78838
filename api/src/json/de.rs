//! Feeds a parsed document to serde as Go would fill a struct.

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};

use super::error::DecodeError;
use super::parse::Node;

/// What to do with a field that the type does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// An error, unless it belongs to a feature of newer releases that has no effect here: see `TOLERATED`.
    Reject,
    /// Skip it.
    Ignore,
}

/// Fields that newer clients send for namespaces, partitions, peering and the service mesh, in lower case and without
/// underscores. Refusing them would lock those clients out over settings that do nothing in this edition.
const TOLERATED: &[&str] = &[
    "accesslogs",
    "destinationnamespace",
    "destinationpartition",
    "destinationpeer",
    "envoyextensions",
    "locality",
    "localbindsocketmode",
    "localbindsocketpath",
    "mutualtlsmode",
    "namespace",
    "namespacerules",
    "nodepartition",
    "partition",
    "peer",
    "peername",
    "ports",
    "samenessgroup",
    "templatedpolicies",
    "transparentproxy",
];

pub(super) fn deserialize<T: DeserializeOwned>(
    document: &Node<'_>,
    unknown: Unknown,
) -> Result<T, DecodeError> {
    T::deserialize(NodeDeserializer { node: document, unknown, path: None })
}

/// The way to a node: a list on the stack, written out only for an error.
struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    field: &'p str,
}

fn path_text(path: Option<&Path<'_>>) -> String {
    let mut fields = Vec::new();
    let mut next = path;
    while let Some(step) = next {
        fields.push(step.field);
        next = step.parent;
    }
    fields.reverse();
    fields.join(".")
}

#[derive(Clone, Copy)]
struct NodeDeserializer<'n, 'p> {
    node: &'n Node<'n>,
    unknown: Unknown,
    path: Option<&'p Path<'p>>,
}

impl<'n> NodeDeserializer<'n, '_> {
    fn mismatch(&self, expected: &str) -> DecodeError {
        let value = match self.node {
            Node::Null => "null",
            Node::Bool(_) => "bool",
            Node::Number(_) => "number",
            Node::String(_) => "string",
            Node::Array(_) => "array",
            Node::Object(_) => "object",
        };
        self.type_error(value.to_owned(), expected)
    }

    fn type_error(&self, value: String, expected: &str) -> DecodeError {
        DecodeError::Type { value, path: path_text(self.path), expected: expected.to_owned() }
    }

    fn integer<T: std::str::FromStr + Default>(&self, go_type: &str) -> Result<T, DecodeError> {
        match self.node {
            Node::Null => Ok(T::default()),
            Node::Number(literal) => {
                literal.parse().map_err(|_| self.type_error(format!("number {literal}"), go_type))
            }
            _ => Err(self.mismatch(go_type)),
        }
    }

    fn float(&self) -> Result<f64, DecodeError> {
        match self.node {
            Node::Null => Ok(0.0),
            Node::Number(literal) => literal
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite())
                .ok_or_else(|| self.type_error(format!("number {literal}"), "float64")),
            _ => Err(self.mismatch("float64")),
        }
    }

    fn text(&self) -> Result<&'n str, DecodeError> {
        match self.node {
            Node::Null => Ok(""),
            Node::String(text) => Ok(text),
            _ => Err(self.mismatch("string")),
        }
    }

    fn elements(&self) -> Result<Elements<'n, '_>, DecodeError> {
        let nodes = match self.node {
            Node::Null => [].iter(),
            Node::Array(nodes) => nodes.iter(),
            _ => return Err(self.mismatch("slice")),
        };
        Ok(Elements { nodes, unknown: self.unknown, path: self.path })
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $rust:ty, $go:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            visitor.$visit(self.integer::<$rust>($go)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for NodeDeserializer<'_, '_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.node {
            Node::Null => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(*value),
            Node::String(text) => visitor.visit_str(text),
            Node::Array(_) => visitor.visit_seq(self.elements()?),
            Node::Object(_) => self.deserialize_map(visitor),
            Node::Number(literal) => {
                if let Ok(number) = literal.parse::<u64>() {
                    visitor.visit_u64(number)
                } else if let Ok(number) = literal.parse::<i64>() {
                    visitor.visit_i64(number)
                } else {
                    visitor.visit_f64(self.float()?)
                }
            }
        }
    }

    integers! {
        deserialize_i8 visit_i8 i8, "int8";
        deserialize_i16 visit_i16 i16, "int16";
        deserialize_i32 visit_i32 i32, "int32";
        deserialize_i64 visit_i64 i64, "int";
        deserialize_u8 visit_u8 u8, "uint8";
        deserialize_u16 visit_u16 u16, "uint16";
        deserialize_u32 visit_u32 u32, "uint32";
        deserialize_u64 visit_u64 u64, "uint64";
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.node {
            Node::Null => visitor.visit_bool(false),
            Node::Bool(value) => visitor.visit_bool(*value),
            _ => Err(self.mismatch("bool")),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_f64(self.float()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_f64(self.float()?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.node {
            Node::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_seq(self.elements()?)
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
        let members: &[_] = match self.node {
            Node::Null => &[],
            Node::Object(members) => members,
            _ => return Err(self.mismatch("map")),
        };
        visitor.visit_map(Members { members: members.iter(), value: None, from: self })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let members: &[_] = match self.node {
            Node::Null => &[],
            Node::Object(members) => members,
            _ => return Err(self.mismatch(&format!("structs.{name}"))),
        };
        let chosen = chosen_members(members, fields, self.unknown)?;
        visitor.visit_map(Fields { chosen: chosen.into_iter(), value: None, from: self })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.node {
            Node::String(name) => {
                visitor.visit_enum(Variant { name: exact_name(variants, name).unwrap_or(name), from: None })
            }
            Node::Object(members) => {
                let chosen = members.iter().find_map(|(name, node)| {
                    let name = exact_name(variants, name)?;
                    (*node != Node::Null).then_some((name, node))
                });
                let Some((name, node)) = chosen else {
                    return Err(self.type_error("object".to_owned(), &variants.join(" or ")));
                };
                visitor.visit_enum(Variant { name, from: Some(NodeDeserializer { node, ..self }) })
            }
            _ => Err(self.mismatch("string")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }
}

/// The spelling that the type uses for `name`: exact if it has it, else one that differs in letter case only.
fn exact_name(names: &'static [&'static str], name: &str) -> Option<&'static str> {
    let exact = names.iter().find(|known| **known == name);
    exact.or_else(|| names.iter().find(|known| known.eq_ignore_ascii_case(name))).copied()
}

fn is_tolerated(name: &str) -> bool {
    TOLERATED.iter().any(|known| {
        let folded = name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase());
        folded.eq(known.bytes())
    })
}

type Chosen<'n> = Vec<(&'static str, &'n Node<'n>)>;

/// The members that fill a struct: known, not null (null leaves the default), the last of those that share a name.
fn chosen_members<'n>(
    members: &'n [(std::borrow::Cow<'n, str>, Node<'n>)],
    fields: &'static [&'static str],
    unknown: Unknown,
) -> Result<Chosen<'n>, DecodeError> {
    let mut chosen: Chosen<'n> = Vec::with_capacity(members.len().min(fields.len()));
    for (name, node) in members {
        let Some(field) = exact_name(fields, name) else {
            if unknown == Unknown::Ignore || is_tolerated(name) {
                continue;
            }
            return Err(DecodeError::UnknownField(name.to_string()));
        };
        if *node == Node::Null {
            continue;
        }
        match chosen.iter_mut().find(|(known, _)| *known == field) {
            Some(earlier) => earlier.1 = node,
            None => chosen.push((field, node)),
        }
    }
    Ok(chosen)
}

struct Elements<'n, 'p> {
    nodes: std::slice::Iter<'n, Node<'n>>,
    unknown: Unknown,
    path: Option<&'p Path<'p>>,
}

impl<'de> SeqAccess<'de> for Elements<'_, '_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let Some(node) = self.nodes.next() else { return Ok(None) };
        seed.deserialize(NodeDeserializer { node, unknown: self.unknown, path: self.path }).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.nodes.len())
    }
}

/// Members of a map: every one, in order; inserting makes the last of equal keys win.
struct Members<'n, 'p> {
    members: std::slice::Iter<'n, (std::borrow::Cow<'n, str>, Node<'n>)>,
    value: Option<(&'n str, &'n Node<'n>)>,
    from: NodeDeserializer<'n, 'p>,
}

impl<'de> MapAccess<'de> for Members<'_, '_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        let Some((name, node)) = self.members.next() else { return Ok(None) };
        self.value = Some((name, node));
        seed.deserialize(KeyDeserializer(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, DecodeError> {
        let (field, node) = self.value.take().unwrap_or(("", &Node::Null));
        let path = Path { parent: self.from.path, field };
        seed.deserialize(NodeDeserializer { node, unknown: self.from.unknown, path: Some(&path) })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.members.len())
    }
}

struct Fields<'n, 'p> {
    chosen: std::vec::IntoIter<(&'static str, &'n Node<'n>)>,
    value: Option<(&'static str, &'n Node<'n>)>,
    from: NodeDeserializer<'n, 'p>,
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        let Some((field, node)) = self.chosen.next() else { return Ok(None) };
        self.value = Some((field, node));
        let name: StrDeserializer<'_, DecodeError> = field.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, DecodeError> {
        let (field, node) = self.value.take().unwrap_or(("", &Node::Null));
        let path = Path { parent: self.from.path, field };
        seed.deserialize(NodeDeserializer { node, unknown: self.from.unknown, path: Some(&path) })
    }
}

/// A map key: text, also where the map is keyed by numbers or booleans.
struct KeyDeserializer<'n>(&'n str);

macro_rules! parsed_keys {
    ($($method:ident $visit:ident $rust:ty, $go:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            let number = self.0.parse::<$rust>().map_err(|_| DecodeError::Type {
                value: format!("number {}", self.0),
                path: String::new(),
                expected: $go.to_owned(),
            })?;
            visitor.$visit(number)
        }
    )*};
}

impl<'de> Deserializer<'de> for KeyDeserializer<'_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_str(self.0)
    }

    parsed_keys! {
        deserialize_i64 visit_i64 i64, "int";
        deserialize_u64 visit_u64 u64, "uint64";
        deserialize_u32 visit_u32 u32, "uint32";
        deserialize_u16 visit_u16 u16, "uint16";
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let name = exact_name(variants, self.0).unwrap_or(self.0);
        visitor.visit_enum(Variant { name, from: None })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i128 u8 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Variant<'n, 'p> {
    name: &'n str,
    from: Option<NodeDeserializer<'n, 'p>>,
}

impl<'n, 'p> Variant<'n, 'p> {
    fn content(self) -> Result<NodeDeserializer<'n, 'p>, DecodeError> {
        self.from.ok_or_else(|| de::Error::custom(format!("{} needs a value", self.name)))
    }
}

impl<'de, 'n, 'p> EnumAccess<'de> for Variant<'n, 'p> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), DecodeError> {
        let name: StrDeserializer<'_, DecodeError> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, '_> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DecodeError> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.content()?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.content()?.deserialize_struct("", fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::json::{from_slice_whole, from_str};
    use crate::types::agent::CheckDefinition;
    use crate::types::bytes::{Blob, Key};
    use crate::types::duration::GoDuration;
    use crate::types::kv::KvVerb;
    use crate::types::txn::{TxnOp, TxnResult};

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, rename_all = "PascalCase")]
    struct Sample {
        name: String,
        #[serde(rename = "TTL", alias = "time_to_live")]
        ttl: String,
        flags: u64,
        enabled: bool,
        tags: Option<Vec<String>>,
        value: Blob,
        key: Key,
        wait: GoDuration,
        inner: Inner,
        meta: BTreeMap<String, i64>,
        any: serde_json::Value,
        verb: Option<KvVerb>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, rename_all = "PascalCase")]
    struct Inner {
        port: i64,
    }

    fn strict(text: &str) -> Result<Sample, DecodeError> {
        from_str(text, Unknown::Reject)
    }

    fn refusal(text: &str) -> String {
        strict(text).unwrap_err().to_string()
    }

    #[test]
    fn letter_case_of_names_does_not_matter() {
        for text in
            [r#"{"name":"a","ttl":"b"}"#, r#"{"NAME":"a","Ttl":"b"}"#, r#"{"Name":"a","Time_To_Live":"b"}"#]
        {
            let sample = strict(text).unwrap();
            assert_eq!((sample.name.as_str(), sample.ttl.as_str()), ("a", "b"), "{text}");
        }
    }

    #[test]
    fn unknown_fields_are_refused_at_any_depth() {
        assert_eq!(refusal(r#"{"Bogus":1}"#), "json: unknown field \"Bogus\"");
        assert_eq!(refusal(r#"{"Inner":{"bogus":1}}"#), "json: unknown field \"bogus\"");
        assert_eq!(from_str::<Sample>(r#"{"Bogus":1,"Name":"a"}"#, Unknown::Ignore).unwrap().name, "a");
    }

    #[test]
    fn fields_of_newer_releases_pass_without_effect() {
        for name in ["Namespace", "partition", "PeerName", "peer_name", "Locality", "TransparentProxy"] {
            assert_eq!(strict(&format!("{{\"{name}\":{{}}}}")).unwrap(), Sample::default(), "{name}");
        }
    }

    #[test]
    fn null_leaves_the_default() {
        let text =
            r#"{"Name":null,"Flags":null,"Tags":null,"Value":null,"Inner":null,"Meta":null,"Wait":null}"#;
        assert_eq!(strict(text).unwrap(), Sample::default());
        assert_eq!(strict("null").unwrap(), Sample::default());
        assert_eq!(from_str::<Vec<String>>("[null]", Unknown::Reject).unwrap(), [""]);
    }

    #[test]
    fn last_of_equal_names_wins() {
        assert_eq!(strict(r#"{"Name":"a","name":"b","NAME":"c"}"#).unwrap().name, "c");
        assert_eq!(strict(r#"{"Meta":{"a":1,"a":2}}"#).unwrap().meta["a"], 2);
    }

    #[test]
    fn type_errors_name_the_field() {
        for (text, expected) in [
            (r#"{"TTL":5}"#, "json: cannot unmarshal number into Go struct field .TTL of type string"),
            (r#"{"Flags":"x"}"#, "json: cannot unmarshal string into Go struct field .Flags of type uint64"),
            (
                r#"{"Flags":1.5}"#,
                "json: cannot unmarshal number 1.5 into Go struct field .Flags of type uint64",
            ),
            (
                r#"{"Flags":-1}"#,
                "json: cannot unmarshal number -1 into Go struct field .Flags of type uint64",
            ),
            (
                r#"{"enabled":"y"}"#,
                "json: cannot unmarshal string into Go struct field .Enabled of type bool",
            ),
            (
                r#"{"Inner":{"Port":"1"}}"#,
                "json: cannot unmarshal string into Go struct field .Inner.Port of type int",
            ),
            (
                r#"{"Inner":[]}"#,
                "json: cannot unmarshal array into Go struct field .Inner of type structs.Inner",
            ),
            (r#"{"Tags":{}}"#, "json: cannot unmarshal object into Go struct field .Tags of type slice"),
            ("[]", "json: cannot unmarshal array into Go value of type structs.Sample"),
        ] {
            assert_eq!(refusal(text), expected, "{text}");
        }
    }

    #[test]
    fn errors_of_field_types_pass_unchanged() {
        assert_eq!(refusal(r#"{"Wait":"xx"}"#), "time: invalid duration \"xx\"");
        assert_eq!(refusal(r#"{"Value":"aGV?"}"#), "illegal base64 data at input byte 3");
    }

    #[test]
    fn bytes_after_the_value_count_only_when_asked() {
        assert_eq!(strict(r#"{"Name":"z"} junk"#).unwrap().name, "z");
        assert!(from_slice_whole::<Sample>(br#"{"Name":"z"} junk"#, Unknown::Reject).is_err());
        assert!(from_slice_whole::<Sample>(b" {} \n", Unknown::Reject).is_ok());
        assert_eq!(refusal(""), "EOF");
        assert_eq!(refusal("{\"Name\":"), "unexpected EOF");
    }

    #[test]
    fn values_of_every_kind_arrive() {
        let sample = strict(
            r#"{"Flags":18446744073709551615,"Enabled":true,"Tags":["a"],"Value":"aGVsbG8=","Key":"k",
                "Wait":"1m","Inner":{"Port":80},"Meta":{"x":-1},"Any":{"a":[1,2.5,null,"s"]},"Verb":"get-tree"}"#,
        )
        .unwrap();
        assert_eq!(sample.flags, u64::MAX);
        assert_eq!(sample.value, Blob::from("hello"));
        assert_eq!(sample.wait, GoDuration::from_secs(60));
        assert_eq!(sample.meta["x"], -1);
        assert_eq!(sample.any, serde_json::json!({"a": [1, 2.5, null, "s"]}));
        assert_eq!(sample.verb, Some(KvVerb::GetTree));
    }

    #[test]
    fn aliases_of_the_types_are_known_names() {
        let check: CheckDefinition = from_str(
            r#"{"id":"c","service_id":"s","deregister_critical_service_after":"1m","tcp_use_tls":true,"Args":["x"]}"#,
            Unknown::Reject,
        )
        .unwrap();
        assert_eq!((check.id.as_str(), check.service_id.as_str()), ("c", "s"));
        assert_eq!(check.deregister_critical_service_after, GoDuration::from_secs(60));
        assert_eq!(check.script_args.unwrap(), ["x"]);
    }

    #[test]
    fn transactions_decode() {
        let ops: Vec<TxnOp> =
            from_str(r#"[{"KV":{"Verb":"set","Key":"a","Value":"aA=="}},{"kv":null}]"#, Unknown::Reject)
                .unwrap();
        assert_eq!(ops[0].kv.as_ref().unwrap().verb, "set");
        assert_eq!(ops[1], TxnOp::default());
        let result: TxnResult = from_str(r#"{"Node":null,"KV":{"Key":"a"}}"#, Unknown::Reject).unwrap();
        assert!(matches!(result, TxnResult::Kv(pair) if pair.key == Key::from("a")));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]
        #[test]
        fn mutated_documents_never_panic(at in 0usize..200, byte in proptest::prelude::any::<u8>()) {
            let mut text = br#"{"Flags":12,"Enabled":true,"Tags":["a"],"Value":"aGVsbG8=","Wait":"1m","Inner":{"Port":80},"Meta":{"x":-1},"Any":{"a":[1,2.5]},"Verb":"get-tree"}"#.to_vec();
            let at = at % text.len();
            text[at] = byte;
            let _ = crate::json::from_slice::<Sample>(&text, Unknown::Reject);
            text.truncate(at);
            let _ = crate::json::from_slice::<Sample>(&text, Unknown::Ignore);
        }
    }
}
