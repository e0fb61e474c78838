//! Strings: cutting, joining, quoting.

use Param::{Any, Int, String as Str};
use consul_template_language::{CallError, CallResult, List, Map, Param, Text, Value, quoted};

use super::super::{case, text};
use super::{Library, cast};

/// Longest text that repeating may make, in bytes.
const MAX_LENGTH: usize = 64 << 20;

pub(super) fn register(library: &mut Library<'_>) {
    library.add("trim", [Str], |args| Ok(args.str(0).trim().into()));
    library.add("trimAll trimall", [Str, Str], |args| Ok(text::trim(&args.str(1), &args.str(0)).into()));
    library.add("trimPrefix", [Str, Str], |args| {
        let text = args.str(1);
        Ok(text.strip_prefix(&*args.str(0)).unwrap_or(&text).into())
    });
    library.add("trimSuffix", [Str, Str], |args| {
        let text = args.str(1);
        Ok(text.strip_suffix(&*args.str(0)).unwrap_or(&text).into())
    });
    library.add("upper", [Str], |args| Ok(case::upper(&args.str(0)).into()));
    library.add("lower", [Str], |args| Ok(case::lower(&args.str(0)).into()));
    library.add("repeat", [Int, Str], |args| {
        let count = usize::try_from(args.int(0)).map_err(|_| "strings: negative Repeat count")?;
        let text = args.str(1);
        if count.saturating_mul(text.len()) > MAX_LENGTH {
            return Err("strings: Repeat output length overflow".into());
        }
        Ok(text.repeat(count).into())
    });
    library
        .add("replace", [Str, Str, Str], |args| Ok(args.str(2).replace(&*args.str(0), &args.str(1)).into()));
    library.add("contains", [Str, Str], |args| Ok(args.str(1).contains(&*args.str(0)).into()));
    library.add("hasPrefix", [Str, Str], |args| Ok(args.str(1).starts_with(&*args.str(0)).into()));
    library.add("hasSuffix", [Str, Str], |args| Ok(args.str(1).ends_with(&*args.str(0)).into()));
    library.add("nospace", [Str], |args| {
        Ok(args.str(0).chars().filter(|char| !char.is_whitespace()).collect::<String>().into())
    });
    library.add("toString", [Any], |args| Ok(cast::string(args.value(0)).into()));
    register_parts(library);
    register_joined(library);
}

fn register_parts(library: &mut Library<'_>) {
    library.add("substr", [Int, Int, Str], |args| {
        let (start, end, text) = (args.int(0), args.int(1), args.text(2));
        let to = if end < 0 || end > text.len() as i64 { text.len() as i64 } else { end };
        part(&text, start.max(0), if start < 0 { end } else { to })
    });
    library.add("trunc", [Int, Str], |args| {
        let (count, text) = (args.int(0), args.text(1));
        let length = text.len() as i64;
        match count {
            count if count < 0 && length.saturating_add(count) > 0 => part(&text, length + count, length),
            count if count >= 0 && length > count => part(&text, 0, count),
            _ => Ok(text.into()),
        }
    });
    library.add("abbrev", [Int, Str], |args| {
        if args.int(0) < 4 { Ok(args.text(1).into()) } else { Ok(abbreviate(0, args.int(0), &args.text(1))) }
    });
    library.add("abbrevboth", [Int, Int, Str], |args| {
        let (left, right) = (args.int(0), args.int(1));
        if right < 4 || (left > 0 && right < 7) {
            return Ok(args.text(2).into());
        }
        Ok(abbreviate(left, right, &args.text(2)))
    });
    library.add("split", [Str, Str], |args| {
        let text = args.str(1);
        let parts: Vec<&str> = split_all(&text, &args.str(0));
        Ok(numbered(&parts))
    });
    library.add("splitn", [Str, Int, Str], |args| {
        let text = args.str(2);
        let (separator, count) = (args.str(0), args.int(1));
        let parts: Vec<&str> = match usize::try_from(count) {
            Ok(0) => Vec::new(),
            Ok(count) if !separator.is_empty() => text.splitn(count, &*separator).collect(),
            _ => split_all(&text, &separator),
        };
        Ok(numbered(&parts))
    });
    library.add("splitList", [Str, Str], |args| {
        let text = args.str(1);
        Ok(List::strings(split_all(&text, &args.str(0))).into())
    });
}

