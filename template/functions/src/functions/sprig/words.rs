//! Words: their case, their number, their place on a line.

use Param::{Int, String as Str};
use consul_template_language::{Param, Value};
use heck::{ToKebabCase as _, ToSnakeCase as _, ToUpperCamelCase as _};
use rand::seq::SliceRandom as _;

use super::super::{case, text};
use super::Library;

pub(super) fn register(library: &mut Library<'_>) {
    library.add("title", [Str], |args| Ok(text::title(&args.str(0)).into()));
    library.add("untitle", [Str], |args| {
        let mut before = ' ';
        let lowered: String = args
            .str(0)
            .chars()
            .map(|char| {
                let lower = before.is_whitespace();
                before = char;
                if lower { case::lower_char(char) } else { char }
            })
            .collect();
        Ok(lowered.into())
    });
    library.add("initials", [Str], |args| {
        let text = args.str(0);
        let initials: String = text.split_whitespace().filter_map(|word| word.chars().next()).collect();
        Ok(initials.into())
    });
    library.add("plural", [Str, Str, Int], |args| Ok(args.value(usize::from(args.int(2) != 1)).clone()));
    library.add("snakecase", [Str], |args| Ok(args.str(0).to_snake_case().into()));
    library.add("kebabcase", [Str], |args| Ok(args.str(0).to_kebab_case().into()));
    library.add("camelcase", [Str], |args| Ok(args.str(0).to_upper_camel_case().into()));
    library.add("swapcase", [Str], |args| {
        let swap =
            |char: char| if char.is_uppercase() { case::lower_char(char) } else { case::upper_char(char) };
        let swapped: String = args.str(0).chars().map(swap).collect();
        Ok(swapped.into())
    });
    library.add("shuffle", [Str], |args| {
        let mut chars: Vec<char> = args.str(0).chars().collect();
        chars.shuffle(&mut rand::rng());
        Ok(chars.into_iter().collect::<String>().into())
    });
    library.add("wrap", [Int, Str], |args| Ok(wrap(args.int(0), "\n", LongWords::Keep, &args.str(1))));
    library.add("wrapWith", [Int, Str, Str], |args| {
        Ok(wrap(args.int(0), &args.str(1), LongWords::Break, &args.str(2)))
    });
}

#[derive(Clone, Copy, PartialEq)]
enum LongWords {
    Keep,
    Break,
}

/// Breaks a text into lines of a width.
fn wrap(width: i64, newline: &str, long_words: LongWords, text: &str) -> Value {
    let width = usize::try_from(width).unwrap_or(0).max(1);
    let chars: Vec<char> = text.chars().collect();
    let mut lines: Vec<&[char]> = Vec::new();
    let mut rest = chars.as_slice();
    while rest.len() > width {
        if let [' ', after @ ..] = rest {
            rest = after;
            continue;
        }
        let window = rest.get(..=width).unwrap_or(rest);
        let (end, next) = match window.iter().rposition(|char| *char == ' ') {
            Some(space) => (space, space + 1),
            None if long_words == LongWords::Break => (width, width),
            None => match rest.iter().position(|char| *char == ' ') {
                Some(space) => (space, space + 1),
                None => break,
            },
        };
        lines.push(rest.get(..end).unwrap_or_default());
        rest = rest.get(next..).unwrap_or_default();
    }
    lines.push(rest);
    let lines: Vec<String> = lines.iter().map(|line| line.iter().collect()).collect();
    lines.join(newline).into()
}
