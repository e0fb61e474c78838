//! Points in time, and the layouts with which Go writes and reads them.
//!
//! A layout shows how the second of January 2006, 15:04:05 in a zone seven hours behind, would be written.

use consul_template_language::{CallError, CallResult, Param, Record, Signature, Value};
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

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
        Reader::default().read(layout, text).ok_or_else(bad)
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

/// What was read of a moment so far.
#[derive(Default)]
struct Reader {
    year: i32,
    month: Option<u8>,
    day: Option<u8>,
    ordinal: Option<u16>,
    hour: u8,
    pm: Option<bool>,
    minute: u8,
    second: u8,
    nanosecond: u32,
    offset: Option<UtcOffset>,
    zone: Option<String>,
}

impl Reader {
    fn read(mut self, layout: &str, text: &str) -> Option<Moment> {
        let (mut layout, mut text) = (layout, text);
        while let Some((before, piece, after)) = next_piece(layout) {
            text = self.piece(piece, skip(text, before)?)?;
            // A fraction may follow the seconds even if the layout does not say so.
            if matches!(piece, Piece::Second { .. })
                && fraction_at(after).is_none()
                && text.starts_with(['.', ','])
                && text.chars().nth(1).is_some_and(|char| char.is_ascii_digit())
            {
                text = self.fraction(text)?;
            }
            layout = after;
        }
        skip(text, layout)?.is_empty().then_some(())?;
        self.finish()
    }

    fn finish(self) -> Option<Moment> {
        let date = match self.ordinal {
            Some(ordinal) if self.month.is_none() => Date::from_ordinal_date(self.year, ordinal).ok()?,
            _ => {
                let month = Month::try_from(self.month.unwrap_or(1)).ok()?;
                Date::from_calendar_date(self.year, month, self.day.unwrap_or(1)).ok()?
            }
        };
        let hour = match self.pm {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let time = Time::from_hms_nano(hour, self.minute, self.second, self.nanosecond).ok()?;
        let offset = self.offset.unwrap_or(UtcOffset::UTC);
        let zone = self.zone.or_else(|| offset.is_utc().then(|| "UTC".to_owned()));
        Some(Moment { at: PrimitiveDateTime::new(date, time).assume_offset(offset), zone })
    }

    /// Reads a piece and returns what follows it.
    fn piece<'t>(&mut self, piece: Piece, text: &'t str) -> Option<&'t str> {
        let mut rest = text;
        match piece {
            Piece::MonthName => self.month = Some(name(&mut rest, |n| month_name(n, usize::MAX), 12)?),
            Piece::MonthShort => self.month = Some(name(&mut rest, |n| month_name(n, 3), 12)?),
            Piece::Month { zero } => self.month = Some(number(&mut rest, zero, 2)?),
            Piece::DayName => _ = name(&mut rest, |n| day_name(n, usize::MAX), 7)?,
            Piece::DayShort => _ = name(&mut rest, |n| day_name(n, 3), 7)?,
            Piece::Day { pad } => {
                if pad == Some(' ') {
                    rest = rest.strip_prefix(' ').unwrap_or(rest);
                }
                self.day = Some(number(&mut rest, pad == Some('0'), 2)?);
            }
            Piece::DayOfYear { pad } => {
                if pad == ' ' {
                    rest = rest.trim_start_matches(' ');
                }
                self.ordinal = Some(number(&mut rest, pad == '0', 3)?);
            }
            Piece::Hour => self.hour = number(&mut rest, true, 2)?,
            Piece::Hour12 { zero } => self.hour = number(&mut rest, zero, 2).filter(|hour| *hour <= 12)?,
            Piece::Minute { zero } => self.minute = number(&mut rest, zero, 2)?,
            Piece::Second { zero } => self.second = number(&mut rest, zero, 2)?,
            Piece::Year => self.year = number(&mut rest, true, 4)?,
            Piece::UnderscoreYear => {
                rest = rest.strip_prefix('_')?;
                self.year = number(&mut rest, true, 4)?;
            }
            Piece::YearShort => {
                let year: i32 = number(&mut rest, true, 2)?;
                self.year = if year >= 69 { 1900 + year } else { 2000 + year };
            }
            Piece::HalfDay { upper } => {
                let (am, pm) = if upper { ("AM", "PM") } else { ("am", "pm") };
                self.pm = Some(rest.starts_with(pm));
                rest = rest.strip_prefix(pm).or_else(|| rest.strip_prefix(am))?;
            }
            Piece::ZoneName => {
                let end = rest.find(|char: char| !char.is_ascii_uppercase()).unwrap_or(rest.len());
                let (zone, after) =
                    rest.split_at_checked(end).filter(|(zone, _)| (3..=5).contains(&zone.len()))?;
                self.zone = Some(zone.to_owned());
                rest = after;
            }
            Piece::Offset { z, colon, seconds, minutes } => {
                if let Some(after) = rest.strip_prefix('Z').filter(|_| z) {
                    self.offset = Some(UtcOffset::UTC);
                    return Some(after);
                }
                self.offset = Some(read_offset(&mut rest, colon, seconds, minutes)?);
            }
            Piece::Fraction { trimmed, .. } => {
                if trimmed && !rest.starts_with(['.', ',']) {
                    return Some(rest);
                }
                return self.fraction(rest);
            }
        }
        Some(rest)
    }

    fn fraction<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let rest = text.strip_prefix(['.', ','])?;
        let end = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at_checked(end)?;
        let nine: String = digits.chars().chain(std::iter::repeat('0')).take(9).collect();
        self.nanosecond = nine.parse().ok()?;
        Some(after)
    }
}

