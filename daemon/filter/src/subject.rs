//! How a filter reads the objects it is asked about: borrowed, field by field.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

/// An object that can be filtered.
pub trait Subject {
    /// The field of this name, which is one of the object's [`Schema`](crate::Schema). A field that the object
    /// does not have answers [`Value::Zero`].
    fn field(&self, name: &str) -> Value<'_>;
}

/// A field's value. One that is of another type than the schema says counts as [`Value::Zero`].
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// The zero value of whatever type the schema says: what an absent sub-object's fields read as.
    Zero,
    /// Text.
    Str(&'a str),
    /// Whole number.
    Int(i64),
    /// Truth value.
    Bool(bool),
    /// Number with a fraction.
    Float(f64),
    /// List of texts.
    Strings(&'a dyn Strings),
    /// Map from text to text.
    StringMap(&'a dyn StringMap),
    /// Nested object.
    Object(&'a dyn Subject),
    /// List of objects.
    Objects(&'a dyn Objects),
    /// Map from text to objects.
    ObjectMap(&'a dyn ObjectMap),
}

impl<'a> Value<'a> {
    /// A nested object that may be absent.
    pub fn object<S: Subject>(object: Option<&'a S>) -> Self {
        object.map_or(Value::Zero, |object| Value::Object(object))
    }
}

/// A list of texts.
pub trait Strings {
    /// Whether an element equals the text.
    fn has(&self, text: &str) -> bool;
    /// Whether there is no element.
    fn is_empty(&self) -> bool;
}

/// A map from text to text.
pub trait StringMap {
    /// The value under a key.
    fn get(&self, key: &str) -> Option<&str>;
    /// Whether there is no entry.
    fn is_empty(&self) -> bool;
}

/// A list of objects.
pub trait Objects {
    /// Whether the test holds for an element.
    fn any(&self, test: &mut dyn FnMut(&dyn Subject) -> bool) -> bool;
    /// Whether there is no element.
    fn is_empty(&self) -> bool;
}

/// A map from text to objects.
pub trait ObjectMap {
    /// The object under a key.
    fn get(&self, key: &str) -> Option<&dyn Subject>;
    /// Whether there is no entry.
    fn is_empty(&self) -> bool;
}

impl<S: AsRef<str>> Strings for Vec<S> {
    fn has(&self, text: &str) -> bool {
        self.iter().any(|element| element.as_ref() == text)
    }

    fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }
}

impl<K, V> StringMap for BTreeMap<K, V>
where
    K: Ord + std::borrow::Borrow<str>,
    V: AsRef<str>,
{
    fn get(&self, key: &str) -> Option<&str> {
        BTreeMap::get(self, key).map(AsRef::as_ref)
    }

    fn is_empty(&self) -> bool {
        BTreeMap::is_empty(self)
    }
}

impl<K, V, H> StringMap for HashMap<K, V, H>
where
    K: Eq + std::hash::Hash + std::borrow::Borrow<str>,
    V: AsRef<str>,
    H: BuildHasher,
{
    fn get(&self, key: &str) -> Option<&str> {
        HashMap::get(self, key).map(AsRef::as_ref)
    }

    fn is_empty(&self) -> bool {
        HashMap::is_empty(self)
    }
}

impl<T: Subject> Objects for Vec<T> {
    fn any(&self, test: &mut dyn FnMut(&dyn Subject) -> bool) -> bool {
        self.iter().any(|element| test(element))
    }

    fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }
}

impl<K, T> ObjectMap for BTreeMap<K, T>
where
    K: Ord + std::borrow::Borrow<str>,
    T: Subject,
{
    fn get(&self, key: &str) -> Option<&dyn Subject> {
        BTreeMap::get(self, key).map(|object| object as &dyn Subject)
    }

    fn is_empty(&self) -> bool {
        BTreeMap::is_empty(self)
    }
}

impl<K, T, H> ObjectMap for HashMap<K, T, H>
where
    K: Eq + std::hash::Hash + std::borrow::Borrow<str>,
    T: Subject,
    H: BuildHasher,
{
    fn get(&self, key: &str) -> Option<&dyn Subject> {
        HashMap::get(self, key).map(|object| object as &dyn Subject)
    }

    fn is_empty(&self) -> bool {
        HashMap::is_empty(self)
    }
}

impl<T: Subject + ?Sized> Subject for std::sync::Arc<T> {
    fn field(&self, name: &str) -> Value<'_> {
        (**self).field(name)
    }
}

impl<T: Subject + ?Sized> Subject for &T {
    fn field(&self, name: &str) -> Value<'_> {
        (**self).field(name)
    }
}
