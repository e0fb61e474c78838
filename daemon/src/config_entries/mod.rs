//! Configuration entries as documents: which kinds there are, which keys they have, and their canonical spelling.
//!
//! Nothing here interprets entries beyond what must hold for each by itself. They are kept for the tools that read
//! them back, so what matters is that they come back as the API spells them.

mod canonical;
mod schema;
mod validate;

use consul_api::types::config_entry::ConfigEntry;
use serde_json::{Map, Value};
use thiserror::Error;

/// The kinds that can be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    ServiceDefaults,
    ProxyDefaults,
    ServiceRouter,
    ServiceSplitter,
    ServiceResolver,
    IngressGateway,
    TerminatingGateway,
}

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::ServiceDefaults,
        Self::ProxyDefaults,
        Self::ServiceRouter,
        Self::ServiceSplitter,
        Self::ServiceResolver,
        Self::IngressGateway,
        Self::TerminatingGateway,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceDefaults => "service-defaults",
            Self::ProxyDefaults => "proxy-defaults",
            Self::ServiceRouter => "service-router",
            Self::ServiceSplitter => "service-splitter",
            Self::ServiceResolver => "service-resolver",
            Self::IngressGateway => "ingress-gateway",
            Self::TerminatingGateway => "terminating-gateway",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Is the entry governed by the permission for the service it is named after? Gateways may be read by whoever
    /// may read them as services, but only operators may change them.
    pub fn is_of_service(self, reading: bool) -> bool {
        match self {
            Self::ServiceDefaults | Self::ServiceRouter | Self::ServiceSplitter | Self::ServiceResolver => {
                true
            }
            Self::IngressGateway | Self::TerminatingGateway => reading,
            Self::ProxyDefaults => false,
        }
    }
}

/// Why a document is no entry. Clients match some of the texts.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EntryError {
    #[error("Payload does not contain a kind/Kind key at the top level")]
    MissingKind,
    #[error("Kind value in payload is not a string")]
    KindType,
    #[error("invalid config entry kind: {0}")]
    UnknownKind(String),
    #[error("{}", list(.0))]
    Keys(Vec<String>),
    /// The document is well-formed, but its content makes no sense.
    #[error("{0}")]
    Content(String),
}

/// Problems in the form of a list that clients know.
fn list(problems: &[String]) -> String {
    let plural = if problems.len() == 1 { "error" } else { "errors" };
    let lines: String = problems.iter().map(|problem| format!("\t* {problem}\n")).collect();
    format!("{} {plural} occurred:\n{lines}\n", problems.len())
}

/// Reads an entry, with keys in CamelCase or snake_case and in any letter case.
pub fn decode(document: &Map<String, Value>) -> Result<ConfigEntry, EntryError> {
    let kind = match document.get("Kind").or_else(|| document.get("kind")) {
        None => return Err(EntryError::MissingKind),
        Some(Value::String(kind)) => kind,
        Some(_) => return Err(EntryError::KindType),
    };
    let kind = Kind::parse(kind).ok_or_else(|| EntryError::UnknownKind(kind.clone()))?;
    let mut name = String::new();
    let mut rest = Map::new();
    for (key, value) in document {
        match canonical::fold(key).as_str() {
            "kind" => {}
            "name" => name = value.as_str().unwrap_or_default().to_owned(),
            // Assigned by the store.
            "createindex" | "modifyindex" => {}
            // There is one of each here, which has no name of its own.
            "namespace" | "partition" if matches!(value.as_str(), Some("" | "default")) => {}
            _ => {
                rest.insert(key.clone(), value.clone());
            }
        }
    }
    let fields = canonical::object(&rest, schema::of(kind)).map_err(EntryError::Keys)?;
    let mut entry = ConfigEntry { kind: kind.as_str().to_owned(), name, fields, ..ConfigEntry::default() };
    validate::normalize(kind, &mut entry);
    Ok(entry)
}

