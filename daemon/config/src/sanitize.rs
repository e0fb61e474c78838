//! The configuration as `/v1/agent/self` shows it: flat, in the names of the Go agent, without secrets.

use crate::node_id::NodeId;
use crate::runtime::{GossipTiming, ListenAddr, PortRange, RequestLimitMode, RuntimeConfig, TlsListener};
use consul_api::types::duration::GoDuration;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

const HIDDEN: &str = "hidden";

/// What the agent knows of itself beyond its configuration.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    pub node_id: &'a NodeId,
    pub version: &'a str,
    pub version_prerelease: &'a str,
    pub revision: &'a str,
}

impl RuntimeConfig {
    /// The configuration as a flat map. Secrets read `hidden`, set or not; durations are Go's texts.
    pub fn sanitized(&self, identity: &Identity<'_>) -> Map<String, Value> {
        let mut map = Map::new();
        for part in [
            self.show_node(identity),
            self.show_network(),
            self.show_ports(),
            self.show_cluster(),
            self.show_gossip(),
            self.show_raft(),
            self.show_acl(),
            self.show_tls(),
            self.show_dns(),
            self.show_http_and_limits(),
            self.show_agent(),
            self.show_definitions(),
        ] {
            if let Value::Object(fields) = part {
                map.extend(fields);
            }
        }
        map
    }

    fn show_node(&self, identity: &Identity<'_>) -> Value {
        json!({
            "NodeID": identity.node_id.as_str(),
            "NodeName": self.node.name,
            "NodeMeta": self.node.meta,
            "Datacenter": self.node.datacenter,
            "PrimaryDatacenter": self.node.primary_datacenter,
            "DataDir": path(&self.node.data_dir),
            "DevMode": self.dev_mode,
            "ServerMode": self.server,
            "DisableHostNodeID": self.node.disable_host_node_id,
            "ServerRejoinAgeMax": span(self.node.server_rejoin_age_max),
            "Version": identity.version,
            "VersionPrerelease": identity.version_prerelease,
            "Revision": identity.revision,
        })
    }

    fn show_network(&self) -> Value {
        let n = &self.network;
        let listeners = |list: &[ListenAddr]| list.iter().map(url).collect::<Vec<_>>();
        let clients: Vec<String> = n
            .client_addrs
            .iter()
            .map(|host| match host {
                crate::runtime::ListenHost::Ip(ip) => ip.to_string(),
                crate::runtime::ListenHost::Unix(path) => format!("unix://{}", path.display()),
            })
            .collect();
        // The DNS door answers on both transports.
        let dns: Vec<String> = n
            .dns
            .iter()
            .flat_map(|address| [format!("tcp://{address}"), format!("udp://{address}")])
            .collect();
        json!({
            "BindAddr": n.bind_addr,
            "ClientAddrs": clients,
            "AdvertiseAddrLAN": n.advertise_lan,
            "AdvertiseAddrWAN": n.advertise_wan,
            "SerfBindAddrLAN": tcp(n.serf_bind_lan),
            "SerfBindAddrWAN": n.serf_bind_wan.map(tcp).unwrap_or_default(),
            "SerfAdvertiseAddrLAN": tcp(n.serf_advertise_lan),
            "SerfAdvertiseAddrWAN": n.serf_advertise_wan.map(tcp).unwrap_or_default(),
            "RPCBindAddr": tcp(n.rpc_bind),
            "RPCAdvertiseAddr": tcp(n.rpc_advertise),
            "DNSAddrs": dns,
            "HTTPAddrs": listeners(&n.http),
            "HTTPSAddrs": listeners(&n.https),
            "GRPCAddrs": listeners(&n.grpc),
            "GRPCTLSAddrs": listeners(&n.grpc_tls),
            "TaggedAddresses": n.tagged_addresses,
            "TranslateWANAddrs": n.translate_wan_addrs,
            "UnixSocketUser": n.unix_sockets.user.clone().unwrap_or_default(),
            "UnixSocketGroup": n.unix_sockets.group.clone().unwrap_or_default(),
            "UnixSocketMode": n.unix_sockets.mode.map(|mode| format!("{mode:o}")).unwrap_or_default(),
        })
    }

