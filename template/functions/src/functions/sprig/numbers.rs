//! Numbers.

use Param::{Any, Int, String as Str};
use consul_template_language::{Args, CallError, CallResult, List, Param, Value};
use rand::Rng as _;

use super::{Library, cast};

/// How many numbers a function makes at most.
const MAX_COUNT: i64 = 1_000_000;

pub(super) fn register(library: &mut Library<'_>) {
    library.add("atoi", [Str], |args| Ok(args.str(0).parse::<i64>().unwrap_or(0).into()));
    library.add("int int64", [Any], |args| Ok(cast::int(args.value(0)).into()));
    library.add("float64", [Any], |args| Ok(cast::float(args.value(0)).into()));
    library.add("toDecimal", [Any], |args| {
        Ok(i64::from_str_radix(&cast::chars(args.value(0)), 8).unwrap_or(0).into())
    });
    register_whole(library);
    register_float(library);
    library.add("until", [Int], |args| range(0, args.int(0), if args.int(0) < 0 { -1 } else { 1 }));
    library.add("untilStep", [Int, Int, Int], |args| range(args.int(0), args.int(1), args.int(2)));
    library.add("seq", ([], Int), seq);
    library.add("randInt", [Int, Int], |args| {
        let (from, to) = (args.int(0), args.int(1));
        if from >= to {
            return Err("invalid argument to Intn".into());
        }
        Ok(rand::rng().random_range(from..to).into())
    });
}

fn register_whole(library: &mut Library<'_>) {
    library.add("add", ([], Any), |args| fold(0, args.all(), |a, b| Some(a.wrapping_add(b))));
    library.add("add1", [Any], |args| Ok(cast::int(args.value(0)).wrapping_add(1).into()));
    library.add("sub", [Any, Any], |args| {
        fold(cast::int(args.value(0)), args.rest(1), |a, b| Some(a.wrapping_sub(b)))
    });
    library.add("mul", ([Any], Any), |args| {
        fold(cast::int(args.value(0)), args.rest(1), |a, b| Some(a.wrapping_mul(b)))
    });
    library.add("div", [Any, Any], |args| {
        fold(cast::int(args.value(0)), args.rest(1), |a, b| (b != 0).then(|| a.wrapping_div(b)))
    });
    library.add("mod", [Any, Any], |args| {
        fold(cast::int(args.value(0)), args.rest(1), |a, b| (b != 0).then(|| a.wrapping_rem(b)))
    });
    library.add("max biggest", ([Any], Any), |args| {
        fold(cast::int(args.value(0)), args.rest(1), |a, b| Some(a.max(b)))
    });
    library
        .add("min", ([Any], Any), |args| fold(cast::int(args.value(0)), args.rest(1), |a, b| Some(a.min(b))));
}

fn fold(start: i64, rest: &[Value], step: fn(i64, i64) -> Option<i64>) -> CallResult {
    let result = rest.iter().map(cast::int).try_fold(start, step);
    result.map(Value::Int).ok_or_else(|| "runtime error: integer divide by zero".into())
}

fn register_float(library: &mut Library<'_>) {
    library.add("addf", ([], Any), |args| Ok(decimal(0.0, args.all(), |a, b| a + b)));
    library.add("add1f", [Any], |args| Ok(decimal(1.0, args.all(), |a, b| a + b)));
    library.add("subf", ([Any], Any), |args| {
        Ok(decimal(cast::float(args.value(0)), args.rest(1), |a, b| a - b))
    });
    library.add("mulf", ([Any], Any), |args| {
        Ok(decimal(cast::float(args.value(0)), args.rest(1), |a, b| a * b))
    });
    library.add("divf", ([Any], Any), |args| {
        if args.rest(1).iter().any(|by| cast::float(by) == 0.0) {
            return Err("decimal division by 0".into());
        }
        Ok(decimal(cast::float(args.value(0)), args.rest(1), |a, b| a / b))
    });
    library.add("maxf", ([Any], Any), |args| {
        Ok(args.rest(1).iter().map(cast::float).fold(cast::float(args.value(0)), f64::max).into())
    });
    library.add("minf", ([Any], Any), |args| {
        Ok(args.rest(1).iter().map(cast::float).fold(cast::float(args.value(0)), f64::min).into())
    });
    library.add("ceil", [Any], |args| Ok(cast::float(args.value(0)).ceil().into()));
    library.add("floor", [Any], |args| Ok(cast::float(args.value(0)).floor().into()));
    library.add("round", ([Any, Int], Param::Float), |args| Ok(round(args).into()));
}

/// Calculates as if with decimal digits: what binary fractions add at the end is taken off.
fn decimal(start: f64, rest: &[Value], step: fn(f64, f64) -> f64) -> Value {
    let exact = rest.iter().map(cast::float).fold(start, step);
    format!("{exact:.14e}").parse().unwrap_or(exact).into()
}

fn round(args: Args<'_>) -> f64 {
    let half = args.get(2).map_or(0.5, cast::float);
    let scale = 10_f64.powi(i32::try_from(args.int(1)).unwrap_or(0).clamp(-300, 300));
    let scaled = scale * cast::float(args.value(0));
    let up = scaled.fract() >= half;
    (if up { scaled.ceil() } else { scaled.floor() }) / scale
}

fn range(start: i64, stop: i64, step: i64) -> CallResult {
    Ok(List::any(numbers(start, stop, step)?.into_iter().map(Value::Int).collect()).into())
}

fn numbers(start: i64, stop: i64, step: i64) -> Result<Vec<i64>, CallError> {
    if step == 0 || (stop < start && step > 0) || (stop > start && step < 0) {
        return Ok(Vec::new());
    }
    let distance = i128::from(stop) - i128::from(start);
    let count = (distance.abs() + i128::from(step.unsigned_abs()) - 1) / i128::from(step.unsigned_abs());
    if count > i128::from(MAX_COUNT) {
        return Err(format!("more than {MAX_COUNT} numbers").into());
    }
    Ok((0..count as i64).map(|index| start + index * step).collect())
}

fn seq(args: Args<'_>) -> CallResult {
    let given: Vec<i64> = args.all().iter().map(cast::int).collect();
    let (start, end, step) = match given.as_slice() {
        [end] => (1, *end, if *end < 1 { -1 } else { 1 }),
        [start, end] => (*start, *end, if end < start { -1 } else { 1 }),
        [start, step, end] => (*start, *end, *step),
        _ => return Ok(Value::fixed("")),
    };
    let past = end.saturating_add(if step < 0 { -1 } else { 1 });
    let texts: Vec<String> = numbers(start, past, step)?.iter().map(i64::to_string).collect();
    Ok(texts.join(" ").into())
}
