//! What records are made of: strings, lists and maps that can be handed to a template without copying them,
//! and stored.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use consul_api::types::bytes::Blob;
use consul_template_language::{List, ListMethod, ListType, Map, MapType, Param, Signature, Text, Value};
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

/// A string that is handed out by copying a pointer.
pub type Str = Arc<str>;

/// A field as a value of the template language.
pub(crate) trait ToValue {
    fn to_value(&self) -> Value;
}

macro_rules! to_value {
    ($($type:ty => |$it:ident| $value:expr;)*) => {$(
        impl ToValue for $type {
            fn to_value(&self) -> Value {
                let $it = self;
                $value
            }
        }
    )*};
}

to_value! {
    Str => |it| Value::Str(Arc::clone(it).into());
    bool => |it| Value::Bool(*it);
    i64 => |it| Value::Int(*it);
    u64 => |it| Value::Uint(*it);
    Bytes => |it| Value::Str(it.0.clone());
    Tags => |it| Value::List(it.0.clone());
    Strings => |it| Value::Map(it.0.clone());
    Nanoseconds => |it| Value::Duration(it.0);
}

/// Any bytes, such as the value of a key: base64 where they are stored, never shown when debugging.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bytes(pub Text);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({})", self.0.len())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Blob::from(self.0.as_bytes()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Blob::deserialize(deserializer).map(|blob| Bytes(blob.as_slice().into()))
    }
}

/// A length of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Nanoseconds(pub i64);

static TAGS: ListType = ListType {
    element: "string",
    methods: &[ListMethod {
        name: "Contains",
        signature: Signature::fixed(&[Param::String]),
        call: |tags, args| {
            let wanted = args.first().and_then(Value::as_text);
            Ok(tags.iter().any(|tag| tag.as_text() == wanted).into())
        },
    }],
};

/// A list of strings, with the method `Contains`.
#[derive(Clone)]
pub struct Tags(List);

impl Tags {
    /// These strings in this order.
    pub fn new<T: Into<Value>>(tags: impl IntoIterator<Item = T>) -> Tags {
        Tags(List::new(&TAGS, tags.into_iter().map(Into::into).collect()))
    }

    /// These strings in ascending order.
    pub fn sorted(tags: Option<Vec<String>>) -> Tags {
        let mut tags = tags.unwrap_or_default();
        tags.sort_unstable();
        Tags::new(tags)
    }

    /// The strings.
    pub fn iter(&self) -> impl Iterator<Item = &Text> {
        self.0.as_slice().iter().filter_map(Value::as_text)
    }
}

impl Default for Tags {
    fn default() -> Self {
        Tags(List::nil(&TAGS))
    }
}

impl PartialEq for Tags {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Tags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Text::to_str))
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<String>::deserialize(deserializer).map(Tags::new)
    }
}

/// Strings by name; a name that is not there yields the empty string.
#[derive(Clone)]
pub struct Strings(Map);

impl Strings {
    /// The string under `name`.
    pub fn get(&self, name: &str) -> Option<Text> {
        self.0.get(&name.into())?.as_text().cloned()
    }

    fn pairs(&self) -> Option<BTreeMap<String, String>> {
        if self.0.is_nil() {
            return None;
        }
        let text = |value: Value| value.to_text().to_string();
        let entries = self.0.snapshot();
        Some(entries.iter().map(|(name, value)| (text(name.to_value()), text(value.clone()))).collect())
    }
}

impl From<Option<BTreeMap<String, String>>> for Strings {
    fn from(pairs: Option<BTreeMap<String, String>>) -> Self {
        pairs.map_or_else(Strings::default, |pairs| Strings(Map::strings(pairs)))
    }
}

impl Default for Strings {
    fn default() -> Self {
        Strings(Map::nil(MapType::STRINGS))
    }
}

impl PartialEq for Strings {
    fn eq(&self, other: &Self) -> bool {
        self.pairs() == other.pairs()
    }
}

impl fmt::Debug for Strings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pairs().fmt(f)
    }
}

impl Serialize for Strings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.pairs().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<BTreeMap<String, String>>::deserialize(deserializer).map(Strings::from)
    }
}
