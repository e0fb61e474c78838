//! What a node remembers of its pool over a restart: who was alive, and what it has already heard.
//!
//! A text file to which lines are appended, so that a change costs one short write and a crash loses at most the last
//! line. The format is that of HashiCorp agents, so that ours can take over from one in place. From time to time
//! the file is written anew, beside its place.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::config::Clocks;
use super::member::{Member, MemberStatus};
use crate::lamport::LamportTime;

/// Below this size the file is never written anew.
const COMPACT_MIN: u64 = 128 * 1024;
/// Typical length of a line, and how many lines per member are tolerated.
const BYTES_PER_MEMBER: u64 = 128 * 2;
/// A larger file is not read: it is none of ours.
const FILE_MAX: u64 = 256 * 1024 * 1024;

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Members that were alive, by name.
    pub alive: BTreeMap<String, SocketAddr>,
    /// The last times heard.
    pub clocks: Clocks,
    /// The last thing this node did was to leave.
    pub left: bool,
}

impl Remembered {
    /// Reads the text of a file. Lines that make no sense are skipped, and so is a last line without an end: it was
    /// being written when the process died, and half an address is a wrong address.
    pub fn parse(text: &[u8], rejoin_after_leave: bool) -> Self {
        let mut remembered = Self::default();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let Some(line) = line.strip_suffix(b"\n") else { break };
            if let Ok(line) = std::str::from_utf8(line) {
                remembered.apply(line, rejoin_after_leave);
            }
        }
        remembered
    }

    fn apply(&mut self, line: &str, rejoin_after_leave: bool) {
        if line == "leave" {
            if !rejoin_after_leave {
                *self = Self::default();
            }
            self.left = true;
            return;
        }
        let Some((kind, value)) = line.split_once(": ") else { return };
        match kind {
            "alive" => {
                // Names may hold spaces, addresses do not.
                if let Some((name, addr)) = value.rsplit_once(' ')
                    && let Ok(addr) = addr.parse()
                {
                    self.alive.insert(name.to_owned(), addr);
                    self.left = false;
                }
            }
            "not-alive" => {
                self.alive.remove(value);
            }
            "clock" => raise(&mut self.clocks.member, value),
            "event-clock" => raise(&mut self.clocks.event, value),
            "query-clock" => raise(&mut self.clocks.query, value),
            // Comments, coordinates, and whatever later releases add.
            _ => {}
        }
    }

    /// The whole as text.
    fn render(&self) -> String {
        let mut text = String::new();
        for (name, addr) in &self.alive {
            alive_line(&mut text, name, *addr);
        }
        clock_lines(&mut text, Clocks::default(), self.clocks);
        text
    }
}

fn raise(time: &mut LamportTime, value: &str) {
    if let Ok(value) = value.parse()
        && LamportTime(value).is_credible()
    {
        *time = LamportTime(value);
    }
}

fn alive_line(text: &mut String, name: &str, addr: SocketAddr) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "alive: {name} {addr}");
}

fn clock_lines(text: &mut String, before: Clocks, now: Clocks) {
    for (name, before, now) in [
        ("clock", before.member, now.member),
        ("event-clock", before.event, now.event),
        ("query-clock", before.query, now.query),
    ] {
        if now != before {
            let _ = writeln!(text, "{name}: {now}");
        }
    }
}

/// The file of one pool.
#[derive(Debug)]
pub struct SnapshotFile {
    path: PathBuf,
    file: File,
    len: u64,
    written: Remembered,
}

impl SnapshotFile {
    /// Opens the file, or begins one, and reads what it says.
    ///
    /// # Errors
    /// It cannot be read or written, or is far too large.
    pub fn open(path: &Path, rejoin_after_leave: bool) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let len = file.metadata()?.len();
        if len > FILE_MAX {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the file of known members is too large",
            ));
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let written = Remembered::parse(&text, rejoin_after_leave);
        let mut snapshot = Self { path: path.to_owned(), file, len, written };
        if text.last().is_some_and(|byte| *byte != b'\n') {
            // So that the next line does not become part of a torn one.
            snapshot.append("\n")?;
        }
        Ok(snapshot)
    }

    /// What the file says.
    pub fn remembered(&self) -> &Remembered {
        &self.written
    }

    /// Writes down what changed. Members that are not known in this life are kept: it may not have met them yet.
    ///
    /// # Errors
    /// The file cannot be written. What is missing is written the next time.
    pub fn update<'m>(
        &mut self,
        own_name: &str,
        members: impl Iterator<Item = &'m Member> + Clone,
        clocks: Clocks,
    ) -> io::Result<()> {
        let mut text = String::new();
        let mut now = self.written.clone();
        for member in members.clone().filter(|member| *member.name != *own_name) {
            note(&mut text, &mut now.alive, member);
        }
        clock_lines(&mut text, self.written.clocks, clocks);
        now.clocks = clocks;
        if text.is_empty() {
            return Ok(());
        }
        now.left = false;
        let limit = COMPACT_MIN.max(BYTES_PER_MEMBER * now.alive.len() as u64);
        if self.len + text.len() as u64 > limit {
            return self.rewrite(own_name, members, now);
        }
        self.append(&text)?;
        self.written = now;
        Ok(())
    }

    /// Notes that this node leaves on purpose: next time it does not come back by itself.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn leave(&mut self) -> io::Result<()> {
        self.append("leave\n")?;
        self.written.left = true;
        self.file.sync_data()
    }

    fn append(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.len += text.len() as u64;
        Ok(())
    }

    fn rewrite<'m>(
        &mut self,
        own_name: &str,
        members: impl Iterator<Item = &'m Member> + Clone,
        mut now: Remembered,
    ) -> io::Result<()> {
        // In company, who is still unknown is long gone.
        let in_company =
            members.clone().any(|member| member.status == MemberStatus::Alive && *member.name != *own_name);
        if in_company {
            let known: std::collections::HashSet<&str> = members.map(|member| &*member.name).collect();
            now.alive.retain(|name, _| known.contains(name.as_str()));
        }
        let text = now.render();
        let beside = self.path.with_extension("snapshot.new");
        let mut file = File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.len = text.len() as u64;
        self.written = now;
        Ok(())
    }
}

