//! A log file that is replaced by a new one when it gets too long or too old.
//!
//! Each line is one write to the file: what has been logged before a crash is there, and `tail -f` sees it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::LogError;

/// When to start a new file and how many old ones to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// A file that has reached this many bytes is the last of its kind; 0 for no such limit.
    pub bytes: u64,
    /// So is one of this age; zero for no such limit.
    pub duration: Duration,
    /// How many old files to keep beside the current one: 0 for all, negative for none.
    pub max_files: i64,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { bytes: 0, duration: Duration::from_secs(24 * 3600), max_files: 0 }
    }
}

/// An open log file.
#[derive(Debug)]
pub struct LogFile {
    directory: PathBuf,
    prefix: String,
    extension: String,
    rotation: Rotation,
    file: File,
    written: u64,
    opened: SystemTime,
}

impl LogFile {
    /// Opens a first file beside `path`: `consul.log` becomes `consul-<unix nanoseconds>.log`, a path that ends
    /// in a slash a file `consul-…` in that directory.
    pub fn open(path: &Path, rotation: Rotation) -> Result<Self, LogError> {
        let (directory, prefix, extension) = name_parts(path);
        let opened = SystemTime::now();
        let path = directory.join(file_name(&prefix, opened, &extension));
        let file = create(&path).map_err(|source| LogError::File { path, source })?;
        let this = Self { directory, prefix, extension, rotation, file, written: 0, opened };
        this.prune();
        Ok(this)
    }

    /// Writes one line. The file may exceed its limit by that line.
    pub fn write(&mut self, line: &str, now: SystemTime) -> std::io::Result<()> {
        if self.is_due(now) {
            self.rotate(now);
        }
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        self.file.write_all(&bytes)?;
        self.written = self.written.saturating_add(bytes.len() as u64);
        Ok(())
    }

    fn is_due(&self, now: SystemTime) -> bool {
        let too_long = self.rotation.bytes > 0 && self.written >= self.rotation.bytes;
        let age = now.duration_since(self.opened).unwrap_or_default();
        too_long || (!self.rotation.duration.is_zero() && age >= self.rotation.duration)
    }

    /// Where no new file can be made, lines in the old one are better than none.
    fn rotate(&mut self, now: SystemTime) {
        self.opened = now;
        let path = self.directory.join(file_name(&self.prefix, now, &self.extension));
        if let Ok(file) = create(&path) {
            self.file = file;
            self.written = 0;
            self.prune();
        }
    }

    fn prune(&self) {
        let keep = match self.rotation.max_files {
            0 => return,
            ..0 => 1,
            old => usize::try_from(old).unwrap_or(usize::MAX).saturating_add(1),
        };
        let mut files = self.siblings();
        files.sort_by_key(|(nanoseconds, _)| std::cmp::Reverse(*nanoseconds));
        for (_, path) in files.into_iter().skip(keep) {
            // Whoever else deletes log files may have been faster.
            let _ = std::fs::remove_file(path);
        }
    }

    /// The files of this log with their times, the current one included.
    fn siblings(&self) -> Vec<(u128, PathBuf)> {
        let Ok(entries) = std::fs::read_dir(&self.directory) else { return Vec::new() };
        let time_of = |name: &str| {
            let rest = name.strip_prefix(&self.prefix)?.strip_prefix('-')?.strip_suffix(&self.extension)?;
            rest.bytes().all(|b| b.is_ascii_digit()).then(|| rest.parse().ok()).flatten()
        };
        entries
            .filter_map(Result::ok)
            .filter_map(|entry| Some((time_of(entry.file_name().to_str()?)?, entry.path())))
            .collect()
    }
}

fn name_parts(path: &Path) -> (PathBuf, String, String) {
    let text = path.to_string_lossy();
    let (directory, name) = match text.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((directory, name)) => (directory, name),
        None => (".", &*text),
    };
    let name = if name.is_empty() { "consul.log" } else { name };
    let (prefix, extension) = match name.rfind('.') {
        Some(dot) => name.split_at(dot),
        None => (name, ".log"),
    };
    (PathBuf::from(directory), prefix.to_owned(), extension.to_owned())
}

