//! Functions, records and data that the tests use.

use std::sync::{Arc, Mutex};

use consul_template_language::{
    CallError, CallResult, Callable, Functions, List, ListMethod, ListType, Map, MapType, MissingKey, Param,
    Record, Signature, Templates, Text, Value,
};

/// What the functions of the tests share: names that were looked up.
#[derive(Default)]
pub struct Context {
    pub looked_up: Vec<String>,
}

pub struct Address {
    pub host: &'static str,
    pub port: i64,
}

impl Record for Address {
    fn type_name(&self) -> &'static str {
        "catalog.Address"
    }

    fn fields(&self) -> &'static [&'static str] {
        &["Host", "Port"]
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "Host" => Value::fixed(self.host),
            "Port" => self.port.into(),
            _ => return None,
        })
    }
}

pub static ADDRESSES: MapType = MapType {
    name: "map[string]catalog.Address",
    keys: consul_template_language::KeyKind::Str,
    element: "catalog.Address",
    zero: || Value::record(Address { host: "", port: 0 }),
};

pub static PAIRS: MapType = MapType {
    name: "map[string]*kv.Pair",
    keys: consul_template_language::KeyKind::Str,
    element: "*kv.Pair",
    zero: || Value::NilPtr("*kv.Pair"),
};

pub static BY_PORT: MapType = MapType {
    name: "map[int]string",
    keys: consul_template_language::KeyKind::Int,
    element: "string",
    zero: || Value::Str(Text::EMPTY),
};

static TAGS: ListType = ListType {
    element: "string",
    methods: &[ListMethod {
        name: "Contains",
        signature: Signature::fixed(&[Param::String]),
        call: |tags, args| {
            Ok(tags.iter().any(|tag| tag.as_text() == args.first().and_then(Value::as_text)).into())
        },
    }],
};

pub struct Node {
    pub name: &'static str,
}

impl Record for Node {
    fn type_name(&self) -> &'static str {
        "*catalog.Node"
    }

    fn fields(&self) -> &'static [&'static str] {
        &["Name", "Tags", "Meta", "Addresses"]
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "Name" => Value::fixed(self.name),
            "Tags" => List::new(&TAGS, vec!["a".into(), "b".into()]).into(),
            "Meta" => Map::strings([("rack", "r1")]).into(),
            "Addresses" => {
                Map::collect(&ADDRESSES, [("lan", Value::record(Address { host: "h", port: 1 }))]).into()
            }
            _ => return None,
        })
    }

    fn method(&self, name: &str) -> Option<Signature> {
        match name {
            "Greet" => Some(Signature::fixed(&[Param::String, Param::Int])),
            "Broken" => Some(Signature::fixed(&[])),
            _ => None,
        }
    }

    fn call(&self, name: &str, args: &[Value]) -> CallResult {
        match (name, args) {
            ("Greet", [greeting, count]) => {
                Ok(format!("{} {} {}", greeting.to_text(), self.name, count.to_text()).into())
            }
            _ => Err("it is broken".into()),
        }
    }
}

/// Keeps values between calls.
struct Scratch(Mutex<Map>);

impl Record for Scratch {
    fn type_name(&self) -> &'static str {
        "*template.scratch"
    }

    fn fields(&self) -> &'static [&'static str] {
        &[]
    }

    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    fn method(&self, name: &str) -> Option<Signature> {
        match name {
            "Set" => Some(Signature::fixed(&[Param::String, Param::Any])),
            "Get" => Some(Signature::fixed(&[Param::String])),
            _ => None,
        }
    }

    fn call(&self, name: &str, args: &[Value]) -> CallResult {
        let map = self.0.lock().map_err(|_| CallError::new("poisoned"))?;
        let key = args.first().map(Value::to_text).unwrap_or_default();
        match (name, args) {
            ("Set", [_, value]) => {
                map.insert(key, value.clone());
                Ok("".into())
            }
            _ => Ok(map.get(&key.into()).unwrap_or_default()),
        }
    }
}

