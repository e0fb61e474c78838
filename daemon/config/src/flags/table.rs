//! Every flag of `consul agent`, once: parsing, help and the key it sets come from the same row.

/// What a flag takes and what it does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Sets a text key.
    Text(&'static str),
    /// Sets a whole number.
    Int(&'static str),
    /// Sets a duration, checked while flags are read.
    Duration(&'static str),
    /// Switches a key; takes a value only as `-flag=value`.
    Bool(&'static str),
    /// Adds to a list; repeatable.
    List(&'static str),
    /// Adds a `key:value` pair to a map; repeatable.
    Pair(&'static str),
    /// Adds a file or directory to read; repeatable.
    ConfigPath,
    ConfigFormat,
    Dev,
    /// Adds a configuration fragment; repeatable.
    Hcl,
    /// Old: becomes one setting of a cloud join entry, `provider` and `key`.
    CloudJoin(&'static str, &'static str),
    /// Old: swallows its value and has no effect.
    IgnoredValue(&'static str),
    /// Old: a switch without effect.
    IgnoredBool(&'static str),
}

pub(crate) struct Flag {
    pub name: &'static str,
    pub action: Action,
    /// Shown by `consul agent -h`; empty for old flags, which are taken but not advertised.
    pub help: &'static str,
    /// The flag to use instead, for misspellings and old names that deserve a notice.
    pub successor: Option<&'static str>,
}

const fn row(name: &'static str, action: Action, help: &'static str) -> Flag {
    Flag { name, action, help, successor: None }
}

const fn old(name: &'static str, action: Action) -> Flag {
    Flag { name, action, help: "", successor: None }
}

const fn renamed(name: &'static str, action: Action, successor: &'static str) -> Flag {
    Flag { name, action, help: "", successor: Some(successor) }
}

use Action::{
    Bool, CloudJoin, ConfigFormat, ConfigPath, Dev, Duration, Hcl, IgnoredBool, IgnoredValue, Int, List,
    Pair, Text,
};

const ATLAS: &str = "The Atlas service no longer exists; use -retry-join to find other agents.";
const RPC: &str = "There is no command-line RPC listener any more; clients use the HTTP port (-http-port).";

pub(crate) static FLAGS: &[Flag] = &[
    row(
        "advertise",
        Text("advertise_addr"),
        "Address that other agents of the datacenter are told to reach this one at. By default the bind address, or the only private address of the host.",
    ),
    row(
        "advertise-wan",
        Text("advertise_addr_wan"),
        "Address that servers of other datacenters are told to reach this one at. By default the same as -advertise.",
    ),
    row(
        "allow-write-http-from",
        List("http_config.allow_write_http_from"),
        "Network in CIDR notation whose clients may use HTTP endpoints that write. Without it all may. Repeatable.",
    ),
    row("alt-domain", Text("alt_domain"), "A second domain for which DNS queries are answered."),
    row(
        "auto-reload-config",
        Bool("auto_reload_config"),
        "Watch the configuration and certificate files and reload when they change.",
    ),
    row(
        "bind",
        Text("bind_addr"),
        "Address to listen on for traffic between agents. Default: all addresses.",
    ),
    row(
        "bootstrap",
        Bool("bootstrap"),
        "Let this server elect itself leader at once. Only ever one server of a datacenter may be started so.",
    ),
    row(
        "bootstrap-expect",
        Int("bootstrap_expect"),
        "Number of servers to wait for before the first leader is elected. Give all servers the same number.",
    ),
    row("check_output_max_size", Int("check_output_max_size"), "Bytes of output kept of each check."),
    row(
        "client",
        Text("client_addr"),
        "Address on which HTTP, HTTPS, DNS and gRPC clients are served; several separated by spaces. Default: 127.0.0.1.",
    ),
    row(
        "config-dir",
        ConfigPath,
        "Directory whose .json and .hcl files are read in order of their names. Sub-directories are not entered. Repeatable.",
    ),
    row(
        "config-file",
        ConfigPath,
        "Configuration file in JSON or HCL, told apart by its extension. Repeatable.",
    ),
    row("config-format", ConfigFormat, "Read every file as 'json' or 'hcl', whatever its extension."),
    row(
        "data-dir",
        Text("data_dir"),
        "Directory in which the agent keeps its state. Required except in dev mode.",
    ),
    row("datacenter", Text("datacenter"), "Datacenter this agent belongs to. Default: dc1."),
    row(
        "default-query-time",
        Duration("default_query_time"),
        "How long a blocking query waits when the client does not say.",
    ),
    row(
        "dev",
        Dev,
        "Development mode: a single server on the loopback address that keeps its log in memory.",
    ),
    row(
        "disable-host-node-id",
        Bool("disable_host_node_id"),
        "Make up a random node ID instead of deriving it from the host's. This is the default.",
    ),
    row("disable-keyring-file", Bool("disable_keyring_file"), "Keep the gossip keyring in memory only."),
    row("dns-port", Int("ports.dns"), "Port for DNS. -1 switches it off."),
    row("domain", Text("domain"), "Domain for which DNS queries are answered. Default: consul."),
    row(
        "enable-local-script-checks",
        Bool("enable_local_script_checks"),
        "Run script checks that are defined in configuration files.",
    ),
    row(
        "enable-script-checks",
        Bool("enable_script_checks"),
        "Run script checks wherever they come from, the HTTP API included. Dangerous on a reachable agent without access control: prefer -enable-local-script-checks.",
    ),
    row(
        "encrypt",
        Text("encrypt"),
        "Key for gossip encryption as made by 'consul keygen'. Remembered in the data directory after the first start.",
    ),
    row("grpc-port", Int("ports.grpc"), "Port for plain gRPC. -1 switches it off."),
    row("grpc-tls-port", Int("ports.grpc_tls"), "Port for gRPC over TLS. -1 switches it off."),
    row("hcl", Hcl, "A piece of HCL configuration that beats every file and flag. Repeatable."),
    row("http-port", Int("ports.http"), "Port for the HTTP API. -1 switches it off."),
    row("https-port", Int("ports.https"), "Port for the HTTP API over TLS. -1 switches it off."),
    row(
        "join",
        List("start_join"),
        "Agent to join at start; if none can be joined the start fails. Repeatable.",
    ),
    row(
        "join-wan",
        List("start_join_wan"),
        "Server of another datacenter to join at start; if none can be joined the start fails. Repeatable.",
    ),
    row(
        "log-file",
        Text("log_file"),
        "File to which the log is written as well. A path that ends in / names the directory.",
    ),
    row("log-json", Bool("log_json"), "Write the log as one JSON object per line."),
    row("log-level", Text("log_level"), "Least level that is logged: trace, debug, info, warn or error."),
    row("log-rotate-bytes", Int("log_rotate_bytes"), "Size at which the log file is rotated."),
    row("log-rotate-duration", Duration("log_rotate_duration"), "Age at which the log file is rotated."),
    row(
        "log-rotate-max-files",
        Int("log_rotate_max_files"),
        "Rotated log files to keep. 0 keeps all, -1 none.",
    ),
    row("max-query-time", Duration("max_query_time"), "Longest wait a client may ask of a blocking query."),
    row("node", Text("node_name"), "Name of this node, unique in the datacenter. Default: the host name."),
    row(
        "node-id",
        Text("node_id"),
        "ID of this node, a UUID. By default one is made up and kept in the data directory.",
    ),
    row("node-meta", Pair("node_meta"), "A key:value pair of metadata about this node. Repeatable."),
    row("non-voting-server", Bool("non_voting_server"), "Enterprise edition only; has no effect."),
    row("pid-file", Text("pid_file"), "File into which the process ID is written."),
    row(
        "primary-gateway",
        List("primary_gateways"),
        "Mesh gateway of the primary datacenter; has no effect. Repeatable.",
    ),
    row("protocol", Int("protocol"), "Gossip protocol version to speak."),
    row("raft-protocol", Int("raft_protocol"), "Raft protocol version to speak."),
    row("read-replica", Bool("read_replica"), "Enterprise edition only; has no effect."),
    row(
        "recursor",
        List("recursors"),
        "DNS server to which queries for other domains are passed. Repeatable.",
    ),
    row(
        "rejoin",
        Bool("rejoin_after_leave"),
        "Rejoin the known agents even if this one left on purpose before it stopped.",
    ),
    row("retry-interval", Duration("retry_interval"), "Pause between attempts of -retry-join."),
    row("retry-interval-wan", Duration("retry_interval_wan"), "Pause between attempts of -retry-join-wan."),
    row("retry-join", List("retry_join"), "Agent to join; tried again until it works. Repeatable."),
    row(
        "retry-join-wan",
        List("retry_join_wan"),
        "Server of another datacenter to join; tried again until it works. Repeatable.",
    ),
    row(
        "retry-max",
        Int("retry_max"),
        "Attempts of -retry-join before the agent gives up and exits. 0 means never.",
    ),
    row(
        "retry-max-wan",
        Int("retry_max_wan"),
        "Attempts of -retry-join-wan before the agent gives up and exits. 0 means never.",
    ),
    row("segment", Text("segment"), "Enterprise edition only; refused."),
    row(
        "serf-lan-allowed-cidrs",
        List("serf_lan_allowed_cidrs"),
        "Network in CIDR notation from which LAN gossip is taken. Without it all are. Repeatable.",
    ),
    row("serf-lan-bind", Text("serf_lan"), "Address to listen on for LAN gossip. Default: the bind address."),
    row("serf-lan-port", Int("ports.serf_lan"), "Port for LAN gossip."),
    row(
        "serf-wan-allowed-cidrs",
        List("serf_wan_allowed_cidrs"),
        "Network in CIDR notation from which WAN gossip is taken. Without it all are. Repeatable.",
    ),
    row("serf-wan-bind", Text("serf_wan"), "Address to listen on for WAN gossip. Default: the bind address."),
    row("serf-wan-port", Int("ports.serf_wan"), "Port for WAN gossip. -1 switches federation off."),
    row("server", Bool("server"), "Run as a server: keep the replicated state and take part in elections."),
    row("server-port", Int("ports.server"), "Port on which servers talk to each other and to clients."),
    row("syslog", Bool("enable_syslog"), "Write the log to syslog as well."),
    row("ui", Bool("ui_config.enabled"), "Serve the built-in web UI."),
    row(
        "ui-content-path",
        Text("ui_config.content_path"),
        "Path under which the web UI is served. Default: /ui/.",
    ),
    row(
        "ui-dir",
        Text("ui_config.dir"),
        "Directory with web UI files to serve instead of the built-in ones.",
    ),
    // Old names and misspellings that are in use.
    old("dc", Text("datacenter")),
    renamed("configdir", ConfigPath, "-config-dir"),
    old("atlas", IgnoredValue(ATLAS)),
    old("atlas-token", IgnoredValue(ATLAS)),
    old("atlas-endpoint", IgnoredValue(ATLAS)),
    old("atlas-join", IgnoredBool(ATLAS)),
    old("rpc-port", IgnoredValue(RPC)),
    old("rpc-addr", IgnoredValue(RPC)),
    old("reap", IgnoredBool("Child processes are always reaped.")),
    renamed("retry-join-ec2-region", CloudJoin("aws", "region"), "-retry-join 'provider=aws …'"),
    renamed("retry-join-ec2-tag-key", CloudJoin("aws", "tag_key"), "-retry-join 'provider=aws …'"),
    renamed("retry-join-ec2-tag-value", CloudJoin("aws", "tag_value"), "-retry-join 'provider=aws …'"),
    renamed("retry-join-gce-project-name", CloudJoin("gce", "project_name"), "-retry-join 'provider=gce …'"),
    renamed("retry-join-gce-zone-pattern", CloudJoin("gce", "zone_pattern"), "-retry-join 'provider=gce …'"),
    renamed("retry-join-gce-tag-value", CloudJoin("gce", "tag_value"), "-retry-join 'provider=gce …'"),
    renamed(
        "retry-join-gce-credentials-file",
        CloudJoin("gce", "credentials_file"),
        "-retry-join 'provider=gce …'",
    ),
    renamed("retry-join-azure-tag-name", CloudJoin("azure", "tag_name"), "-retry-join 'provider=azure …'"),
    renamed("retry-join-azure-tag-value", CloudJoin("azure", "tag_value"), "-retry-join 'provider=azure …'"),
];

impl Action {
    /// True for a switch, which takes no separate value.
    pub fn is_switch(self) -> bool {
        matches!(self, Bool(_) | Dev | IgnoredBool(_))
    }
}