    fn show_ports(&self) -> Value {
        let p = &self.ports;
        let off = |port: Option<u16>| port.map_or(-1, i32::from);
        let ends = |range: PortRange| (range.min.unwrap_or(0), range.max.unwrap_or(0));
        let (sidecar, expose) = (ends(p.sidecar), ends(p.expose));
        json!({
            "DNSPort": off(p.dns),
            "HTTPPort": off(p.http),
            "HTTPSPort": off(p.https),
            "GRPCPort": off(p.grpc),
            "GRPCTLSPort": off(p.grpc_tls),
            "ServerPort": p.server,
            "SerfPortLAN": p.serf_lan,
            "SerfPortWAN": off(p.serf_wan),
            "ConnectSidecarMinPort": sidecar.0,
            "ConnectSidecarMaxPort": sidecar.1,
            "ExposeMinPort": expose.0,
            "ExposeMaxPort": expose.1,
        })
    }

    fn show_cluster(&self) -> Value {
        let (lan, wan) = (&self.join.lan, &self.join.wan);
        let auto = &self.auto_config;
        json!({
            "Bootstrap": self.bootstrap.alone,
            "BootstrapExpect": self.bootstrap.expect,
            "StartJoinAddrsLAN": lan.start,
            "StartJoinAddrsWAN": wan.start,
            "RetryJoinLAN": lan.retry,
            "RetryJoinWAN": wan.retry,
            "RetryJoinIntervalLAN": span(lan.retry_interval),
            "RetryJoinIntervalWAN": span(wan.retry_interval),
            "RetryJoinMaxAttemptsLAN": lan.retry_max,
            "RetryJoinMaxAttemptsWAN": wan.retry_max,
            "RejoinAfterLeave": self.join.rejoin_after_leave,
            "AutoEncryptTLS": self.auto_encrypt.tls,
            "AutoEncryptAllowTLS": self.auto_encrypt.allow_tls,
            "AutoEncryptDNSSAN": self.auto_encrypt.dns_san,
            "AutoEncryptIPSAN": self.auto_encrypt.ip_san,
            "AutoConfig": {
                "Enabled": auto.enabled,
                "IntroToken": HIDDEN,
                "IntroTokenFile": path(&auto.intro_token_file),
                "ServerAddresses": auto.server_addresses,
                "DNSSANs": auto.dns_sans,
                "IPSANs": auto.ip_sans,
                "Authorizer": {
                    "Enabled": auto.authorization.enabled,
                    "AllowReuse": auto.authorization.allow_reuse,
                    "ClaimAssertions": auto.authorization.claim_assertions,
                    "BoundIssuer": auto.authorization.bound_issuer,
                    "BoundAudiences": auto.authorization.bound_audiences,
                },
            },
            "ConnectEnabled": self.connect.enabled,
            "ConnectCAProvider": self.connect.ca_provider,
            "ConnectCAConfig": redacted(Value::Object(self.connect.ca_config.clone())),
        })
    }

    fn show_gossip(&self) -> Value {
        let g = &self.gossip;
        let mut shown = json!({
            "EncryptKey": HIDDEN,
            "EncryptVerifyIncoming": g.encrypt_verify_incoming,
            "EncryptVerifyOutgoing": g.encrypt_verify_outgoing,
            "DisableKeyringFile": g.disable_keyring_file,
            "DisableCoordinates": g.disable_coordinates,
            "SerfAllowedCIDRsLAN": texts(&g.allowed_cidrs_lan),
            "SerfAllowedCIDRsWAN": texts(&g.allowed_cidrs_wan),
            "ReconnectTimeoutLAN": span(g.reconnect_timeout),
            "ReconnectTimeoutWAN": span(g.reconnect_timeout_wan),
            "AdvertiseReconnectTimeout": span(g.advertise_reconnect_timeout),
            "RPCProtocol": g.protocol,
        });
        if let Value::Object(map) = &mut shown {
            show_pace(map, "LAN", &g.lan);
            show_pace(map, "WAN", &g.wan);
        }
        shown
    }

