//! The log on disk: one SQLite file, one connection, one thread.
//!
//! Every append is one implicit transaction of one prepared statement, and returns once it is on
//! disk (WAL, `synchronous=FULL`). The file is locked exclusively, which spares the shared-memory
//! index and keeps a second agent out.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use openraft::EntryPayload;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteLockingMode, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Row};
use tracing::warn;

use crate::error::OpenError;
use crate::payload::Payload;
use crate::types::{Entry, LeaderId, LogId, Membership, ServerId};

/// Marks the file as ours ("CRFT").
const APPLICATION_ID: i64 = 0x4352_4654;
/// Raise it with every change of schema or encoding.
const FORMAT: i64 = 1;

const FILE: &str = "log.sqlite";
/// The log file of a HashiCorp server, in the same directory.
const HASHICORP_FILE: &str = "raft.db";

const KIND_BLANK: i64 = 0;
const KIND_NORMAL: i64 = 1;
const KIND_MEMBERSHIP: i64 = 2;

const INSERT: &str = "INSERT INTO log (idx, term, leader, committed, kind, data) VALUES (?, ?, ?, ?, ?, ?)";
const COLUMNS: usize = 6;
/// SQLite's default bound on parameters is 32766.
const ROWS_PER_INSERT: usize = 1000;

/// How long to wait before trying again on a full disk.
const FULL_DISK_PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Database {
    connection: SqliteConnection,
}

/// Single values kept beside the log.
#[derive(Clone, Copy)]
pub(crate) enum Value {
    Server,
    Vote,
    Purged,
    Snapshot,
}

impl Value {
    pub fn key(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Vote => "vote",
            Self::Purged => "purged",
            Self::Snapshot => "snapshot",
        }
    }
}

impl Database {
    /// Opens the log in `directory` or makes a new one, which then belongs to `server`.
    pub async fn open(directory: &Path, server: ServerId) -> Result<Self, OpenError> {
        let mut database = Self::open_checked(directory, true).await?;
        database.claim(&directory.join(FILE), server).await?;
        Ok(database)
    }

    /// Opens the log in `directory`, whosever it is; `None` if there is none.
    pub async fn open_existing(directory: &Path) -> Result<Option<Self>, OpenError> {
        if !directory.join(FILE).exists() && !directory.join(HASHICORP_FILE).exists() {
            return Ok(None);
        }
        Self::open_checked(directory, false).await.map(Some)
    }

    async fn open_checked(directory: &Path, create: bool) -> Result<Self, OpenError> {
        let hashicorp = directory.join(HASHICORP_FILE);
        if hashicorp.exists() {
            return Err(OpenError::HashiCorp { path: hashicorp });
        }
        let path = directory.join(FILE);
        let failed = |source| open_error(&path, source);
        let connection = options(&path).create_if_missing(create).connect().await.map_err(failed)?;
        let mut database = Self { connection };
        let found = database.pragma("application_id").await.map_err(failed)?;
        let format = database.pragma("user_version").await.map_err(failed)?;
        let tables = database.number("SELECT count(*) FROM sqlite_schema").await.map_err(failed)?;
        match (found, format, tables) {
            (0, 0, 0) if create => database.create().await.map_err(failed)?,
            (APPLICATION_ID, FORMAT, _) => {}
            (APPLICATION_ID, found, _) => {
                return Err(OpenError::Format { path: path.clone(), found, expected: FORMAT });
            }
            _ => return Err(OpenError::NotOurs { path: path.clone() }),
        }
        Ok(database)
    }

    async fn create(&mut self) -> Result<(), sqlx::Error> {
        let schema = format!(
            "BEGIN;
             CREATE TABLE log (
                 idx INTEGER PRIMARY KEY,
                 term INTEGER NOT NULL,
                 leader BLOB NOT NULL,
                 committed INTEGER NOT NULL,
                 kind INTEGER NOT NULL,
                 data BLOB NOT NULL
             ) STRICT;
             CREATE TABLE value (key TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT, WITHOUT ROWID;
             PRAGMA application_id = {APPLICATION_ID};
             PRAGMA user_version = {FORMAT};
             COMMIT;"
        );
        sqlx::raw_sql(&schema).execute(&mut self.connection).await?;
        Ok(())
    }

    async fn claim(&mut self, path: &Path, server: ServerId) -> Result<(), OpenError> {
        let owner: Option<ServerId> =
            self.load(Value::Server).await.map_err(|source| open_error(path, source))?;
        match owner {
            None => self.save(Value::Server, &server).await.map_err(|source| open_error(path, source)),
            Some(owner) if owner == server => Ok(()),
            Some(owner) => Err(OpenError::OtherServer {
                path: path.to_owned(),
                found: owner.to_string(),
                expected: server.to_string(),
            }),
        }
    }

    pub async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.close().await
    }

