//! How long a large template takes. Prints, and asserts the output only.

use std::sync::Arc;
use std::time::Instant;

use consul_template_language::{Functions, List, ListType, Map, Param, Record, Templates, Text, Value};

const SERVICES: usize = 1_000;
const INSTANCES: usize = 10;
const ROUNDS: u32 = 50;

struct Instance {
    name: Text,
    address: Text,
    port: i64,
    meta: Map,
}

impl Record for Instance {
    fn type_name(&self) -> &'static str {
        "*catalog.Instance"
    }

    fn fields(&self) -> &'static [&'static str] {
        &["Name", "Address", "Port", "Meta"]
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "Name" => self.name.clone().into(),
            "Address" => self.address.clone().into(),
            "Port" => self.port.into(),
            "Meta" => self.meta.clone().into(),
            _ => return None,
        })
    }
}

static INSTANCES_TYPE: ListType = ListType::of("*catalog.Instance");

struct Catalog {
    names: List,
    services: std::collections::HashMap<String, List>,
}

fn catalog() -> Catalog {
    let names: Vec<String> = (0..SERVICES).map(|service| format!("service-{service:04}")).collect();
    let instance = |name: &str, index: usize| -> Value {
        let record: Arc<dyn Record> = Arc::new(Instance {
            name: name.into(),
            address: format!("10.0.{}.{index}", name.len()).into(),
            port: 8000 + index as i64,
            meta: Map::strings([("version", "1"), ("rack", "a")]),
        });
        record.into()
    };
    let instances = |name: &String| {
        List::new(&INSTANCES_TYPE, (0..INSTANCES).map(|index| instance(name, index)).collect())
    };
    let services = names.iter().map(|name| (name.clone(), instances(name))).collect();
    Catalog { names: List::strings(names), services }
}

#[test]
#[ignore = "prints a measurement"]
fn a_thousand_services_with_ten_instances_each() {
    let mut functions = Functions::<Catalog>::new();
    functions.add("services", [], |run, _| Ok(run.context().names.clone().into()));
    functions.add("service", [Param::String], |run, args| {
        Ok(run
            .context()
            .services
            .get(&*args.str(0))
            .cloned()
            .unwrap_or_else(|| List::nil(&INSTANCES_TYPE))
            .into())
    });
    let mut templates = Templates::new("nginx", functions);
    let source = "{{range services}}upstream {{.}} {\n{{range $i, $s := service .}}  server {{.Address}}:{{.Port}}{{if eq .Meta.version \"2\"}} backup{{end}}; # {{$i}} {{.Name}}\n{{else}}  server 127.0.0.1:65535;\n{{end}}}\n{{end}}";
    let started = Instant::now();
    templates.parse(source).unwrap();
    println!("parse: {:?}", started.elapsed());
    let mut catalog = catalog();
    let mut out = Vec::new();
    let started = Instant::now();
    for _ in 0..ROUNDS {
        out.clear();
        templates.execute(&mut catalog, Value::Nil, &mut out).unwrap();
    }
    println!("render: {:?} for {} bytes", started.elapsed() / ROUNDS, out.len());
    assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), SERVICES * (INSTANCES + 2));
}
