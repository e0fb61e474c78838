//! The keys of each kind.

use super::Kind;

/// What stands behind a key.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Text; numbers and truth values are written out.
    Text,
    /// Anything, kept as it is.
    Opaque,
    Object(&'static [Key]),
    Objects(&'static [Key]),
    /// An object whose keys are names.
    ObjectsByName(&'static [Key]),
}

/// One key of an object.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub shape: Shape,
    pub empty: Empty,
}

/// What happens to a key whose value is zero or absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    Omit,
    ShowText,
    ShowFalse,
    ShowObject,
}

const fn key(name: &'static str, shape: Shape) -> Key {
    Key { name, shape, empty: Empty::Omit }
}

const fn text(name: &'static str) -> Key {
    key(name, Shape::Text)
}

const fn opaque(name: &'static str) -> Key {
    key(name, Shape::Opaque)
}

const MESH_GATEWAY: Key =
    Key { name: "MeshGateway", shape: Shape::Object(&[text("Mode")]), empty: Empty::ShowObject };

const EXPOSE: Key = Key {
    name: "Expose",
    shape: Shape::Object(&[
        opaque("Checks"),
        key(
            "Paths",
            Shape::Objects(&[
                opaque("ListenerPort"),
                text("Path"),
                opaque("LocalPathPort"),
                text("Protocol"),
                Key { name: "ParsedFromCheck", shape: Shape::Opaque, empty: Empty::ShowFalse },
            ]),
        ),
    ]),
    empty: Empty::ShowObject,
};

const SERVICE_DEFAULTS: &[Key] = &[
    Key { name: "Protocol", shape: Shape::Text, empty: Empty::ShowText },
    text("Mode"),
    opaque("TransparentProxy"),
    text("MutualTLSMode"),
    MESH_GATEWAY,
    EXPOSE,
    text("ExternalSNI"),
    opaque("UpstreamConfig"),
    opaque("Destination"),
    opaque("MaxInboundConnections"),
    opaque("LocalConnectTimeoutMs"),
    opaque("LocalRequestTimeoutMs"),
    text("BalanceInboundConnections"),
    opaque("RateLimits"),
    opaque("EnvoyExtensions"),
    opaque("Meta"),
];

const PROXY_DEFAULTS: &[Key] = &[
    Key { name: "Config", shape: Shape::Opaque, empty: Empty::Omit },
    text("Mode"),
    opaque("TransparentProxy"),
    text("MutualTLSMode"),
    MESH_GATEWAY,
    EXPOSE,
    opaque("AccessLogs"),
    opaque("EnvoyExtensions"),
    opaque("FailoverPolicy"),
    opaque("PrioritizeByLocality"),
    opaque("Meta"),
];

const MATCHES: &[Key] = &[
    text("Name"),
    opaque("Present"),
    text("Exact"),
    text("Prefix"),
    text("Suffix"),
    text("Regex"),
    text("Contains"),
    opaque("IgnoreCase"),
    opaque("Invert"),
];

const HTTP_MATCH: &[Key] = &[
    text("PathExact"),
    text("PathPrefix"),
    text("PathRegex"),
    opaque("CaseInsensitive"),
    key("Header", Shape::Objects(MATCHES)),
    key("QueryParam", Shape::Objects(MATCHES)),
    opaque("Methods"),
];

const HEADER_CHANGES: &[Key] = &[opaque("Add"), opaque("Set"), opaque("Remove")];

const DESTINATION: &[Key] = &[
    text("Service"),
    text("ServiceSubset"),
    text("Namespace"),
    text("Partition"),
    text("PrefixRewrite"),
    text("RequestTimeout"),
    text("IdleTimeout"),
    opaque("NumRetries"),
    opaque("RetryOnConnectFailure"),
    opaque("RetryOn"),
    opaque("RetryOnStatusCodes"),
    key("RequestHeaders", Shape::Object(HEADER_CHANGES)),
    key("ResponseHeaders", Shape::Object(HEADER_CHANGES)),
];

