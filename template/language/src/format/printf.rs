//! Formats with verbs.

use super::spec::Spec;
use super::value::Printer;
use crate::lex::decode;
use crate::value::Value;

/// A larger width or precision is a mistake.
const MAX_WIDTH: usize = 1_000_000;

/// Writes `values` as `format` says. Mistakes are written into the text, they are no errors.
pub(crate) fn printf(out: &mut Vec<u8>, format: &[u8], values: &[Value]) {
    let mut rest = format;
    let mut formatter = Formatter { out, values, next: 0, reordered: false };
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        let (literal, directive) = rest.split_at(at);
        formatter.out.extend_from_slice(literal);
        rest = formatter.directive(directive.get(1..).unwrap_or(&[]));
    }
    formatter.out.extend_from_slice(rest);
    formatter.extra();
}

struct Formatter<'f> {
    out: &'f mut Vec<u8>,
    values: &'f [Value],
    /// Index of the value the next verb takes.
    next: usize,
    /// Whether any verb chose its value by number; then values may be left over.
    reordered: bool,
}

/// What is known of a directive while it is read.
struct Directive<'f> {
    rest: &'f [u8],
    spec: Spec,
    good_index: bool,
    /// Whether a number in brackets was just read, after which only `*` or a verb may come.
    after_index: bool,
}

impl<'f> Directive<'f> {
    fn accept(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn flags(&mut self) {
        while let Some((byte, rest)) = self.rest.split_first() {
            match byte {
                b'#' => self.spec.sharp = true,
                b'0' => self.spec.zero = true,
                b'+' => self.spec.plus = true,
                b'-' => self.spec.minus = true,
                b' ' => self.spec.space = true,
                _ => break,
            }
            self.rest = rest;
        }
        // Zeros on the right would change the value.
        self.spec.zero &= !self.spec.minus;
    }

    /// A number written in the format, if there is one. One that is far too large ends the format.
    fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some((byte @ b'0'..=b'9', rest)) = self.rest.split_first() {
            let so_far = number.unwrap_or(0);
            if so_far > MAX_WIDTH {
                self.rest = &[];
                return None;
            }
            number = Some(so_far * 10 + usize::from(byte - b'0'));
            self.rest = rest;
        }
        number
    }
}

impl Formatter<'_> {
    /// Handles what stands after a `%`, and returns what stands after that.
    fn directive<'f>(&mut self, rest: &'f [u8]) -> &'f [u8] {
        let mut directive = Directive { rest, spec: Spec::default(), good_index: true, after_index: false };
        directive.flags();
        self.index(&mut directive);
        self.width(&mut directive);
        self.precision(&mut directive);
        if !directive.after_index {
            self.index(&mut directive);
        }
        let Some((verb, length)) = decode(directive.rest) else {
            self.out.extend_from_slice(b"%!(NOVERB)");
            return &[];
        };
        let rest = directive.rest.get(length..).unwrap_or(&[]);
        self.verb(directive, verb);
        rest
    }

    fn verb(&mut self, directive: Directive<'_>, verb: char) {
        let mut spec = directive.spec;
        if verb == '%' {
            self.out.push(b'%');
            return;
        }
        if !directive.good_index {
            return self.complain(verb, "BADINDEX");
        }
        let Some(value) = self.values.get(self.next) else { return self.complain(verb, "MISSING") };
        self.next += 1;
        if verb == 'v' {
            spec.syntax = std::mem::take(&mut spec.sharp);
            spec.named = std::mem::take(&mut spec.plus);
        }
        let mut printer = Printer::new(self.out, &spec);
        if is_verb(verb) { printer.print(value, verb) } else { printer.bad_verb(value, verb) }
    }

    fn complain(&mut self, verb: char, what: &str) {
        self.out.extend_from_slice(format!("%!{verb}({what})").as_bytes());
    }

    fn width(&mut self, directive: &mut Directive<'_>) {
        if directive.accept(b'*') {
            match self.number_argument() {
                Some(width) => {
                    directive.spec.width = Some(width.unsigned_abs() as usize);
                    if width < 0 {
                        directive.spec.minus = true;
                        directive.spec.zero = false;
                    }
                }
                None => self.out.extend_from_slice(b"%!(BADWIDTH)"),
            }
            directive.after_index = false;
            return;
        }
        directive.spec.width = directive.number();
        if directive.after_index && directive.spec.width.is_some() {
            directive.good_index = false;
        }
    }

    fn precision(&mut self, directive: &mut Directive<'_>) {
        if !directive.accept(b'.') {
            return;
        }
        if directive.after_index {
            directive.good_index = false;
        }
        self.index(directive);
        if !directive.accept(b'*') {
            directive.spec.precision = Some(directive.number().unwrap_or(0));
            return;
        }
        directive.after_index = false;
        directive.spec.precision = self.number_argument().and_then(|number| usize::try_from(number).ok());
        if directive.spec.precision.is_none() {
            self.out.extend_from_slice(b"%!(BADPREC)");
        }
    }

    /// The next value as a width or precision.
    fn number_argument(&mut self) -> Option<i64> {
        let value = self.values.get(self.next)?;
        self.next += 1;
        let number = match value {
            Value::Int(number) => *number,
            Value::Uint(number) => i64::try_from(*number).ok()?,
            _ => return None,
        };
        (number.unsigned_abs() <= MAX_WIDTH as u64).then_some(number)
    }

    /// Reads `[n]`, which chooses a value by its number, from 1.
    fn index(&mut self, directive: &mut Directive<'_>) {
        directive.after_index = false;
        if directive.rest.first() != Some(&b'[') {
            return;
        }
        self.reordered = true;
        let Some(close) = directive.rest.iter().position(|&byte| byte == b']') else {
            directive.good_index = false;
            directive.accept(b'[');
            return;
        };
        let text = directive.rest.get(1..close).unwrap_or(&[]);
        directive.rest = directive.rest.get(close + 1..).unwrap_or(&[]);
        let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<usize>().ok());
        match number.and_then(|number| number.checked_sub(1)).filter(|index| *index < self.values.len()) {
            Some(index) => {
                self.next = index;
                directive.after_index = true;
            }
            None => directive.good_index = false,
        }
    }

    /// Lists the values that no verb took.
    fn extra(&mut self) {
        let left = self.values.get(self.next..).unwrap_or(&[]);
        if self.reordered || left.is_empty() {
            return;
        }
        self.out.extend_from_slice(b"%!(EXTRA ");
        for (index, value) in left.iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(b", ");
            }
            if !matches!(value, Value::Nil) {
                self.out.extend_from_slice(value.type_name().as_bytes());
                self.out.push(b'=');
            }
            Printer::new(self.out, &Spec::default()).print(value, 'v');
        }
        self.out.push(b')');
    }
}

/// Letters that are a verb for some kind of value; the others are wrong whatever the value.
fn is_verb(verb: char) -> bool {
    "vTtbcdoOqxXUeEfFgGsp".contains(verb)
}
