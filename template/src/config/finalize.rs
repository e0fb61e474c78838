//! From what was set to what holds: environment, defaults, rules.

use std::path::PathBuf;
use std::time::Duration;

use consul_api::client::{Config as ClientConfig, Connections, Secret};
use consul_telemetry::log::{Level, Rotation};
use nix::sys::signal::Signal;

use super::ConfigError;
use super::environment::Environment;
use super::layer::*;
use super::settings::*;
use super::signal::SignalChoice;
use super::wait::Wait;
use crate::watch::CONNECTIONS;

/// Times of connections, in seconds.
const DIAL_TIMEOUT: u64 = 30;
const KEEP_ALIVE: u64 = 30;
const IDLE_TIMEOUT: u64 = 5;
const TLS_HANDSHAKE_TIMEOUT: u64 = 10;
/// Connections that wait for a further request.
const IDLE_PER_HOST: u32 = 100;

const DEFAULT_COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_KILL_TIMEOUT: Duration = Duration::from_secs(30);

/// A configuration that cannot be used, by what it means for the program's end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Found only when the templates are set up.
    #[error("{0}")]
    Template(String),
}

/// Completes the configuration.
pub fn finalize(layer: Layer, env: &Environment, warnings: &mut Vec<String>) -> Result<Settings, Refusal> {
    let client = client(&layer.consul, env, warnings)?;
    let exported = exported(&layer, &client, env);
    let once = layer.once.unwrap_or(false);
    let dry = layer.dry.unwrap_or(false);
    let global_wait = layer.wait;
    let templates = layer
        .templates
        .iter()
        .map(|template| finish_template(template, &layer, global_wait.filter(|_| !once), once))
        .collect::<Result<Vec<_>, _>>()?;
    let own_wait = Duration::from_secs(60);
    let connections = layer.consul.transport.max_conns_per_host.filter(|count| *count > 0);
    Ok(Settings {
        connections: connections.map_or(CONNECTIONS, |count| count as usize),
        retry: retry(&layer.consul.retry),
        templates,
        exec: exec(&layer.exec, Duration::ZERO),
        deduplicate: dedup(&layer.deduplicate, once),
        log: log(&layer, env)?,
        pid_file: layer.pid_file.filter(|path| !path.as_os_str().is_empty()),
        status_file: layer.status_file.filter(|path| !path.as_os_str().is_empty()),
        kill_signal: choice(layer.kill_signal, Some(Signal::SIGINT)),
        reload_signal: choice(layer.reload_signal, Some(Signal::SIGHUP)),
        max_stale: layer.max_stale.unwrap_or(Duration::from_secs(2)),
        block_query_wait: layer.block_query_wait.filter(|wait| !wait.is_zero()).unwrap_or(own_wait),
        once,
        dry,
        err_on_failed_lookup: layer.err_on_failed_lookup.unwrap_or(false),
        client,
        exported,
    })
}

fn choice(set: Option<SignalChoice>, default: Option<Signal>) -> Option<Signal> {
    set.map_or(default, |choice| choice.0)
}

fn retry(layer: &RetryLayer) -> Retry {
    let attempts = layer.attempts.unwrap_or(12);
    let max_backoff = layer.max_backoff.unwrap_or(Duration::from_secs(60));
    Retry {
        enabled: layer.enabled.unwrap_or(true),
        attempts: (attempts > 0).then_some(attempts),
        backoff: layer.backoff.unwrap_or(Duration::from_millis(250)),
        max_backoff: (!max_backoff.is_zero()).then_some(max_backoff),
    }
}

fn text(value: &Option<String>) -> Option<String> {
    value.clone().filter(|value| !value.is_empty())
}

fn path(value: &Option<PathBuf>) -> Option<PathBuf> {
    value.clone().filter(|value| !value.as_os_str().is_empty())
}