fn note(text: &mut String, alive: &mut BTreeMap<String, SocketAddr>, member: &Member) {
    if member.name.contains('\n') {
        return;
    }
    let lives = matches!(member.status, MemberStatus::Alive | MemberStatus::Leaving);
    if lives && alive.get(&*member.name) != Some(&member.addr) {
        alive_line(text, &member.name, member.addr);
        alive.insert(member.name.as_ref().to_owned(), member.addr);
    } else if !lives && alive.remove(&*member.name).is_some() {
        let _ = writeln!(text, "not-alive: {}", member.name);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::node::Versions;

    fn member(name: &str, port: u16, status: MemberStatus) -> Member {
        Member {
            name: name.into(),
            addr: ([127, 0, 0, 1], port).into(),
            tags: Arc::default(),
            status,
            versions: Versions::CURRENT,
        }
    }

    fn clocks(member: u64, event: u64, query: u64) -> Clocks {
        Clocks { member: LamportTime(member), event: LamportTime(event), query: LamportTime(query) }
    }

    #[test]
    fn reads_what_hashicorp_agents_write() {
        let text = b"alive: srv1 127.0.0.1:8301\nclock: 3\nalive: a b 10.0.0.2:8301\nevent-clock: 5\n# hm\n\
            coordinate: {\"Vec\":[0]}\nnot-alive: srv1\nquery-clock: 7\nalive: v6 [::1]:8301\nalive: torn 10.0.0.1:83";
        let read = Remembered::parse(text, false);
        let expected = BTreeMap::from([
            ("a b".to_owned(), "10.0.0.2:8301".parse().unwrap()),
            ("v6".to_owned(), "[::1]:8301".parse().unwrap()),
        ]);
        assert_eq!(read, Remembered { alive: expected, clocks: clocks(3, 5, 7), left: false });
    }

    #[test]
    fn leaving_voids_what_was_before_unless_we_mean_to_come_back() {
        let text = b"alive: a 127.0.0.1:1\nclock: 9\nleave\n";
        assert_eq!(Remembered::parse(text, false), Remembered { left: true, ..Remembered::default() });
        let back = Remembered::parse(text, true);
        assert_eq!((back.alive.len(), back.clocks.member), (1, LamportTime(9)));
    }

    #[test]
    fn only_changes_are_written_and_only_the_living_are_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("serf/local.snapshot");
        let mut file = SnapshotFile::open(&path, false).unwrap();
        let mut members = [
            member("me", 1, MemberStatus::Alive),
            member("a", 2, MemberStatus::Alive),
            member("b", 3, MemberStatus::Alive),
        ];
        file.update("me", members.iter(), clocks(2, 1, 1)).unwrap();
        let len = file.len;
        file.update("me", members.iter(), clocks(2, 1, 1)).unwrap();
        assert_eq!(file.len, len);
        members[1].status = MemberStatus::Failed;
        file.update("me", members.iter(), clocks(4, 1, 1)).unwrap();
        let read = SnapshotFile::open(&path, false).unwrap();
        assert_eq!(read.remembered().alive.keys().collect::<Vec<_>>(), ["b"]);
        assert_eq!(read.remembered().clocks, clocks(4, 1, 1));
    }

    #[test]
    fn a_torn_line_harms_neither_what_came_before_nor_what_comes_after() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("local.snapshot");
        fs::write(&path, "alive: a 127.0.0.1:1\nalive: b 127.0.0.1:2").unwrap();
        let mut file = SnapshotFile::open(&path, false).unwrap();
        assert_eq!(file.remembered().alive.len(), 1);
        file.update("me", [member("c", 3, MemberStatus::Alive)].iter(), clocks(1, 1, 1)).unwrap();
        let again = SnapshotFile::open(&path, false).unwrap();
        assert!(again.remembered().alive.contains_key("a") && again.remembered().alive.contains_key("c"));
    }

    #[test]
    fn the_file_is_written_anew_before_it_grows_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("local.snapshot");
        let mut file = SnapshotFile::open(&path, false).unwrap();
        let members = [member("a", 2, MemberStatus::Alive)];
        for time in 1..20_000 {
            file.update("me", members.iter(), clocks(time, time, time)).unwrap();
        }
        let on_disk = fs::metadata(&path).unwrap().len();
        assert_eq!(on_disk, file.len);
        assert!(on_disk <= COMPACT_MIN, "{on_disk}");
        let read = SnapshotFile::open(&path, false).unwrap();
        assert_eq!(read.remembered().clocks, clocks(19_999, 19_999, 19_999));
        assert!(read.remembered().alive.contains_key("a"));
    }

    proptest! {
        #[test]
        fn any_file_can_be_read(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            Remembered::parse(&text, true);
        }
    }
}
