//! Maps of the language.
//!
//! What a missing key yields depends on the type of the map, not on the keys in it, so every map names its
//! [`MapType`]. A map is shared, not copied, when it is assigned or passed on: `sprig_set $d "k" 1` is seen
//! through every name of the map. A loop over a map sees the entries as they were when the loop began.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::text::Text;
use crate::value::Value;

/// A key. Maps have keys of one kind, so the order between the kinds is never seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A whole number; numbers sort by value.
    Int(i64),
    /// A string; strings sort by bytes.
    Str(Text),
}

impl Key {
    /// The key as a value of the language.
    pub fn to_value(&self) -> Value {
        match self {
            Key::Int(number) => Value::Int(*number),
            Key::Str(text) => Value::Str(text.clone()),
        }
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Key::Str(text.into())
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Key::Str(text.into())
    }
}

impl From<Text> for Key {
    fn from(text: Text) -> Self {
        Key::Str(text)
    }
}

impl From<i64> for Key {
    fn from(number: i64) -> Self {
        Key::Int(number)
    }
}

/// Kind of the keys of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// `string`
    Str,
    /// `int`
    Int,
}

impl KeyKind {
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            KeyKind::Str => "string",
            KeyKind::Int => "int",
        }
    }
}

/// The type of a map. Every map of a kind refers to the same `static`.
///
/// ```
/// use consul_template_language::{KeyKind, MapType, Value};
///
/// /// Pairs by key; a missing pair is a nil pointer.
/// static PAIRS: MapType = MapType {
///     name: "map[string]*kv.Pair",
///     keys: KeyKind::Str,
///     element: "*kv.Pair",
///     zero: || Value::NilPtr("*kv.Pair"),
/// };
/// ```
pub struct MapType {
    /// The whole type, spelled as in Go: `map[string]string`.
    pub name: &'static str,
    /// Kind of the keys.
    pub keys: KeyKind,
    /// Type of the values, spelled as in Go.
    pub element: &'static str,
    /// What a missing key yields: `""`, a record of zeros, [`Value::NilPtr`], [`Value::Nil`].
    pub zero: fn() -> Value,
}

impl MapType {
    /// `map[string]interface {}`: values of any type, a missing one is nil.
    pub const ANY: &'static MapType = &MapType {
        name: "map[string]interface {}",
        keys: KeyKind::Str,
        element: "interface {}",
        zero: || Value::Nil,
    };

    /// `map[string]string`: a missing value is the empty string.
    pub const STRINGS: &'static MapType = &MapType {
        name: "map[string]string",
        keys: KeyKind::Str,
        element: "string",
        zero: || Value::Str(Text::EMPTY),
    };
}

type Entries = BTreeMap<Key, Value>;

/// A map; cloning makes another name of the same map.
#[derive(Clone)]
pub struct Map(Arc<Inner>);

struct Inner {
    kind: &'static MapType,
    entries: Mutex<Option<Arc<Entries>>>,
}

impl Map {
    /// A map of `kind` with `entries`.
    pub fn new(kind: &'static MapType, entries: BTreeMap<Key, Value>) -> Map {
        Map(Arc::new(Inner { kind, entries: Mutex::new(Some(Arc::new(entries))) }))
    }

    /// A map with values of any type.
    pub fn any<K: Into<Key>, V: Into<Value>>(entries: impl IntoIterator<Item = (K, V)>) -> Map {
        Map::collect(MapType::ANY, entries)
    }

    /// A map from strings to strings.
    pub fn strings<K: Into<Key>, V: Into<Value>>(entries: impl IntoIterator<Item = (K, V)>) -> Map {
        Map::collect(MapType::STRINGS, entries)
    }

    /// A map of `kind` from keys and values in any order; the last of equal keys wins.
    pub fn collect<K: Into<Key>, V: Into<Value>>(
        kind: &'static MapType,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Map {
        Map::new(kind, entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// A map that was never made: empty, and `null` where maps are written as JSON.
    pub fn nil(kind: &'static MapType) -> Map {
        Map(Arc::new(Inner { kind, entries: Mutex::new(None) }))
    }

    /// Whether this is a map that was never made, and nothing was put into it since.
    pub fn is_nil(&self) -> bool {
        self.lock().is_none()
    }

    /// The type of the map.
    pub fn kind(&self) -> &'static MapType {
        self.0.kind
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.lock().as_ref().map_or(0, |entries| entries.len())
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `key`, if it is there.
    pub fn get(&self, key: &Key) -> Option<Value> {
        self.lock().as_ref()?.get(key).cloned()
    }

    /// The entries as they are now, in the order of the keys.
    pub fn snapshot(&self) -> Arc<BTreeMap<Key, Value>> {
        self.lock().clone().unwrap_or_default()
    }

    /// Puts `value` under `key`, for everybody who holds this map.
    pub fn insert(&self, key: impl Into<Key>, value: impl Into<Value>) {
        let entry = (key.into(), value.into());
        Arc::make_mut(self.lock().get_or_insert_default()).insert(entry.0, entry.1);
    }

    /// Takes `key` out, for everybody who holds this map.
    pub fn remove(&self, key: &Key) -> Option<Value> {
        Arc::make_mut(self.lock().as_mut()?).remove(key)
    }

    /// The values, if nobody else holds this map.
    pub(crate) fn into_unshared(self) -> Vec<Value> {
        Arc::into_inner(self.0).map(|mut inner| inner.take_unshared()).unwrap_or_default()
    }

    /// An address that tells this map from all others.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Entries>>> {
        // Entries are only ever replaced whole, so a panic elsewhere cannot have left them half changed.
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn take_unshared(&mut self) -> Vec<Value> {
        let entries = self.entries.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        entries.and_then(Arc::into_inner).map(|entries| entries.into_values().collect()).unwrap_or_default()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        crate::teardown::drop_all(self.take_unshared());
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only the keys: a map may contain itself.
        f.debug_set().entries(self.snapshot().keys()).finish()
    }
}
