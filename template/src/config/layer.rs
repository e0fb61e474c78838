//! What a source of configuration can say, all of it optional.

use std::path::PathBuf;
use std::time::Duration;

use consul_api::client::Secret;

use super::signal::SignalChoice;
use super::wait::Wait;

/// What sources of configuration have in common.
pub trait Overlay: Default + PartialEq {
    /// Lays `over` over this.
    fn merge(&mut self, over: Self);

    /// Whether anything at all was said.
    fn is_set(&self) -> bool {
        *self != Self::default()
    }
}

/// Declares a struct whose values are all optional and which can be laid over another of its kind: values replace
/// values, blocks are merged, lists are joined.
macro_rules! layer {
    ($(#[$meta:meta])* $name:ident {
        $($value:ident: $kind:ty,)*
        $(@blocks { $($block:ident: $block_kind:ty,)* })?
        $(@lists { $($list:ident: $list_kind:ty,)* })?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $(pub $value: Option<$kind>,)*
            $($(pub $block: $block_kind,)*)?
            $($(pub $list: Vec<$list_kind>,)*)?
        }

        impl Overlay for $name {
            fn merge(&mut self, over: Self) {
                $(if over.$value.is_some() {
                    self.$value = over.$value;
                })*
                $($(self.$block.merge(over.$block);)*)?
                $($(self.$list.extend(over.$list);)*)?
            }
        }
    };
}

/// The words of a command. One word with spaces in it is for the shell.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandWords(pub Vec<String>);

impl CommandWords {
    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| word.trim().is_empty())
    }

    /// The program and its arguments need a shell to be told apart.
    pub fn needs_shell(&self) -> bool {
        matches!(self.0.as_slice(), [only] if only.trim().contains(char::is_whitespace))
    }
}

impl std::fmt::Display for CommandWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

layer! {
    /// Everything.
    Layer {
        wait: Wait,
        log_level: String,
        pid_file: PathBuf,
        status_file: PathBuf,
        kill_signal: SignalChoice,
        reload_signal: SignalChoice,
        max_stale: Duration,
        block_query_wait: Duration,
        template_error_fatal: bool,
        err_on_failed_lookup: bool,
        once: bool,
        dry: bool,
        @blocks {
            consul: ConsulLayer,
            exec: ExecLayer,
            deduplicate: DedupLayer,
            syslog: SyslogLayer,
            log_file: LogFileLayer,
            delimiters: DelimitersLayer,
            vault: VaultLayer,
            nomad: NomadLayer,
        }
        @lists {
            templates: TemplateLayer,
        }
    }
}

layer! {
    /// How to reach the agent.
    ConsulLayer {
        address: String,
        namespace: String,
        token: Secret,
        token_file: PathBuf,
        @blocks {
            auth: AuthLayer,
            retry: RetryLayer,
            ssl: SslLayer,
            transport: TransportLayer,
        }
    }
}

layer! {
    /// Basic authentication.
    AuthLayer { enabled: bool, username: String, password: Secret, }
}

layer! {
    /// How often to try again, and after how long.
    RetryLayer { enabled: bool, attempts: u32, backoff: Duration, max_backoff: Duration, }
}

layer! {
    /// TLS.
    SslLayer {
        enabled: bool,
        verify: bool,
        cert: PathBuf,
        key: PathBuf,
        ca_cert: PathBuf,
        ca_cert_bytes: String,
        ca_path: PathBuf,
        server_name: String,
    }
}

layer! {
    /// Connections.
    TransportLayer {
        dial_keep_alive: Duration,
        dial_timeout: Duration,
        disable_keep_alives: bool,
        idle_conn_timeout: Duration,
        max_idle_conns: u32,
        max_idle_conns_per_host: u32,
        max_conns_per_host: u32,
        tls_handshake_timeout: Duration,
    }
}

layer! {
    /// One template.
    TemplateLayer {
        source: PathBuf,
        contents: String,
        destination: PathBuf,
        engine: String,
        create_dest_dirs: bool,
        perms: u32,
        user: String,
        group: String,
        uid: u32,
        gid: u32,
        backup: bool,
        command: CommandWords,
        command_timeout: Duration,
        error_on_missing_key: bool,
        error_fatal: bool,
        left_delimiter: String,
        right_delimiter: String,
        wait: Wait,
        sandbox_path: PathBuf,
        min_instances: u32,
        max_shrink: f64,
        check_command: CommandWords,
        @blocks {
            exec: ExecLayer,
        }
        @lists {
            function_denylist: String,
        }
    }
}

layer! {
    /// A program to run: once for a change, or as the supervised child.
    ExecLayer {
        command: CommandWords,
        enabled: bool,
        kill_signal: SignalChoice,
        kill_timeout: Duration,
        reload_signal: SignalChoice,
        splay: Duration,
        timeout: Duration,
        @blocks {
            env: EnvLayer,
        }
    }
}

layer! {
    /// Which variables programs get.
    EnvLayer {
        pristine: bool,
        @lists {
            custom: String,
            allowlist: String,
            denylist: String,
        }
    }
}

layer! {
    /// Sharing the work with other instances.
    DedupLayer {
        enabled: bool,
        prefix: String,
        ttl: Duration,
        max_stale: Duration,
        block_query_wait: Duration,
    }
}

layer! {
    /// Logging to syslog.
    SyslogLayer { enabled: bool, facility: String, name: String, }
}

layer! {
    /// Logging to files.
    LogFileLayer { path: PathBuf, rotate_bytes: u64, rotate_duration: Duration, max_files: i64, }
}

layer! {
    /// What encloses actions where a template says nothing else.
    DelimitersLayer { left: String, right: String, }
}

layer! {
    /// Settings for Vault: kept, so that configurations which have them load. Templates cannot use Vault.
    VaultLayer {
        address: String,
        values: serde_json::Map<String, serde_json::Value>,
    }
}

layer! {
    /// Settings for Nomad, kept for the same reason.
    NomadLayer {
        address: String,
        values: serde_json::Map<String, serde_json::Value>,
    }
}
