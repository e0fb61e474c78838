//! The flags that every command which talks to an agent shares.

use crate::flags::Flag;

/// How to reach the agent.
pub const CLIENT_FLAGS: &[Flag] = &[
    Flag::text(
        "http-addr",
        "Address of the agent: host:port, an http:// or https:// URL, or unix:///path. Falls back to \
         CONSUL_HTTP_ADDR, then to http://127.0.0.1:8500.",
    )
    .shown_as("address"),
    Flag::text(
        "token",
        "Secret id of the ACL token to act under. Falls back to CONSUL_HTTP_TOKEN, then to the agent's own \
         default token.",
    )
    .shown_as("value"),
    Flag::text(
        "token-file",
        "File that holds the token; stronger than -token. Falls back to CONSUL_HTTP_TOKEN_FILE.",
    )
    .shown_as("path"),
    Flag::text("ca-file", "PEM file of certificate authorities to trust. Falls back to CONSUL_CACERT.")
        .shown_as("path"),
    Flag::text("ca-path", "Directory of certificate authorities to trust. Falls back to CONSUL_CAPATH.")
        .shown_as("path"),
    Flag::text(
        "client-cert",
        "PEM certificate to show to an agent that verifies its clients. Falls back to CONSUL_CLIENT_CERT.",
    )
    .shown_as("path"),
    Flag::text("client-key", "Private key of -client-cert. Falls back to CONSUL_CLIENT_KEY.")
        .shown_as("path"),
    Flag::text(
        "tls-server-name",
        "Name that the agent's certificate must carry, also sent as SNI. Falls back to CONSUL_TLS_SERVER_NAME.",
    )
    .shown_as("name"),
];

/// Where a request is answered.
pub const SERVER_FLAGS: &[Flag] = &[
    Flag::text("datacenter", "Datacenter to ask, if not the agent's own.").shown_as("name"),
    Flag::switch(
        "stale",
        "Let any server answer a read, not only the leader: quicker, but the answer may be a little old.",
    ),
];

/// For commands whose objects live in a namespace; only Enterprise servers know more than one.
pub const NAMESPACE: Flag =
    Flag::text("namespace", "Namespace of the request; only Consul Enterprise servers accept it.");
