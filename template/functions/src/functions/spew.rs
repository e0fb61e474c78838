//! Values shown with their types and lengths, for people who debug a template.

use Param::{Any, String as Str};
use consul_template_language::{CallResult, Execution, Functions, Param, Text, Value, quoted, sprintf};

use crate::encode::Budget;
use crate::pass::Pass;

pub(super) fn register(functions: &mut Functions<Pass>) {
    functions.add("spew_dump", ([], Any), |run, args| show(run, &dump(args.all())));
    functions.add("spew_printf", ([Str], Any), |run, args| {
        show(run, &String::from_utf8_lossy(&sprintf(args.bytes(0), args.rest(1))))
    });
    functions.pure("spew_sdump", ([], Any), |args| dump(args.all()));
    functions.pure("spew_sprintf", ([Str], Any), |args| Text::from(sprintf(args.bytes(0), args.rest(1))));
}

fn show(run: &mut Execution<'_, Pass>, text: &str) -> CallResult {
    run.context().brain.show(text);
    Ok(Value::fixed(""))
}

/// Values one after the other.
fn dump(values: &[Value]) -> String {
    let mut dumper = Dumper { out: String::new(), budget: Budget::copying() };
    for value in values {
        dumper.value(value, 0);
        dumper.out.push('\n');
    }
    dumper.out
}

struct Dumper {
    out: String,
    budget: Budget,
}

impl Dumper {
    fn value(&mut self, value: &Value, depth: usize) {
        if !self.budget.allows(depth) {
            return self.out.push_str("<max depth reached>");
        }
        self.out.push_str(&format!("({})", value.type_name()));
        match value {
            Value::Nil | Value::NilPtr(_) => self.out.push_str(" <nil>"),
            Value::Str(text) => {
                self.out.push_str(&format!(" (len={}) {}", text.len(), quoted(text.as_bytes())));
            }
            Value::List(list) => {
                self.out.push_str(&format!(" (len={0} cap={0}) ", list.len()));
                self.group(list.as_slice(), depth, |dumper, item| dumper.value(item, depth + 1));
            }
            Value::Map(map) => {
                self.out.push_str(&format!(" (len={}) ", map.len()));
                let entries = map.snapshot();
                let entries: Vec<_> = entries.iter().collect();
                self.group(&entries, depth, |dumper, (key, value)| {
                    dumper.value(&key.to_value(), depth + 1);
                    dumper.out.push_str(": ");
                    dumper.value(value, depth + 1);
                });
            }
            Value::Record(record) if record.display().is_none() => {
                self.out.push(' ');
                self.group(record.fields(), depth, |dumper, name| {
                    dumper.out.push_str(&format!("{name}: "));
                    dumper.value(&record.field(name).unwrap_or_default(), depth + 1);
                });
            }
            other => self.out.push_str(&format!(" {}", other.to_text())),
        }
    }

    fn group<T>(&mut self, items: &[T], depth: usize, write: impl Fn(&mut Self, &T)) {
        self.out.push_str("{\n");
        for (index, item) in items.iter().enumerate() {
            self.indent(depth + 1);
            write(self, item);
            self.out.push_str(if index + 1 < items.len() { ",\n" } else { "\n" });
        }
        self.indent(depth);
        self.out.push('}');
    }

    fn indent(&mut self, depth: usize) {
        (0..depth).for_each(|_| self.out.push(' '));
    }
}
