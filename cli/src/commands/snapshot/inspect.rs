//! `consul snapshot inspect`.

use std::io::Read;
use std::path::Path;

use consul_api::snapshot::inspect::{Contents, KeyDetails, Usage, inspect};
use consul_api::snapshot::meta::Meta;
use serde::Serialize;

use super::{file_argument, open, unpack};
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::{input, output};

pub static COMMAND: Command = Command {
    name: "inspect",
    synopsis: "Describe the snapshot in a file",
    usage: "[options] FILE",
    about: "Prints which state a snapshot holds and what takes up the space in it. A file called state.bin is taken \
            for the unpacked state of a server, with meta.json beside it.

    $ consul snapshot inspect -kvdetails -kvdepth=1 backup.snap",
    http: Http::None,
    flags: &[
        Flag::text("format", "Output format: pretty or json.").or("pretty"),
        Flag::switch("kvdetails", "Count keys by their first path segments as well."),
        Flag::int("kvdepth", "How many path segments -kvdetails groups by.").or("2"),
        Flag::text("kvfilter", "Only keys that start with this, for -kvdetails.").shown_as("prefix"),
    ],
    body: Body::Leaf(run),
};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetaFacts<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    size: u64,
    index: u64,
    term: u64,
    version: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    meta: MetaFacts<'a>,
    stats: &'a [Usage],
    #[serde(rename = "StatsKV")]
    stats_kv: Option<&'a [Usage]>,
    total_size: u64,
    #[serde(rename = "TotalSizeKV")]
    total_size_kv: u64,
}

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let path = file_argument(invocation)?;
    let format = flags.text("format");
    if !matches!(format, "pretty" | "json") {
        return Err(Failure::new(format!("Unknown format: {format}")));
    }
    let details = details(flags)?;
    let (meta, contents) = if path.file_name().is_some_and(|name| name == "state.bin") {
        read_unpacked(path, details.as_ref())?
    } else {
        let archive = unpack(open(path)?).map_err(Failure::of("Error verifying snapshot: "))?;
        (archive.meta, count(archive.state, details.as_ref())?)
    };
    if format == "json" {
        return output::done(&json(&meta, &contents, details.is_some()));
    }
    output::print(&pretty(&meta, &contents, details.is_some()))?;
    Ok(Exit::SUCCESS)
}

fn details(flags: &Parsed) -> Result<Option<KeyDetails>, Failure> {
    if !flags.switch("kvdetails") {
        return Ok(None);
    }
    let depth =
        usize::try_from(flags.int("kvdepth")).map_err(|_| Failure::new("-kvdepth must not be negative"))?;
    Ok(Some(KeyDetails { depth, prefix: flags.text("kvfilter").to_owned() }))
}

fn count(state: impl Read, details: Option<&KeyDetails>) -> Result<Contents, Failure> {
    inspect(state, details).map_err(Failure::of("Error extracting snapshot data: "))
}

fn read_unpacked(path: &Path, details: Option<&KeyDetails>) -> Result<(Meta, Contents), Failure> {
    let meta = input::read_file(&path.with_file_name("meta.json"))
        .map_err(Failure::of("Error opening snapshot metadata: "))?;
    let meta = serde_json::from_slice(&meta).map_err(Failure::of("Error decoding snapshot metadata: "))?;
    Ok((meta, count(std::io::BufReader::new(open(path)?), details)?))
}

fn json(meta: &Meta, contents: &Contents, with_keys: bool) -> String {
    let facts = MetaFacts {
        id: &meta.id,
        size: meta.size,
        index: meta.index,
        term: meta.term,
        version: meta.version,
    };
    let document = Document {
        meta: facts,
        stats: &contents.types,
        stats_kv: with_keys.then_some(contents.keys.as_slice()),
        total_size: contents.total,
        total_size_kv: contents.keys_total,
    };
    output::json(&document, output::THREE_SPACES)
}

/// Column widths of a table: at least `min`, and `gap` more than the widest cell.
struct Layout {
    min: usize,
    gap: usize,
}

const WIDE: Layout = Layout { min: 8, gap: 6 };
const KEYS: Layout = Layout { min: 30, gap: 12 };

fn pretty(meta: &Meta, contents: &Contents, with_keys: bool) -> String {
    let facts = [
        ("ID", meta.id.clone()),
        ("Size", meta.size.to_string()),
        ("Index", meta.index.to_string()),
        ("Term", meta.term.to_string()),
        ("Version", meta.version.to_string()),
    ];
    let facts: Vec<Vec<String>> =
        facts.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    let mut text = table(&facts, &WIDE);
    text.push('\n');
    text.push_str(&table(&usage_rows("Type", &contents.types, contents.total), &WIDE));
    if with_keys {
        text.push('\n');
        text.push_str(&table(&usage_rows("Key Name", &contents.keys, contents.keys_total), &KEYS));
    }
    text
}

fn usage_rows(title: &str, usages: &[Usage], total: u64) -> Vec<Vec<String>> {
    let line = || ["----", "----", "----"].map(str::to_owned).to_vec();
    let mut rows = vec![[title, "Count", "Size"].map(str::to_owned).to_vec(), line()];
    rows.extend(
        usages.iter().map(|usage| vec![usage.name.clone(), usage.count.to_string(), byte_size(usage.sum)]),
    );
    rows.push(line());
    rows.push(vec!["Total".to_owned(), String::new(), byte_size(total)]);
    rows
}

fn table(rows: &[Vec<String>], layout: &Layout) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        let cells =
            rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count() + usize::from(at == 0));
        (cells.max().unwrap_or(0) + layout.gap).max(layout.min)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            let cell = if at == 0 { format!(" {cell}") } else { cell.clone() };
            if at + 1 < row.len() {
                text.push_str(&format!("{cell:width$}", width = widths[at]));
            } else {
                text.push_str(&cell);
            }
        }
        text.push('\n');
    }
    text
}

/// A size with one decimal and a binary unit, as in `12.3KB`; a round one without the decimal.
fn byte_size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)];
    if bytes == 0 {
        return "0".to_owned();
    }
    let Some((unit, scale)) = UNITS.iter().find(|(_, scale)| bytes >= *scale) else {
        return format!("{bytes}B");
    };
    let number = format!("{:.1}", bytes as f64 / *scale as f64);
    format!("{}{unit}", number.trim_end_matches(".0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units() {
        for (bytes, text) in [
            (0, "0"),
            (285, "285B"),
            (1024, "1KB"),
            (12_595, "12.3KB"),
            (3 << 30, "3GB"),
            (1536 << 20, "1.5GB"),
        ] {
            assert_eq!(byte_size(bytes), text);
        }
    }

    #[test]
    fn tables_start_with_one_space() {
        let usage = Usage { name: "KVS".to_owned(), sum: 285, count: 2 };
        let text = table(&usage_rows("Type", &[usage], 285), &WIDE);
        assert_eq!(
            text,
            " Type       Count      Size\n ----       ----       ----\n KVS        2          285B\n ----       \
             ----       ----\n Total                 285B\n"
        );
    }
}
