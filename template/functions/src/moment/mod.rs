//! Points in time, and the layouts with which Go writes and reads them.
//!
//! A layout shows how the second of January 2006, 15:04:05 in a zone seven hours behind, would be written.

mod read;

use consul_template_language::{CallError, CallResult, Param, Record, Signature, Value};
use time::{OffsetDateTime, Time, UtcOffset};

/// A point in time, with a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    at: OffsetDateTime,
    /// The letters of the zone, if it is known by any.
    zone: Option<String>,
}

/// The pieces of which layouts are made. An earlier one wins where two begin alike.
const PIECES: &[(&str, Piece)] = &[
    ("January", Piece::MonthName),
    ("Jan", Piece::MonthShort),
    ("Monday", Piece::DayName),
    ("MST", Piece::ZoneName),
    ("Mon", Piece::DayShort),
    ("01", Piece::Month { zero: true }),
    ("02", Piece::Day { pad: Some('0') }),
    ("03", Piece::Hour12 { zero: true }),
    ("04", Piece::Minute { zero: true }),
    ("05", Piece::Second { zero: true }),
    ("06", Piece::YearShort),
    ("002", Piece::DayOfYear { pad: '0' }),
    ("2006", Piece::Year),
    ("15", Piece::Hour),
    ("1", Piece::Month { zero: false }),
    ("2", Piece::Day { pad: None }),
    ("_2006", Piece::UnderscoreYear),
    ("_2", Piece::Day { pad: Some(' ') }),
    ("__2", Piece::DayOfYear { pad: ' ' }),
    ("3", Piece::Hour12 { zero: false }),
    ("4", Piece::Minute { zero: false }),
    ("5", Piece::Second { zero: false }),
    ("PM", Piece::HalfDay { upper: true }),
    ("pm", Piece::HalfDay { upper: false }),
    ("-07:00:00", Piece::Offset { z: false, colon: true, seconds: true, minutes: true }),
    ("-070000", Piece::Offset { z: false, colon: false, seconds: true, minutes: true }),
    ("-07:00", Piece::Offset { z: false, colon: true, seconds: false, minutes: true }),
    ("-0700", Piece::Offset { z: false, colon: false, seconds: false, minutes: true }),
    ("-07", Piece::Offset { z: false, colon: false, seconds: false, minutes: false }),
    ("Z07:00:00", Piece::Offset { z: true, colon: true, seconds: true, minutes: true }),
    ("Z070000", Piece::Offset { z: true, colon: false, seconds: true, minutes: true }),
    ("Z07:00", Piece::Offset { z: true, colon: true, seconds: false, minutes: true }),
    ("Z0700", Piece::Offset { z: true, colon: false, seconds: false, minutes: true }),
    ("Z07", Piece::Offset { z: true, colon: false, seconds: false, minutes: false }),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    MonthName,
    MonthShort,
    Month {
        zero: bool,
    },
    DayName,
    DayShort,
    Day {
        pad: Option<char>,
    },
    DayOfYear {
        pad: char,
    },
    Hour,
    Hour12 {
        zero: bool,
    },
    Minute {
        zero: bool,
    },
    Second {
        zero: bool,
    },
    Year,
    UnderscoreYear,
    YearShort,
    HalfDay {
        upper: bool,
    },
    ZoneName,
    Offset {
        z: bool,
        colon: bool,
        seconds: bool,
        minutes: bool,
    },
    /// A separator and digits of a fraction of a second; without its zeros at the end if `trimmed`.
    Fraction {
        separator: char,
        digits: usize,
        trimmed: bool,
    },
}

/// The first piece of a layout: what stands before it, the piece, and what follows.
fn next_piece(layout: &str) -> Option<(&str, Piece, &str)> {
    layout.char_indices().find_map(|(at, _)| {
        let (before, rest) = layout.split_at(at);
        let (piece, length) = piece_at(rest)?;
        Some((before, piece, rest.get(length..).unwrap_or("")))
    })
}

fn piece_at(rest: &str) -> Option<(Piece, usize)> {
    if let Some(found) = fraction_at(rest) {
        return Some(found);
    }
    let (text, piece) = PIECES.iter().find(|(text, _)| rest.starts_with(text))?;
    // A short name is none if a longer word begins with it.
    let lower =
        rest.get(text.len()..).is_some_and(|after| after.starts_with(|char: char| char.is_ascii_lowercase()));
    if matches!(piece, Piece::MonthShort | Piece::DayShort) && lower {
        return None;
    }
    Some((*piece, text.len()))
}

fn fraction_at(rest: &str) -> Option<(Piece, usize)> {
    let mut chars = rest.chars();
    let separator = chars.next().filter(|char| matches!(char, '.' | ','))?;
    let digit = chars.next().filter(|char| matches!(char, '0' | '9'))?;
    let digits = rest.chars().skip(1).take_while(|char| *char == digit).count();
    let after = rest.chars().nth(digits + 1);
    if after.is_some_and(|char| char.is_ascii_digit()) {
        return None;
    }
    Some((Piece::Fraction { separator, digits, trimmed: digit == '9' }, digits + 1))
}

impl Moment {
    /// So many nanoseconds after the start of 1970. What is outside of the years that can be written becomes the
    /// start of 1970.
    pub(crate) fn utc(nanoseconds: i128) -> Moment {
        let at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Moment { at, zone: Some("UTC".into()) }
    }

    /// Seconds since the start of 1970.
    pub(crate) fn seconds(&self) -> i64 {
        self.at.unix_timestamp()
    }

    /// Nanoseconds since the start of 1970.
    pub(crate) fn nanoseconds(&self) -> i128 {
        self.at.unix_timestamp_nanos()
    }

