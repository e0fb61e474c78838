//! Strings.

use Param::{Int, String as Str, Strings};
use consul_template_language::{CallError, Functions, List, Map, Param, Value};

use super::case;
use crate::pass::Pass;

/// Longest text that indenting may make, in bytes.
const MAX_INDENTED: usize = 64 << 20;

pub(super) fn register(functions: &mut Functions<Pass>) {
    functions.pure("join", [Str, Strings], |args| join(&args.text(0), args.list(1)));
    functions.pure("split", [Str, Str], |args| {
        let text = args.str(1);
        List::strings(pieces(text.trim(), &args.str(0)))
    });
    functions.pure("splitToMap", [Str, Str, Str], |args| {
        let (text, pair) = (args.str(2), args.str(1));
        let pieces = pieces(text.trim(), &args.str(0));
        Map::strings(pieces.iter().filter_map(|piece| piece.split_once(&*pair)))
    });
    functions.try_pure("indent", [Int, Str], |args| indent(args.int(0), &args.str(1)));
    functions.pure("trim", [Str, Str], |args| trim(&args.str(1), &args.str(0)));
    functions.pure("trimPrefix", [Str, Str], |args| {
        let text = args.str(1);
        text.strip_prefix(&*args.str(0)).unwrap_or(&text).to_owned()
    });
    functions.pure("trimSuffix", [Str, Str], |args| {
        let text = args.str(1);
        text.strip_suffix(&*args.str(0)).unwrap_or(&text).to_owned()
    });
    functions.pure("trimSpace", [Str], |args| args.str(0).trim().to_owned());
    functions.pure("toLower", [Str], |args| case::lower(&args.str(0)));
    functions.pure("toUpper", [Str], |args| case::upper(&args.str(0)));
    functions.pure("toTitle", [Str], |args| title(&args.str(0)));
    functions.pure("replaceAll", [Str, Str, Str], |args| args.str(2).replace(&*args.str(0), &args.str(1)));
    functions.add("regexMatch", [Str, Str], |run, args| {
        Ok(run.context().pattern(&args.text(0))?.is_match(&args.str(1)).into())
    });
    functions.add("regexReplaceAll", [Str, Str, Str], |run, args| {
        let pattern = run.context().pattern(&args.text(0))?;
        Ok(pattern.replace_all(&args.str(2), &*args.str(1)).into())
    });
}

/// Strings with a separator between them.
pub(super) fn join(separator: &consul_template_language::Text, items: &[Value]) -> Value {
    let mut out = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(separator.as_bytes());
        }
        out.extend_from_slice(item.to_text().as_bytes());
    }
    consul_template_language::Text::from(out).into()
}

/// Pieces of a text, none if it is empty; an empty separator stands between all characters.
pub(super) fn pieces<'t>(text: &'t str, separator: &str) -> Vec<&'t str> {
    match (text, separator) {
        ("", _) => Vec::new(),
        (text, "") => text.split("").filter(|piece| !piece.is_empty()).collect(),
        (text, separator) => text.split(separator).collect(),
    }
}

/// Removes characters of a set from both ends.
pub(super) fn trim(text: &str, set: &str) -> String {
    text.trim_matches(|char| set.contains(char)).to_owned()
}

/// Spaces before every line that is not empty.
fn indent(spaces: i64, text: &str) -> Result<String, CallError> {
    let spaces = usize::try_from(spaces).map_err(|_| "indent value must be a positive integer")?;
    let lines = text.split('\n').filter(|line| !line.is_empty()).count();
    if spaces.saturating_mul(lines) > MAX_INDENTED {
        return Err(format!("indent value {spaces} is too large").into());
    }
    let prefix = " ".repeat(spaces);
    let mut out = String::with_capacity(text.len() + spaces * lines);
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if !line.is_empty() {
            out.push_str(&prefix);
        }
        out.push_str(line);
    }
    Ok(out)
}

/// The first letter of every word in upper case.
pub(super) fn title(text: &str) -> String {
    let separates = |char: char| match char {
        '_' => false,
        char if char.is_alphanumeric() => false,
        char => char.is_ascii() || char.is_whitespace(),
    };
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for char in text.chars() {
        if separates(before) {
            out.extend(char.to_uppercase())
        } else {
            out.push(char)
        }
        before = char;
    }
    out
}
