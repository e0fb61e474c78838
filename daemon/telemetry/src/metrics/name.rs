//! Names of series, and how they are spelled for each reader.

use std::fmt::Write;

/// A dotted name without prefix, and labels in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesName {
    pub name: String,
    pub labels: Vec<(String, String)>,
}

impl SeriesName {
    pub fn new(name: &str, labels: &[(&str, &str)]) -> Self {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Self { name: name.to_owned(), labels }
    }

    /// `consul.raft.apply`, or `consul.host.raft.apply` with a host.
    pub fn dotted(&self, prefix: &str, host: Option<&str>) -> String {
        let mut out = String::with_capacity(prefix.len() + self.name.len() + 16);
        for part in
            [Some(prefix), host, Some(&self.name)].into_iter().flatten().filter(|part| !part.is_empty())
        {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(part);
        }
        out
    }

    /// The dotted name with label values as further parts, for readers that know no labels.
    pub fn flattened(&self, prefix: &str, host: Option<&str>) -> String {
        let mut out = self.dotted(prefix, host);
        for (_, value) in &self.labels {
            let _ = write!(out, ".{value}");
        }
        out
    }
}

/// A name as statsd takes it: what separates fields there becomes `_`.
pub fn statsd(name: &str) -> String {
    name.chars()
        .map(|c| if matches!(c, ':' | '|' | '@' | '#' | ',') || c.is_whitespace() { '_' } else { c })
        .collect()
}

/// A name as Prometheus takes it.
pub fn prometheus(name: &str) -> String {
    let mut out: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if out.starts_with(|c: char| c.is_ascii_digit()) {
        out.insert(0, '_');
    }
    out
}
