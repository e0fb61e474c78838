//! Turns values into text the way Go's `fmt` does.

mod float;
mod integer;
mod printf;
pub(crate) mod quote;
mod spec;
mod value;

pub(crate) use printf::printf;

use crate::value::Value;
use spec::Spec;
use value::Printer;

/// Writes a value the way an action does: nil is `<no value>`, and a record is not marked as a pointer.
pub(crate) fn print_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Str(text) => out.extend_from_slice(text.as_bytes()),
        Value::Nil => out.extend_from_slice(b"<no value>"),
        Value::Int(number) => integer::decimal(out, *number),
        value => Printer::inside(out, &Spec::default()).print(value, 'v'),
    }
}

/// The text `printf` makes of `values`.
pub fn sprintf(format: &[u8], values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    printf(&mut out, format, values);
    out
}

/// Writes values, with a space between two of them if neither is a string.
pub(crate) fn print(out: &mut Vec<u8>, values: &[Value]) {
    let mut after_string = true;
    for value in values {
        let is_string = matches!(value, Value::Str(_));
        if !after_string && !is_string {
            out.push(b' ');
        }
        Printer::new(out, &Spec::default()).print(value, 'v');
        after_string = is_string;
    }
}

/// The same, but with each value looking as it does when an action prints it.
pub(crate) fn print_as_actions(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut after_string = true;
    for value in values {
        let is_string = matches!(value, Value::Str(_) | Value::Nil);
        if !after_string && !is_string {
            out.push(b' ');
        }
        print_value(&mut out, value);
        after_string = is_string;
    }
    out
}

/// Writes values with spaces between them and a newline after them.
pub(crate) fn println(out: &mut Vec<u8>, values: &[Value]) {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        Printer::new(out, &Spec::default()).print(value, 'v');
    }
    out.push(b'\n');
}
