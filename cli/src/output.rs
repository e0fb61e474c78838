//! The few layouts in which commands print.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use crate::failure::{Exit, Outcome};

/// Rows as columns, two spaces apart, each as wide as its widest cell; the last one is not padded.
pub fn columns<S: AsRef<str>>(rows: &[Vec<S>]) -> String {
    let widths = column_widths(rows);
    let mut text = String::new();
    for row in rows {
        let last = row.len().saturating_sub(1);
        for (at, cell) in row.iter().enumerate() {
            let cell = cell.as_ref();
            text.push_str(cell);
            if at < last {
                let width = widths.get(at).copied().unwrap_or(0);
                pad(&mut text, width.saturating_sub(width_of(cell)) + 2);
            }
        }
        text.push('\n');
    }
    text
}

/// Two columns, the first padded to its widest cell and six spaces.
pub fn pairs<A: AsRef<str>, B: AsRef<str>>(rows: &[(A, B)]) -> String {
    let width = rows.iter().map(|(name, _)| width_of(name.as_ref())).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in rows {
        text.push_str(name.as_ref());
        pad(&mut text, width - width_of(name.as_ref()) + 6);
        text.push_str(value.as_ref());
        text.push('\n');
    }
    text
}

fn column_widths<S: AsRef<str>>(rows: &[Vec<S>]) -> Vec<usize> {
    let mut widths = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(width_of(cell.as_ref()));
        }
    }
    widths
}

fn width_of(cell: &str) -> usize {
    cell.chars().count()
}

fn pad(text: &mut String, count: usize) {
    text.extend(std::iter::repeat_n(' ', count));
}

/// JSON with the given indent (spaces or tabs) and no final newline.
pub fn json<T: Serialize + ?Sized>(value: &T, indent: &str) -> String {
    let mut bytes = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    match value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter)) {
        Ok(()) => String::from_utf8(bytes).unwrap_or_default(),
        Err(error) => format!("\"cannot be shown as JSON: {error}\""),
    }
}

pub const FOUR_SPACES: &str = "    ";
pub const THREE_SPACES: &str = "   ";
pub const TAB: &str = "\t";

/// Prints one text, whole.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

pub fn print_line(text: &str) -> io::Result<()> {
    print(&format!("{text}\n"))
}

/// Prints a line and ends the command well.
pub fn done(text: &str) -> Outcome {
    print_line(text)?;
    Ok(Exit::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_padded_except_the_last() {
        let rows = [vec!["Node", "ID", "DC"], vec!["n", "", "dc1"]];
        assert_eq!(columns(&rows), "Node  ID  DC\nn         dc1\n");
    }

    #[test]
    fn an_empty_last_cell_leaves_the_gap_before_it() {
        assert_eq!(columns(&[vec!["a", "bb"], vec!["ccc", ""]]), "a    bb\nccc  \n");
        assert_eq!(pairs(&[("Key", "k"), ("Session", "-")]), "Key          k\nSession      -\n");
    }

    #[test]
    fn json_takes_its_indent() {
        assert_eq!(json(&serde_json::json!({"a": [1]}), TAB), "{\n\t\"a\": [\n\t\t1\n\t]\n}");
        assert_eq!(json(&serde_json::json!([]), TAB), "[]");
    }
}
