//! A cluster in memory, and checks of templates on it.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use consul_template_functions::{
    Account, Brain, Data, Dependency, Failed, FileToWrite, Rendered, Settings, Template,
};
use serde_json::{Value as Json, json};

/// 2021-03-04 05:06:07 UTC.
const NOW: i128 = 1_614_834_367_000_000_000;

/// A program around a template that knows a cluster.
pub struct World {
    pub data: HashMap<Dependency, Data>,
    /// Keys by name.
    pub keys: BTreeMap<String, Vec<u8>>,
    pub instances: Vec<Json>,
    pub env: BTreeMap<String, String>,
    pub paths: BTreeMap<String, PathBuf>,
    /// What was written, run and shown.
    pub effects: Mutex<Vec<String>>,
}

impl Default for World {
    fn default() -> Self {
        let keys = [
            ("cfg/app/", ""),
            ("cfg/app/limits/cpu", "2"),
            ("cfg/app/name", "shop"),
            ("cfg/app/port", "8080"),
            ("cfg/empty", ""),
            ("cfg/flag", "true"),
            ("cfg/json", r#"{"a":{"b":[1,2]},"n":1234567,"u":"x&y"}"#),
        ];
        World {
            data: HashMap::new(),
            keys: keys.map(|(key, value)| (key.to_owned(), value.into())).into(),
            instances: vec![
                instance(
                    "n2",
                    "web-2",
                    "10.1.0.12",
                    8081,
                    &["green", "blue"],
                    &[("version", "11")],
                    "passing",
                ),
                instance("n1", "web-1", "10.1.0.11", 8080, &["blue"], &[("version", "2")], "passing"),
                instance("n3", "web-3", "10.1.0.13", 8080, &[], &[], "critical"),
            ],
            env: [("E".to_owned(), String::new()), ("HOME".to_owned(), "/root".to_owned())].into(),
            paths: BTreeMap::new(),
            effects: Mutex::default(),
        }
    }
}

/// An instance as the health endpoint returns it.
pub fn instance(
    node: &str,
    id: &str,
    address: &str,
    port: u16,
    tags: &[&str],
    meta: &[(&str, &str)],
    status: &str,
) -> Json {
    let meta: BTreeMap<&str, &str> = meta.iter().copied().collect();
    json!({
        "Node": {"ID": "", "Node": node, "Address": address, "Datacenter": "dc1", "Meta": null,
                 "TaggedAddresses": {"lan": address}},
        "Service": {"ID": id, "Service": "web", "Tags": tags, "Address": "", "Port": port, "Meta": meta,
                    "TaggedAddresses": {"lan": {"Address": address, "Port": port}},
                    "Weights": {"Passing": 1, "Warning": 1}},
        "Checks": [{"Node": node, "CheckID": "serfHealth", "Status": "passing"},
                   {"Node": node, "CheckID": "service:web", "Status": status, "ServiceID": id}],
    })
}

impl World {
    /// What an agent would answer, as JSON; `None` is a 404.
    fn answer(&self, dependency: &Dependency) -> Option<Json> {
        Some(match dependency {
            Dependency::Datacenters { .. } => json!(["dc2", "dc1"]),
            Dependency::Services(_) => json!({"web": ["green", "blue"], "consul": [], "db": ["primary"]}),
            Dependency::Service(query) if query.name == "web" => {
                let wanted = |entry: &&Json| {
                    let tag = query.tag.as_deref();
                    let tagged = tag.is_none_or(|tag| {
                        entry["Service"]["Tags"].as_array().is_some_and(|tags| tags.contains(&json!(tag)))
                    });
                    tagged && (!query.only_passing() || entry["Checks"][1]["Status"] == "passing")
                };
                self.instances.iter().filter(wanted).cloned().collect()
            }
            Dependency::Service(_) => json!([]),
            Dependency::Nodes { .. } => json!([
                {"ID": "i2", "Node": "n2", "Address": "10.1.0.12", "Datacenter": "dc1"},
                {"ID": "i1", "Node": "n1", "Address": "10.1.0.11", "Datacenter": "dc1", "Meta": {"os": "linux"}},
            ]),
            Dependency::Node { name: Some(name), .. } if name == "nowhere" => Json::Null,
            Dependency::Node { .. } => json!({
                "Node": {"ID": "i1", "Node": "n1", "Address": "10.1.0.11", "Datacenter": "dc1"},
                "Services": {
                    "z": {"ID": "z", "Service": "api", "Tags": ["b", "a"], "Port": 1},
                    "a": {"ID": "a", "Service": "web", "Port": 2},
                },
            }),
            Dependency::Key { key, .. } | Dependency::KeyIfAny { key, .. } => {
                json!([self.pair(key, self.keys.get(key)?)])
            }
            Dependency::Keys { prefix, .. } => {
                let found = self.keys.iter().filter(|(key, _)| key.starts_with(prefix.as_str()));
                let found: Vec<Json> = found.map(|(key, value)| self.pair(key, value)).collect();
                if found.is_empty() {
                    return None;
                }
                json!(found)
            }
            _ => return None,
        })
    }

