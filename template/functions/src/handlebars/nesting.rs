//! How deep a source is nested.
//!
//! The parser of Handlebars calls itself for what is nested and has no limit of its own, so a source that would
//! use up the stack must not get to it. Counting marks is enough: in texts and comments they count too, but no
//! real template comes near the limits.

/// Subexpressions and blocks, one inside of the other.
const MAX_DEPTH: usize = 100;

/// Whether a source is nested deeper than it may be.
pub(super) fn is_too_deep(source: &str) -> bool {
    let mut blocks = 0_usize;
    let mut rest = source;
    while let Some((_, after)) = rest.split_once("{{") {
        let action = after.trim_start_matches(['{', '~', ' ']);
        let (inside, next) = action.split_once("}}").unwrap_or((action, ""));
        if inside.starts_with('#') {
            blocks += 1;
        } else if inside.starts_with('/') {
            blocks = blocks.saturating_sub(1);
        }
        if blocks > MAX_DEPTH || has_deep_subexpression(inside) {
            return true;
        }
        rest = next;
    }
    false
}

fn has_deep_subexpression(action: &str) -> bool {
    let mut depth = 0_usize;
    for byte in action.bytes() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}