fn read_offset(rest: &mut &str, colon: bool, seconds: bool, minutes: bool) -> Option<UtcOffset> {
    let negative = rest.starts_with('-');
    *rest = rest.strip_prefix(['+', '-'])?;
    let mut parts = [0_i8; 3];
    for (index, part) in parts.iter_mut().enumerate().take(1 + usize::from(minutes) + usize::from(seconds)) {
        if index > 0 && colon {
            *rest = rest.strip_prefix(':')?;
        }
        *part = number(rest, true, 2)?;
    }
    let [hours, minutes, seconds] = if negative { parts.map(|part| -part) } else { parts };
    UtcOffset::from_hms(hours, minutes, seconds).ok()
}

/// Skips what a layout has between two pieces; spaces may be more or fewer.
fn skip<'t>(text: &'t str, expected: &str) -> Option<&'t str> {
    let mut text = text;
    for char in expected.chars() {
        if char == ' ' {
            text = text.trim_start_matches(' ');
        } else {
            text = text.strip_prefix(char)?;
        }
    }
    Some(text)
}

/// Digits: exactly so many, or at most so many.
fn number<T: std::str::FromStr>(rest: &mut &str, exact: bool, digits: usize) -> Option<T> {
    let count = rest.bytes().take(digits).take_while(u8::is_ascii_digit).count();
    if count == 0 || (exact && count < digits) {
        return None;
    }
    let (text, after) = rest.split_at_checked(count)?;
    *rest = after;
    text.parse().ok()
}

/// One of the names numbered from one.
fn name(rest: &mut &str, spelled: impl Fn(u8) -> String, count: u8) -> Option<u8> {
    for index in 1..=count {
        let spelled = spelled(index);
        let Some(head) = rest.get(..spelled.len()) else { continue };
        if head.eq_ignore_ascii_case(&spelled) {
            *rest = rest.get(spelled.len()..)?;
            return Some(index);
        }
    }
    None
}

fn month_name(number: u8, length: usize) -> String {
    Month::try_from(number).map(|month| month.to_string().chars().take(length).collect()).unwrap_or_default()
}

fn day_name(number: u8, length: usize) -> String {
    time::Weekday::Monday.nth_next(number.saturating_sub(1)).to_string().chars().take(length).collect()
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
