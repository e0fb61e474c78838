//! Reads points in time.

use time::{Date, Month, PrimitiveDateTime, Time, UtcOffset};

use super::{Moment, Piece, fraction_at, next_piece};

/// What was read of a moment so far.
#[derive(Default)]
pub(super) struct Reader {
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
    pub(super) fn read(mut self, layout: &str, text: &str) -> Option<Moment> {
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
