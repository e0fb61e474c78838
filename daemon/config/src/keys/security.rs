//! Keys of the blocks about access control, TLS and automatic provisioning.

use super::MESH;
use crate::schema::{Schema, any, block, flag, int, text, text_map, texts};

static TOKENS: Schema = Schema::strict(&[
    text("default"),
    text("agent"),
    text("replication"),
    text("initial_management"),
    text("agent_recovery"),
    text("config_file_service_registration"),
    text("dns"),
    text("master").moved("acl.tokens.initial_management"),
    text("agent_master").moved("acl.tokens.agent_recovery"),
    any("managed_service_provider").enterprise(),
]);

pub(super) static ACL: Schema = Schema::strict(&[
    flag("enabled"),
    text("default_policy"),
    text("down_policy"),
    text("token_ttl"),
    text("policy_ttl"),
    text("role_ttl"),
    flag("enable_token_replication"),
    flag("enable_key_list_policy"),
    flag("enable_token_persistence"),
    text("disabled_ttl").fixed(),
    block("tokens", &TOKENS),
    flag("msp_disable_bootstrap").enterprise(),
]);

static TLS_LISTENER: Schema = Schema::strict(&[
    text("ca_file"),
    text("ca_path"),
    text("cert_file"),
    text("key_file"),
    text("tls_min_version"),
    text("tls_cipher_suites"),
    flag("verify_incoming"),
    flag("verify_outgoing"),
    flag("verify_server_hostname"),
    flag("use_auto_cert"),
]);

pub(super) static TLS: Schema = Schema::strict(&[
    block("defaults", &TLS_LISTENER),
    block("internal_rpc", &TLS_LISTENER),
    block("https", &TLS_LISTENER),
    block("grpc", &TLS_LISTENER),
]);

pub(super) static AUTO_ENCRYPT: Schema =
    Schema::strict(&[flag("tls"), flag("allow_tls"), texts("dns_san"), texts("ip_san")]);

static AUTO_CONFIG_STATIC: Schema = Schema::strict(&[
    texts("jwt_validation_pub_keys"),
    text("oidc_discovery_url"),
    text("oidc_discovery_ca_cert"),
    text("jwks_url"),
    text("jwks_ca_cert"),
    text_map("claim_mappings"),
    text_map("list_claim_mappings"),
    texts("jwt_supported_algs"),
    texts("bound_audiences"),
    text("bound_issuer"),
    text("expiration_leeway"),
    text("not_before_leeway"),
    text("clock_skew_leeway"),
    texts("claim_assertions"),
    flag("allow_reuse"),
]);

static AUTO_CONFIG_AUTHORIZATION: Schema =
    Schema::strict(&[flag("enabled"), block("static", &AUTO_CONFIG_STATIC)]);

pub(super) static AUTO_CONFIG: Schema = Schema::strict(&[
    flag("enabled"),
    text("intro_token"),
    text("intro_token_file"),
    texts("server_addresses"),
    texts("dns_sans"),
    texts("ip_sans"),
    block("authorization", &AUTO_CONFIG_AUTHORIZATION),
]);

pub(super) static CONNECT: Schema = Schema::strict(&[
    flag("enabled"),
    text("ca_provider"),
    any("ca_config"),
    flag("enable_mesh_gateway_wan_federation").ignored(MESH),
    flag("enable_serverless_plugin").ignored(MESH),
    text("test_ca_leaf_root_change_spread").ignored(MESH),
]);

static BOLTDB: Schema = Schema::strict(&[flag("NoFreelistSync")]);
static VERIFICATION: Schema = Schema::strict(&[flag("enabled"), text("interval")]);
static LOGSTORE_BOLTDB: Schema = Schema::strict(&[flag("no_freelist_sync")]);
static LOGSTORE_WAL: Schema = Schema::strict(&[int("segment_size_mb")]);
static LOGSTORE: Schema = Schema::strict(&[
    text("backend"),
    flag("disable_log_cache"),
    block("verification", &VERIFICATION),
    block("boltdb", &LOGSTORE_BOLTDB),
    block("wal", &LOGSTORE_WAL),
]);

const OWN_LOG_STORE: &str = "This agent keeps its Raft log in SQLite, which needs no such setting.";

pub(super) const RAFT_BOLTDB: crate::schema::Key = block("raft_boltdb", &BOLTDB).ignored(OWN_LOG_STORE);
pub(super) const RAFT_LOGSTORE: crate::schema::Key = block("raft_logstore", &LOGSTORE).ignored(OWN_LOG_STORE);
