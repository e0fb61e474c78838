//! Whether new content may replace the old.

use std::path::Path;

use consul_template_functions::{Data, Dependency};

use crate::brain::Memory;
use crate::config::{CommandWords, Guards};

/// How many instances a template found, by what it asked for.
pub type Instances = Vec<(String, usize)>;

/// Counts the instances behind everything a template asked for.
pub fn count<'a>(used: impl IntoIterator<Item = &'a Dependency>, memory: &Memory) -> Instances {
    used.into_iter()
        .filter_map(|dependency| match memory.get(dependency) {
            Some(Data::Instances(rows)) => Some((dependency.to_string(), rows.len())),
            _ => None,
        })
        .collect()
}

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Sizes<'a> {
    pub instances: &'a Instances,
    /// Of the last content that was written or found right, if this program knows.
    pub instances_before: Option<usize>,
    pub len: usize,
    /// Length of the file that is there.
    pub len_before: Option<u64>,
}

/// Why the content must not be written; None if it may.
pub fn objection(guards: &Guards, sizes: Sizes<'_>) -> Option<String> {
    if let Some(least) = guards.min_instances {
        let least = usize::try_from(least).unwrap_or(usize::MAX);
        if let Some((dependency, count)) = sizes.instances.iter().find(|(_, count)| *count < least) {
            return Some(format!("{dependency} has {count} instances, fewer than min_instances = {least}"));
        }
    }
    let limit = guards.max_shrink?;
    let total: usize = sizes.instances.iter().map(|(_, count)| count).sum();
    if let Some(before) = sizes.instances_before
        && shrinks(before, total, limit)
    {
        return Some(format!(
            "instances fall from {before} to {total}, by more than max_shrink = {}",
            percent(limit)
        ));
    }
    let before = usize::try_from(sizes.len_before?).unwrap_or(usize::MAX);
    shrinks(before, sizes.len, limit).then(|| {
        format!(
            "the file shrinks from {before} to {} bytes, by more than max_shrink = {}",
            sizes.len,
            percent(limit)
        )
    })
}

#[expect(clippy::cast_precision_loss, reason = "shares of sizes need no more precision than that")]
fn shrinks(before: usize, now: usize, limit: f64) -> bool {
    now < before && (before - now) as f64 > before as f64 * limit
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

/// The command that checks the content at `path`: its placeholders are replaced, or the path is appended.
pub fn check_of(command: &CommandWords, path: &Path) -> CommandWords {
    let path = path.display().to_string();
    let in_shell = format!("'{}'", path.replace('\'', r"'\''"));
    let shown = if command.needs_shell() { &in_shell } else { &path };
    let mut found = false;
    let mut words: Vec<String> = Vec::with_capacity(command.0.len() + 1);
    for word in &command.0 {
        found = found || PLACEHOLDERS.iter().any(|placeholder| word.contains(placeholder));
        words.push(
            PLACEHOLDERS.iter().fold(word.clone(), |word, placeholder| word.replace(placeholder, shown)),
        );
    }
    match words.as_mut_slice() {
        _ if found => {}
        [only] if command.needs_shell() => only.extend([" ", &in_shell]),
        _ => words.push(path),
    }
    CommandWords(words)
}

/// The second is how other programs of this kind spell it.
const PLACEHOLDERS: &[&str] = &["{}", "{{.src}}"];

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> CommandWords {
        CommandWords(words.iter().map(ToString::to_string).collect())
    }

    fn sizes(instances: &Instances) -> Sizes<'_> {
        Sizes { instances, instances_before: None, len: 100, len_before: None }
    }

    #[test]
    fn every_service_needs_the_least_number() {
        let guards = Guards { min_instances: Some(2), ..Guards::default() };
        let good = vec![("web".to_owned(), 2), ("db".to_owned(), 5)];
        assert_eq!(objection(&guards, sizes(&good)), None);
        let bad = vec![("web".to_owned(), 1)];
        let why = objection(&guards, sizes(&bad)).unwrap();
        assert_eq!(why, "web has 1 instances, fewer than min_instances = 2");
    }

    #[test]
    fn neither_instances_nor_the_file_may_shrink_too_much() {
        let guards = Guards { max_shrink: Some(0.5), ..Guards::default() };
        let five = vec![("web".to_owned(), 5)];
        let four = vec![("web".to_owned(), 4)];
        let before =
            |instances, len_before| Sizes { instances_before: Some(10), len_before, ..sizes(instances) };
        assert_eq!(objection(&guards, before(&five, Some(200))), None, "half is not more than half");
        assert!(objection(&guards, before(&four, None)).unwrap().contains("from 10 to 4"));
        assert!(objection(&guards, before(&five, Some(201))).unwrap().contains("from 201 to 100 bytes"));
        assert_eq!(objection(&guards, sizes(&four)), None, "nothing to compare with");
        assert_eq!(objection(&Guards::default(), before(&four, Some(1 << 30))), None);
    }

    #[test]
    fn the_path_takes_the_place_of_the_placeholder_or_goes_to_the_end() {
        let path = Path::new("/tmp/it's");
        assert_eq!(
            check_of(&words(&["nginx", "-t", "-c", "{}"]), path),
            words(&["nginx", "-t", "-c", "/tmp/it's"])
        );
        assert_eq!(check_of(&words(&["check"]), path), words(&["check", "/tmp/it's"]));
        assert_eq!(check_of(&words(&["grep -q x {{.src}}"]), path), words(&[r"grep -q x '/tmp/it'\''s'"]));
        assert_eq!(check_of(&words(&["grep -q x"]), path), words(&[r"grep -q x '/tmp/it'\''s'"]));
    }
}
