//! Points in time and spans between them.

use Param::{Any, String as Str};
use consul_template_language::{CallError, CallResult, Param, Value};

use super::{Library, cast};
use crate::moment::Moment;

const SECOND: i64 = 1_000_000_000;
const YEAR: i64 = 365 * 24 * 3600 * SECOND;

pub(super) fn register(library: &mut Library<'_>) {
    library.with_pass("ago", [Any], |run, args| {
        let now = run.context().brain.now();
        let then = match args.value(0) {
            Value::Int(seconds) => i128::from(*seconds) * i128::from(SECOND),
            other => other.as_record::<Moment>().map_or(now, Moment::nanoseconds),
        };
        let seconds = (now - then) / i128::from(SECOND);
        Ok(Value::Duration(i64::try_from(seconds).unwrap_or(0).saturating_mul(SECOND)).to_text().into())
    });
    library.add("duration", [Any], |args| {
        Ok(Value::Duration(cast::int(args.value(0)).saturating_mul(SECOND)).to_text().into())
    });
    library.with_pass("durationRound", [Any], |run, args| {
        let now = run.context().brain.now();
        Ok(round(span(args.value(0), now)).into())
    });
    library.add("toDate", [Str, Str], |args| {
        // A text that is no date becomes the start of all dates.
        Ok(Value::record(Moment::parse(&args.str(0), &args.str(1)).unwrap_or_else(|_| beginning())))
    });
    library
        .add("mustToDate", [Str, Str], |args| Moment::parse(&args.str(0), &args.str(1)).map(Value::record));
    library.add("unixEpoch", [Any], |args| match args.value(0).as_record::<Moment>() {
        Some(moment) => Ok(moment.seconds().to_string().into()),
        None => Err(not_a_time(args.value(0))),
    });
    library.add("must_date_modify mustDateModify", [Str, Any], |args| -> CallResult {
        let moment = args.value(1).as_record::<Moment>().ok_or_else(|| not_a_time(args.value(1)))?;
        Ok(Value::record(moment.plus(parse_span(&args.str(0))?)))
    });
}

fn beginning() -> Moment {
    Moment::parse("2006-01-02", "0001-01-01").unwrap_or_else(|_| Moment::utc(0))
}

fn not_a_time(value: &Value) -> CallError {
    format!("wrong type for value; expected time.Time; got {}", value.type_name()).into()
}

fn parse_span(text: &str) -> Result<i64, CallError> {
    let span: consul_api::types::duration::GoDuration = text.parse().map_err(CallError::from_error)?;
    Ok(span.0)
}

fn span(value: &Value, now: i128) -> i64 {
    match value {
        Value::Str(text) => parse_span(&text.to_str()).unwrap_or(0),
        Value::Int(nanoseconds) | Value::Duration(nanoseconds) => *nanoseconds,
        other => other
            .as_record::<Moment>()
            .map_or(0, |moment| i64::try_from(now - moment.nanoseconds()).unwrap_or(i64::MAX)),
    }
}

/// A span in its largest unit, without the rest.
fn round(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let length = nanoseconds.saturating_abs();
    let units = [
        (YEAR, "y"),
        (YEAR / 12, "mo"),
        (24 * 3600 * SECOND, "d"),
        (3600 * SECOND, "h"),
        (60 * SECOND, "m"),
        (SECOND, "s"),
    ];
    match units.iter().find(|(unit, _)| length > *unit) {
        Some((unit, name)) => format!("{sign}{}{name}", length / unit),
        None => "0s".into(),
    }
}
