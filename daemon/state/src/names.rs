//! Names of nodes, services and checks compare without regard to letter case.

use std::borrow::Cow;

/// The form under which a name is stored in maps.
pub(crate) fn lower(name: &str) -> Cow<'_, str> {
    let is_lower = name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_lower { Cow::Borrowed(name) } else { Cow::Owned(name.to_lowercase()) }
}

pub(crate) fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || (!one.is_ascii() && one.to_lowercase() == other.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letter_case_is_ignored_beyond_ascii_too() {
        assert!(same("Web", "wEB") && same("\u{c9}t\u{e9}", "\u{e9}T\u{c9}") && !same("web", "web2"));
        assert!(matches!(lower("web-1"), Cow::Borrowed(_)));
        assert_eq!(lower("\u{c9}T"), "\u{e9}t");
    }
}