    fn show_raft(&self) -> Value {
        let (r, a) = (&self.raft, &self.autopilot);
        json!({
            "RaftProtocol": r.protocol,
            "ConsulRaftHeartbeatTimeout": span(r.heartbeat_timeout),
            "ConsulRaftElectionTimeout": span(r.election_timeout),
            "ConsulRaftLeaderLeaseTimeout": span(r.leader_lease_timeout),
            "RaftSnapshotInterval": span(r.snapshot_interval),
            "RaftSnapshotThreshold": r.snapshot_threshold,
            "RaftTrailingLogs": r.trailing_logs,
            "RPCHoldTimeout": span(r.rpc_hold_timeout),
            "LeaveDrainTime": span(r.leave_drain_time),
            "AutopilotCleanupDeadServers": a.cleanup_dead_servers,
            "AutopilotLastContactThreshold": span(a.last_contact_threshold),
            "AutopilotMaxTrailingLogs": a.max_trailing_logs,
            "AutopilotMinQuorum": a.min_quorum,
            "AutopilotServerStabilizationTime": span(a.server_stabilization_time),
            "AutopilotRedundancyZoneTag": a.redundancy_zone_tag,
            "AutopilotDisableUpgradeMigration": a.disable_upgrade_migration,
            "AutopilotUpgradeVersionTag": a.upgrade_version_tag,
        })
    }

    fn show_acl(&self) -> Value {
        let a = &self.acl;
        json!({
            "ACLsEnabled": a.enabled,
            "ACLDatacenter": self.node.primary_datacenter,
            "ACLDefaultPolicy": a.default_policy.as_str(),
            "ACLDownPolicy": a.down_policy.as_str(),
            "ACLTokenTTL": span(a.token_ttl),
            "ACLPolicyTTL": span(a.policy_ttl),
            "ACLRoleTTL": span(a.role_ttl),
            "ACLTokenReplication": a.enable_token_replication,
            "ACLEnableKeyListPolicy": a.enable_key_list_policy,
            "ACLEnableTokenPersistence": a.enable_token_persistence,
            "ACLToken": HIDDEN,
            "ACLAgentToken": HIDDEN,
            "ACLReplicationToken": HIDDEN,
            "ACLInitialManagementToken": HIDDEN,
            "ACLAgentRecoveryToken": HIDDEN,
            "ACLConfigFileRegistrationToken": HIDDEN,
            "ACLDNSToken": HIDDEN,
            // Names of these two before 1.11, which tools still look for.
            "ACLMasterToken": HIDDEN,
            "ACLAgentMasterToken": HIDDEN,
        })
    }

    fn show_tls(&self) -> Value {
        let t = &self.tls;
        let listener = |l: &TlsListener| {
            json!({
                "CAFile": path(&l.ca_file),
                "CAPath": path(&l.ca_path),
                "CertFile": path(&l.cert_file),
                "KeyFile": HIDDEN,
                "TLSMinVersion": l.min_version.as_str(),
                "CipherSuites": l.cipher_suites,
                "VerifyIncoming": l.verify_incoming,
                "VerifyOutgoing": l.verify_outgoing,
            })
        };
        json!({
            "TLS": {
                "InternalRPC": listener(&t.internal_rpc),
                "HTTPS": listener(&t.https),
                "GRPC": listener(&t.grpc),
                "ServerName": t.server_name,
                "Domain": self.dns.domain,
                "NodeName": self.node.name,
            },
            "CAFile": path(&t.internal_rpc.ca_file),
            "CAPath": path(&t.internal_rpc.ca_path),
            "CertFile": path(&t.internal_rpc.cert_file),
            "KeyFile": HIDDEN,
            "ServerName": t.server_name,
            "TLSMinVersion": t.internal_rpc.min_version.as_str(),
            "TLSCipherSuites": t.internal_rpc.cipher_suites,
            "VerifyIncoming": t.internal_rpc.verify_incoming && t.https.verify_incoming,
            "VerifyIncomingRPC": t.internal_rpc.verify_incoming,
            "VerifyIncomingHTTPS": t.https.verify_incoming,
            "VerifyOutgoing": t.internal_rpc.verify_outgoing,
            "VerifyServerHostname": t.verify_server_hostname,
            "GRPCUseAutoCert": t.grpc_use_auto_cert,
        })
    }