/// Refuses an entry that is complete nonsense by itself.
pub fn validate(entry: &ConfigEntry) -> Result<(), EntryError> {
    let kind = Kind::parse(&entry.kind).ok_or_else(|| EntryError::UnknownKind(entry.kind.clone()))?;
    validate::entry(kind, entry).map_err(EntryError::Content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decoded(document: Value) -> Result<ConfigEntry, EntryError> {
        let Value::Object(document) = document else { panic!("not an object") };
        decode(&document)
    }

    fn fields(document: Value) -> Value {
        Value::Object(decoded(document).unwrap().fields)
    }

    #[test]
    fn snake_case_becomes_camel_case_down_to_the_leaves() {
        let document = json!({
            "kind": "service-defaults", "name": "web", "protocol": "http", "mesh_gateway": {"mode": "local"},
            "external_sni": "x", "expose": {"checks": true, "paths": [{"path": "/a", "listener_port": 3}]}
        });
        let expected = json!({
            "Protocol": "http", "MeshGateway": {"Mode": "local"}, "ExternalSNI": "x",
            "Expose": {"Checks": true, "Paths": [{"ListenerPort": 3, "Path": "/a", "ParsedFromCheck": false}]}
        });
        assert_eq!(fields(document), expected);
    }

    #[test]
    fn empty_parts_that_the_api_always_shows_are_filled_in() {
        let document = json!({"Kind": "service-defaults", "Name": "web"});
        assert_eq!(fields(document), json!({"Protocol": "", "MeshGateway": {}, "Expose": {}}));
        assert_eq!(fields(json!({"Kind": "service-resolver", "Name": "web"})), json!({}));
    }

    #[test]
    fn opaque_configuration_is_left_as_it_is_and_defaults_have_one_name() {
        let entry =
            decoded(json!({"Kind": "proxy-defaults", "Name": "x", "Config": {"a_b": {"c_d": 1}}})).unwrap();
        assert_eq!(entry.name, "global");
        assert_eq!(entry.fields["Config"], json!({"a_b": {"c_d": 1}}));
    }

    #[test]
    fn names_of_subsets_are_not_keys() {
        let document = json!({
            "kind": "service-resolver", "name": "web", "connect_timeout": "15s",
            "subsets": {"v_1": {"only_passing": true}}, "failover": {"*": {"datacenters": ["dc2"]}}
        });
        let expected = json!({
            "ConnectTimeout": "15s", "Subsets": {"v_1": {"OnlyPassing": true}},
            "Failover": {"*": {"Datacenters": ["dc2"]}}
        });
        assert_eq!(fields(document), expected);
    }

    #[test]
    fn every_unknown_key_is_named_with_its_path() {
        let error =
            decoded(json!({"Kind": "service-defaults", "Name": "x", "Foo": 1, "MeshGateway": {"Bar": 1}}));
        let text = error.unwrap_err().to_string();
        assert!(text.starts_with("2 errors occurred:\n\t* invalid config key \""), "{text}");
        assert!(text.contains("\t* invalid config key \"MeshGateway.Bar\"\n"), "{text}");
        assert!(text.contains("\t* invalid config key \"Foo\"\n"), "{text}");
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        assert_eq!(decoded(json!({"Name": "x"})), Err(EntryError::MissingKind));
        assert_eq!(decoded(json!({"Kind": 5})), Err(EntryError::KindType));
        assert_eq!(
            decoded(json!({"Kind": "bogus"})).unwrap_err().to_string(),
            "invalid config entry kind: bogus"
        );
        let splitter = decoded(json!({
            "Kind": "service-splitter", "Name": "web",
            "Splits": [{"Weight": 50, "ServiceSubset": "v1"}, {"weight": 50.5, "service": "web2"}]
        }));
        let problem = validate(&splitter.unwrap()).unwrap_err().to_string();
        assert_eq!(problem, "the sum of all split weights must be 100, not 100.500000");
    }
}