/// Unlike elsewhere, nothing between two separators is still a piece, and the empty text is one piece.
fn split_all<'t>(text: &'t str, separator: &str) -> Vec<&'t str> {
    if separator.is_empty() { text::pieces(text, "") } else { text.split(separator).collect() }
}

fn numbered(parts: &[&str]) -> Value {
    Map::strings(parts.iter().enumerate().map(|(index, part)| (format!("_{index}"), *part))).into()
}

fn part(text: &Text, from: i64, to: i64) -> CallResult {
    let (from, to) = (cast::index(from, text.len())?, cast::index(to, text.len())?);
    match text.as_bytes().get(from..to) {
        Some(part) => Ok(Text::from(part).into()),
        None => Err(format!("slice bounds out of range [{from}:{to}]").into()),
    }
}

/// Cuts a text to a width, with three dots for what is cut off.
fn abbreviate(offset: i64, width: i64, text: &Text) -> Value {
    let bytes = text.as_bytes();
    let (Ok(offset), Ok(width)) = (usize::try_from(offset.max(0)), usize::try_from(width)) else {
        return Value::fixed("");
    };
    if bytes.len() <= width {
        return text.clone().into();
    }
    let kept = width.saturating_sub(3);
    let offset = offset.min(bytes.len() - kept.min(bytes.len()));
    let piece = |from: usize, to: usize| bytes.get(from..to).unwrap_or_default();
    if offset <= 4 {
        return Text::from([piece(0, kept), b"..."].concat()).into();
    }
    if width < 7 {
        return Value::fixed("");
    }
    if offset + kept < bytes.len() {
        let inner = kept - 3;
        return Text::from([b"...", piece(offset, offset + inner), b"..."].concat()).into();
    }
    Text::from([b"...", piece(bytes.len() - kept, bytes.len())].concat()).into()
}

fn register_joined(library: &mut Library<'_>) {
    library.add("join", [Str, Any], |args| {
        let items: Vec<Value> = cast::strings(args.value(1)).into_iter().map(Value::Str).collect();
        Ok(text::join(&args.text(0), &items))
    });
    library.add("cat", ([], Any), |args| {
        let items: Vec<String> = present(args.all()).map(cast::chars).collect();
        Ok(items.join(" ").into())
    });
    library.add("quote", ([], Any), |args| {
        let items: Vec<String> =
            present(args.all()).map(|item| quoted(cast::string(item).as_bytes())).collect();
        Ok(items.join(" ").into())
    });
    library.add("squote", ([], Any), |args| {
        let items: Vec<String> = present(args.all()).map(|item| format!("'{}'", cast::chars(item))).collect();
        Ok(items.join(" ").into())
    });
    library.add("indent", [Int, Str], |args| Ok(indent(args.int(0), &args.str(1))?.into()));
    library.add("nindent", [Int, Str], |args| Ok(format!("\n{}", indent(args.int(0), &args.str(1))?).into()));
}

fn present(items: &[Value]) -> impl Iterator<Item = &Value> {
    items.iter().filter(|item| !item.is_nil())
}

/// Spaces before every line, empty ones too.
fn indent(spaces: i64, text: &str) -> Result<String, CallError> {
    let spaces = usize::try_from(spaces).map_err(|_| "strings: negative Repeat count")?;
    let lines = text.split('\n').count();
    if spaces.saturating_mul(lines) > MAX_LENGTH {
        return Err("strings: Repeat output length overflow".into());
    }
    let prefix = " ".repeat(spaces);
    Ok(format!("{prefix}{}", text.replace('\n', &format!("\n{prefix}"))))
}
