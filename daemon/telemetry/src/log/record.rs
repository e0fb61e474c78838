//! One log record and its two spellings.

use std::fmt::{self, Write};
use std::time::SystemTime;

use time::{OffsetDateTime, UtcOffset};
use tracing::field::{Field, Visit};

use super::level::Level;

/// A message and its fields are cut to this many bytes, so that one event cannot flood every sink.
const LENGTH_MAX: usize = 16 * 1024;

/// One log record.
#[derive(Clone, Debug)]
pub struct Record {
    /// When it was logged.
    pub time: SystemTime,
    /// How severe it is.
    pub level: Level,
    /// The part of the agent that speaks.
    pub module: String,
    /// The fixed text.
    pub message: String,
    /// The facts, in the order they were given.
    pub fields: Vec<(&'static str, Value)>,
}

/// A field's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number or truth value, which JSON writes bare.
    Bare(String),
    /// Anything else.
    Text(String),
}

impl Record {
    /// An empty record for an event of a target.
    pub fn new(time: SystemTime, level: Level, target: &str) -> Self {
        Self { time, level, module: module_of(target).to_owned(), message: String::new(), fields: Vec::new() }
    }

    /// `2026-11-21T04:54:59.445Z [DEBUG] agent.http: Request finished: method=GET`, without a line break.
    pub fn text(&self, offset: UtcOffset) -> String {
        let mut out = String::with_capacity(160);
        write_time(&mut out, self.time, offset, 3);
        let _ = write!(out, " {} ", self.level.column());
        self.write_statement(&mut out);
        out
    }

    /// What the text line says after its level column.
    pub fn statement(&self) -> String {
        let mut out = String::with_capacity(128);
        self.write_statement(&mut out);
        out
    }

    fn write_statement(&self, out: &mut String) {
        out.push_str(&self.module);
        out.push_str(": ");
        escape_controls(out, &self.message);
        for (at, (name, value)) in self.fields.iter().enumerate() {
            let _ = write!(out, "{}{name}=", if at == 0 { ": " } else { " " });
            match value {
                Value::Bare(text) => out.push_str(text),
                Value::Text(text) => write_value(out, text),
            }
        }
        truncate(out);
    }

    /// A JSON object in one line, keys in order, without a line break.
    pub fn json(&self, offset: UtcOffset) -> String {
        let mut out = String::with_capacity(200);
        let _ = write!(out, "{{\"@level\":\"{}\",\"@message\":", self.level);
        write_json_string(&mut out, &self.message);
        out.push_str(",\"@module\":");
        write_json_string(&mut out, &self.module);
        out.push_str(",\"@timestamp\":\"");
        write_time(&mut out, self.time, offset, 6);
        out.push('"');
        let mut fields: Vec<_> = self.fields.iter().collect();
        fields.sort_by_key(|(name, _)| *name);
        // Of equal keys a JSON reader keeps the last; writing one keeps the line valid for strict readers.
        fields.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                *kept = *next;
            }
            same
        });
        for (name, value) in fields {
            out.push(',');
            write_json_string(&mut out, name);
            out.push(':');
            match value {
                Value::Bare(text) => out.push_str(text),
                Value::Text(text) => write_json_string(&mut out, text),
            }
        }
        out.push('}');
        out
    }
}

/// The module that a target stands for: events of our own crates that name none belong to the agent.
pub(super) fn module_of(target: &str) -> &str {
    let is_ours = target.starts_with("consul") && !target.contains('.');
    if is_ours { "agent" } else { target }
}

/// Whether a target is a library's module path.
pub(super) fn is_foreign(target: &str) -> bool {
    let krate = target.split("::").next().unwrap_or(target);
    let is_known = krate.contains('.') || krate.starts_with("consul") || krate.starts_with("agent");
    !is_known && (target.contains("::") || LIBRARIES.contains(&krate))
}

/// Whether a target belongs to a library that warns several times a second of what our own lines say once.
pub(super) fn is_chatty(target: &str) -> bool {
    target.split("::").next() == Some("openraft")
}

/// Libraries whose root module logs.
const LIBRARIES: &[&str] =
    &["h2", "hickory_proto", "hickory_server", "hyper", "log", "openraft", "rustls", "sqlx"];

