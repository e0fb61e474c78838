//! In which style a string of YAML is written.

use super::yaml_resolve::is_ambiguous;

/// Ways to write a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// Where a string stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Key,
    Value,
}

/// What a string allows.
#[derive(Default)]
struct Traits {
    indicators: bool,
    special: bool,
    breaks: bool,
    outer_space: bool,
    trailing_space: bool,
    break_then_space: bool,
    space_then_break: bool,
}

/// The style for `text`.
pub(super) fn style(text: &str, place: Place) -> Style {
    let traits = Traits::of(text);
    let double = traits.special || traits.space_then_break;
    if text.contains('\n') {
        let literal = place == Place::Value && !double && !traits.trailing_space;
        return if literal { Style::Literal } else { Style::Double };
    }
    if is_ambiguous(text) || double {
        return Style::Double;
    }
    let plain = !traits.indicators && !traits.breaks && !traits.outer_space;
    match plain {
        true => Style::Plain,
        false if traits.break_then_space || traits.breaks => Style::Double,
        false => Style::Single,
    }
}

impl Traits {
    fn of(text: &str) -> Traits {
        let marker = text.starts_with("---") || text.starts_with("...");
        let mut traits = Traits { indicators: marker, ..Traits::default() };
        let chars: Vec<char> = text.chars().collect();
        let blank =
            |char: Option<&char>| char.is_none_or(|char| is_break(*char) || matches!(char, ' ' | '\t'));
        for (index, char) in chars.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| chars.get(before));
            let after = chars.get(index + 1);
            traits.indicators |= match char {
                '#' if index > 0 => blank(before),
                ':' => blank(after),
                '?' | '-' if index == 0 => blank(after),
                _ => index == 0 && "#,[]{}&*!|>'\"%@`".contains(*char),
            };
            traits.special |= !is_printable(*char);
            traits.breaks |= is_break(*char);
            if *char == ' ' {
                traits.outer_space |= index == 0 || after.is_none();
                traits.trailing_space |= after.is_none();
                traits.break_then_space |= before.is_some_and(|before| is_break(*before));
                traits.space_then_break |= after.is_some_and(|after| is_break(*after));
            } else if is_break(*char) {
                traits.outer_space |= index == 0 || after.is_none();
            }
        }
        traits
    }
}

fn is_break(char: char) -> bool {
    matches!(char, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Characters that take more than three bytes are written as escapes too.
fn is_printable(char: char) -> bool {
    matches!(char, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}
