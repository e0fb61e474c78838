//! Keys of the blocks about addresses, ports, DNS, gossip, HTTP and limits.

use super::MESH;
use crate::schema::{Key, Kind, Schema, any_list, block, flag, float, int, text, text_map, texts};

const NO_RPC_LISTENER: &str =
    "There is no command-line RPC listener any more; clients use the HTTP port ('ports.http').";

pub(super) static PORTS: Schema = Schema::strict(&[
    int("dns"),
    int("http"),
    int("https"),
    int("grpc"),
    int("grpc_tls"),
    int("server"),
    int("serf_lan"),
    int("serf_wan"),
    int("sidecar_min_port"),
    int("sidecar_max_port"),
    int("expose_min_port"),
    int("expose_max_port"),
    int("proxy_min_port"),
    int("proxy_max_port"),
    int("rpc").ignored(NO_RPC_LISTENER),
]);

pub(super) static ADDRESSES: Schema = Schema::strict(&[
    text("dns"),
    text("http"),
    text("https"),
    text("grpc"),
    text("grpc_tls"),
    text("rpc").ignored(NO_RPC_LISTENER),
]);

/// Addresses with ports, as releases before 1.0 had them.
pub(super) static ADVERTISE_ADDRS: Schema =
    Schema::strict(&[text("serf_lan"), text("serf_wan"), text("rpc")]);

pub(super) static UNIX_SOCKETS: Schema = Schema::strict(&[text("user"), text("group"), text("mode")]);

static SOA: Schema = Schema::strict(&[int("refresh"), int("retry"), int("expire"), int("min_ttl")]);

pub(super) static DNS: Schema = Schema::strict(&[
    flag("allow_stale"),
    text("max_stale"),
    text("node_ttl"),
    text_map("service_ttl"),
    flag("enable_truncate"),
    flag("only_passing"),
    flag("disable_compression"),
    int("udp_answer_limit"),
    int("a_record_limit"),
    flag("enable_additional_node_meta_txt"),
    text("recursor_timeout"),
    text("recursor_strategy"),
    block("soa", &SOA),
    flag("use_cache"),
    text("cache_max_age"),
    flag("prefer_namespace").enterprise(),
]);

pub(super) static GOSSIP: Schema = Schema::strict(&[
    text("gossip_interval"),
    int("gossip_nodes"),
    text("probe_interval"),
    text("probe_timeout"),
    int("retransmit_mult"),
    int("suspicion_mult"),
]);

pub(super) static HTTP: Schema = Schema::strict(&[
    texts("block_endpoints"),
    texts("allow_write_http_from"),
    text_map("response_headers"),
    flag("use_cache"),
    int("max_header_bytes"),
]);

static REQUEST_LIMITS: Schema = Schema::strict(&[text("mode"), float("read_rate"), float("write_rate")]);

pub(super) static LIMITS: Schema = Schema::strict(&[
    int("http_max_conns_per_client"),
    text("https_handshake_timeout"),
    text("rpc_handshake_timeout"),
    text("rpc_client_timeout"),
    int("rpc_max_conns_per_client"),
    float("rpc_rate"),
    int("rpc_max_burst"),
    int("kv_max_value_size"),
    int("txn_max_req_len"),
    block("request_limits", &REQUEST_LIMITS),
]);

pub(super) static PERFORMANCE: Schema = Schema::strict(&[
    text("leave_drain_time"),
    int("raft_multiplier"),
    text("rpc_hold_timeout"),
    text("grpc_keepalive_interval").ignored(MESH),
    text("grpc_keepalive_timeout").ignored(MESH),
]);

pub(super) static AUTOPILOT: Schema = Schema::strict(&[
    flag("cleanup_dead_servers"),
    text("last_contact_threshold"),
    int("max_trailing_logs"),
    int("min_quorum"),
    text("server_stabilization_time"),
    text("redundancy_zone_tag"),
    flag("disable_upgrade_migration"),
    text("upgrade_version_tag"),
]);

pub(super) static SEGMENT: Schema =
    Schema::strict(&[text("name"), text("bind"), int("port"), text("advertise"), flag("rpc_listener")]);

const NO_CIRCONUS: &str =
    "Metrics are not sent to Circonus; use 'telemetry.prometheus_retention_time' or statsd.";

pub(super) static TELEMETRY: Schema = Schema::strict(&[
    text("metrics_prefix"),
    flag("disable_hostname"),
    flag("filter_default"),
    texts("prefix_filter"),
    text("statsd_address"),
    text("statsite_address"),
    text("dogstatsd_addr"),
    texts("dogstatsd_tags"),
    text("prometheus_retention_time"),
    flag("retry_failed_connection"),
    flag("enable_host_metrics"),
    flag("disable_per_tenancy_usage_metrics").ignored("There are no partitions or namespaces to count by."),
    text("statsite_prefix").moved("telemetry.metrics_prefix"),
    flag("enable_deprecated_names").ignored("Only the current metric names are emitted."),
    text("circonus_api_token").ignored(NO_CIRCONUS),
    text("circonus_api_app").ignored(NO_CIRCONUS),
    text("circonus_api_url").ignored(NO_CIRCONUS),
    text("circonus_submission_interval").ignored(NO_CIRCONUS),
    text("circonus_submission_url").ignored(NO_CIRCONUS),
    text("circonus_check_id").ignored(NO_CIRCONUS),
    text("circonus_check_force_metric_activation").ignored(NO_CIRCONUS),
    text("circonus_check_instance_id").ignored(NO_CIRCONUS),
    text("circonus_check_search_tag").ignored(NO_CIRCONUS),
    text("circonus_check_display_name").ignored(NO_CIRCONUS),
    text("circonus_check_tags").ignored(NO_CIRCONUS),
    text("circonus_broker_id").ignored(NO_CIRCONUS),
    text("circonus_broker_select_tag").ignored(NO_CIRCONUS),
]);

static METRICS_HEADER: Schema = Schema::strict(&[text("name"), text("value")]);
static METRICS_PROXY: Schema = Schema::strict(&[
    text("base_url"),
    texts("path_allowlist"),
    Key::new("add_headers", Kind::Blocks(&METRICS_HEADER)),
]);
const NO_METRICS_PROVIDER: &str = "The web UI shows no metrics of a mesh.";

pub(super) static UI: Schema = Schema::strict(&[
    flag("enabled"),
    text("dir"),
    text("content_path"),
    text("metrics_provider").ignored(NO_METRICS_PROVIDER),
    texts("metrics_provider_files").ignored(NO_METRICS_PROVIDER),
    text("metrics_provider_options_json").ignored(NO_METRICS_PROVIDER),
    block("metrics_proxy", &METRICS_PROXY).ignored(NO_METRICS_PROVIDER),
    text_map("dashboard_url_templates"),
]);

pub(super) static CACHE: Schema = Schema::strict(&[int("entry_fetch_max_burst"), float("entry_fetch_rate")]);

pub(super) static CONFIG_ENTRIES: Schema = Schema::strict(&[any_list("bootstrap")]);