    fn show_dns(&self) -> Value {
        let d = &self.dns;
        let ttls: Map<String, Value> =
            d.service_ttl.iter().map(|(name, ttl)| (name.clone(), Value::String(span(*ttl)))).collect();
        json!({
            "DNSDomain": d.domain,
            "DNSAltDomain": d.alt_domain,
            "DNSRecursors": texts(&d.recursors),
            "DNSRecursorTimeout": span(d.recursor_timeout),
            "DNSRecursorStrategy": match d.recursor_strategy {
                crate::runtime::RecursorStrategy::Sequential => "sequential",
                crate::runtime::RecursorStrategy::Random => "random",
            },
            "DNSAllowStale": d.allow_stale,
            "DNSMaxStale": span(d.max_stale),
            "DNSNodeTTL": span(d.node_ttl),
            "DNSServiceTTL": ttls,
            "DNSEnableTruncate": d.enable_truncate,
            "DNSOnlyPassing": d.only_passing,
            "DNSDisableCompression": d.disable_compression,
            "DNSUDPAnswerLimit": d.udp_answer_limit,
            "DNSARecordLimit": d.a_record_limit,
            "DNSNodeMetaTXT": d.node_meta_txt,
            "DNSUseCache": d.use_cache,
            "DNSCacheMaxAge": span(d.cache_max_age),
            "DNSSOA": {
                "Refresh": d.soa.refresh,
                "Retry": d.soa.retry,
                "Expire": d.soa.expire,
                "Minttl": d.soa.min_ttl,
            },
        })
    }

    fn show_http_and_limits(&self) -> Value {
        let (h, l) = (&self.http, &self.limits);
        // Without a limit, as the flag would be written.
        let rate = |rate: Option<f64>| rate.unwrap_or(-1.0);
        json!({
            "AllowWriteHTTPFrom": texts(&h.allow_write_from),
            "HTTPBlockEndpoints": h.block_endpoints,
            "HTTPResponseHeaders": h.response_headers,
            "HTTPUseCache": h.use_cache,
            "HTTPMaxHeaderBytes": h.max_header_bytes.unwrap_or(0),
            "DisableHTTPUnprintableCharFilter": h.disable_unprintable_char_filter,
            "HTTPMaxConnsPerClient": l.http_max_conns_per_client,
            "HTTPSHandshakeTimeout": span(l.https_handshake_timeout),
            "RPCHandshakeTimeout": span(l.rpc_handshake_timeout),
            "RPCClientTimeout": span(l.rpc_client_timeout),
            "RPCMaxConnsPerClient": l.rpc_max_conns_per_client,
            "RPCRateLimit": rate(l.rpc_rate),
            "RPCMaxBurst": l.rpc_max_burst,
            "KVMaxValueSize": l.kv_max_value_size,
            "TxnMaxReqLen": l.txn_max_req_len,
            "RequestLimitsMode": match l.request_limits.mode {
                RequestLimitMode::Disabled => "disabled",
                RequestLimitMode::Permissive => "permissive",
                RequestLimitMode::Enforcing => "enforcing",
            },
            "RequestLimitsReadRate": rate(l.request_limits.read_rate),
            "RequestLimitsWriteRate": rate(l.request_limits.write_rate),
        })
    }