    fn pair(&self, key: &str, value: &[u8]) -> Json {
        use base64::Engine as _;
        let value = base64::engine::general_purpose::STANDARD.encode(value);
        json!({"Key": key, "Value": value, "CreateIndex": 7, "ModifyIndex": 9, "Flags": 1, "LockIndex": 0})
    }

    pub fn effects(&self) -> Vec<String> {
        self.effects.lock().unwrap().clone()
    }

    fn note(&self, effect: String) {
        self.effects.lock().unwrap().push(effect);
    }
}

impl Brain for World {
    fn recall(&self, dependency: &Dependency) -> Option<Data> {
        if let Some(data) = self.data.get(dependency) {
            return Some(data.clone());
        }
        match self.answer(dependency) {
            Some(answer) => Some(Data::from_answer(dependency, answer.to_string().as_bytes()).unwrap()),
            None => Data::absent(dependency),
        }
    }

    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn now(&self) -> i128 {
        NOW
    }

    fn real_path(&self, path: &str) -> io::Result<PathBuf> {
        self.paths.get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn run_plugin(&self, program: &str, args: &[String]) -> Result<Vec<u8>, String> {
        match program {
            "echo" => Ok(format!(" {}\n", args.join(" ")).into_bytes()),
            _ => Err(format!("{program}: not found")),
        }
    }

    fn write_file(&self, file: &FileToWrite<'_>) -> Result<(), String> {
        let content = String::from_utf8_lossy(file.content);
        let FileToWrite { path, user, group, mode, append, .. } = file;
        self.note(format!("{path} {user}:{group} {mode:o} {append} {content:?}"));
        Ok(())
    }

    fn show(&self, text: &str) {
        self.note(text.to_owned());
    }
}

pub fn execute_in(world: World, settings: &Settings, source: &str) -> Result<Rendered, Failed> {
    let template =
        Template::parse(source.as_bytes(), settings).unwrap_or_else(|error| panic!("{source}: {error}"));
    template.execute(Arc::new(world))
}

pub fn execute(source: &str) -> Result<Rendered, Failed> {
    execute_in(World::default(), &Settings::default(), source)
}

/// What a template renders, or its error.
pub fn render_with(settings: &Settings, source: &str) -> Result<String, String> {
    match Template::parse(source.as_bytes(), settings) {
        Err(error) => Err(error.to_string()),
        Ok(template) => match template.execute(Arc::new(World::default())) {
            Err(failed) => Err(failed.to_string()),
            Ok(Rendered { account, .. }) if !account.missing.is_empty() => Err(missing(&account)),
            Ok(Rendered { output, .. }) => Ok(String::from_utf8(output).unwrap()),
        },
    }
}

/// What keeps a template from being rendered.
fn missing(account: &Account) -> String {
    let missing: Vec<String> = account.missing.iter().map(ToString::to_string).collect();
    format!("missing {}", missing.join(" "))
}

pub fn render(source: &str) -> Result<String, String> {
    render_with(&Settings::default(), source)
}

/// Checks rows of template and output.
#[track_caller]
pub fn check(rows: &[(&str, &str)]) {
    for (source, expected) in rows {
        assert_eq!(render(source).as_deref(), Ok(*expected), "{source}");
    }
}

/// Checks rows of template and what its error ends with.
#[track_caller]
pub fn check_errors(rows: &[(&str, &str)]) {
    for (source, expected) in rows {
        let error = render(source).expect_err(source);
        assert!(error.ends_with(expected), "{source}: {error}");
    }
}
