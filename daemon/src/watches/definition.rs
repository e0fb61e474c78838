//! From the parameters of a watch to a watch, refusing what makes none.

use std::fmt;
use std::time::Duration;

use consul_api::types::duration::GoDuration;
use http::Method;
use http::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use thiserror::Error;

use super::subject::{ChecksWanted, Subject};
use crate::rpc::Token;

/// What to watch and what to do about it.
#[derive(Debug)]
pub struct Watch {
    pub subject: Subject,
    pub handler: HandlerSpec,
    /// Empty: the agent's own.
    pub datacenter: String,
    /// Empty: the agent's own.
    pub token: Token,
    /// Any server may answer.
    pub stale: bool,
}

/// What runs on a change.
#[derive(Clone, PartialEq)]
pub enum HandlerSpec {
    /// A shell command line.
    Shell(String),
    /// A program and its arguments.
    Program(Vec<String>),
    Http(HttpSpec),
}

/// An HTTP request that tells about a change.
#[derive(Clone, PartialEq)]
pub struct HttpSpec {
    pub url: String,
    pub method: Method,
    pub timeout: Duration,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub tls_skip_verify: bool,
}

/// Handlers may hold secrets, in arguments and headers.
impl fmt::Debug for HandlerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shell(_) => "Shell",
            Self::Program(_) => "Program",
            Self::Http(_) => "Http",
        })
    }
}

const HTTP_TIMEOUT: Duration = Duration::from_secs(10);

