//! The functions that templates can call.
//!
//! A function is registered with its parameters, and is only ever called with arguments that match them: the
//! accessors of [`Args`] therefore have no error to return. `C` is whatever the functions of a program need
//! beside their arguments, such as the data of this evaluation and a list of what was missing; it is handed to
//! [`Templates::execute`](crate::Templates::execute) and reached through [`Execution::context`].

use std::borrow::Cow;
use std::collections::HashMap;

use crate::error::CallError;
use crate::exec::Execution;
use crate::map::Map;
use crate::signature::Signature;
use crate::text::Text;
use crate::value::Value;

/// What a function returns.
pub type CallResult = Result<Value, CallError>;

type Native<C> = Box<dyn for<'t> Fn(&mut Execution<'t, C>, Args<'_>) -> CallResult + Send + Sync>;

/// What a call of a function does.
pub(crate) enum Body<C: ?Sized> {
    Native(Native<C>),
    /// Evaluates arguments until one is false.
    And,
    /// Evaluates arguments until one is true.
    Or,
    /// Calls its first argument, and wants to know how the template spelled that.
    Call,
}

pub(crate) struct Function<C: ?Sized> {
    pub(crate) signature: Signature,
    pub(crate) body: Body<C>,
}

/// Refers to a function of a [`Functions`] for as long as that lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FunctionId(u32);

/// Functions by name; starts with those every template has.
///
/// ```
/// use consul_template_language::{Functions, Param, Templates, Value};
///
/// struct Store(&'static str);
///
/// let mut functions = Functions::<Store>::new();
/// functions.pure("toUpper", [Param::String], |args| args.str(0).to_uppercase());
/// functions.add("key", [Param::String], |run, args| {
///     let store = run.context();
///     if args.str(0) == "name" { Ok(store.0.into()) } else { Err("no such key".into()) }
/// });
///
/// let mut templates = Templates::new("main", functions);
/// templates.parse(r#"{{ key "name" | toUpper }}"#)?;
/// assert_eq!(templates.render(&mut Store("shop"), Value::Nil)?, b"SHOP");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Functions<C: ?Sized> {
    list: Vec<Function<C>>,
    names: HashMap<String, FunctionId>,
}

impl<C: ?Sized> Functions<C> {
    /// The functions of the language itself.
    pub fn new() -> Functions<C> {
        let mut functions = Functions { list: Vec::new(), names: HashMap::new() };
        crate::builtins::register(&mut functions);
        functions
    }

    /// Registers a function, in place of one with the same name.
    pub fn add<F>(&mut self, name: &str, signature: impl Into<Signature>, body: F)
    where
        F: for<'t> Fn(&mut Execution<'t, C>, Args<'_>) -> CallResult + Send + Sync + 'static,
    {
        self.insert(name, signature.into(), Body::Native(Box::new(body)));
    }

    /// Registers a function that cannot fail and needs nothing but its arguments.
    pub fn pure<F, R>(&mut self, name: &str, signature: impl Into<Signature>, body: F)
    where
        F: Fn(Args<'_>) -> R + Send + Sync + 'static,
        R: Into<Value>,
    {
        self.add(name, signature, move |_, args| Ok(body(args).into()));
    }

    /// Registers a function that needs nothing but its arguments.
    pub fn try_pure<F, R, E>(&mut self, name: &str, signature: impl Into<Signature>, body: F)
    where
        F: Fn(Args<'_>) -> Result<R, E> + Send + Sync + 'static,
        R: Into<Value>,
        E: Into<CallError>,
    {
        self.add(name, signature, move |_, args| body(args).map(Into::into).map_err(Into::into));
    }

    /// Makes `alias` another name of `name`, if that is there.
    pub fn alias(&mut self, alias: &str, name: &str) {
        if let Some(id) = self.names.get(name).copied() {
            self.names.insert(alias.to_owned(), id);
        }
    }

    /// Names of all functions, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    pub(crate) fn insert(&mut self, name: &str, signature: Signature, body: Body<C>) {
        let id = FunctionId(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        self.list.push(Function { signature, body });
        self.names.insert(name.to_owned(), id);
    }

    pub(crate) fn find(&self, name: &str) -> Option<FunctionId> {
        self.names.get(name).copied()
    }

    pub(crate) fn get(&self, id: FunctionId) -> Option<&Function<C>> {
        self.list.get(id.0 as usize)
    }
}

impl<C: ?Sized> Default for Functions<C> {
    fn default() -> Self {
        Functions::new()
    }
}

/// The arguments of a call, in the order of the parameters; what was piped into the call is the last.
///
/// An accessor that does not fit the declared parameter returns an empty value: it never panics.
#[derive(Clone, Copy)]
pub struct Args<'a>(&'a [Value]);

impl<'a> Args<'a> {
    pub(crate) fn new(values: &'a [Value]) -> Args<'a> {
        Args(values)
    }

    /// Number of arguments.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All arguments.
    pub fn all(&self) -> &'a [Value] {
        self.0
    }

    /// The arguments from `index` on.
    pub fn rest(&self, index: usize) -> &'a [Value] {
        self.0.get(index..).unwrap_or(&[])
    }

    /// The argument at `index`, if that many were given.
    pub fn get(&self, index: usize) -> Option<&'a Value> {
        self.0.get(index)
    }

    /// The argument at `index`, nil if there are fewer.
    pub fn value(&self, index: usize) -> &'a Value {
        self.0.get(index).unwrap_or(&Value::Nil)
    }

    /// A string as characters; bytes that are not UTF-8 become U+FFFD.
    pub fn str(&self, index: usize) -> Cow<'a, str> {
        match self.value(index) {
            Value::Str(text) => text.to_str(),
            _ => Cow::Borrowed(""),
        }
    }

    /// A string.
    pub fn text(&self, index: usize) -> Text {
        self.value(index).as_text().cloned().unwrap_or_default()
    }

    /// The bytes of a string or a list of bytes.
    pub fn bytes(&self, index: usize) -> &'a [u8] {
        match self.value(index) {
            Value::Str(text) | Value::Bytes(text) => text.as_bytes(),
            _ => &[],
        }
    }

    /// A truth value.
    pub fn bool(&self, index: usize) -> bool {
        matches!(self.value(index), Value::Bool(true))
    }

    /// A whole number.
    pub fn int(&self, index: usize) -> i64 {
        if let Value::Int(number) = self.value(index) { *number } else { 0 }
    }

    /// A whole number without a sign.
    pub fn uint(&self, index: usize) -> u64 {
        if let Value::Uint(number) = self.value(index) { *number } else { 0 }
    }

    /// A floating-point number.
    pub fn float(&self, index: usize) -> f64 {
        if let Value::Float(number) = self.value(index) { *number } else { 0.0 }
    }

    /// The elements of a list.
    pub fn list(&self, index: usize) -> &'a [Value] {
        if let Value::List(list) = self.value(index) { list.as_slice() } else { &[] }
    }

    /// A map.
    pub fn map(&self, index: usize) -> Option<&'a Map> {
        self.value(index).as_map()
    }
}
