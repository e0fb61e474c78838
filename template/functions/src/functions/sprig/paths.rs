//! Paths and URLs.

use Param::String as Str;
use consul_template_language::{CallResult, Map, Param, Text, Value};

use super::Library;

pub(super) fn register(library: &mut Library<'_>) {
    library.add("base osBase", [Str], |args| Ok(base(&args.str(0)).into()));
    library.add("dir osDir", [Str], |args| {
        let path = args.str(0);
        let directory = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or("");
        Ok(clean(directory).into())
    });
    library.add("ext osExt", [Str], |args| {
        let path = args.str(0);
        let name = path.rsplit('/').next().unwrap_or("");
        Ok(name.rfind('.').and_then(|at| name.get(at..)).unwrap_or("").into())
    });
    library.add("clean osClean", [Str], |args| Ok(clean(&args.str(0)).into()));
    library.add("isAbs osIsAbs", [Str], |args| Ok(args.str(0).starts_with('/').into()));
    library.add("urlParse", [Str], |args| url_parse(&args.str(0)));
    library.add("urlJoin", [Param::Map], |args| {
        let Some(map) = args.map(0) else { return Ok(Value::fixed("")) };
        let part =
            |name: &str| map.get(&name.into()).map(|part| part.to_text().to_string()).unwrap_or_default();
        Ok(url_join(&part).into())
    });
}

fn base(path: &str) -> &str {
    match path.trim_end_matches('/').rsplit('/').next() {
        _ if path.is_empty() => ".",
        None | Some("") => "/",
        Some(name) => name,
    }
}

/// The shortest path to the same place, by its text alone.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => _ = parts.pop(),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, rest) => format!("/{rest}"),
        (false, rest) if rest.is_empty() => ".".into(),
        (false, rest) => rest,
    }
}

fn url_parse(text: &str) -> CallResult {
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|char: char| char.is_ascii_alphabetic())
            && scheme.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '+' | '-' | '.'))
    };
    let (scheme, rest) = match rest.split_once(':') {
        Some(("", _)) => {
            return Err(format!("unable to parse url: parse {text:?}: missing protocol scheme").into());
        }
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
        _ => (String::new(), rest),
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let opaque = if !scheme.is_empty() && !rest.starts_with('/') { rest } else { "" };
    let rest = if opaque.is_empty() { rest } else { "" };
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let path = percent_decode(path);
    let hostname = hostname(host);
    let texts = [
        ("scheme", scheme.as_str()),
        ("host", host),
        ("hostname", hostname),
        ("query", query),
        ("opaque", opaque),
        ("fragment", fragment),
        ("userinfo", user),
    ];
    let parts = Map::any(texts);
    parts.insert("path", path);
    Ok(parts.into())
}

fn hostname(host: &str) -> &str {
    if let Some((inner, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return inner;
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn percent_decode(text: &str) -> Text {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, ..] => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = rest.get(3..).unwrap_or(&[]);
            }
            None => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    out.into()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn url_join(part: &dyn Fn(&str) -> String) -> String {
    let mut out = String::new();
    let (scheme, host, user, path) = (part("scheme"), part("host"), part("userinfo"), part("path"));
    if !scheme.is_empty() {
        out.push_str(&format!("{scheme}:"));
    }
    let opaque = part("opaque");
    if opaque.is_empty() {
        if !scheme.is_empty() || !host.is_empty() || !user.is_empty() {
            out.push_str("//");
        }
        if !user.is_empty() {
            out.push_str(&format!("{user}@"));
        }
        out.push_str(&host);
        if !path.is_empty() && !path.starts_with('/') && !host.is_empty() {
            out.push('/');
        }
        out.push_str(&escape_path(&path));
    } else {
        out.push_str(&opaque);
    }
    for (mark, name) in [('?', "query"), ('#', "fragment")] {
        let text = part(name);
        if !text.is_empty() {
            out.push(mark);
            out.push_str(&text);
        }
    }
    out
}

fn escape_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
