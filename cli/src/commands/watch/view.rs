//! What is watched: one read of the HTTP API, and how its answer is shown.

use consul_api::client::{Answer, Client, ClientError, Events, QueryOptions, Request};
use serde_json::Value;

use crate::failure::Failure;
use crate::flags::{Parsed, parse_bool};

/// One kind of watch with its parameters.
#[derive(Clone, Debug)]
pub struct View {
    pub kind: &'static str,
    path: Vec<u8>,
    params: Vec<(&'static str, String)>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Index to wait past. For events a hash, for everything else a count.
    pub index: u64,
    pub data: Value,
}

impl From<Answer<Value>> for Snapshot {
    fn from(answer: Answer<Value>) -> Self {
        Self { index: answer.meta.index, data: answer.value }
    }
}

/// The flags that say what to watch; each kind uses some of them.
const PARAMETERS: [&str; 8] = ["key", "prefix", "service", "tag", "passingonly", "state", "name", "filter"];

impl View {
    pub fn new(flags: &Parsed) -> Result<Self, Failure> {
        let kind = flags.text("type");
        let (kind, used): (&'static str, &[&str]) = match kind {
            "" => return Err(Failure::usage("Watch type must be specified")),
            "key" => ("key", &["key"]),
            "keyprefix" => ("keyprefix", &["prefix"]),
            "services" => ("services", &["filter"]),
            "nodes" => ("nodes", &["filter"]),
            "service" => ("service", &["service", "tag", "passingonly", "filter"]),
            "checks" => ("checks", &["service", "state", "filter"]),
            "event" => ("event", &["name"]),
            "connect_roots" | "connect_leaf" | "agent_service" => {
                return Err(Failure::new(format!("Type {kind} is not supported in the CLI tool")));
            }
            other => return Err(Failure::new(format!("Unsupported watch type: {other}"))),
        };
        let view = Self { kind, path: Vec::new(), params: Vec::new() };
        let view = view.filled(flags)?;
        let unused: Vec<&str> =
            PARAMETERS.into_iter().filter(|name| flags.is_set(name) && !used.contains(name)).collect();
        if !unused.is_empty() {
            return Err(Failure::new(format!("Invalid parameters: [{}]", unused.join(" "))));
        }
        Ok(view)
    }

    fn filled(mut self, flags: &Parsed) -> Result<Self, Failure> {
        let needed = |name: &str| match flags.text(name) {
            "" => Err(Failure::new(format!("Must specify a single {name} to watch"))),
            text => Ok(text.to_owned()),
        };
        match self.kind {
            "key" => self.path = format!("/v1/kv/{}", needed("key")?).into(),
            "keyprefix" => {
                self.path = format!("/v1/kv/{}", needed("prefix")?).into();
                self.params.push(("recurse", String::new()));
            }
            "services" => self.path = b"/v1/catalog/services".into(),
            "nodes" => self.path = b"/v1/catalog/nodes".into(),
            "service" => {
                self.path = format!("/v1/health/service/{}", needed("service")?).into();
                if passing_only(flags.text("passingonly"))? {
                    self.params.push(("passing", "1".to_owned()));
                }
                self.params.extend(flags.list("tag").into_iter().map(|tag| ("tag", tag)));
            }
            "checks" => self.path = checks_path(flags.text("service"), flags.text("state"))?.into(),
            _ => {
                self.path = b"/v1/event/list".into();
                if !flags.text("name").is_empty() {
                    self.params.push(("name", flags.text("name").to_owned()));
                }
            }
        }
        if !flags.text("filter").is_empty() {
            self.params.push(("filter", flags.text("filter").to_owned()));
        }
        Ok(self)
    }

    /// Reads once; with an index, as soon as something changed past it or after the agent's waiting time.
    pub async fn read(&self, client: &Client, options: &QueryOptions) -> Result<Answer<Value>, ClientError> {
        let request: Request<'_> = client.get("").segment_bytes(&self.path);
        let request = self.params.iter().fold(request, |request, (name, value)| request.param(name, value));
        let answer = request.query(options).find::<Value>().await?;
        Ok(Answer { value: self.shown(answer.value), meta: answer.meta })
    }

    /// The document that children read.
    fn shown(&self, value: Option<Value>) -> Value {
        let empty =
            || if self.kind == "services" { Value::Object(Default::default()) } else { Value::Array(vec![]) };
        let with_session = |mut entry: Value| {
            if let Value::Object(fields) = &mut entry {
                fields.entry("Session").or_insert_with(|| "".into());
            }
            entry
        };
        match (self.kind, value) {
            ("key", Some(Value::Array(entries))) => {
                entries.into_iter().next().map_or(Value::Null, with_session)
            }
            ("keyprefix", Some(Value::Array(entries))) => entries.into_iter().map(with_session).collect(),
            ("key" | "keyprefix", _) => Value::Null,
            (_, None | Some(Value::Null)) => empty(),
            (_, Some(value)) => value,
        }
    }

    /// What a child is told that ran for `last` before: of events only the new ones.
    pub fn news(&self, data: &Value, last: u64) -> Value {
        let Value::Array(events) = data else { return data.clone() };
        if self.kind != "event" || last == 0 {
            return data.clone();
        }
        let seen =
            events.iter().position(|event| event["ID"].as_str().and_then(Events::index_of) == Some(last));
        Value::Array(events.iter().skip(seen.map_or(0, |at| at + 1)).cloned().collect())
    }
}

fn passing_only(text: &str) -> Result<bool, Failure> {
    if text.is_empty() {
        return Ok(false);
    }
    parse_bool(text).ok_or_else(|| {
        let why = format!("strconv.ParseBool: parsing {text:?}: invalid syntax");
        Failure::new(format!("Failed to parse passingonly flag: {why}"))
    })
}

fn checks_path(service: &str, state: &str) -> Result<String, Failure> {
    match (service, state) {
        ("", "") => Ok("/v1/health/state/any".to_owned()),
        ("", state) => Ok(format!("/v1/health/state/{state}")),
        (service, "") => Ok(format!("/v1/health/checks/{service}")),
        _ => Err(Failure::new("Cannot specify service and state")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn view(kind: &'static str) -> View {
        View { kind, path: Vec::new(), params: Vec::new() }
    }

    #[test]
    fn absent_things_have_a_shape_of_their_own() {
        assert_eq!(view("key").shown(None), Value::Null);
        assert_eq!(view("keyprefix").shown(None), Value::Null);
        assert_eq!(view("services").shown(None), json!({}));
        assert_eq!(view("nodes").shown(Some(Value::Null)), json!([]));
        assert_eq!(view("key").shown(Some(json!([{"Key": "a"}]))), json!({"Key": "a", "Session": ""}));
    }

    #[test]
    fn of_events_only_the_new_ones_are_told() {
        let ids = ["00000000-0000-0001-0000-000000000000", "00000000-0000-0002-0000-000000000000"];
        let events = json!([{ "ID": ids[0] }, { "ID": ids[1] }]);
        let last = Events::index_of(ids[0]).unwrap();
        assert_eq!(view("event").news(&events, last), json!([{ "ID": ids[1] }]));
        assert_eq!(view("event").news(&events, 0), events);
        assert_eq!(view("event").news(&events, 77), events);
        assert_eq!(view("nodes").news(&events, last), events);
    }
}
