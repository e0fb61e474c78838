//! Letter case, one character at a time as in Go: no character becomes two, and none depends on its neighbours.

/// Every letter in upper case.
pub(super) fn upper(text: &str) -> String {
    text.chars().map(upper_char).collect()
}

/// Every letter in lower case.
pub(super) fn lower(text: &str) -> String {
    text.chars().map(lower_char).collect()
}

/// The upper case of a letter, itself if that would be more than one.
pub(super) fn upper_char(char: char) -> char {
    let mut upper = char.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => char,
    }
}

/// The lower case of a letter.
pub(super) fn lower_char(char: char) -> char {
    char.to_lowercase().next().unwrap_or(char)
}