    fn show_agent(&self) -> Value {
        let (c, q, p, t, log) = (&self.checks, &self.queries, &self.process, &self.telemetry, &self.log);
        json!({
            "CheckOutputMaxSize": c.output_max_size,
            "CheckUpdateInterval": span(c.update_interval),
            "DiscardCheckOutput": c.discard_output,
            "EnableLocalScriptChecks": c.enable_local_scripts,
            "EnableRemoteScriptChecks": c.enable_remote_scripts,
            "EnableAgentTLSForChecks": c.use_agent_tls,
            "DefaultQueryTime": span(q.default_query_time),
            "MaxQueryTime": span(q.max_query_time),
            "DiscoveryMaxStale": span(q.discovery_max_stale),
            "SessionTTLMin": span(q.session_ttl_min),
            "PidFile": path(&p.pid_file),
            "LeaveOnTerm": p.leave_on_terminate,
            "SkipLeaveOnInt": p.skip_leave_on_interrupt,
            "AutoReloadConfig": p.auto_reload,
            "EnableDebug": p.enable_debug,
            "DisableRemoteExec": p.disable_remote_exec,
            "EnableCentralServiceConfig": p.enable_central_service_config,
            "EnableUI": self.ui.enabled,
            "UIDir": path(&self.ui.dir),
            "UIContentPath": self.ui.content_path,
            "UIConfig": {
                "Enabled": self.ui.enabled,
                "Dir": path(&self.ui.dir),
                "ContentPath": self.ui.content_path,
                "DashboardURLTemplates": self.ui.dashboard_url_templates,
            },
            "Cache": {
                "EntryFetchMaxBurst": self.cache.entry_fetch_max_burst,
                "EntryFetchRate": self.cache.entry_fetch_rate.unwrap_or(f64::MAX),
            },
            "Logging": {
                "LogLevel": log.level,
                "LogJSON": log.json,
                "LogFilePath": log.file.clone().unwrap_or_default(),
                "LogRotateBytes": log.rotate_bytes,
                "LogRotateDuration": span(log.rotate_duration),
                "LogRotateMaxFiles": log.rotate_max_files,
                "EnableSyslog": log.syslog,
                "SyslogFacility": log.syslog_facility,
            },
            "Telemetry": {
                "MetricsPrefix": t.metrics_prefix,
                "DisableHostname": t.disable_hostname,
                "FilterDefault": t.filter_default,
                "AllowedPrefixes": t.allowed_prefixes,
                "BlockedPrefixes": t.blocked_prefixes,
                "StatsdAddr": t.statsd_address,
                "StatsiteAddr": t.statsite_address,
                "DogstatsdAddr": t.dogstatsd_addr,
                "DogstatsdTags": t.dogstatsd_tags,
                "PrometheusRetentionTime": span(t.prometheus_retention_time),
                "RetryFailedConfiguration": t.retry_failed_connection,
                "EnableHostMetrics": t.enable_host_metrics,
            },
        })
    }

    fn show_definitions(&self) -> Value {
        json!({
            "Services": definitions(&self.service_definitions),
            "Checks": definitions(&self.check_definitions),
            "Watches": self.watches.iter().map(watch).collect::<Vec<_>>(),
            "ConfigEntryBootstrap": self.bootstrap_config_entries,
        })
    }
}

fn show_pace(map: &mut Map<String, Value>, pool: &str, timing: &GossipTiming) {
    let mut show = |name: &str, value: Value| map.insert(format!("Gossip{pool}{name}"), value);
    show("GossipInterval", span(timing.gossip_interval).into());
    show("GossipNodes", timing.gossip_nodes.into());
    show("ProbeInterval", span(timing.probe_interval).into());
    show("ProbeTimeout", span(timing.probe_timeout).into());
    show("RetransmitMult", timing.retransmit_mult.into());
    show("SuspicionMult", timing.suspicion_mult.into());
}

fn span(duration: Duration) -> String {
    GoDuration::from(duration).to_string()
}

fn path(path: &Option<PathBuf>) -> String {
    path.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
}

fn texts<T: Display>(list: &[T]) -> Vec<String> {
    list.iter().map(T::to_string).collect()
}

fn tcp(address: impl Display) -> String {
    format!("tcp://{address}")
}

fn url(address: &ListenAddr) -> String {
    match address {
        ListenAddr::Tcp(address) => tcp(address),
        ListenAddr::Unix(_) => address.to_string(),
    }
}

fn definitions<T: Serialize>(list: &[T]) -> Vec<Value> {
    list.iter().map(|one| redacted(serde_json::to_value(one).unwrap_or(Value::Null))).collect()
}

/// A watch's `key` is what it watches; its token is the secret, and so may be the headers of its handler.
fn watch(params: &Map<String, Value>) -> Value {
    let field = |(name, value): (&String, &Value)| {
        let shown = match name.as_str() {
            "key" => value.clone(),
            _ if is_secret(name) => Value::from(HIDDEN),
            _ => redacted(value.clone()),
        };
        (name.clone(), shown)
    };
    Value::Object(params.iter().map(field).collect())
}

/// Hides what names itself a secret, at any depth.
fn redacted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let field = |(name, value): (String, Value)| {
                let shown = if is_secret(&name) { Value::from(HIDDEN) } else { redacted(value) };
                (name, shown)
            };
            Value::Object(map.into_iter().map(field).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(redacted).collect()),
        other => other,
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["key", "token", "secret", "password", "authorization", "cookie"].iter().any(|end| name.ends_with(end))
}