/// Parameters that make no watch.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum WatchError {
    #[error("Failed to parse watch (type {kind:?}): {reason}")]
    Parameters { kind: String, reason: Reason },
    #[error("Handler type '{0}' not recognized")]
    HandlerType(String),
    #[error("Watch type {0} is not allowed in agent config")]
    NotInConfig(String),
    #[error("Watch handler must be a string")]
    HandlerNotText,
    #[error("Watch args must be a list of strings")]
    ArgsNotTexts,
    #[error("Only one watch handler allowed")]
    SeveralHandlers,
    #[error("Must define a watch handler")]
    NoHandler,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum Reason {
    #[error("Watch type must be specified")]
    NoType,
    #[error("Unsupported watch type: {0}")]
    UnknownType(String),
    #[error("Must specify a single {0} to watch")]
    Missing(&'static str),
    #[error("Cannot specify service and state")]
    ServiceAndState,
    #[error("Expecting {0} to be a string")]
    NotText(&'static str),
    #[error("Expecting {0} to be a string or []string")]
    NotTexts(&'static str),
    #[error("Expecting {0} to be a boolean")]
    NotBool(&'static str),
    #[error("Invalid parameters: [{}]", .0.join(" "))]
    Unused(Vec<String>),
    #[error("Handler type 'http' requires 'http_handler_config' to be set")]
    NoHttpConfig,
    #[error("Failed to parse 'http_handler_config': {0}")]
    HttpConfig(String),
}

pub fn parse(params: &Map<String, Value>) -> Result<Watch, WatchError> {
    let mut params = Params(params.clone());
    let kind = params.0.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let over_http = match params.0.get("handler_type") {
        None => false,
        Some(Value::String(name)) if name == "script" => false,
        Some(Value::String(name)) if name == "http" => true,
        Some(Value::String(other)) => return Err(WatchError::HandlerType(other.clone())),
        Some(other) => return Err(WatchError::HandlerType(other.to_string())),
    };
    params.0.remove("handler_type");
    if kind.starts_with("connect_") || kind == "agent_service" {
        return Err(WatchError::NotInConfig(kind));
    }
    let (handler, args) = (params.0.remove("handler"), params.0.remove("args"));
    let refused = |reason| WatchError::Parameters { kind: kind.clone(), reason };
    let (mut watch, http) = params.into_watch(over_http).map_err(refused)?;
    watch.handler = choose_handler(handler, args, http)?;
    Ok(watch)
}

fn choose_handler(
    handler: Option<Value>,
    args: Option<Value>,
    http: Option<HttpSpec>,
) -> Result<HandlerSpec, WatchError> {
    let shell = match handler {
        None => None,
        Some(Value::String(line)) => Some(HandlerSpec::Shell(line)),
        Some(_) => return Err(WatchError::HandlerNotText),
    };
    let program = match args {
        None => None,
        Some(args) => Some(HandlerSpec::Program(texts(&args).ok_or(WatchError::ArgsNotTexts)?)),
    };
    let mut given = [shell, program, http.map(HandlerSpec::Http)].into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(_), Some(_)) => Err(WatchError::SeveralHandlers),
        (Some(HandlerSpec::Program(args)), None) if args.is_empty() => Err(WatchError::NoHandler),
        (Some(only), None) => Ok(only),
        (None, _) => Err(WatchError::NoHandler),
    }
}

/// Parameters that nobody has asked for yet.
struct Params(Map<String, Value>);

impl Params {
    /// The watch with a handler still to be chosen, unless it is the HTTP one.
    fn into_watch(mut self, over_http: bool) -> Result<(Watch, Option<HttpSpec>), Reason> {
        let datacenter = self.text("datacenter")?;
        let token = self.text("token")?;
        let kind = self.text("type")?;
        if kind.is_empty() {
            return Err(Reason::NoType);
        }
        let http = if over_http { Some(self.http()?) } else { None };
        let subject = self.subject(&kind)?;
        let stale = self.flag("stale")?;
        if !self.0.is_empty() {
            return Err(Reason::Unused(self.0.keys().cloned().collect()));
        }
        let handler = HandlerSpec::Program(Vec::new());
        Ok((Watch { subject, handler, datacenter, token: token.as_str().into(), stale }, http))
    }

    fn subject(&mut self, kind: &str) -> Result<Subject, Reason> {
        Ok(match kind {
            "key" => Subject::Key(self.required("key")?),
            "keyprefix" => Subject::KeyPrefix(self.required("prefix")?),
            "services" => Subject::Services,
            "nodes" => Subject::Nodes,
            "service" => Subject::Service {
                service: self.required("service")?,
                tags: self.list("tag")?,
                passing_only: self.flag("passingonly")?,
            },
            "checks" => Subject::Checks(self.checks()?),
            "event" => Subject::Event { name: self.text("name")? },
            other => return Err(Reason::UnknownType(other.to_owned())),
        })
    }

    fn checks(&mut self) -> Result<ChecksWanted, Reason> {
        let (service, state) = (self.text("service")?, self.text("state")?);
        match (service.is_empty(), state.is_empty()) {
            (false, false) => Err(Reason::ServiceAndState),
            (false, true) => Ok(ChecksWanted::OfService(service)),
            (true, false) => Ok(ChecksWanted::InState(state)),
            (true, true) => Ok(ChecksWanted::InState("any".to_owned())),
        }
    }

    fn required(&mut self, name: &'static str) -> Result<String, Reason> {
        let text = self.text(name)?;
        if text.is_empty() { Err(Reason::Missing(name)) } else { Ok(text) }
    }

    fn text(&mut self, name: &'static str) -> Result<String, Reason> {
        match self.0.remove(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(Reason::NotText(name)),
        }
    }

    fn flag(&mut self, name: &'static str) -> Result<bool, Reason> {
        match self.0.remove(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(Reason::NotBool(name)),
        }
    }

    /// One text or a list of them.
    fn list(&mut self, name: &'static str) -> Result<Vec<String>, Reason> {
        match self.0.remove(name) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text]),
            Some(other) => texts(&other).ok_or(Reason::NotTexts(name)),
        }
    }

    fn http(&mut self) -> Result<HttpSpec, Reason> {
        let config = self.0.remove("http_handler_config").ok_or(Reason::NoHttpConfig)?;
        http_spec(&config).map_err(Reason::HttpConfig)
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

fn http_spec(config: &Value) -> Result<HttpSpec, String> {
    let config = object(config).ok_or("expected a map")?;
    let mut spec = HttpSpec {
        url: String::new(),
        method: Method::POST,
        timeout: HTTP_TIMEOUT,
        headers: Vec::new(),
        tls_skip_verify: false,
    };
    for (key, value) in config {
        match key.to_ascii_lowercase().as_str() {
            "path" => spec.url = value.as_str().ok_or("'path' must be a string")?.to_owned(),
            "method" => spec.method = method(value)?,
            "timeout" => spec.timeout = timeout(value)?,
            "header" => spec.headers = headers(value)?,
            "tls_skip_verify" | "tlsskipverify" => {
                spec.tls_skip_verify = value.as_bool().ok_or("'tls_skip_verify' must be a boolean")?;
            }
            _ => return Err(format!("invalid key {key:?}")),
        }
    }
    if spec.url.is_empty() {
        return Err("Requires 'path' to be set".to_owned());
    }
    Ok(spec)
}

/// HCL blocks may come as a list of one.
fn object(value: &Value) -> Option<&Map<String, Value>> {
    match value {
        Value::Object(fields) => Some(fields),
        Value::Array(list) => match list.as_slice() {
            [Value::Object(fields)] => Some(fields),
            _ => None,
        },
        _ => None,
    }
}

fn method(value: &Value) -> Result<Method, String> {
    let text = value.as_str().ok_or("'method' must be a string")?;
    if text.is_empty() {
        return Ok(Method::POST);
    }
    text.parse().map_err(|_| format!("invalid method {text:?}"))
}

/// A duration as text, or nanoseconds.
fn timeout(value: &Value) -> Result<Duration, String> {
    let span = match value {
        Value::String(text) => text.parse::<GoDuration>().map_err(|error| error.to_string())?,
        Value::Number(number) => GoDuration(number.as_i64().ok_or("'timeout' is out of range")?),
        _ => return Err("'timeout' must be a duration".to_owned()),
    };
    Ok(if span.0 > 0 { span.to_std() } else { HTTP_TIMEOUT })
}

fn headers(value: &Value) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let fields = object(value).ok_or("'header' must be a map of lists")?;
    let mut headers = Vec::new();
    for (name, values) in fields {
        let values = match values {
            Value::String(one) => vec![one.clone()],
            list => texts(list).ok_or("'header' must be a map of lists")?,
        };
        let name = HeaderName::try_from(name).map_err(|_| format!("invalid header name {name:?}"))?;
        for value in values {
            let value =
                HeaderValue::try_from(value).map_err(|_| format!("invalid value of header {name}"))?;
            headers.push((name.clone(), value));
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn watch(params: Value) -> Result<Watch, WatchError> {
        let Value::Object(params) = params else { unreachable!("tests write objects") };
        parse(&params)
    }

    fn refusal(params: Value) -> String {
        watch(params).unwrap_err().to_string()
    }

    #[test]
    fn parameters_become_a_subject() {
        let service = watch(json!({
            "type": "service", "service": "web", "tag": ["a", "b"], "passingonly": true, "args": ["run", "it"]
        }))
        .unwrap();
        let Subject::Service { service: name, tags, passing_only } = service.subject else {
            unreachable!("a service was asked for")
        };
        assert_eq!((name.as_str(), tags, passing_only), ("web", vec!["a".to_owned(), "b".to_owned()], true));
        assert_eq!(service.handler, HandlerSpec::Program(vec!["run".into(), "it".into()]));
        let checks = watch(json!({"type": "checks", "handler": "cat"})).unwrap();
        assert_eq!(checks.handler, HandlerSpec::Shell("cat".into()));
        assert!(matches!(checks.subject, Subject::Checks(ChecksWanted::InState(state)) if state == "any"));
    }

    #[test]
    fn http_handlers_have_defaults() {
        let hook = json!({"path": "http://127.0.0.1:1/", "header": {"x-foo": ["a", "b"]}, "timeout": "3s"});
        let params = json!({"type": "key", "key": "a", "handler_type": "http", "http_handler_config": hook});
        let HandlerSpec::Http(spec) = watch(params).unwrap().handler else {
            unreachable!("HTTP was asked for")
        };
        assert_eq!(
            (spec.method, spec.timeout, spec.headers.len()),
            (Method::POST, Duration::from_secs(3), 2)
        );
    }

    #[test]
    fn refusals_have_the_known_words() {
        for (params, expected) in [
            (json!({"args": ["x"]}), "Watch type must be specified"),
            (json!({"type": "bogus", "args": ["x"]}), "Unsupported watch type: bogus"),
            (json!({"type": "key", "args": ["x"]}), "Must specify a single key to watch"),
            (json!({"type": "service", "args": ["x"]}), "Must specify a single service to watch"),
            (
                json!({"type": "checks", "service": "a", "state": "any", "args": ["x"]}),
                "Cannot specify service and state",
            ),
            (json!({"type": "nodes", "foo": 1, "args": ["x"]}), "Invalid parameters: [foo]"),
            (json!({"type": "nodes"}), "Must define a watch handler"),
            (json!({"type": "nodes", "args": ["x"], "handler": "x"}), "Only one watch handler allowed"),
            (json!({"type": "nodes", "handler": 1}), "Watch handler must be a string"),
            (json!({"type": "nodes", "args": [1]}), "Watch args must be a list of strings"),
            (json!({"type": "nodes", "handler_type": "bogus"}), "Handler type 'bogus' not recognized"),
            (
                json!({"type": "nodes", "handler_type": "http"}),
                "Handler type 'http' requires 'http_handler_config' to be set",
            ),
            (
                json!({"type": "nodes", "handler_type": "http", "http_handler_config": {}}),
                "Failed to parse 'http_handler_config': Requires 'path' to be set",
            ),
            (
                json!({"type": "connect_roots", "args": ["x"]}),
                "Watch type connect_roots is not allowed in agent config",
            ),
        ] {
            let text = refusal(params);
            assert!(text.ends_with(expected), "{text}");
        }
    }

    #[test]
    fn secrets_are_not_told() {
        let text = refusal(json!({"type": "bogus", "token": "secret", "args": ["x"]}));
        assert!(!text.contains("secret"), "{text}");
    }
}
