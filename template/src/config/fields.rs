//! Takes the keys of a block one by one, strictly typed; what nobody asked for is an error.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use consul_api::client::Secret;
use consul_api::types::duration::GoDuration;
use consul_config::{Entry, Spanned, Value};

use super::ConfigError;
use super::layer::CommandWords;

/// The keys of one block that have not been taken yet.
pub struct Fields<'a> {
    /// Dotted path for messages; empty at the top.
    path: String,
    entries: Vec<&'a Entry>,
    pub warnings: &'a mut Vec<String>,
}

type Taken<T> = Result<Option<T>, ConfigError>;

impl<'a> Fields<'a> {
    pub fn new(path: &str, object: &'a Spanned, warnings: &'a mut Vec<String>) -> Result<Self, ConfigError> {
        match &object.value {
            Value::Object(entries) => {
                Ok(Self { path: path.to_owned(), entries: entries.iter().collect(), warnings })
            }
            other => Err(mismatch(path, "a map", other, object)),
        }
    }

    /// The value of `key`, whatever it is. Of repeated keys the last one counts; null counts as absent.
    pub fn take(&mut self, key: &str) -> Option<&'a Spanned> {
        let mut found = None;
        self.entries.retain(|entry| {
            let same = entry.key.eq_ignore_ascii_case(key);
            if same {
                found = Some(&entry.value);
            }
            !same
        });
        found.filter(|value| value.value != Value::Null)
    }

    /// Fails if there is a key that nobody took.
    pub fn finish(self) -> Result<(), ConfigError> {
        let Some(first) = self.entries.first() else { return Ok(()) };
        let mut names: Vec<&str> = self.entries.iter().map(|entry| entry.key.as_str()).collect();
        names.sort_unstable();
        let (path, pos) = (&self.path, &first.pos);
        let names = names.join(", ");
        Err(ConfigError(format!("mapstructure decode failed: '{path}' has invalid keys: {names} (at {pos})")))
    }

    pub fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn typed<T>(&mut self, key: &str, kind: &str, convert: impl Fn(&Value) -> Option<T>) -> Taken<T> {
        let Some(found) = self.take(key) else { return Ok(None) };
        convert(&found.value).map(Some).ok_or_else(|| mismatch(&self.name(key), kind, &found.value, found))
    }

    pub fn text(&mut self, key: &str) -> Taken<String> {
        self.typed(key, "string", |value| value.as_str().map(str::to_owned))
    }

    pub fn secret(&mut self, key: &str) -> Taken<Secret> {
        Ok(self.text(key)?.map(Secret::new))
    }

    pub fn path(&mut self, key: &str) -> Taken<PathBuf> {
        Ok(self.text(key)?.map(PathBuf::from))
    }

    pub fn boolean(&mut self, key: &str) -> Taken<bool> {
        self.typed(key, "bool", |value| if let Value::Bool(truth) = value { Some(*truth) } else { None })
    }

    pub fn number<T: TryFrom<i64>>(&mut self, key: &str) -> Taken<T> {
        self.typed(key, "a number in range", |value| match value {
            Value::Int(number) => T::try_from(*number).ok(),
            _ => None,
        })
    }

    /// A string or a number, as text.
    pub fn text_or_number(&mut self, key: &str) -> Taken<String> {
        self.typed(key, "string", |value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Int(number) => Some(number.to_string()),
            _ => None,
        })
    }

    /// A file mode: octal in a string; a number is taken as it is.
    pub fn mode(&mut self, key: &str) -> Taken<u32> {
        self.typed(key, "an octal file mode", |value| {
            match value {
                Value::String(text) if text.is_empty() => Some(0),
                Value::String(text) => u32::from_str_radix(text.trim_start_matches("0o"), 8).ok(),
                Value::Int(number) => u32::try_from(*number).ok(),
                _ => None,
            }
            .filter(|mode| *mode <= 0o7777)
        })
    }

    /// A share: `"50%"`, `50` (percent) or `0.5`.
    pub fn share(&mut self, key: &str) -> Taken<f64> {
        let convert = |value: &Value| {
            let share = match value {
                Value::String(text) => text.trim().strip_suffix('%')?.trim().parse::<f64>().ok()? / 100.0,
                Value::Int(percent) => f64::from(i32::try_from(*percent).ok()?) / 100.0,
                Value::Float(share) => *share,
                _ => return None,
            };
            (0.0..=1.0).contains(&share).then_some(share)
        };
        self.typed(key, "a share between 0% and 100%", convert)
    }

    /// A duration with a unit. A bare number means nanoseconds, which nobody means.
    pub fn duration(&mut self, key: &str) -> Taken<Duration> {
        let name = self.name(key);
        let Some(found) = self.take(key) else { return Ok(None) };
        let span = match &found.value {
            Value::String(text) => text
                .parse::<GoDuration>()
                .map_err(|error| ConfigError(format!("'{name}': {error} (at {})", found.pos)))?,
            Value::Int(nanoseconds) => {
                self.warnings.push(format!(
                    "{name} at {} is a number without a unit and means nanoseconds; write \"10s\" or the like",
                    found.pos
                ));
                GoDuration(*nanoseconds)
            }
            other => return Err(mismatch(&name, "a duration", other, found)),
        };
        if span.0 < 0 {
            return Err(ConfigError(format!("'{name}' cannot be negative (at {})", found.pos)));
        }
        Ok(Some(span.to_std()))
    }

    pub fn parsed<T: FromStr<Err = String>>(&mut self, key: &str) -> Taken<T> {
        let name = self.name(key);
        let Some(found) = self.take(key) else { return Ok(None) };
        let Value::String(text) = &found.value else {
            return Err(mismatch(&name, "string", &found.value, found));
        };
        text.parse().map(Some).map_err(|error| ConfigError(format!("'{name}': {error} (at {})", found.pos)))
    }

    /// A list of strings; one string counts as a list of one.
    pub fn list(&mut self, key: &str) -> Result<Vec<String>, ConfigError> {
        let name = self.name(key);
        let Some(found) = self.take(key) else { return Ok(Vec::new()) };
        strings(&name, found)
    }

    pub fn command(&mut self, key: &str) -> Taken<CommandWords> {
        let name = self.name(key);
        let Some(found) = self.take(key) else { return Ok(None) };
        strings(&name, found).map(|words| Some(CommandWords(words)))
    }

    /// A block that may stand once: of several the last counts.
    pub fn block<T: Default>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Fields<'_>) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        let name = self.name(key);
        let Some(found) = self.take(key) else { return Ok(T::default()) };
        let found = match &found.value {
            Value::List(items) => match items.last() {
                Some(last) => last,
                None => return Ok(T::default()),
            },
            _ => found,
        };
        let mut fields = Fields::new(&name, found, self.warnings)?;
        let block = read(&mut fields)?;
        fields.finish()?;
        Ok(block)
    }

    /// A block that may stand any number of times.
    pub fn blocks<T>(
        &mut self,
        key: &str,
        mut read: impl FnMut(&mut Fields<'_>) -> Result<T, ConfigError>,
    ) -> Result<Vec<T>, ConfigError> {
        let name = self.name(key);
        let Some(found) = self.take(key) else { return Ok(Vec::new()) };
        let items: Vec<&Spanned> = match &found.value {
            Value::List(items) => items.iter().collect(),
            _ => vec![found],
        };
        let mut blocks = Vec::with_capacity(items.len());
        for item in items {
            let mut fields = Fields::new(&name, item, self.warnings)?;
            blocks.push(read(&mut fields)?);
            fields.finish()?;
        }
        Ok(blocks)
    }

    /// All that is left, unread. Secrets are not kept: nobody needs them.
    pub fn rest(&mut self) -> serde_json::Map<String, serde_json::Value> {
        self.entries.retain(|entry| !entry.key.to_ascii_lowercase().contains("token"));
        self.entries.drain(..).map(|entry| (entry.key.clone(), entry.value.value.to_json())).collect()
    }
}

fn strings(name: &str, found: &Spanned) -> Result<Vec<String>, ConfigError> {
    match &found.value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::List(items) => items
            .iter()
            .map(|item| match &item.value {
                Value::String(text) => Ok(text.clone()),
                other => Err(mismatch(name, "a list of strings", other, item)),
            })
            .collect(),
        other => Err(mismatch(name, "a list of strings", other, found)),
    }
}

/// Only the kind of the value is told: it may be a secret.
fn mismatch(name: &str, wanted: &str, got: &Value, at: &Spanned) -> ConfigError {
    let kind = got.type_name();
    ConfigError(format!(
        "mapstructure decode failed: '{name}' expected {wanted}, got unconvertible type '{kind}' (at {})",
        at.pos
    ))
}
