//! The binary profile format: a gzipped protocol buffer of a few message types, written field by field.

use std::io::Write;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;

/// What is measured, and in which unit.
#[derive(Clone, Copy, Debug)]
pub struct ValueType {
    pub what: &'static str,
    pub unit: &'static str,
}

/// A profile of named places, each with one value for each type.
pub struct Profile<'a> {
    pub types: &'a [ValueType],
    pub samples: Vec<(String, Vec<i64>)>,
    pub period_type: ValueType,
    pub period: i64,
    pub duration: Duration,
}

impl Profile<'_> {
    /// The file, taken at `now`.
    pub fn encode(&self, now: SystemTime) -> std::io::Result<Vec<u8>> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&self.message(now))?;
        encoder.finish()
    }

    fn message(&self, now: SystemTime) -> Vec<u8> {
        let mut strings = Strings(vec![String::new()]);
        let mut out = Message::default();
        for kind in self.types {
            out.message(1, value_type(&mut strings, *kind));
        }
        for (at, (_, values)) in (1..).zip(&self.samples) {
            let mut sample = Message::default();
            sample.packed(1, &[at]);
            sample.packed(2, &values.iter().map(|value| value.cast_unsigned()).collect::<Vec<_>>());
            out.message(2, sample);
        }
        // One location and one function for each place, numbered alike.
        for (at, _) in (1..).zip(&self.samples) {
            let mut line = Message::default();
            line.number(1, at);
            let mut location = Message::default();
            location.number(1, at);
            location.message(4, line);
            out.message(4, location);
        }
        for (at, (name, _)) in (1..).zip(&self.samples) {
            let name = strings.index(name);
            let mut function = Message::default();
            function.number(1, at);
            function.number(2, name);
            function.number(3, name);
            out.message(5, function);
        }
        let nanoseconds = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let period_type = value_type(&mut strings, self.period_type);
        for text in &strings.0 {
            out.bytes(6, text.as_bytes());
        }
        out.number(9, nanoseconds(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()));
        out.number(10, nanoseconds(self.duration));
        out.message(11, period_type);
        out.number(12, self.period.cast_unsigned());
        out.0
    }
}

fn value_type(strings: &mut Strings, kind: ValueType) -> Message {
    let mut message = Message::default();
    message.number(1, strings.index(kind.what));
    message.number(2, strings.index(kind.unit));
    message
}

/// Texts are stored once and referred to by their position; the first is empty.
struct Strings(Vec<String>);

impl Strings {
    fn index(&mut self, text: &str) -> u64 {
        let known = self.0.iter().position(|known| known == text);
        let index = known.unwrap_or_else(|| {
            self.0.push(text.to_owned());
            self.0.len() - 1
        });
        index as u64
    }
}

/// A protocol buffer message in the making.
#[derive(Default)]
struct Message(Vec<u8>);

const VARINT: u64 = 0;
const LENGTH: u64 = 2;

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value as u8) | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) {
        if value != 0 {
            self.varint(field << 3 | VARINT);
            self.varint(value);
        }
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | LENGTH);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u64, message: Self) {
        self.bytes(field, &message.0);
    }

    fn packed(&mut self, field: u64, values: &[u64]) {
        let mut list = Self::default();
        values.iter().for_each(|value| list.varint(*value));
        self.message(field, list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: ValueType = ValueType { what: "cpu", unit: "nanoseconds" };

    #[test]
    fn fields_are_numbered_as_readers_expect() {
        let profile = Profile {
            types: &[CPU],
            samples: vec![("main".to_owned(), vec![300])],
            period_type: CPU,
            period: 7,
            duration: Duration::from_nanos(5),
        };
        let expected = [
            &[0x0a, 4, 0x08, 1, 0x10, 2][..],         // type: strings 1 and 2
            &[0x12, 7, 0x0a, 1, 1, 0x12, 2, 0xac, 2], // sample: location 1, value 300
            &[0x22, 6, 0x08, 1, 0x22, 2, 0x08, 1],    // location 1: function 1
            &[0x2a, 6, 0x08, 1, 0x10, 3, 0x18, 3],    // function 1: string 3
            &[0x32, 0],                               // strings
            b"\x32\x03cpu",
            b"\x32\x0bnanoseconds",
            b"\x32\x04main",
            &[0x48, 9],                   // time
            &[0x50, 5],                   // duration
            &[0x5a, 4, 0x08, 1, 0x10, 2], // type of the period
            &[0x60, 7],                   // period
        ];
        assert_eq!(profile.message(SystemTime::UNIX_EPOCH + Duration::from_nanos(9)), expected.concat());
    }
}
