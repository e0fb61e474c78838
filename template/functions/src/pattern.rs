//! Regular expressions of Go in the words of the `regex` crate.
//!
//! The two agree on nearly everything. Classes named by a letter are ASCII in Go, and inside of brackets only
//! few characters have a meaning there.

use std::str::Chars;

/// The same pattern for the `regex` crate.
pub(crate) fn translate(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut chars = source.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => escape(&mut out, &mut chars),
            '[' => class(&mut out, &mut chars),
            char => out.push(char),
        }
    }
    out
}

/// What a class of a letter holds, and whether it is the class of everything else.
fn letter(char: char) -> Option<(&'static str, bool)> {
    let members = match char.to_ascii_lowercase() {
        'w' => "0-9A-Za-z_",
        'd' => "0-9",
        's' => r"\t\n\x0C\r ",
        _ => return None,
    };
    Some((members, char.is_ascii_uppercase()))
}

fn escape(out: &mut String, chars: &mut Chars<'_>) {
    let Some(char) = chars.next() else { return out.push('\\') };
    match (char, letter(char)) {
        (_, Some((members, not))) => out.push_str(&format!("[{}{members}]", if not { "^" } else { "" })),
        ('b', _) => out.push_str(r"(?-u:\b)"),
        ('Q', _) => {
            let rest = chars.as_str();
            let (literal, after) = rest.split_once("\\E").unwrap_or((rest, ""));
            out.push_str(&regex::escape(literal));
            *chars = after.chars();
        }
        (other, None) => out.extend(['\\', other]),
    }
}

/// The inside of brackets, up to the one that closes them.
fn class(out: &mut String, chars: &mut Chars<'_>) {
    out.push('[');
    if chars.as_str().starts_with('^') {
        out.extend(chars.next());
    }
    let mut first = true;
    let mut before = ' ';
    while let Some(char) = chars.next() {
        match char {
            ']' if !first => return out.push(']'),
            '\\' => match chars.next() {
                Some(char) => match letter(char) {
                    Some((members, false)) => out.push_str(members),
                    Some((members, true)) => out.push_str(&format!("[^{members}]")),
                    None => out.extend(['\\', char]),
                },
                None => out.push('\\'),
            },
            '[' if chars.as_str().starts_with(':') => named(out, chars),
            '[' | ']' | '&' | '~' => out.extend(['\\', char]),
            '-' if before == '-' => out.push_str("\\-"),
            char => out.push(char),
        }
        first = false;
        before = char;
    }
}

/// A class by name, such as `[:alpha:]`.
fn named(out: &mut String, chars: &mut Chars<'_>) {
    match chars.as_str().split_once(":]") {
        Some((name, rest)) => {
            out.push_str(&format!("[{name}:]"));
            *chars = rest.chars();
        }
        None => out.push_str("\\["),
    }
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn patterns_mean_the_same() {
        for (pattern, text, expected) in [
            (r"^\w+$", "aé", false),
            (r"^[^\W]+$", "a_1", true),
            (r"^[\w-]+$", "a-b", true),
            (r"^[[:alpha:]\d]+$", "a1", true),
            (r"^[a[b]+$", "a[b", true),
            (r"^[]a]+$", "]a", true),
            (r"^[a&&b]+$", "a&", true),
            (r"^[a~~b]+$", "a~", true),
            (r"^[+--]+$", "+,-", true),
            (r"\bé", "é", false),
            (r"a\Bb", "ab", true),
            (r"^\Q[.\E$", "[.", true),
            (r"^\s$", "\u{a0}", false),
            (r"^[\[\]]+$", "[]", true),
            (r"^.$", "é", true),
            (r"(?i)^\D+$", "aé", true),
        ] {
            let compiled = regex::Regex::new(&translate(pattern)).expect(pattern);
            assert_eq!(compiled.is_match(text), expected, "{pattern} {text}");
        }
    }
}