    /// Appends consecutive entries; they are on disk when this returns. `committed` is the number of
    /// entries, counted from index 0, that are known to be committed.
    pub async fn append(&mut self, entries: &[Entry], committed: u64) -> Result<(), sqlx::Error> {
        loop {
            let result = match entries {
                [entry] => self.append_one(entry, committed).await,
                _ => self.append_many(entries, committed).await,
            };
            match result {
                // Nothing was written. Room may come back, and until then a leader that cannot
                // write is silent, so that its followers elect another one.
                Err(error) if is_disk_full(&error) => {
                    warn!("no space left on the disk of the raft log; writes wait until there is some");
                    tokio::time::sleep(FULL_DISK_PAUSE).await;
                }
                result => return result,
            }
        }
    }

    async fn append_one(&mut self, entry: &Entry, committed: u64) -> Result<(), sqlx::Error> {
        bind_entry(sqlx::query(INSERT), entry, committed)?.execute(&mut self.connection).await?;
        Ok(())
    }

    async fn append_many(&mut self, entries: &[Entry], committed: u64) -> Result<(), sqlx::Error> {
        let mut transaction = self.connection.begin().await?;
        for rows in entries.chunks(ROWS_PER_INSERT) {
            let more = ", (?, ?, ?, ?, ?, ?)".repeat(rows.len() - 1);
            debug_assert!(rows.len() * COLUMNS < 32766);
            let statement = format!("{INSERT}{more}");
            let mut query = sqlx::query(&statement).persistent(false);
            for entry in rows {
                query = bind_entry(query, entry, committed)?;
            }
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }

    /// The entries of a range, at most `limit` of them.
    pub async fn read(&mut self, range: Range<u64>, limit: usize) -> Result<Vec<Entry>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT idx, term, leader, kind, data FROM log WHERE idx >= ? AND idx < ? ORDER BY idx LIMIT ?",
        )
        .bind(integer(range.start))
        .bind(integer(range.end))
        .bind(integer(limit as u64))
        .fetch_all(&mut self.connection)
        .await?;
        rows.into_iter().map(|row| entry(&row)).collect()
    }

    pub async fn last(&mut self) -> Result<Option<(LogId, u64)>, sqlx::Error> {
        let row = sqlx::query("SELECT idx, term, leader, committed FROM log ORDER BY idx DESC LIMIT 1")
            .fetch_optional(&mut self.connection)
            .await?;
        row.map(|row| Ok((log_id(&row)?, unsigned(row.try_get("committed")?)?))).transpose()
    }

    pub async fn log_id(&mut self, index: u64) -> Result<Option<LogId>, sqlx::Error> {
        let row = sqlx::query("SELECT idx, term, leader FROM log WHERE idx = ?")
            .bind(integer(index))
            .fetch_optional(&mut self.connection)
            .await?;
        row.map(|row| log_id(&row)).transpose()
    }

    /// The newest membership entries, oldest first.
    pub async fn memberships(&mut self, limit: usize) -> Result<Vec<Entry>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT idx, term, leader, kind, data FROM log WHERE kind = ? ORDER BY idx DESC LIMIT ?",
        )
        .bind(KIND_MEMBERSHIP)
        .bind(integer(limit as u64))
        .fetch_all(&mut self.connection)
        .await?;
        rows.iter().rev().map(entry).collect()
    }

    /// Indexes and sizes of the newest entries up to `last`, newest first.
    pub async fn sizes(&mut self, last: u64, limit: u64) -> Result<Vec<(u64, u64)>, sqlx::Error> {
        let rows = sqlx::query("SELECT idx, length(data) FROM log WHERE idx <= ? ORDER BY idx DESC LIMIT ?")
            .bind(integer(last))
            .bind(integer(limit))
            .fetch_all(&mut self.connection)
            .await?;
        rows.iter().map(|row| Ok((unsigned(row.try_get(0)?)?, unsigned(row.try_get(1)?)?))).collect()
    }

    /// Removes all entries from `index` on.
    pub async fn truncate(&mut self, index: u64) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM log WHERE idx >= ?")
            .bind(integer(index))
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Removes the oldest entries up to `index`, but not more than `limit` indexes; whether some are left.
    pub async fn remove_some(&mut self, index: u64, limit: u64) -> Result<bool, sqlx::Error> {
        let first = self.number("SELECT coalesce(min(idx), -1) FROM log").await?;
        let Ok(first) = u64::try_from(first) else { return Ok(false) };
        if first > index {
            return Ok(false);
        }
        let until = index.min(first.saturating_add(limit));
        sqlx::query("DELETE FROM log WHERE idx <= ?")
            .bind(integer(until))
            .execute(&mut self.connection)
            .await?;
        Ok(until < index)
    }

    pub async fn load<T: DeserializeOwned>(&mut self, value: Value) -> Result<Option<T>, sqlx::Error> {
        let row = sqlx::query("SELECT json FROM value WHERE key = ?")
            .bind(value.key())
            .fetch_optional(&mut self.connection)
            .await?;
        let Some(row) = row else { return Ok(None) };
        serde_json::from_str(row.try_get(0)?).map(Some).map_err(decode)
    }

    /// On disk when this returns.
    pub async fn save(&mut self, value: Value, content: &impl Serialize) -> Result<(), sqlx::Error> {
        let json = serde_json::to_string(content).map_err(encode)?;
        sqlx::query("INSERT INTO value (key, json) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET json = excluded.json")
            .bind(value.key())
            .bind(json)
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    pub async fn format(&mut self) -> Result<i64, sqlx::Error> {
        self.pragma("user_version").await
    }

    /// Writes a copy of the file into `directory`.
    pub async fn copy_into(&mut self, directory: &Path) -> Result<(), sqlx::Error> {
        let target = directory.join(FILE).to_string_lossy().into_owned();
        sqlx::query("VACUUM INTO ?").bind(target).execute(&mut self.connection).await?;
        Ok(())
    }

    /// Puts this membership into all entries that hold one, and replaces what is known of the snapshot; both or none.
    pub async fn replace_memberships(
        &mut self,
        membership: &Membership,
        snapshot: Option<&impl Serialize>,
    ) -> Result<(), sqlx::Error> {
        let data = serde_json::to_vec(membership).map_err(encode)?;
        let snapshot = snapshot.map(serde_json::to_string).transpose().map_err(encode)?;
        let mut transaction = self.connection.begin().await?;
        sqlx::query("UPDATE log SET data = ? WHERE kind = ?")
            .bind(data)
            .bind(KIND_MEMBERSHIP)
            .execute(&mut *transaction)
            .await?;
        if let Some(json) = snapshot {
            sqlx::query("UPDATE value SET json = ? WHERE key = ?")
                .bind(json)
                .bind(Value::Snapshot.key())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await
    }

    async fn pragma(&mut self, name: &str) -> Result<i64, sqlx::Error> {
        self.number(&format!("PRAGMA {name}")).await
    }

    async fn number(&mut self, statement: &str) -> Result<i64, sqlx::Error> {
        sqlx::query(statement).persistent(false).fetch_one(&mut self.connection).await?.try_get(0)
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .locking_mode(SqliteLockingMode::Exclusive)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(2))
        // Appends touch the last page of one tree; a small page cache is enough.
        .pragma("cache_size", "-256")
        // A larger WAL means fewer checkpoints, each of which costs two more flushes.
        .pragma("wal_autocheckpoint", "2000")
        .pragma("journal_size_limit", "16777216")
        .pragma("temp_store", "MEMORY")
        .statement_cache_capacity(16)
        .thread_name(|_| "raft-log".to_owned())
        .disable_statement_logging()
}

fn open_error(path: &Path, source: sqlx::Error) -> OpenError {
    let path = PathBuf::from(path);
    match code(&source).as_deref() {
        Some("5" | "261" | "517") => OpenError::InUse { path },
        Some("26") => OpenError::NotOurs { path },
        _ => OpenError::Database { path, source },
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

fn is_disk_full(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some("13")
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments<'q>>;

fn bind_entry<'q>(query: Query<'q>, entry: &Entry, committed: u64) -> Result<Query<'q>, sqlx::Error> {
    let (kind, data) = match &entry.payload {
        EntryPayload::Blank => (KIND_BLANK, Vec::new()),
        EntryPayload::Normal(payload) => (KIND_NORMAL, payload.bytes().to_vec()),
        EntryPayload::Membership(membership) => {
            (KIND_MEMBERSHIP, serde_json::to_vec(membership).map_err(encode)?)
        }
    };
    let id = entry.log_id;
    Ok(query
        .bind(integer(id.index))
        .bind(integer(id.leader_id.term))
        .bind(id.leader_id.node_id.to_bytes().to_vec())
        .bind(integer(committed))
        .bind(kind)
        .bind(data))
}

fn entry(row: &SqliteRow) -> Result<Entry, sqlx::Error> {
    let data: &[u8] = row.try_get("data")?;
    let payload = match row.try_get::<i64, _>("kind")? {
        KIND_BLANK => EntryPayload::Blank,
        KIND_NORMAL => EntryPayload::Normal(Payload::parse(Bytes::copy_from_slice(data)).map_err(decode)?),
        KIND_MEMBERSHIP => EntryPayload::Membership(serde_json::from_slice(data).map_err(decode)?),
        other => return Err(sqlx::Error::Protocol(format!("unknown kind of log entry: {other}"))),
    };
    Ok(Entry { log_id: log_id(row)?, payload })
}

fn log_id(row: &SqliteRow) -> Result<LogId, sqlx::Error> {
    let leader: &[u8] = row.try_get("leader")?;
    let leader = ServerId::from_slice(leader)
        .ok_or_else(|| sqlx::Error::Protocol("a log entry has no valid leader id".to_owned()))?;
    let term = unsigned(row.try_get("term")?)?;
    Ok(LogId::new(LeaderId::new(term, leader), unsigned(row.try_get("idx")?)?))
}

/// Indexes and terms count events; they cannot reach half the range.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> Result<u64, sqlx::Error> {
    u64::try_from(number).map_err(decode)
}

fn encode(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Encode(Box::new(error))
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Ticket;

    fn large(index: u64) -> Entry {
        let command = Bytes::from(vec![b'x'; 1 << 20]);
        let payload = Payload::commands(Ticket { origin: 1, number: index }, std::iter::once(&command));
        let log_id = LogId::new(LeaderId::new(1, ServerId::from_u128(1)), index);
        Entry { log_id, payload: EntryPayload::Normal(payload) }
    }

    async fn limit_pages(database: &mut Database, pages: i64) {
        database.number(&format!("PRAGMA max_page_count = {pages}")).await.unwrap();
    }

    #[tokio::test]
    async fn on_a_full_disk_appends_wait_for_room_and_reads_go_on() {
        let directory = tempfile::tempdir().unwrap();
        let mut database = Database::open(directory.path(), ServerId::from_u128(1)).await.unwrap();
        database.append(&[large(1)], 0).await.unwrap();
        let pages = database.pragma("page_count").await.unwrap();
        limit_pages(&mut database, pages).await;
        // Shorter than the pause before the next try: the append must still be waiting.
        let limit = FULL_DISK_PAUSE / 2;
        let one = tokio::time::timeout(limit, database.append(&[large(2)], 1)).await;
        assert!(one.is_err(), "it did not wait: {one:?}");
        let many = tokio::time::timeout(limit, database.append(&[large(2), large(3)], 1)).await;
        assert!(many.is_err(), "it did not wait: {many:?}");
        assert_eq!(database.read(0..10, 10).await.unwrap().len(), 1);

        limit_pages(&mut database, pages * 100).await;
        database.append(&[large(2), large(3)], 1).await.unwrap();
        assert_eq!(database.read(0..10, 10).await.unwrap().len(), 3);
    }
}
