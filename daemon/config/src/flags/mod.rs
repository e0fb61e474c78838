//! The command line of `consul agent`.
//!
//! Flags follow Go's rules: one dash or two, `-flag=value` or `-flag value`, switches take a value only with `=`,
//! and reading stops at the first word that is no flag.

mod help;
mod table;

pub use help::usage;

use crate::raw::{Field, Node, Raw};
use crate::source::FLAGS as SOURCE;
use crate::value::{Pos, Spanned, Value};
use crate::warnings::{Warning, Warnings};
use consul_api::types::duration::GoDuration;
use std::collections::BTreeMap;
use std::path::PathBuf;
use table::{Action, FLAGS};
use thiserror::Error;

/// One flag of `consul agent`, for whoever completes command lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagRow {
    pub name: &'static str,
    pub help: &'static str,
    /// Takes a value only after an equals sign.
    pub is_switch: bool,
}

/// The flags that are advertised.
pub fn flag_rows() -> impl Iterator<Item = FlagRow> {
    let advertised = FLAGS.iter().filter(|flag| !flag.help.is_empty());
    advertised.map(|flag| FlagRow { name: flag.name, help: flag.help, is_switch: flag.action.is_switch() })
}

/// Why a command line was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FlagError {
    /// `-h` or `-help`: print [`usage`] and succeed.
    #[error("flag: help requested")]
    Help,
    #[error("flag provided but not defined: -{0}")]
    Undefined(String),
    #[error("bad flag syntax: {0}")]
    Syntax(String),
    #[error("flag needs an argument: -{0}")]
    NeedsArgument(String),
    #[error("invalid value {value:?} for flag -{flag}: {reason}")]
    Value { flag: String, value: String, reason: String },
    #[error("invalid boolean value {value:?} for -{flag}: parse error")]
    Boolean { flag: String, value: String },
    #[error("Unexpected extra arguments: [{}]", .0.join(" "))]
    ExtraArguments(Vec<String>),
}

/// A parsed command line. Reused as it is for every reload.
#[derive(Clone, Default)]
pub struct AgentFlags {
    /// Files and directories in command-line order.
    pub config_paths: Vec<PathBuf>,
    /// `-config-format`, unchecked.
    pub config_format: Option<String>,
    pub dev: bool,
    /// `-hcl` fragments in order.
    pub hcl: Vec<String>,
    /// Lists go below the files, so that their entries come first.
    pub(crate) lists: Raw,
    /// Everything else goes above the files.
    pub(crate) scalars: Raw,
    pub(crate) warnings: Vec<Warning>,
}

/// Shows which files are read; values may be secrets.
impl std::fmt::Debug for AgentFlags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentFlags")
            .field("config_paths", &self.config_paths)
            .field("dev", &self.dev)
            .finish_non_exhaustive()
    }
}

impl AgentFlags {
    /// Reads the words after `consul agent`.
    pub fn parse<I, S>(args: I) -> Result<Self, FlagError>
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let args: Vec<String> = args.into_iter().map(Into::into).collect();
        let mut reader = Reader {
            args,
            at: 0,
            flags: Self::default(),
            cloud: BTreeMap::new(),
            warnings: Warnings::default(),
        };
        while reader.step()? {}
        reader.finish()
    }

    /// Flags as `consul validate` uses them: only what says which files to read and how.
    pub fn for_files(config_paths: Vec<PathBuf>, config_format: Option<String>) -> Self {
        Self { config_paths, config_format, ..Self::default() }
    }
}

struct Reader {
    args: Vec<String>,
    at: usize,
    flags: AgentFlags,
    /// Settings of old cloud join flags by provider.
    cloud: BTreeMap<&'static str, String>,
    warnings: Warnings,
}

