//! Which selectors each kind of object has, and of which type they are.
//!
//! Fields that are absent here (indexes, check definitions, proxy configuration) cannot be selected.

/// The type of a selected value.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Text.
    Str,
    /// Whole number.
    Int,
    /// Truth value.
    Bool,
    /// Number with a fraction.
    Float,
    /// List of texts.
    Strings,
    /// Map from text to text.
    StringMap,
    /// A nested object.
    Object(&'static [Field]),
    /// A list of objects; a selector into it holds if it holds for any element.
    Objects(&'static [Field]),
    /// A map from text to objects.
    ObjectMap(&'static [Field]),
}

/// One selectable field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name, as in the JSON answer.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
}

/// What a list consists of.
#[derive(Clone, Copy, Debug)]
pub enum Schema {
    /// `/v1/catalog/nodes`
    Node,
    /// `/v1/catalog/service/:s`, `/v1/catalog/connect/:s`
    ServiceNode,
    /// `/v1/catalog/node/:n`, `/v1/catalog/node-services/:n`, `/v1/agent/services`
    NodeService,
    /// `/v1/health/node/:n`, `/v1/health/checks/:s`, `/v1/health/state/:s`, `/v1/agent/checks`
    HealthCheck,
    /// `/v1/health/service/:s` and its kin, `/v1/internal/ui/services`
    CheckServiceNode,
    /// `/v1/internal/ui/nodes`
    UiNode,
    /// Any other object.
    Custom(&'static [Field]),
}

impl Schema {
    /// The fields of the object itself.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Self::Node => NODE,
            Self::ServiceNode => SERVICE_NODE,
            Self::NodeService => NODE_SERVICE,
            Self::HealthCheck => HEALTH_CHECK,
            Self::CheckServiceNode => CHECK_SERVICE_NODE,
            Self::UiNode => UI_NODE,
            Self::Custom(fields) => fields,
        }
    }
}

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

const fn text(name: &'static str) -> Field {
    field(name, Kind::Str)
}

const fn int(name: &'static str) -> Field {
    field(name, Kind::Int)
}

const fn flag(name: &'static str) -> Field {
    field(name, Kind::Bool)
}

static NODE: &[Field] = &[
    text("ID"),
    text("Node"),
    text("Address"),
    text("Datacenter"),
    field("TaggedAddresses", Kind::StringMap),
    field("Meta", Kind::StringMap),
];

static SERVICE_NODE: &[Field] = &[
    text("ID"),
    text("Node"),
    text("Address"),
    text("Datacenter"),
    field("TaggedAddresses", Kind::StringMap),
    field("NodeMeta", Kind::StringMap),
    text("ServiceKind"),
    text("ServiceID"),
    text("ServiceName"),
    field("ServiceTags", Kind::Strings),
    text("ServiceAddress"),
    field("ServiceTaggedAddresses", Kind::ObjectMap(SERVICE_ADDRESS)),
    field("ServiceWeights", Kind::Object(WEIGHTS)),
    field("ServiceMeta", Kind::StringMap),
    int("ServicePort"),
    flag("ServiceEnableTagOverride"),
    field("ServiceProxy", Kind::Object(PROXY)),
    field("ServiceConnect", Kind::Object(CONNECT)),
];

static NODE_SERVICE: &[Field] = &[
    text("Kind"),
    text("ID"),
    text("Service"),
    field("Tags", Kind::Strings),
    text("Address"),
    field("TaggedAddresses", Kind::ObjectMap(SERVICE_ADDRESS)),
    field("Meta", Kind::StringMap),
    int("Port"),
    field("Weights", Kind::Object(WEIGHTS)),
    flag("EnableTagOverride"),
    field("Proxy", Kind::Object(PROXY)),
    field("Connect", Kind::Object(CONNECT)),
];

static SERVICE_ADDRESS: &[Field] = &[text("Address"), int("Port")];

static WEIGHTS: &[Field] = &[int("Passing"), int("Warning")];

static CONNECT: &[Field] = &[flag("Native")];

static PROXY: &[Field] = &[
    text("DestinationServiceName"),
    text("DestinationServiceID"),
    text("LocalServiceAddress"),
    int("LocalServicePort"),
    field("Upstreams", Kind::Objects(UPSTREAM)),
    field("MeshGateway", Kind::Object(MESH_GATEWAY)),
    field("Expose", Kind::Object(EXPOSE)),
];

static UPSTREAM: &[Field] = &[
    text("DestinationType"),
    text("DestinationNamespace"),
    text("DestinationName"),
    text("Datacenter"),
    text("LocalBindAddress"),
    int("LocalBindPort"),
    field("MeshGateway", Kind::Object(MESH_GATEWAY)),
];

static MESH_GATEWAY: &[Field] = &[text("Mode")];

static EXPOSE: &[Field] = &[flag("Checks"), field("Paths", Kind::Objects(EXPOSE_PATH))];

static EXPOSE_PATH: &[Field] =
    &[int("ListenerPort"), text("Path"), int("LocalPathPort"), text("Protocol"), flag("ParsedFromCheck")];

static HEALTH_CHECK: &[Field] = &[
    text("Node"),
    text("CheckID"),
    text("Name"),
    text("Status"),
    text("Notes"),
    text("Output"),
    text("ServiceID"),
    text("ServiceName"),
    field("ServiceTags", Kind::Strings),
    text("Type"),
];

static CHECK_SERVICE_NODE: &[Field] = &[
    field("Node", Kind::Object(NODE)),
    field("Service", Kind::Object(NODE_SERVICE)),
    field("Checks", Kind::Objects(HEALTH_CHECK)),
];

static UI_NODE: &[Field] = &[
    text("ID"),
    text("Node"),
    text("Address"),
    field("TaggedAddresses", Kind::StringMap),
    field("Meta", Kind::StringMap),
    field("Services", Kind::Objects(NODE_SERVICE)),
    field("Checks", Kind::Objects(HEALTH_CHECK)),
];