    /// So many nanoseconds later; the same moment if that is beyond all years that can be written.
    pub(crate) fn plus(&self, nanoseconds: i64) -> Moment {
        let at = self.at.checked_add(time::Duration::nanoseconds(nanoseconds)).unwrap_or(self.at);
        Moment { at, zone: self.zone.clone() }
    }

    /// Writes the moment in a layout.
    pub(crate) fn format(&self, layout: &str) -> String {
        let mut out = String::new();
        let mut rest = layout;
        while let Some((before, piece, after)) = next_piece(rest) {
            out.push_str(before);
            self.write(&mut out, piece);
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn write(&self, out: &mut String, piece: Piece) {
        let at = &self.at;
        let hour12 = (at.hour() + 11) % 12 + 1;
        let two = |zero: bool, number: u8| if zero { format!("{number:02}") } else { number.to_string() };
        let text = match piece {
            Piece::MonthName => at.month().to_string(),
            Piece::MonthShort => at.month().to_string().chars().take(3).collect(),
            Piece::Month { zero } => two(zero, at.month().into()),
            Piece::DayName => at.weekday().to_string(),
            Piece::DayShort => at.weekday().to_string().chars().take(3).collect(),
            Piece::Day { pad: Some(' ') } => format!("{:2}", at.day()),
            Piece::Day { pad } => two(pad.is_some(), at.day()),
            Piece::DayOfYear { pad: '0' } => format!("{:03}", at.ordinal()),
            Piece::DayOfYear { .. } => format!("{:3}", at.ordinal()),
            Piece::Hour => two(true, at.hour()),
            Piece::Hour12 { zero } => two(zero, hour12),
            Piece::Minute { zero } => two(zero, at.minute()),
            Piece::Second { zero } => two(zero, at.second()),
            Piece::Year => format!("{:04}", at.year()),
            Piece::UnderscoreYear => format!("_{:04}", at.year()),
            Piece::YearShort => format!("{:02}", at.year().rem_euclid(100)),
            Piece::HalfDay { upper } => match (at.hour() >= 12, upper) {
                (true, true) => "PM".into(),
                (true, false) => "pm".into(),
                (false, true) => "AM".into(),
                (false, false) => "am".into(),
            },
            Piece::ZoneName => self.zone.clone().unwrap_or_else(|| self.zone_by_offset()),
            Piece::Offset { z: true, .. } if at.offset().is_utc() => "Z".into(),
            Piece::Offset { colon, seconds, minutes, .. } => offset(at.offset(), colon, seconds, minutes),
            Piece::Fraction { separator, digits, trimmed } => {
                let all = format!("{:09}", at.nanosecond());
                let kept = all.get(..digits).unwrap_or(&all);
                let kept = if trimmed { kept.trim_end_matches('0') } else { kept };
                if kept.is_empty() { String::new() } else { format!("{separator}{kept}") }
            }
        };
        out.push_str(&text);
    }

    /// Zones without letters are shown by the hours, and minutes if there are any.
    fn zone_by_offset(&self) -> String {
        let (_, minutes, _) = self.at.offset().as_hms();
        offset(self.at.offset(), false, false, minutes != 0)
    }

    /// Reads a text in a layout.
    ///
    /// # Errors
    /// If the text is not in that layout, or no such day exists.
    pub(crate) fn parse(layout: &str, text: &str) -> Result<Moment, CallError> {
        let bad = || CallError::new(format!("parsing time {text:?} as {layout:?}: cannot parse {text:?}"));
        read::Reader::default().read(layout, text).ok_or_else(bad)
    }
}

fn offset(offset: UtcOffset, colon: bool, seconds: bool, minutes: bool) -> String {
    let (hours, mins, secs) = offset.as_hms();
    let sign = if offset.is_negative() { '-' } else { '+' };
    let colon = if colon { ":" } else { "" };
    let mut text = format!("{sign}{:02}", hours.unsigned_abs());
    if minutes {
        text.push_str(&format!("{colon}{:02}", mins.unsigned_abs()));
    }
    if seconds {
        text.push_str(&format!("{colon}{:02}", secs.unsigned_abs()));
    }
    text
}

impl Record for Moment {
    fn type_name(&self) -> &'static str {
        "time.Time"
    }

    fn fields(&self) -> &'static [&'static str] {
        &[]
    }

    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    fn method(&self, name: &str) -> Option<Signature> {
        match name {
            "Format" => Some(Signature::fixed(&[Param::String])),
            "Unix" | "UnixNano" | "Year" | "Day" | "Hour" | "Minute" | "Second" | "YearDay" | "IsZero" => {
                Some(Signature::fixed(&[]))
            }
            _ => None,
        }
    }

    fn call(&self, name: &str, args: &[Value]) -> CallResult {
        Ok(match name {
            "Format" => self.format(&args.first().map(Value::to_text).unwrap_or_default().to_str()).into(),
            "Unix" => self.seconds().into(),
            "UnixNano" => i64::try_from(self.nanoseconds()).unwrap_or_default().into(),
            "Year" => i64::from(self.at.year()).into(),
            "Day" => i64::from(self.at.day()).into(),
            "Hour" => i64::from(self.at.hour()).into(),
            "Minute" => i64::from(self.at.minute()).into(),
            "Second" => i64::from(self.at.second()).into(),
            "YearDay" => i64::from(self.at.ordinal()).into(),
            _ => (self.at.year() == 1 && self.at.ordinal() == 1 && self.at.time() == Time::MIDNIGHT).into(),
        })
    }

    fn display(&self) -> Option<String> {
        Some(self.format("2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}