impl Reader {
    /// Reads one flag. False at the end.
    fn step(&mut self) -> Result<bool, FlagError> {
        let Some(word) = self.args.get(self.at).cloned() else { return Ok(false) };
        if word == "--" {
            self.at += 1;
            return self.no_more();
        }
        let Some(name) = flag_text(&word) else { return self.no_more() };
        if name.is_empty() || name.starts_with(['-', '=']) {
            return Err(FlagError::Syntax(word));
        }
        self.at += 1;
        let (name, attached) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (name, None),
        };
        if matches!(name, "h" | "help") {
            return Err(FlagError::Help);
        }
        let Some(flag) = FLAGS.iter().find(|flag| flag.name == name) else {
            return Err(FlagError::Undefined(name.to_owned()));
        };
        if let Some(successor) = flag.successor {
            self.warnings.push(format!("The '-{name}' flag is deprecated. Use {successor} instead."), None);
        }
        let value = if flag.action.is_switch() {
            attached.unwrap_or_else(|| "true".to_owned())
        } else {
            self.value_of(name, attached)?
        };
        self.apply(name, flag.action, value)?;
        Ok(true)
    }

    fn no_more(&self) -> Result<bool, FlagError> {
        match self.args.get(self.at..) {
            None | Some([]) => Ok(false),
            Some(rest) => Err(FlagError::ExtraArguments(rest.to_vec())),
        }
    }

    /// The attached value or the next word. `-flag = value`, seen in printed instructions, is understood:
    /// a lone `=` is no sensible value of any flag.
    fn value_of(&mut self, name: &str, attached: Option<String>) -> Result<String, FlagError> {
        if let Some(value) = attached {
            return Ok(value);
        }
        let mut value = self.args.get(self.at).cloned();
        if value.as_deref() == Some("=") && self.args.get(self.at + 1).is_some() {
            self.at += 1;
            value = self.args.get(self.at).cloned();
            self.warnings.push(format!("Write -{name}=VALUE without spaces around the equals sign."), None);
        }
        self.at += 1;
        value.ok_or_else(|| FlagError::NeedsArgument(name.to_owned()))
    }

    fn apply(&mut self, name: &str, action: Action, value: String) -> Result<(), FlagError> {
        let pos = Pos::whole(SOURCE);
        let invalid = |value: &str, reason: String| FlagError::Value {
            flag: name.to_owned(),
            value: value.to_owned(),
            reason,
        };
        let scalar = |flags: &mut AgentFlags, key, value| {
            flags.scalars.set(key, Field { node: Node::Leaf(value), pos: pos.clone() });
        };
        match action {
            Action::Text(key) => scalar(&mut self.flags, key, Value::String(value)),
            Action::Int(key) => {
                let number = parse_int(&value).map_err(|reason| invalid(&value, reason))?;
                scalar(&mut self.flags, key, Value::Int(number));
            }
            Action::Duration(key) => {
                value.parse::<GoDuration>().map_err(|error| invalid(&value, error.to_string()))?;
                scalar(&mut self.flags, key, Value::String(value));
            }
            Action::Bool(key) => {
                let on = parse_bool(name, &value)?;
                scalar(&mut self.flags, key, Value::Bool(on));
            }
            Action::List(key) => self.flags.lists.append(key, Spanned::new(Value::String(value), pos)),
            Action::Pair(key) => {
                let (k, v) = value.split_once(':').unwrap_or((&value, ""));
                let text = Spanned::new(Value::String(v.to_owned()), pos);
                self.flags.scalars.insert_pair(key, k.to_owned(), text);
            }
            Action::ConfigPath => self.flags.config_paths.push(value.into()),
            Action::ConfigFormat => self.flags.config_format = Some(value),
            Action::Dev => self.flags.dev = parse_bool(name, &value)?,
            Action::Hcl => self.flags.hcl.push(value),
            Action::CloudJoin(provider, key) => {
                let entry = self.cloud.entry(provider).or_insert_with(|| format!("provider={provider}"));
                entry.push_str(&format!(" {key}={value}"));
            }
            Action::IgnoredValue(advice) => self.ignored(name, advice),
            Action::IgnoredBool(advice) => {
                if parse_bool(name, &value)? {
                    self.ignored(name, advice);
                }
            }
        }
        Ok(())
    }

    fn ignored(&mut self, name: &str, advice: &str) {
        self.warnings
            .push(format!("The '-{name}' flag is no longer used and will be ignored. {advice}"), None);
    }

    fn finish(mut self) -> Result<AgentFlags, FlagError> {
        for entry in std::mem::take(&mut self.cloud).into_values() {
            let item = Spanned::new(Value::String(entry), Pos::whole(SOURCE));
            self.flags.lists.append("retry_join", item);
        }
        self.flags.warnings = self.warnings.into_vec();
        Ok(self.flags)
    }
}

/// The word without its dashes, or nothing if it is no flag.
fn flag_text(word: &str) -> Option<&str> {
    let name = word.strip_prefix('-')?;
    if name.is_empty() {
        return None;
    }
    Some(name.strip_prefix('-').unwrap_or(name))
}

fn parse_int(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| format!("strconv.Atoi: parsing {text:?}: invalid syntax"))
}

fn parse_bool(flag: &str, text: &str) -> Result<bool, FlagError> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(FlagError::Boolean { flag: flag.to_owned(), value: text.to_owned() }),
    }
}