impl Visit for Record {
    fn record_f64(&mut self, field: &Field, value: f64) {
        let text = value.to_string();
        self.put(field, if value.is_finite() { Value::Bare(text) } else { Value::Text(text) });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::Bare(value.to_string()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::Bare(value.to_string()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Bare(value.to_string()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::Text(value.to_owned()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(err) = source {
            let _ = write!(text, ": {err}");
            source = err.source();
        }
        self.put(field, Value::Text(text));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::Text(format!("{value:?}")));
    }
}

impl Record {
    fn put(&mut self, field: &Field, mut value: Value) {
        if let Value::Text(text) = &mut value {
            truncate(text);
        }
        match (field.name(), value) {
            ("message", Value::Text(text) | Value::Bare(text)) => self.message = text,
            (name, value) => self.fields.push((name.strip_prefix("r#").unwrap_or(name), value)),
        }
    }
}

fn truncate(text: &mut String) {
    if text.len() > LENGTH_MAX {
        let end = (0..=LENGTH_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
        text.push_str("...");
    }
}

/// A value in a text line: bare if it is one word, else in quotes. What comes from outside cannot start a line.
fn write_value(out: &mut String, text: &str) {
    if !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"') {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c => escape_control(out, c),
        }
    }
    out.push('"');
}

fn escape_controls(out: &mut String, text: &str) {
    text.chars().for_each(|c| escape_control(out, c));
}

fn escape_control(out: &mut String, c: char) {
    if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
}

/// As Go's encoder writes it: `<`, `>` and `&` are escaped too.
fn write_json_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') || c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn write_time(out: &mut String, time: SystemTime, offset: UtcOffset, digits: u32) {
    let at = OffsetDateTime::from(time).to_offset(offset);
    let _ = write!(
        out,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    let fraction = at.nanosecond() / 10_u32.pow(9 - digits);
    let _ = write!(out, ".{fraction:0width$}", width = digits as usize);
    if offset.is_utc() {
        out.push('Z');
        return;
    }
    let (hours, minutes, _) = offset.as_hms();
    let sign = if offset.is_negative() { '-' } else { '+' };
    let _ = write!(out, "{sign}{:02}:{:02}", hours.unsigned_abs(), minutes.unsigned_abs());
}

/// Whole seconds as Go prints them: `1m0s`.
pub(super) fn go_duration(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// An operating system error as C programs print it.
pub(super) fn os_text(err: &std::io::Error) -> String {
    let text = err.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map(|first| first.to_ascii_lowercase().to_string() + chars.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;

    fn record(message: &str, fields: &[(&'static str, Value)]) -> Record {
        let time = UNIX_EPOCH + Duration::from_nanos(1_795_237_199_445_678_901);
        let mut record = Record::new(time, Level::Debug, "agent.http");
        record.message = message.to_owned();
        record.fields = fields.to_vec();
        record
    }

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    #[test]
    fn text_lines() {
        let plain =
            record("Request finished", &[("method", text("GET")), ("count", Value::Bare("3".to_owned()))]);
        assert_eq!(
            plain.text(UtcOffset::UTC),
            "2026-11-21T04:59:59.445Z [DEBUG] agent.http: Request finished: method=GET count=3"
        );
        let east = UtcOffset::from_hms(5, 30, 0).expect("in range");
        assert!(plain.text(east).starts_with("2026-11-21T10:29:59.445+05:30 [DEBUG]"));
        let mut bare = record("cluster leadership acquired", &[]);
        bare.level = Level::Info;
        assert_eq!(
            bare.text(UtcOffset::UTC),
            "2026-11-21T04:59:59.445Z [INFO]  agent.http: cluster leadership acquired"
        );
    }

    #[test]
    fn values_are_quoted_where_they_are_not_one_word() {
        let record = record(
            "x",
            &[
                ("a", text("two words")),
                ("b", text("")),
                ("c", text("say \"hi\"")),
                ("d", text("line\nbreak")),
            ],
        );
        assert_eq!(record.statement(), r#"agent.http: x: a="two words" b= c="say \"hi\"" d="line\nbreak""#);
    }

    #[test]
    fn nothing_that_comes_from_outside_starts_a_line() {
        let record =
            record("bad\n2026-11-21T04:59:59.445Z [INFO]  agent: forged", &[("k", text("\u{1b}[2J"))]);
        assert_eq!(record.text(UtcOffset::UTC).lines().count(), 1);
        assert!(!record.text(UtcOffset::UTC).contains('\u{1b}'));
    }

    #[test]
    fn json_lines() {
        let record = record(
            "Request \"finished\"",
            &[
                ("url", text("/v1/kv/x?token=<hidden>")),
                ("count", Value::Bare("3".to_owned())),
                ("count", text("4")),
            ],
        );
        assert_eq!(
            record.json(UtcOffset::UTC),
            r#"{"@level":"debug","@message":"Request \"finished\"","@module":"agent.http","@timestamp":"2026-11-21T04:59:59.445678Z","count":"4","url":"/v1/kv/x?token=\u003chidden\u003e"}"#
        );
        serde_json::from_str::<serde_json::Value>(&record.json(UtcOffset::UTC)).expect("is JSON");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn whatever_is_logged_is_one_line_and_valid_json(message in any::<String>(), value in any::<String>()) {
            let record = record(&message, &[("key", text(&value))]);
            let json = record.json(UtcOffset::UTC);
            let parsed: serde_json::Value = serde_json::from_str(&json).expect("is JSON");
            prop_assert_eq!(parsed["@message"].as_str(), Some(message.as_str()));
            prop_assert_eq!(parsed["key"].as_str(), Some(value.as_str()));
            prop_assert!(!json.contains(char::is_control));
            prop_assert!(!record.text(UtcOffset::UTC).contains(char::is_control));
        }
    }

    #[test]
    fn long_values_are_cut() {
        let record = record(&"é".repeat(LENGTH_MAX), &[]);
        assert!(record.text(UtcOffset::UTC).len() < LENGTH_MAX + 100);
    }

    #[test]
    fn targets_become_modules() {
        assert_eq!(module_of("consul_daemon::dns"), "agent");
        assert_eq!(module_of("consul.watch"), "consul.watch");
        assert_eq!(module_of("agent.server.raft"), "agent.server.raft");
        for foreign in ["hyper::proto", "h2", "openraft::core"] {
            assert!(is_foreign(foreign), "{foreign}");
        }
        for ours in ["agent", "agent.http", "connect.ca", "consul_raft::log", "watch.watch"] {
            assert!(!is_foreign(ours), "{ours}");
        }
    }
}