fn client(
    layer: &ConsulLayer,
    env: &Environment,
    warnings: &mut Vec<String>,
) -> Result<ClientConfig, ConfigError> {
    let mut config = ClientConfig::from_vars(|name| env.get(name).map(str::to_owned));
    warnings.append(&mut config.warnings);
    if let Some(address) = text(&layer.address) {
        config.address = address;
    }
    if let Some(namespace) = text(&layer.namespace) {
        config.namespace = Some(namespace);
    }
    if let Some(token) = env.get("CONSUL_TOKEN") {
        config.token = Some(Secret::new(token));
    }
    if let Some(file) = env.get("CONSUL_TOKEN_FILE") {
        config.token_file = Some(PathBuf::from(file));
    }
    if let Some(token) = layer.token.clone().filter(|token| !token.is_empty()) {
        config.token = Some(token);
        // What is configured beats what the environment names, file or not.
        config.token_file = None;
    }
    if let Some(file) = path(&layer.token_file) {
        config.token_file = Some(file);
    }
    let auth = &layer.auth;
    if auth.enabled.unwrap_or(auth.username.is_some() || auth.password.is_some()) {
        let password = auth.password.clone().unwrap_or_else(|| Secret::new(""));
        config.http_auth = Some((auth.username.clone().unwrap_or_default(), password));
    }
    ssl(&layer.ssl, &mut config);
    transport(&layer.transport, &mut config);
    Ok(config)
}

fn ssl(layer: &SslLayer, config: &mut ClientConfig) {
    if layer.enabled.unwrap_or(layer.is_set()) {
        config.ssl = true;
    }
    if layer.enabled == Some(false) {
        config.ssl = false;
        return;
    }
    if let Some(verify) = layer.verify {
        config.ssl_verify = verify;
    }
    if let Some(cert) = path(&layer.cert) {
        // A certificate alone is a file that holds the key too.
        config.client_key = Some(path(&layer.key).unwrap_or_else(|| cert.clone()));
        config.client_cert = Some(cert);
    }
    if let Some(file) = path(&layer.ca_cert) {
        config.ca_file = Some(file);
    } else if let Some(directory) = path(&layer.ca_path) {
        config.ca_file = None;
        config.ca_path = Some(directory);
    }
    if let Some(name) = text(&layer.server_name) {
        config.tls_server_name = Some(name);
    }
}

/// Connections as the original keeps them unless configured otherwise.
fn transport(layer: &TransportLayer, config: &mut ClientConfig) {
    let given = |time: Option<Duration>, default: u64| match time {
        Some(time) if !time.is_zero() => time,
        _ => Duration::from_secs(default),
    };
    config.connect_timeout = given(layer.dial_timeout, DIAL_TIMEOUT);
    let limits = [layer.max_idle_conns, layer.max_idle_conns_per_host.or(Some(IDLE_PER_HOST))];
    let idle_max = limits.into_iter().flatten().filter(|count| *count > 0).min();
    config.connections = Connections {
        keep_alive: Some(given(layer.dial_keep_alive, KEEP_ALIVE)),
        idle_max: match layer.disable_keep_alives {
            Some(true) => 0,
            _ => idle_max.map_or(usize::MAX, |count| count as usize),
        },
        idle_timeout: given(layer.idle_conn_timeout, IDLE_TIMEOUT),
        tls_handshake_timeout: given(layer.tls_handshake_timeout, TLS_HANDSHAKE_TIMEOUT),
    };
}

/// The variables that tell programs and templates which agent we talk to.
fn exported(layer: &Layer, client: &ClientConfig, env: &Environment) -> Exported {
    let mut exported = Vec::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            exported.push((name.to_owned(), Secret::new(value)));
        }
    };
    let address = text(&layer.consul.address).or_else(|| env.get("CONSUL_HTTP_ADDR").map(str::to_owned));
    put("CONSUL_HTTP_ADDR", address);
    let auth = client.http_auth.as_ref();
    put("CONSUL_HTTP_AUTH", auth.map(|(user, password)| format!("{user}:{}", password.expose())));
    put("CONSUL_HTTP_TOKEN", client.token.as_ref().map(|token| token.expose().to_owned()));
    put("CONSUL_HTTP_TOKEN_FILE", client.token_file.as_ref().map(|file| file.display().to_string()));
    put("CONSUL_HTTP_SSL", Some(client.ssl.to_string()));
    put("CONSUL_HTTP_SSL_VERIFY", Some(client.ssl_verify.to_string()));
    put("VAULT_ADDR", text(&layer.vault.address));
    put("NOMAD_ADDR", text(&layer.nomad.address));
    exported
}

