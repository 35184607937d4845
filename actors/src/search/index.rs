//! The index: a database of its own, which can always be made anew from the journal.
//!
//! `known` holds the folded texts (a line of the subject, one of the sender), `words` every three
//! characters of them that follow each other.
//! Both are needed: a part of one or two characters has no three, and to take a text out of
//! `words` one has to know it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction};
use uuid::Uuid;

use super::find::MatchCount;
use super::fold;
use crate::kernel::files;

/// Of the tables. Another one is made anew.
const VERSION: i64 = 1;
/// KiB of the database that are held in memory.
const CACHE: i64 = 4_096;

/// How far the index follows the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexMark {
    /// Position of the last mail that was looked at.
    pub(super) position: u64,
    /// Id of the event there: another log has another one.
    pub(super) event: Uuid,
}

/// A mail to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexEntry {
    /// Position of its first event.
    pub(super) position: u64,
    /// Identity.
    pub(super) email_id: String,
    /// As it is.
    pub(super) subject: String,
    /// As it is.
    pub(super) sender: String,
}

/// The full-text index of senders and subjects, in SQLite.
pub(super) struct SearchIndex {
    path: Option<PathBuf>,
    pub(super) db: Connection,
    pub(super) counted: MatchCount,
}

impl SearchIndex {
    /// Opens the index at a path, or makes one: a damaged one, or one of another version, is
    /// replaced. `None` = in memory.
    pub(super) fn open(path: Option<PathBuf>) -> Result<Self, String> {
        let Some(path) = path else {
            let db = Connection::open_in_memory().map_err(|error| error.to_string())?;
            let index = Self::over(None, db);
            index.create().map_err(|error| error.to_string())?;
            return Ok(index);
        };
        match open_file(&path).and_then(|db| Ok((is_sound(&db)?, db))) {
            Ok((true, db)) => Ok(Self::over(Some(path), db)),
            Ok((false, db)) => {
                drop(db);
                Self::anew(path)
            }
            Err(error) if is_damage(&error) => {
                tracing::warn!(path = %path.display(), %error, "the index of the search is damaged and is made anew");
                Self::anew(path)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn anew(path: PathBuf) -> Result<Self, String> {
        remove(&path).map_err(|error| error.to_string())?;
        let db = open_file(&path).map_err(|error| error.to_string())?;
        let index = Self::over(Some(path), db);
        index.create().map_err(|error| error.to_string())?;
        Ok(index)
    }

    fn over(path: Option<PathBuf>, db: Connection) -> Self {
        Self { path, db, counted: MatchCount::default() }
    }

    fn create(&self) -> rusqlite::Result<()> {
        self.db.execute_batch(&format!(
            "PRAGMA secure_delete = ON;
             CREATE TABLE known (
                 position INTEGER PRIMARY KEY, email_id TEXT NOT NULL, text TEXT NOT NULL
             );
             CREATE VIRTUAL TABLE words USING fts5(subject, sender, content = '', tokenize = 'trigram case_sensitive 1');
             INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
             CREATE TABLE mark (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL, event BLOB NOT NULL);
             PRAGMA user_version = {VERSION};"
        ))
    }

    /// Forgets everything.
    pub(super) fn start_anew(&mut self) -> Result<(), String> {
        let Some(path) = self.path.clone() else {
            *self = Self::open(None)?;
            return Ok(());
        };
        // The file is let go before it is removed.
        self.db = Connection::open_in_memory().map_err(|error| error.to_string())?;
        *self = Self::anew(path)?;
        Ok(())
    }

    pub(super) fn mark(&self) -> rusqlite::Result<Option<IndexMark>> {
        mark(&self.db)
    }

    /// Takes mails in that follow `from`, and remembers how far it has come; all or nothing. False =
    /// it has come to another place since, and they are not what follows.
    pub(super) fn add(
        &mut self,
        entries: &[IndexEntry],
        from: Option<IndexMark>,
        to: IndexMark,
    ) -> rusqlite::Result<bool> {
        let tx = self.db.transaction()?;
        if mark(&tx)? != from {
            return Ok(false);
        }
        for entry in entries {
            let (subject, sender) = (fold::fold(&entry.subject), fold::fold(&entry.sender));
            let position = signed(entry.position);
            let new = tx
                .prepare_cached(
                    "INSERT INTO known (position, email_id, text) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                )?
                .execute((position, &entry.email_id, format!("{subject}\n{sender}")))?;
            if new == 1 {
                tx.prepare_cached("INSERT INTO words (rowid, subject, sender) VALUES (?1, ?2, ?3)")?
                    .execute((position, subject, sender))?;
            }
        }
        tx.prepare_cached("INSERT OR REPLACE INTO mark (one, position, event) VALUES (1, ?1, ?2)")?
            .execute((signed(to.position), to.event.into_bytes()))?;
        tx.commit()?;
        self.counted.grown();
        Ok(true)
    }

    /// The mails above a position, oldest first.
    pub(super) fn page(&self, after: u64, limit: usize) -> rusqlite::Result<Vec<(u64, String)>> {
        self.db
            .prepare_cached(
                "SELECT position, email_id FROM known WHERE position > ?1 ORDER BY position LIMIT ?2",
            )?
            .query_map((signed(after), signed(limit as u64)), |row| Ok((unsigned(row.get(0)?), row.get(1)?)))?
            .collect()
    }

    /// Takes mails out, so that nothing of their texts is left in the file.
    pub(super) fn erase(&mut self, positions: &[u64]) -> rusqlite::Result<()> {
        if positions.is_empty() {
            return Ok(());
        }
        let tx = self.db.transaction()?;
        for position in positions {
            erase(&tx, signed(*position))?;
        }
        tx.commit()?;
        self.counted.forget();
        // Older copies of the pages are in the log.
        self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }
}

fn mark(db: &Connection) -> rusqlite::Result<Option<IndexMark>> {
    db.prepare_cached("SELECT position, event FROM mark")?
        .query_row([], |row| {
            Ok(IndexMark { position: unsigned(row.get(0)?), event: Uuid::from_bytes(row.get(1)?) })
        })
        .optional()
}

fn erase(tx: &Transaction<'_>, position: i64) -> rusqlite::Result<()> {
    let text: Option<String> = tx
        .prepare_cached("SELECT text FROM known WHERE position = ?1")?
        .query_row([position], |row| row.get(0))
        .optional()?;
    let Some(text) = text else { return Ok(()) };
    let (subject, sender) = text.split_once('\n').unwrap_or((text.as_str(), ""));
    tx.prepare_cached("INSERT INTO words (words, rowid, subject, sender) VALUES ('delete', ?1, ?2, ?3)")?
        .execute((position, subject, sender))?;
    tx.prepare_cached("DELETE FROM known WHERE position = ?1")?.execute([position])?;
    Ok(())
}

fn open_file(path: &Path) -> rusqlite::Result<Connection> {
    let refused = |error: io::Error| rusqlite::Error::ToSqlConversionFailure(Box::new(error));
    files::make_folder(files::folder_of(path), files::PRIVATE).map_err(refused)?;
    match files::create_new(path, files::PRIVATE) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(refused(error)),
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let db = Connection::open_with_flags(path, flags)?;
    // Another worker may have the same folder: the index is that of one of them.
    db.execute_batch(&format!(
        "PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA secure_delete = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -{CACHE};"
    ))?;
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    db.execute_batch("PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE; COMMIT")?;
    Ok(db)
}

/// Whether it is an index of this version without structural damage.
fn is_sound(db: &Connection) -> rusqlite::Result<bool> {
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version != VERSION {
        return Ok(false);
    }
    let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        tracing::warn!(found, "the index of the search is damaged and is made anew");
    }
    Ok(found == "ok")
}

/// Whether the file itself is of no use any more.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
        // What a virtual table says of its own damage.
        || error.to_string().contains("malformed")
}

fn remove(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(PathBuf::from(name)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    number.max(0).unsigned_abs()
}