pub fn functions() -> Functions<Context> {
    let mut functions = Functions::<Context>::new();
    functions.add("lookup", [Param::String], |run, args| {
        run.context().looked_up.push(args.str(0).into_owned());
        Ok(args.value(0).clone())
    });
    functions.add("include", ([Param::String], Param::Any), |run, args| {
        Ok(run.render(&args.str(0), args.value(1).clone())?.into())
    });
    functions.pure("upper", [Param::String], |args| args.str(0).to_uppercase());
    functions.pure("join", [Param::String, Param::Strings], |args| {
        let items: Vec<_> = args.list(1).iter().map(|item| item.to_text().to_string()).collect();
        items.join(&args.str(0))
    });
    functions.pure("split", [Param::String, Param::String], |args| {
        List::strings(args.str(1).split(&*args.str(0)))
    });
    functions.pure("list", ([], Param::Any), |args| List::any(args.all().to_vec()));
    functions.pure("dict", ([], Param::Any), |args| {
        Map::any(
            args.all().chunks(2).map(|pair| (pair[0].to_text(), pair.get(1).cloned().unwrap_or_default())),
        )
    });
    functions.try_pure("set", [Param::Map, Param::String, Param::Any], |args| -> Result<Value, CallError> {
        let map = args.map(0).ok_or("no map")?;
        map.insert(args.text(1), args.value(2).clone());
        Ok(map.clone().into())
    });
    functions.pure("repeat", [Param::Int, Param::String], |args| {
        args.str(1).repeat(usize::try_from(args.int(0)).unwrap_or(0))
    });
    functions.pure("half", [Param::Float], |args| args.float(0) / 2.0);
    functions.pure("flags", [Param::Uint], |args| args.uint(0));
    functions.pure("negate", [Param::Bool], |args| !args.bool(0));
    functions.pure("length", [Param::List], |args| args.list(0).len() as i64);
    functions.pure("span", [Param::Int, Param::Int], |args| Value::Span(args.int(0), args.int(1)));
    functions.pure("bytes", [Param::String], |args| Value::Bytes(args.text(0)));
    functions.pure("duration", [Param::Int], |args| Value::Duration(args.int(0)));
    functions.pure("node", [], |_| Value::record(Node { name: "n1" }));
    functions.pure("address", [], |_| Value::record(Address { host: "h", port: 80 }));
    functions.pure("nothing", [], |_| Value::Nil);
    functions.pure("nullNode", [], |_| Value::NilPtr("*catalog.Node"));
    functions.pure("addresses", [], |_| {
        Map::collect(&ADDRESSES, [("lan", Value::record(Address { host: "h", port: 1 }))])
    });
    functions.pure("pairs", [], |_| Map::collect::<&str, Value>(&PAIRS, []));
    functions.pure("ports", [], |_| Map::collect(&BY_PORT, [(8080, "b"), (443, "a"), (10000, "c")]));
    functions.pure("strings", [], |_| Map::strings([("k", "v")]));
    functions.pure("nilStrings", [], |_| Map::nil(MapType::STRINGS));
    functions.pure("greeter", [], |_| {
        Value::Func(Arc::new(Callable::new("func(string) string", [Param::String], |args| {
            Ok(format!("hi {}", args.str(0)).into())
        })))
    });
    functions.try_pure("boom", [], |_| -> Result<Value, &str> { Err("boom happened") });
    functions.pure("binary", [], |_| Text::from(&b"\xff\x00a"[..]));
    functions
}

/// A set with a scratch of its own.
pub fn templates(name: &str) -> Templates<Context> {
    let mut functions = functions();
    let scratch: Arc<dyn Record> =
        Arc::new(Scratch(Mutex::new(Map::collect::<&str, Value>(MapType::ANY, []))));
    functions.pure("scratch", [], move |_| Value::Record(Arc::clone(&scratch)));
    Templates::new(name, functions)
}

/// What a template prints on `data`, or its error.
pub fn render_with(missing_key: MissingKey, data: Value, source: &str) -> Result<String, String> {
    let mut templates = templates("t");
    templates.set_missing_key(missing_key);
    templates.parse(source).map_err(|error| error.to_string())?;
    let output = templates.render(&mut Context::default(), data).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

/// What a template prints without any data.
pub fn render(source: &str) -> Result<String, String> {
    render_with(MissingKey::Zero, Value::Nil, source)
}

/// Checks rows of template and output.
#[track_caller]
pub fn check(rows: &[(&str, &str)]) {
    for (source, expected) in rows {
        assert_eq!(render(source).as_deref(), Ok(*expected), "{source}");
    }
}

/// Checks rows of template and the whole text of the error.
#[track_caller]
pub fn check_errors(rows: &[(&str, &str)]) {
    for (source, expected) in rows {
        assert_eq!(render(source), Err((*expected).to_owned()), "{source}");
    }
}