fn finish_template(
    layer: &TemplateLayer,
    all: &Layer,
    global_wait: Option<Wait>,
    once: bool,
) -> Result<TemplateSettings, Refusal> {
    let refused = |text: &str| Refusal::Template(text.to_owned());
    let source = match (path(&layer.source), &layer.contents) {
        (Some(_), Some(_)) => return Err(refused("template: cannot specify both 'source' and 'contents'")),
        (Some(source), None) => Source::File(source),
        (None, Some(contents)) => Source::Inline(contents.clone()),
        (None, None) => {
            return Err(refused("template: must specify exactly one of 'source' or 'contents'"));
        }
    };
    let handlebars = match layer.engine.as_deref() {
        Some("handlebars") => true,
        Some("go" | "") => false,
        Some(other) => {
            return Err(Refusal::Template(format!(
                "template: unknown engine {other:?}; there are \"go\" and \"handlebars\""
            )));
        }
        None => matches!(&source, Source::File(path) if path.extension().is_some_and(|ext| ext == "hbs")),
    };
    let or = |own: &Option<String>, default: &Option<String>| {
        text(own).or_else(|| text(default)).unwrap_or_default()
    };
    let defaults = if handlebars { DelimitersLayer::default() } else { all.delimiters.clone() };
    let (left, right) =
        (or(&layer.left_delimiter, &defaults.left), or(&layer.right_delimiter, &defaults.right));
    if handlebars && (text(&layer.left_delimiter).is_some() || text(&layer.right_delimiter).is_some()) {
        return Err(refused("template: delimiters cannot be set for handlebars"));
    }
    let wait = layer.wait.or(global_wait).filter(|wait| wait.is_active() && !once);
    Ok(TemplateSettings {
        source,
        handlebars,
        destination: path(&layer.destination),
        create_dest_dirs: layer.create_dest_dirs.unwrap_or(true),
        perms: layer.perms.filter(|perms| *perms != 0),
        owner: Ownership {
            user: text(&layer.user),
            uid: layer.uid,
            group: text(&layer.group),
            gid: layer.gid,
        },
        backup: layer.backup.unwrap_or(false),
        command: template_command(layer),
        error_on_missing_key: layer.error_on_missing_key.unwrap_or(false),
        error_fatal: layer.error_fatal.or(all.template_error_fatal).unwrap_or(true),
        left_delimiter: left,
        right_delimiter: right,
        wait,
        sandbox_path: path(&layer.sandbox_path),
        function_denylist: layer.function_denylist.clone(),
        guards: Guards {
            min_instances: layer.min_instances.filter(|least| *least > 0),
            max_shrink: layer.max_shrink,
            check_command: layer.check_command.clone().filter(|command| !command.is_empty()),
        },
    })
}

/// `exec` or its old form, `command` and `command_timeout`.
fn template_command(layer: &TemplateLayer) -> Option<ExecSettings> {
    let mut merged = layer.exec.clone();
    if merged.command.is_none() {
        merged.command.clone_from(&layer.command);
    }
    let default = layer.command_timeout.unwrap_or(DEFAULT_COMMAND_TIMEOUT);
    exec(&merged, default)
}

fn exec(layer: &ExecLayer, default_timeout: Duration) -> Option<ExecSettings> {
    let command = layer.command.clone().filter(|command| !command.is_empty())?;
    if layer.enabled == Some(false) {
        return None;
    }
    Some(ExecSettings {
        command,
        kill_signal: choice(layer.kill_signal, Some(Signal::SIGINT)),
        kill_timeout: layer.kill_timeout.unwrap_or(DEFAULT_KILL_TIMEOUT),
        reload: match layer.reload_signal {
            None => Reload::Restart,
            Some(SignalChoice(None)) => Reload::Nothing,
            Some(SignalChoice(Some(signal))) => Reload::Signal(signal),
        },
        splay: layer.splay.unwrap_or_default(),
        timeout: layer.timeout.unwrap_or(default_timeout),
        env: EnvSettings {
            pristine: layer.env.pristine.unwrap_or(false),
            custom: layer.env.custom.clone(),
            allowlist: layer.env.allowlist.clone(),
            denylist: layer.env.denylist.clone(),
        },
    })
}

