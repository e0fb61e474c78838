//! Lists of the language.

use std::fmt;
use std::sync::Arc;

use crate::functions::CallResult;
use crate::signature::Signature;
use crate::value::{INTERFACE, Value};

/// The type of a list. Lists of a kind refer to the same `static`.
///
/// ```
/// use consul_template_language::{List, ListType, Value};
///
/// static NODES: ListType = ListType::of("*catalog.Node");
///
/// let none = List::new(&NODES, Vec::new());
/// assert_eq!(Value::List(none).type_name(), "[]*catalog.Node");
/// ```
pub struct ListType {
    /// Type of the elements, spelled as in Go: `string`, `*catalog.Node`.
    pub element: &'static str,
    /// What can be called on a list of this type.
    pub methods: &'static [ListMethod],
}

/// A method of a list.
pub struct ListMethod {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub signature: Signature,
    /// Does the work, given the elements and arguments that match the signature.
    pub call: fn(&[Value], &[Value]) -> CallResult,
}

impl ListType {
    /// `[]interface {}`
    pub const ANY: &'static ListType = &ListType::of(INTERFACE);

    /// `[]string`
    pub const STRINGS: &'static ListType = &ListType::of("string");

    /// Lists of `element`, spelled as in Go, without methods.
    pub const fn of(element: &'static str) -> ListType {
        ListType { element, methods: &[] }
    }
}

/// An ordered list that does not change; cloning copies a pointer.
#[derive(Clone)]
pub struct List {
    kind: &'static ListType,
    items: Option<Arc<Vec<Value>>>,
}

impl List {
    /// A list of `kind`.
    pub fn new(kind: &'static ListType, items: Vec<Value>) -> List {
        List { kind, items: Some(Arc::new(items)) }
    }

    /// A list of values of any type, `[]interface {}`.
    pub fn any(items: Vec<Value>) -> List {
        List::new(ListType::ANY, items)
    }

    /// A list of strings, `[]string`.
    pub fn strings<T: Into<Value>>(items: impl IntoIterator<Item = T>) -> List {
        List::new(ListType::STRINGS, items.into_iter().map(Into::into).collect())
    }

    /// A list that was never made: empty, and `null` where lists are written as JSON.
    pub const fn nil(kind: &'static ListType) -> List {
        List { kind, items: None }
    }

    /// Whether this is the list that was never made.
    pub fn is_nil(&self) -> bool {
        self.items.is_none()
    }

    /// The type of the list.
    pub fn kind(&self) -> &'static ListType {
        self.kind
    }

    /// The elements.
    pub fn as_slice(&self) -> &[Value] {
        self.items.as_ref().map_or(&[], |items| items.as_slice())
    }

    /// The elements, copied only if somebody else holds this list too.
    pub fn into_vec(mut self) -> Vec<Value> {
        self.items.take().map(Arc::unwrap_or_clone).unwrap_or_default()
    }

    pub(crate) fn method(&self, name: &str) -> Option<&'static ListMethod> {
        self.kind.methods.iter().find(|method| method.name == name)
    }

    /// The element at `index` as an expression sees it.
    pub(crate) fn element(&self, index: usize) -> Option<Value> {
        let value = self.get(index)?.clone();
        let any = self.kind.element == INTERFACE;
        Some(if any && matches!(value, Value::Nil) { Value::NilPtr(INTERFACE) } else { value })
    }

    /// Takes the elements out if nobody else holds this list.
    pub(crate) fn take_unshared(&mut self) -> Vec<Value> {
        self.items.take().and_then(Arc::into_inner).unwrap_or_default()
    }

    /// An address that tells this list from all others.
    pub(crate) fn address(&self) -> usize {
        self.items.as_ref().map_or(0, |items| Arc::as_ptr(items) as usize)
    }
}

impl Drop for List {
    fn drop(&mut self) {
        crate::teardown::drop_all(self.take_unshared());
    }
}

impl std::ops::Deref for List {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        self.as_slice()
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}
