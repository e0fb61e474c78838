//! From a parsed file to a layer.

use consul_config::{Spanned, Value};

use super::ConfigError;
use super::fields::Fields;
use super::layer::*;
use super::wait::Wait;

/// Reads the root of a configuration file.
pub fn decode(root: &Spanned, warnings: &mut Vec<String>) -> Result<Layer, ConfigError> {
    let mut top = Fields::new("", root, warnings)?;
    let mut layer = Layer {
        wait: wait(&mut top)?,
        log_level: top.text("log_level")?,
        pid_file: top.path("pid_file")?,
        status_file: top.path("status_file")?,
        kill_signal: top.parsed("kill_signal")?,
        reload_signal: top.parsed("reload_signal")?,
        max_stale: top.duration("max_stale")?,
        block_query_wait: top.duration("block_query_wait")?,
        template_error_fatal: top.boolean("template_error_fatal")?,
        err_on_failed_lookup: top.boolean("err_on_failed_lookup")?,
        once: top.boolean("once")?,
        dry: None,
        consul: consul(&mut top)?,
        exec: top.block("exec", exec)?,
        deduplicate: top.block("deduplicate", deduplicate)?,
        syslog: top.block("syslog", syslog)?,
        log_file: top.block("log_file", log_file)?,
        delimiters: top.block("default_delimiters", delimiters)?,
        vault: top.block("vault", |fields| {
            Ok(VaultLayer { address: fields.text("address")?, values: Some(fields.rest()) })
        })?,
        nomad: top.block("nomad", |fields| {
            Ok(NomadLayer { address: fields.text("address")?, values: Some(fields.rest()) })
        })?,
        templates: top.blocks("template", template)?,
    };
    old_spellings(&mut top, &mut layer)?;
    top.finish()?;
    Ok(layer)
}

fn consul(top: &mut Fields<'_>) -> Result<ConsulLayer, ConfigError> {
    let Some(found) = top.take("consul") else { return Ok(ConsulLayer::default()) };
    if let Value::String(address) = &found.value {
        top.warnings.push("consul = \"address\" is an old form; write consul { address = \"…\" }".to_owned());
        return Ok(ConsulLayer { address: Some(address.clone()), ..ConsulLayer::default() });
    }
    let found = match &found.value {
        Value::List(items) => items.last().unwrap_or(found),
        _ => found,
    };
    let mut fields = Fields::new("consul", found, top.warnings)?;
    let layer = ConsulLayer {
        address: fields.text("address")?,
        namespace: fields.text("namespace")?,
        token: fields.secret("token")?,
        token_file: fields.path("token_file")?,
        auth: fields.block("auth", auth)?,
        retry: fields.block("retry", retry)?,
        ssl: fields.block("ssl", ssl)?,
        transport: fields.block("transport", transport)?,
    };
    fields.finish()?;
    Ok(layer)
}

/// Keys that stood at the top before there was a `consul` block.
fn old_spellings(top: &mut Fields<'_>, layer: &mut Layer) -> Result<(), ConfigError> {
    let mut old = Vec::new();
    if let Some(token) = top.secret("token")? {
        layer.consul.token.get_or_insert(token);
        old.push("token");
    }
    let found = top.block("auth", auth)?;
    if found.is_set() {
        layer.consul.auth.merge(found);
        old.push("auth");
    }
    let found = top.block("ssl", ssl)?;
    if found.is_set() {
        layer.consul.ssl.merge(found);
        old.push("ssl");
    }
    if let Some(backoff) = top.duration("retry")? {
        layer.consul.retry.backoff.get_or_insert(backoff);
        old.push("retry");
    }
    for key in old {
        top.warnings.push(format!(
            "{key} at the top of a configuration is an old form; it belongs into consul {{ }}"
        ));
    }
    Ok(())
}

fn auth(fields: &mut Fields<'_>) -> Result<AuthLayer, ConfigError> {
    Ok(AuthLayer {
        enabled: fields.boolean("enabled")?,
        username: fields.text("username")?,
        password: fields.secret("password")?,
    })
}

fn retry(fields: &mut Fields<'_>) -> Result<RetryLayer, ConfigError> {
    Ok(RetryLayer {
        enabled: fields.boolean("enabled")?,
        attempts: fields.number("attempts")?,
        backoff: fields.duration("backoff")?,
        max_backoff: fields.duration("max_backoff")?,
    })
}

fn ssl(fields: &mut Fields<'_>) -> Result<SslLayer, ConfigError> {
    Ok(SslLayer {
        enabled: fields.boolean("enabled")?,
        verify: fields.boolean("verify")?,
        cert: fields.path("cert")?,
        key: fields.path("key")?,
        ca_cert: fields.path("ca_cert")?,
        ca_cert_bytes: fields.text("ca_cert_bytes")?,
        ca_path: fields.path("ca_path")?,
        server_name: fields.text("server_name")?,
    })
}