fn dedup(layer: &DedupLayer, once: bool) -> Option<DedupSettings> {
    if once || !layer.enabled.unwrap_or(layer.is_set()) {
        return None;
    }
    let prefix = text(&layer.prefix).unwrap_or_else(|| "consul-template/dedup/".to_owned());
    Some(DedupSettings {
        prefix,
        ttl: layer.ttl.filter(|ttl| !ttl.is_zero()).unwrap_or(Duration::from_secs(15)),
        max_stale: layer.max_stale.unwrap_or(Duration::from_secs(2)),
        block_query_wait: layer.block_query_wait.unwrap_or(Duration::from_secs(60)),
    })
}

fn log(layer: &Layer, env: &Environment) -> Result<LogSettings, ConfigError> {
    let variables = ["CT_LOG", "CONSUL_TEMPLATE_LOG", "CONSUL_TEMPLATE_LOG_LEVEL"];
    let name = text(&layer.log_level)
        .or_else(|| env.first(&variables).map(str::to_owned))
        .unwrap_or_else(|| "WARN".to_owned())
        .to_ascii_uppercase();
    let level = match name.as_str() {
        "TRACE" => Level::Trace,
        "DEBUG" => Level::Debug,
        "INFO" => Level::Info,
        "WARN" => Level::Warn,
        "ERR" => Level::Error,
        _ => {
            return Err(ConfigError(format!(
                "invalid log level {name:?}, valid log levels are TRACE, DEBUG, INFO, WARN, ERR"
            )));
        }
    };
    let file = &layer.log_file;
    let rotation = Rotation {
        bytes: file.rotate_bytes.unwrap_or(0),
        duration: file.rotate_duration.unwrap_or(Rotation::default().duration),
        max_files: file.max_files.unwrap_or(0),
    };
    let syslog = &layer.syslog;
    let wants_syslog =
        syslog.enabled.unwrap_or(text(&syslog.facility).is_some() || text(&syslog.name).is_some());
    Ok(LogSettings {
        level,
        file: path(&file.path).map(|path| (path, rotation)),
        syslog: wants_syslog.then(|| {
            let facility = text(&syslog.facility).unwrap_or_else(|| "LOCAL0".to_owned());
            (facility, text(&syslog.name).unwrap_or_else(|| "consul-template".to_owned()))
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn settings_of(text: &str, env: &[(&str, &str)]) -> Result<Settings, Refusal> {
        let mut warnings = Vec::new();
        let layer = parse("test", text, &mut warnings)?;
        finalize(layer, &env.iter().copied().collect(), &mut warnings)
    }

    fn refusal(text: &str) -> String {
        settings_of(text, &[]).unwrap_err().to_string()
    }

    #[test]
    fn defaults() {
        let settings = settings_of("", &[]).unwrap();
        assert_eq!(settings.client.address, "127.0.0.1:8500");
        assert_eq!(
            (settings.kill_signal, settings.reload_signal),
            (Some(Signal::SIGINT), Some(Signal::SIGHUP))
        );
        assert_eq!(settings.log.level, Level::Warn);
        assert!(settings.deduplicate.is_none() && settings.exec.is_none() && settings.log.syslog.is_none());
        assert_eq!(settings.retry.wait_after(0), Some(Duration::from_millis(250)));
        assert_eq!(settings.retry.wait_after(8), Some(Duration::from_secs(60)));
        assert_eq!(settings.retry.wait_after(12), None);
    }

    #[test]
    fn a_template_in_full() {
        let text = r#"
            wait { min = "5s" }
            template {
              source = "a.tmpl"
              destination = "/b"
              perms = 0640
              command = "echo a,b"
              user = 1000
              max_shrink = "30%"
              function_blacklist = ["plug*"]
              exec { env { custom = ["A=1"] } }
            }
            template { contents = "x" wait = "1s:2s" command = ["kill", "-HUP", "1"] command_timeout = "3s" }
        "#;
        let settings = settings_of(text, &[]).unwrap();
        let [first, second] = settings.templates.as_slice() else { panic!("two templates") };
        assert_eq!(first.perms, Some(0o640));
        assert_eq!(first.owner.user.as_deref(), Some("1000"));
        assert_eq!(first.guards.max_shrink, Some(0.3));
        assert_eq!(first.wait.unwrap().max, Duration::from_secs(20));
        let command = first.command.as_ref().unwrap();
        assert_eq!(command.command.0, ["echo a,b"]);
        assert_eq!(command.timeout, Duration::from_secs(30));
        assert_eq!(command.env.custom, ["A=1"]);
        assert_eq!(first.function_denylist, ["plug*"]);
        assert_eq!(second.wait.unwrap().min, Duration::from_secs(1));
        assert_eq!(second.command.as_ref().unwrap().timeout, Duration::from_secs(3));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        assert!(refusal("nope = 1").contains("has invalid keys: nope (at test:1:1)"));
        assert!(
            refusal("template {\n  dest = \"x\"\n}")
                .contains("'template' has invalid keys: dest (at test:2:3)")
        );
        assert!(refusal("pid_file = true").contains("'pid_file' expected string"));
        assert!(refusal("template {}").contains("must specify exactly one"));
        assert!(refusal("template { source = \"a\" contents = \"b\" }").contains("cannot specify both"));
        assert!(refusal("log_level = \"foo\"").contains("invalid log level \"FOO\""));
        assert!(refusal("a =").starts_with("error decoding config: "));
        assert!(refusal("consul { token = 5 }").contains("'consul.token'"));
    }

    #[test]
    fn blocks_enable_themselves_and_the_last_of_one_file_wins() {
        let settings = settings_of("deduplicate { ttl = \"20s\" }\nsyslog { name = \"x\" }", &[]).unwrap();
        assert_eq!(settings.deduplicate.unwrap().ttl, Duration::from_secs(20));
        assert_eq!(settings.log.syslog, Some(("LOCAL0".into(), "x".into())));
        let text = "consul { address = \"a:1\" token = \"t\" }\nconsul { address = \"b:1\" }";
        let settings = settings_of(text, &[]).unwrap();
        assert_eq!(settings.client.address, "b:1");
        assert_eq!(settings.client.token, None);
    }

    #[test]
    fn the_environment_fills_what_nobody_set() {
        let env = [
            ("CONSUL_HTTP_ADDR", "c:1"),
            ("CONSUL_TOKEN", "first"),
            ("CONSUL_HTTP_TOKEN", "second"),
            ("CT_LOG", "debug"),
        ];
        let settings = settings_of("", &env).unwrap();
        assert_eq!(settings.client.address, "c:1");
        assert_eq!(settings.client.token, Some("first".into()));
        assert_eq!(settings.log.level, Level::Debug);
        assert!(settings.exported.contains(&("CONSUL_HTTP_TOKEN".into(), "first".into())));
        let settings = settings_of("consul { token = \"own\" }\nlog_level = \"err\"", &env).unwrap();
        assert_eq!(settings.client.token, Some("own".into()));
        assert_eq!(settings.log.level, Level::Error);
    }

    #[test]
    fn old_spellings_still_work() {
        let mut warnings = Vec::new();
        let layer = parse("x", "consul = \"a:1\"\nretry = \"10s\"\ntoken = \"t\"", &mut warnings).unwrap();
        assert_eq!(layer.consul.address.as_deref(), Some("a:1"));
        assert_eq!(layer.consul.retry.backoff, Some(Duration::from_secs(10)));
        assert_eq!(warnings.len(), 3);
    }

    #[test]
    fn files_merge_field_by_field_and_templates_add_up() {
        let mut warnings = Vec::new();
        let mut layer =
            parse("a", "consul { address = \"a:1\" }\ntemplate { contents = \"1\" }", &mut warnings).unwrap();
        let json = r#"{"consul": {"token": "t"}, "template": [{"contents": "2"}]}"#;
        layer.merge(parse("b", json, &mut warnings).unwrap());
        assert_eq!(layer.consul.address.as_deref(), Some("a:1"));
        assert_eq!(layer.consul.token, Some("t".into()));
        assert_eq!(layer.templates.len(), 2);
    }
}
