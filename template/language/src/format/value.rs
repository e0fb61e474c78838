//! Values of every kind under every verb.

use super::integer::Integer;
use super::quote::{self, Escapes};
use super::spec::Spec;
use super::{float, integer};
use crate::list::List;
use crate::map::Map;
use crate::record::Record;
use crate::text::Text;
use crate::value::{INTERFACE, Value};

/// A map can contain itself, so there has to be an end to it.
const MAX_DEPTH: usize = 100;
/// Nor does what contains itself many times over fill all memory.
const MAX_OUTPUT: usize = 256 << 20;

/// Writes values with the flags of one verb.
pub(super) struct Printer<'p> {
    out: &'p mut Vec<u8>,
    spec: &'p Spec,
    depth: usize,
}

impl<'p> Printer<'p> {
    pub(super) fn new(out: &'p mut Vec<u8>, spec: &'p Spec) -> Printer<'p> {
        Printer { out, spec, depth: 0 }
    }

    /// A printer for values that are taken for parts of another, so that no pointer is marked as one.
    pub(super) fn inside(out: &'p mut Vec<u8>, spec: &'p Spec) -> Printer<'p> {
        Printer { out, spec, depth: 1 }
    }

    pub(super) fn print(&mut self, value: &Value, verb: char) {
        if self.depth > MAX_DEPTH || self.out.len() > MAX_OUTPUT {
            return self.raw("...");
        }
        match verb {
            'T' if matches!(value, Value::Nil) => return self.spec.pad(self.out, b"<nil>"),
            'T' => return self.text(value.type_name().as_bytes(), 's'),
            'p' => return self.pointer(value, 'p'),
            _ => {}
        }
        let known = match value {
            Value::Nil => return self.nil(verb),
            Value::NilPtr(INTERFACE) => return self.nil(verb),
            Value::NilPtr(name) => return self.nil_pointer(name, verb),
            Value::Bool(truth) => self.bool(*truth, verb),
            Value::Int(number) => integer::format(self.out, self.spec, verb, Integer::from(*number)),
            Value::Uint(number) => self.uint(*number, verb),
            Value::Float(number) => float::format(self.out, self.spec, verb, *number),
            Value::Str(text) => self.string(text.as_bytes(), verb),
            Value::Bytes(bytes) => self.bytes(bytes, verb),
            Value::List(list) => return self.list(list, verb),
            Value::Map(map) => return self.map(map, verb),
            Value::Record(record) => return self.record(record.as_ref(), verb),
            Value::Duration(nanoseconds) => self.duration(*nanoseconds, verb),
            Value::Func(_) | Value::Span(..) => return self.pointer(value, verb),
        };
        if !known {
            self.bad_verb(value, verb);
        }
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn text(&mut self, text: &[u8], verb: char) {
        self.string(text, verb);
    }

    /// A part of a list, a map or a record.
    fn part(&mut self, value: &Value, verb: char) {
        self.depth += 1;
        self.print(value, verb);
        self.depth -= 1;
    }

    pub(super) fn bad_verb(&mut self, value: &Value, verb: char) {
        self.raw(&format!("%!{verb}("));
        if value.is_nil() && !matches!(value, Value::NilPtr(name) if *name != INTERFACE) {
            self.raw("<nil>");
        } else {
            self.raw(&value.type_name());
            self.raw("=");
            self.print(value, 'v');
        }
        self.raw(")");
    }

    fn nil(&mut self, verb: char) {
        match verb {
            _ if self.depth > 0 && self.spec.syntax => self.raw("interface {}(nil)"),
            _ if self.depth > 0 => self.raw("<nil>"),
            'v' => self.spec.pad(self.out, b"<nil>"),
            _ => self.bad_verb(&Value::Nil, verb),
        }
    }

    fn nil_pointer(&mut self, name: &'static str, verb: char) {
        match verb {
            'v' if self.spec.syntax => self.raw(&format!("({name})(nil)")),
            'v' => self.spec.pad(self.out, b"<nil>"),
            _ => self.bad_verb(&Value::NilPtr(name), verb),
        }
    }

    fn bool(&mut self, truth: bool, verb: char) -> bool {
        if !matches!(verb, 'v' | 't') {
            return false;
        }
        self.spec.pad(self.out, if truth { b"true" } else { b"false" });
        true
    }

    fn uint(&mut self, number: u64, verb: char) -> bool {
        if verb == 'v' && self.spec.syntax {
            let spec = Spec { sharp: true, ..self.spec.clone() };
            return integer::format(self.out, &spec, 'x', number.into());
        }
        integer::format(self.out, self.spec, verb, number.into())
    }

    fn string(&mut self, text: &[u8], verb: char) -> bool {
        match verb {
            'v' if self.spec.syntax => self.quoted(text),
            'v' | 's' => self.spec.pad(self.out, self.spec.truncate(text)),
            'q' => self.quoted(text),
            'x' | 'X' => self.hex(text, verb == 'X'),
            _ => return false,
        }
        true
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = self.spec.truncate(text);
        let quoted = if self.spec.sharp && quote::can_backquote(text) {
            format!("`{}`", String::from_utf8_lossy(text))
        } else {
            let escapes = if self.spec.plus { Escapes::NonAscii } else { Escapes::Unprintable };
            quote::quote(text, '"', escapes)
        };
        self.spec.pad(self.out, quoted.as_bytes());
    }

    fn hex(&mut self, text: &[u8], upper: bool) {
        let text = text.get(..self.spec.precision.unwrap_or(text.len())).unwrap_or(text);
        let digits: &[u8; 16] = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
        let prefix: &[u8] = match (self.spec.sharp, upper) {
            (true, true) => b"0X",
            (true, false) => b"0x",
            _ => b"",
        };
        let mut hex = Vec::with_capacity(text.len() * 2 + 2);
        for (index, byte) in text.iter().enumerate() {
            if self.spec.space && index > 0 {
                hex.push(b' ');
            }
            if self.spec.space || index == 0 {
                hex.extend_from_slice(prefix);
            }
            hex.extend([digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
        }
        self.spec.pad(self.out, &hex);
    }

    fn bytes(&mut self, bytes: &Text, verb: char) -> bool {
        if !matches!(verb, 'v' | 'd') {
            return self.string(bytes.as_bytes(), verb);
        }
        let (open, separator, close) =
            if self.spec.syntax && verb == 'v' { ("[]byte{", ", ", "}") } else { ("[", " ", "]") };
        self.raw(open);
        for (index, byte) in bytes.as_bytes().iter().enumerate() {
            if index > 0 {
                self.raw(separator);
            }
            self.uint(u64::from(*byte), verb);
        }
        self.raw(close);
        true
    }

    fn list(&mut self, list: &List, verb: char) {
        let syntax = self.spec.syntax && verb == 'v';
        if syntax {
            self.raw(&format!("[]{}", list.kind().element));
            if list.is_nil() {
                return self.raw("(nil)");
            }
        }
        self.raw(if syntax { "{" } else { "[" });
        for (index, item) in list.iter().enumerate() {
            if index > 0 {
                self.raw(if syntax { ", " } else { " " });
            }
            self.part(item, verb);
            if self.out.len() > MAX_OUTPUT {
                break;
            }
        }
        self.raw(if syntax { "}" } else { "]" });
    }

    fn map(&mut self, map: &Map, verb: char) {
        let syntax = self.spec.syntax && verb == 'v';
        if syntax && map.is_nil() {
            return self.raw(&format!("{}(nil)", map.kind().name));
        }
        self.raw(if syntax { map.kind().name } else { "map" });
        self.raw(if syntax { "{" } else { "[" });
        for (index, (key, value)) in map.snapshot().iter().enumerate() {
            if index > 0 {
                self.raw(if syntax { ", " } else { " " });
            }
            self.part(&key.to_value(), verb);
            self.raw(":");
            self.part(value, verb);
            if self.out.len() > MAX_OUTPUT {
                break;
            }
        }
        self.raw(if syntax { "}" } else { "]" });
    }

    fn record(&mut self, record: &dyn Record, verb: char) {
        let syntax = self.spec.syntax && verb == 'v';
        if !syntax
            && matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
            && let Some(text) = record.display()
        {
            self.string(text.as_bytes(), verb);
            return;
        }
        let name = record.type_name();
        let (pointer, bare) = match name.strip_prefix('*') {
            Some(bare) => (true, bare),
            None => (false, name),
        };
        if pointer && self.depth == 0 {
            self.raw("&");
        }
        if syntax {
            self.raw(bare);
        }
        self.raw("{");
        for (index, field) in record.fields().iter().enumerate() {
            if index > 0 {
                self.raw(if syntax { ", " } else { " " });
            }
            if syntax || self.spec.named {
                self.raw(field);
                self.raw(":");
            }
            self.part(&record.field(field).unwrap_or_default(), verb);
        }
        self.raw("}");
    }

    fn duration(&mut self, nanoseconds: i64, verb: char) -> bool {
        let syntax = self.spec.syntax && verb == 'v';
        if !syntax && matches!(verb, 'v' | 's' | 'x' | 'X' | 'q') {
            return self.string(duration(nanoseconds).as_bytes(), verb);
        }
        integer::format(self.out, self.spec, verb, nanoseconds.into())
    }

    /// What is known by its address only.
    fn pointer(&mut self, value: &Value, verb: char) {
        let address = match value {
            Value::List(list) => list.address(),
            Value::Map(map) => map.address(),
            Value::Record(record) if record.type_name().starts_with('*') => {
                std::sync::Arc::as_ptr(record).cast::<()>() as usize
            }
            Value::Bytes(bytes) => bytes.as_bytes().as_ptr() as usize,
            Value::Func(function) => std::sync::Arc::as_ptr(function) as usize,
            Value::NilPtr(_) | Value::Span(..) => 0,
            _ => return self.bad_verb(value, verb),
        };
        if !matches!(verb, 'v' | 'p') {
            return self.bad_verb(value, verb);
        }
        let spec = Spec { sharp: !self.spec.sharp, ..self.spec.clone() };
        integer::format(self.out, &spec, 'x', (address as u64).into());
    }
}

/// A duration in the largest units that fit: `1h2m3.5s`, `1.5ms`, `0s`.
fn duration(nanoseconds: i64) -> String {
    const SECOND: u64 = 1_000_000_000;
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    if total == 0 {
        return "0s".into();
    }
    if total < SECOND {
        let (unit, name) = match total {
            0..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "µs"),
            _ => (1_000_000, "ms"),
        };
        return format!("{sign}{}{name}", with_fraction(total, unit));
    }
    let (minutes, rest) = (total / (60 * SECOND), total % (60 * SECOND));
    let seconds = with_fraction(rest, SECOND);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// `total` in `unit`s, a power of ten, with as many digits after the point as it takes.
fn with_fraction(total: u64, unit: u64) -> String {
    let (whole, rest) = (total / unit, total % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let digits = unit.ilog10() as usize;
    let fraction = format!("{rest:0digits$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}
