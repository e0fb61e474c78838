//! Whole configuration files.

use consul_template_language::{Functions, List, ListType, Param, Record, Templates, Value};

struct Service(&'static str);

impl Record for Service {
    fn type_name(&self) -> &'static str {
        "*catalog.Service"
    }

    fn fields(&self) -> &'static [&'static str] {
        &["Name"]
    }

    fn field(&self, name: &str) -> Option<Value> {
        (name == "Name").then(|| Value::fixed(self.0))
    }
}

struct Instance {
    id: &'static str,
    address: &'static str,
    port: i64,
    tags: &'static [&'static str],
}

impl Record for Instance {
    fn type_name(&self) -> &'static str {
        "*health.Instance"
    }

    fn fields(&self) -> &'static [&'static str] {
        &["ID", "Address", "Port", "Tags", "Weight"]
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "ID" => Value::fixed(self.id),
            "Address" => Value::fixed(self.address),
            "Port" => self.port.into(),
            "Tags" => List::strings(self.tags.iter().copied()).into(),
            "Weight" => Value::Int(0),
            _ => return None,
        })
    }
}

static SERVICES: ListType = ListType::of("*catalog.Service");
static INSTANCES: ListType = ListType::of("*health.Instance");

fn functions() -> Functions<()> {
    let mut functions = Functions::new();
    functions.pure("services", [], |_| {
        List::new(&SERVICES, vec![Value::record(Service("db")), Value::record(Service("web"))])
    });
    functions.pure("service", [Param::String], |args| {
        let web = [
            Instance { id: "web-1", address: "10.1.0.11", port: 8080, tags: &["blue"] },
            Instance { id: "web-2", address: "10.1.0.12", port: 8081, tags: &["blue", "green"] },
        ];
        let found = if args.str(0) == "web" { web.map(Value::record).into() } else { Vec::new() };
        List::new(&INSTANCES, found)
    });
    functions.pure("join", [Param::String, Param::Strings], |args| {
        let items: Vec<_> = args.list(1).iter().map(|item| item.to_text().to_string()).collect();
        items.join(&args.str(0))
    });
    functions
}

#[track_caller]
fn check(source: &str, expected: &str) {
    let mut templates = Templates::new("fixture", functions());
    templates.parse(source).unwrap();
    let output = templates.render(&mut (), Value::Nil).unwrap();
    assert_eq!(String::from_utf8(output).unwrap(), expected);
}

#[test]
fn upstreams_of_nginx() {
    check(include_str!("fixtures/nginx.tmpl"), include_str!("fixtures/nginx.out"));
}

#[test]
fn backends_of_haproxy() {
    check(include_str!("fixtures/haproxy.tmpl"), include_str!("fixtures/haproxy.out"));
}

#[test]
fn an_object_of_json() {
    check(include_str!("fixtures/json.tmpl"), include_str!("fixtures/json.out"));
}