const SERVICE_ROUTER: &[Key] = &[
    key(
        "Routes",
        Shape::Objects(&[
            key("Match", Shape::Object(&[key("HTTP", Shape::Object(HTTP_MATCH))])),
            key("Destination", Shape::Object(DESTINATION)),
        ]),
    ),
    opaque("Meta"),
];

const SERVICE_SPLITTER: &[Key] = &[
    key(
        "Splits",
        Shape::Objects(&[
            opaque("Weight"),
            text("Service"),
            text("ServiceSubset"),
            text("Namespace"),
            text("Partition"),
            key("RequestHeaders", Shape::Object(HEADER_CHANGES)),
            key("ResponseHeaders", Shape::Object(HEADER_CHANGES)),
        ]),
    ),
    opaque("Meta"),
];

const SERVICE_RESOLVER: &[Key] = &[
    text("DefaultSubset"),
    key("Subsets", Shape::ObjectsByName(&[text("Filter"), opaque("OnlyPassing")])),
    key(
        "Redirect",
        Shape::Object(&[
            text("Service"),
            text("ServiceSubset"),
            text("Namespace"),
            text("Partition"),
            text("Datacenter"),
            text("Peer"),
        ]),
    ),
    key(
        "Failover",
        Shape::ObjectsByName(&[
            text("Service"),
            text("ServiceSubset"),
            text("Namespace"),
            opaque("Datacenters"),
            opaque("Targets"),
            opaque("Policy"),
        ]),
    ),
    text("ConnectTimeout"),
    text("RequestTimeout"),
    opaque("LoadBalancer"),
    opaque("PrioritizeByLocality"),
    opaque("Meta"),
];

const GATEWAY_TLS: &[Key] =
    &[opaque("Enabled"), text("TLSMinVersion"), text("TLSMaxVersion"), opaque("CipherSuites"), opaque("SDS")];

const INGRESS_GATEWAY: &[Key] = &[
    Key { name: "TLS", shape: Shape::Object(GATEWAY_TLS), empty: Empty::ShowObject },
    opaque("Defaults"),
    key(
        "Listeners",
        Shape::Objects(&[
            opaque("Port"),
            text("Protocol"),
            key("TLS", Shape::Object(GATEWAY_TLS)),
            key(
                "Services",
                Shape::Objects(&[
                    text("Name"),
                    opaque("Hosts"),
                    text("Namespace"),
                    text("Partition"),
                    key("TLS", Shape::Object(GATEWAY_TLS)),
                    key("RequestHeaders", Shape::Object(HEADER_CHANGES)),
                    key("ResponseHeaders", Shape::Object(HEADER_CHANGES)),
                    opaque("MaxConnections"),
                    opaque("MaxPendingRequests"),
                    opaque("MaxConcurrentRequests"),
                ]),
            ),
        ]),
    ),
    opaque("Meta"),
];

const TERMINATING_GATEWAY: &[Key] = &[
    key(
        "Services",
        Shape::Objects(&[
            text("Name"),
            text("Namespace"),
            text("CAFile"),
            text("CertFile"),
            text("KeyFile"),
            text("SNI"),
            opaque("DisableAutoHostRewrite"),
        ]),
    ),
    opaque("Meta"),
];

pub fn of(kind: Kind) -> &'static [Key] {
    match kind {
        Kind::ServiceDefaults => SERVICE_DEFAULTS,
        Kind::ProxyDefaults => PROXY_DEFAULTS,
        Kind::ServiceRouter => SERVICE_ROUTER,
        Kind::ServiceSplitter => SERVICE_SPLITTER,
        Kind::ServiceResolver => SERVICE_RESOLVER,
        Kind::IngressGateway => INGRESS_GATEWAY,
        Kind::TerminatingGateway => TERMINATING_GATEWAY,
    }
}
