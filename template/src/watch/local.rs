//! Follows a file.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use consul_template_functions::{Data, Dependency};
use tokio::sync::mpsc;

use super::News;
use super::files::{self, Changes, Fingerprint};
use crate::words::reason;

/// How often a file is looked at though nobody told of a change: some file systems tell nothing.
const POLL: Duration = Duration::from_secs(2);
/// Larger files are not data for templates.
const SIZE_MAX: u64 = 256 << 20;

/// Follows the file of `dependency`. One that is missing at the start is an error; one that vanishes later may be
/// about to be replaced.
pub async fn follow(dependency: Dependency, mut changes: Changes, news: mpsc::Sender<News>) {
    let Dependency::File { path } = &dependency else { return };
    let path = PathBuf::from(path);
    let (mut known, mut last, mut failing) = (None, None, false);
    loop {
        let found = Fingerprint::of(&path);
        let told = match found {
            Ok(found) if known == Some(found) && !failing => None,
            Ok(found) => match read(&path).await {
                Ok(contents) => {
                    known = Some(found);
                    let was_failing = std::mem::take(&mut failing);
                    let changed = last.as_ref() != Some(&contents);
                    let news = changed.then(|| News::Data(dependency.clone(), Data::file(&contents)));
                    last = Some(contents);
                    news.or_else(|| was_failing.then(|| News::Answered(dependency.clone())))
                }
                Err(error) => {
                    Some(failure(&dependency, "open", &path, &error, known.is_some(), &mut failing))
                }
            },
            Err(error) => Some(failure(&dependency, "stat", &path, &error, known.is_some(), &mut failing)),
        };
        if let Some(told) = told {
            let ended = matches!(told, News::GaveUp(..));
            if news.send(told).await.is_err() || ended {
                return;
            }
        }
        files::changed(&mut changes, POLL).await;
    }
}

fn failure(
    dependency: &Dependency,
    what: &str,
    path: &Path,
    error: &io::Error,
    known: bool,
    failing: &mut bool,
) -> News {
    let why = format!("{dependency}: {what} {}: {}", path.display(), reason(error));
    if !known {
        tracing::error!(target: "view", "{why}");
        return News::GaveUp(dependency.clone(), why);
    }
    if !std::mem::replace(failing, true) {
        tracing::warn!(target: "view", "{why}");
    }
    News::Failing(dependency.clone(), why)
}

async fn read(path: &Path) -> io::Result<Vec<u8>> {
    use tokio::io::AsyncReadExt;
    let file = tokio::fs::File::open(path).await?;
    let mut contents = Vec::new();
    file.take(SIZE_MAX + 1).read_to_end(&mut contents).await?;
    if contents.len() as u64 > SIZE_MAX {
        return Err(io::Error::other(format!("larger than {SIZE_MAX} bytes")));
    }
    Ok(contents)
}
