//! Keys of service and check definitions.

use crate::schema::{Key, Kind, Schema, any, block, blocks, flag, int, text, text_map, texts};

pub(crate) static CHECK: Schema = Schema::loose(&[
    text("id"),
    text("name"),
    text("notes"),
    text("service_id"),
    text("token"),
    text("status"),
    texts("args"),
    text("http"),
    Key::new("header", Kind::TextsMap),
    text("method"),
    text("body"),
    int("output_max_size"),
    text("tcp"),
    flag("tcp_use_tls"),
    text("udp"),
    text("interval"),
    text("timeout"),
    text("ttl"),
    text("docker_container_id"),
    text("shell"),
    text("grpc"),
    flag("grpc_use_tls"),
    text("h2ping"),
    flag("h2ping_use_tls"),
    text("os_service"),
    text("tls_server_name"),
    flag("tls_skip_verify"),
    flag("disable_redirects"),
    text("alias_node"),
    text("alias_service"),
    int("success_before_passing"),
    int("failures_before_warning"),
    int("failures_before_critical"),
    text("deregister_critical_service_after"),
    // Names of earlier releases.
    text("check_id").moved("id"),
    texts("script_args").moved("args"),
    text("script").translated("args"),
    text("namespace").enterprise(),
    text("partition").enterprise(),
]);

static WEIGHTS: Schema = Schema::loose(&[int("passing"), int("warning")]);
static PORT: Schema = Schema::loose(&[text("name"), int("port"), flag("default")]);
static TAGGED_ADDRESS: Schema = Schema::loose(&[text("address"), int("port")]);

pub(crate) static SERVICE: Schema = Schema::loose(&[
    text("name"),
    text("id"),
    texts("tags"),
    text("address"),
    int("port"),
    blocks("ports", &PORT),
    text("socket_path"),
    text_map("meta"),
    Key::new("tagged_addresses", Kind::BlockMap(&TAGGED_ADDRESS)),
    block("weights", &WEIGHTS),
    flag("enable_tag_override"),
    text("token"),
    block("check", &CHECK),
    blocks("checks", &CHECK),
    text("kind"),
    any("proxy"),
    any("connect"),
    any("locality").enterprise(),
    text("namespace").enterprise(),
    text("partition").enterprise(),
]);
