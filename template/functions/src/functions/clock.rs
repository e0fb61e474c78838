//! The time.

use consul_template_language::{Functions, Param, Value};

use crate::moment::Moment;
use crate::pass::Pass;

const RFC_3339: &str = "2006-01-02T15:04:05Z07:00";

pub(super) fn register(functions: &mut Functions<Pass>) {
    functions.add("timestamp", ([], Param::String), |run, args| {
        let now = Moment::utc(run.context().brain.now());
        match args.all() {
            [] => Ok(now.format(RFC_3339).into()),
            [layout] if layout.to_text().as_bytes() == b"unix" => Ok(now.seconds().to_string().into()),
            [layout] => Ok(Value::from(now.format(&layout.to_text().to_str()))),
            more => {
                Err(format!("timestamp: wrong number of arguments, expected 0 or 1, but got {}", more.len())
                    .into())
            }
        }
    });
}