fn transport(fields: &mut Fields<'_>) -> Result<TransportLayer, ConfigError> {
    Ok(TransportLayer {
        dial_keep_alive: fields.duration("dial_keep_alive")?,
        dial_timeout: fields.duration("dial_timeout")?,
        disable_keep_alives: fields.boolean("disable_keep_alives")?,
        idle_conn_timeout: fields.duration("idle_conn_timeout")?,
        max_idle_conns: fields.number("max_idle_conns")?,
        max_idle_conns_per_host: fields.number("max_idle_conns_per_host")?,
        max_conns_per_host: fields.number("max_conns_per_host")?,
        tls_handshake_timeout: fields.duration("tls_handshake_timeout")?,
    })
}

fn template(fields: &mut Fields<'_>) -> Result<TemplateLayer, ConfigError> {
    let mut denylist = fields.list("function_denylist")?;
    denylist.extend(fields.list("function_blacklist")?);
    Ok(TemplateLayer {
        source: fields.path("source")?,
        contents: fields.text("contents")?,
        destination: fields.path("destination")?,
        engine: fields.text("engine")?,
        create_dest_dirs: fields.boolean("create_dest_dirs")?,
        perms: fields.mode("perms")?,
        user: fields.text_or_number("user")?,
        group: fields.text_or_number("group")?,
        uid: fields.number("uid")?,
        gid: fields.number("gid")?,
        backup: fields.boolean("backup")?,
        command: fields.command("command")?,
        command_timeout: fields.duration("command_timeout")?,
        error_on_missing_key: fields.boolean("error_on_missing_key")?,
        error_fatal: fields.boolean("error_fatal")?,
        left_delimiter: fields.text("left_delimiter")?,
        right_delimiter: fields.text("right_delimiter")?,
        wait: wait(fields)?,
        sandbox_path: fields.path("sandbox_path")?,
        min_instances: fields.number("min_instances")?,
        max_shrink: fields.share("max_shrink")?,
        check_command: fields.command("check_command")?,
        exec: fields.block("exec", exec)?,
        function_denylist: denylist,
    })
}

fn exec(fields: &mut Fields<'_>) -> Result<ExecLayer, ConfigError> {
    Ok(ExecLayer {
        command: fields.command("command")?,
        enabled: fields.boolean("enabled")?,
        kill_signal: fields.parsed("kill_signal")?,
        kill_timeout: fields.duration("kill_timeout")?,
        reload_signal: fields.parsed("reload_signal")?,
        splay: fields.duration("splay")?,
        timeout: fields.duration("timeout")?,
        env: fields.block("env", env)?,
    })
}

fn env(fields: &mut Fields<'_>) -> Result<EnvLayer, ConfigError> {
    let mut joined = |new: &str, old: &str| {
        let mut list = fields.list(new)?;
        list.extend(fields.list(old)?);
        Ok::<_, ConfigError>(list)
    };
    let (allowlist, denylist) = (joined("allowlist", "whitelist")?, joined("denylist", "blacklist")?);
    Ok(EnvLayer {
        pristine: fields.boolean("pristine")?,
        custom: fields.list("custom")?,
        allowlist,
        denylist,
    })
}

fn deduplicate(fields: &mut Fields<'_>) -> Result<DedupLayer, ConfigError> {
    Ok(DedupLayer {
        enabled: fields.boolean("enabled")?,
        prefix: fields.text("prefix")?,
        ttl: fields.duration("ttl")?,
        max_stale: fields.duration("max_stale")?,
        block_query_wait: fields.duration("block_query_wait")?,
    })
}

fn syslog(fields: &mut Fields<'_>) -> Result<SyslogLayer, ConfigError> {
    Ok(SyslogLayer {
        enabled: fields.boolean("enabled")?,
        facility: fields.text("facility")?,
        name: fields.text("name")?,
    })
}

fn log_file(fields: &mut Fields<'_>) -> Result<LogFileLayer, ConfigError> {
    Ok(LogFileLayer {
        path: fields.path("path")?,
        rotate_bytes: fields.number("log_rotate_bytes")?,
        rotate_duration: fields.duration("log_rotate_duration")?,
        max_files: fields.number("log_rotate_max_files")?,
    })
}

fn delimiters(fields: &mut Fields<'_>) -> Result<DelimitersLayer, ConfigError> {
    Ok(DelimitersLayer { left: fields.text("left")?, right: fields.text("right")? })
}

/// `wait = "MIN:MAX"` or a block.
fn wait(fields: &mut Fields<'_>) -> Result<Option<Wait>, ConfigError> {
    let name = fields.name("wait");
    let Some(found) = fields.take("wait") else { return Ok(None) };
    if let Value::String(text) = &found.value {
        let refused = |error| ConfigError(format!("'{name}': {error} (at {})", found.pos));
        return text.parse().map(Some).map_err(refused);
    }
    let found = match &found.value {
        Value::List(items) => items.last().unwrap_or(found),
        _ => found,
    };
    let mut block = Fields::new(&name, found, fields.warnings)?;
    let enabled = block.boolean("enabled")?.or(block.boolean("bool")?);
    let (min, max) = (block.duration("min")?, block.duration("max")?);
    block.finish()?;
    let wait = Wait::new(min.unwrap_or_default(), max)
        .map_err(|error| ConfigError(format!("'{name}': {error} (at {})", found.pos)))?;
    Ok(Some(Wait { enabled: enabled.unwrap_or(true), ..wait }))
}