fn file_name(prefix: &str, time: SystemTime, extension: &str) -> String {
    let nanoseconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{prefix}-{nanoseconds}{extension}")
}

fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn contents(directory: &Path) -> Vec<String> {
        let mut files: Vec<_> = std::fs::read_dir(directory)
            .expect("directory is there")
            .map(|entry| entry.expect("entry is readable").path())
            .collect();
        files.sort();
        files.iter().map(|path| std::fs::read_to_string(path).expect("file is readable")).collect()
    }

    fn rotation(bytes: u64, duration: Duration, max_files: i64) -> Rotation {
        Rotation { bytes, duration, max_files }
    }

    #[test]
    fn a_full_file_gets_one_more_line_and_then_a_successor() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let mut log =
            LogFile::open(&directory.path().join("a.log"), rotation(10, Duration::ZERO, 0)).expect("opens");
        let mut now = SystemTime::now();
        for line in ["12345", "6789", "x", "y"] {
            now += Duration::from_nanos(1000);
            log.write(line, now).expect("writes");
        }
        assert_eq!(contents(directory.path()), ["12345\n6789\n", "x\ny\n"]);
    }

    #[test]
    fn an_old_file_gets_a_successor() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let day = Duration::from_secs(86400);
        let mut log = LogFile::open(&directory.path().join("a.log"), rotation(0, day, 0)).expect("opens");
        let now = SystemTime::now();
        log.write("first", now).expect("writes");
        log.write("second", now + day / 2).expect("writes");
        log.write("third", now + day).expect("writes");
        assert_eq!(contents(directory.path()), ["first\nsecond\n", "third\n"]);
    }

    #[test]
    fn old_files_are_removed_beyond_the_number_to_keep() {
        for (max_files, left) in [(0, 5), (2, 3), (-1, 1)] {
            let directory = tempfile::tempdir().expect("temporary directory");
            std::fs::write(directory.path().join("a-notours.log"), "").expect("writes");
            let mut log =
                LogFile::open(&directory.path().join("a.log"), rotation(1, Duration::ZERO, max_files))
                    .expect("opens");
            let now = SystemTime::now();
            for line in 1..=5_u64 {
                log.write(&line.to_string(), now + Duration::from_nanos(line * 1000)).expect("writes");
            }
            let contents = contents(directory.path());
            assert_eq!(contents.len(), left + 1, "{max_files}");
            assert!(contents.contains(&"5\n".to_owned()) && contents.contains(&String::new()));
        }
    }

    #[test]
    fn names_and_mode() {
        for (path, directory, prefix, extension) in [
            ("/x/consul.log", "/x", "consul", ".log"),
            ("/x/", "/x", "consul", ".log"),
            ("/x/lf", "/x", "lf", ".log"),
            ("a.b.txt", ".", "a.b", ".txt"),
            ("/a", "/", "a", ".log"),
        ] {
            let parts = (PathBuf::from(directory), prefix.to_owned(), extension.to_owned());
            assert_eq!(name_parts(Path::new(path)), parts, "{path}");
        }
        let directory = tempfile::tempdir().expect("temporary directory");
        LogFile::open(&directory.path().join("a"), Rotation::default()).expect("opens");
        let file =
            std::fs::read_dir(directory.path()).expect("readable").next().expect("one").expect("entry");
        assert_eq!(file.metadata().expect("readable").permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let err =
            LogFile::open(Path::new("/nonexist/consul.log"), Rotation::default()).expect_err("cannot open");
        let text = err.to_string();
        assert!(text.starts_with("Failed to setup logging: open /nonexist/consul-"), "{text}");
        assert!(text.ends_with(".log: no such file or directory"), "{text}");
    }
}
