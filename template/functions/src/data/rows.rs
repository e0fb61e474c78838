//! Lists of records.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use consul_template_language::{List, ListType, Record, Value};
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde::ser::{Serialize, Serializer};

use super::parts::ToValue;

/// A record that comes in lists.
pub trait Row: Record + Sized {
    /// The type of lists of it.
    fn list_type() -> &'static ListType;
}

/// Records in a fixed order; cloning and handing them to a template copies a pointer.
pub struct Rows<T> {
    rows: Arc<Vec<Arc<T>>>,
    list: List,
}

impl<T: Row> Rows<T> {
    /// These records in this order.
    pub fn new(rows: Vec<Arc<T>>) -> Rows<T> {
        let values = rows.iter().map(|row| Value::Record(Arc::clone(row) as Arc<dyn Record>)).collect();
        Rows { rows: Arc::new(rows), list: List::new(T::list_type(), values) }
    }

    /// The list as templates see it.
    pub fn to_list(&self) -> List {
        self.list.clone()
    }
}

impl<T: Row> FromIterator<T> for Rows<T> {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Self {
        Rows::new(rows.into_iter().map(Arc::new).collect())
    }
}

impl<T: Row> Default for Rows<T> {
    fn default() -> Self {
        Rows::new(Vec::new())
    }
}

impl<T> Clone for Rows<T> {
    fn clone(&self) -> Self {
        Rows { rows: Arc::clone(&self.rows), list: self.list.clone() }
    }
}

impl<T> Deref for Rows<T> {
    type Target = [Arc<T>];

    fn deref(&self) -> &[Arc<T>] {
        &self.rows
    }
}

impl<T: PartialEq> PartialEq for Rows<T> {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

impl<T: fmt::Debug> fmt::Debug for Rows<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows.fmt(f)
    }
}

impl<T: Serialize> Serialize for Rows<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(Arc::as_ref))
    }
}

impl<'de, T: Row + DeserializeOwned> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<T>::deserialize(deserializer).map(Rows::from_iter)
    }
}

impl<T: Row> ToValue for Rows<T> {
    fn to_value(&self) -> Value {
        Value::List(self.to_list())
    }
}

/// Declares which fields of a structure templates see, and under which names.
macro_rules! record {
    ($type:ty, $name:literal, { $($label:literal => $field:ident,)* }) => {
        impl consul_template_language::Record for $type {
            fn type_name(&self) -> &'static str {
                $name
            }

            fn fields(&self) -> &'static [&'static str] {
                &[$($label),*]
            }

            fn field(&self, name: &str) -> Option<consul_template_language::Value> {
                Some(match name {
                    $($label => $crate::data::parts::ToValue::to_value(&self.$field),)*
                    _ => return None,
                })
            }
        }
    };
}

/// The same for structures that come in lists.
macro_rules! row {
    ($type:ty, $name:literal, { $($label:literal => $field:ident,)* }) => {
        $crate::data::rows::row!($type, $name, methods: &[], { $($label => $field,)* });
    };
    ($type:ty, $name:literal, methods: $methods:expr, { $($label:literal => $field:ident,)* }) => {
        $crate::data::rows::record!($type, $name, { $($label => $field,)* });

        impl $crate::data::rows::Row for $type {
            fn list_type() -> &'static consul_template_language::ListType {
                static TYPE: consul_template_language::ListType =
                    consul_template_language::ListType { element: $name, methods: $methods };
                &TYPE
            }
        }
    };
}

pub(crate) use {record, row};
