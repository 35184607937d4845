//! How the file is opened: for writing, for reading, and to look at what another process writes.
//!
//! Nothing here reads the file but SQLite itself: closing a descriptor of our own would
//! drop the locks of every other connection of this process (POSIX advisory locks).

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::schema::{
    FORMAT, check_marks, check_structure, corrupt, create, explain, is_blank, number, upgrade,
};
use crate::kernel::files::{self, PRIVATE};
use crate::kernel::journal::JournalError;

/// How long a writer waits for another process's transaction.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Distinct statements kept prepared per connection.
const STATEMENTS: usize = 96;

/// What SQLite appends to the name of a file for those beside it.
const SIDE_FILES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Opens the journal for writing, creating it when there is no file.
///
/// Structural damage is looked for when the file is smaller than `check_below` bytes.
///
/// # Errors
/// See [`JournalError`]. A refused file has not been changed.
pub(super) fn open_checked(path: &Path, check_below: u64) -> Result<Connection, JournalError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        files::make_folder(folder, PRIVATE).map_err(|error| {
            JournalError::Unavailable(format!("{}: cannot be created: {error}", folder.display()))
        })?;
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let refuse = |error: rusqlite::Error| explain(path, &error);
    refuse_links(path)?;
    let size = std::fs::metadata(path).map_or(0, |file| file.len());
    let log_size = std::fs::metadata(beside(path, "-wal")).map_or(0, |file| file.len());
    if size == 0 && log_size > 0 {
        return Err(corrupt(path, "it is empty, but a write-ahead log lies beside it"));
    }
    // SQLite gives its side files the mode of this one.
    let _ = path.exists() || files::create_new(path, PRIVATE).is_ok();
    let db = Connection::open_with_flags(path, flags).map_err(refuse)?;
    db.busy_timeout(BUSY).map_err(refuse)?;
    // Until the file is known to be sound, closing must not copy the log into it.
    let checkpoint_on_close = |wanted: bool| -> rusqlite::Result<()> {
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !wanted).map(drop)
    };
    if log_size > 0 {
        checkpoint_on_close(false).map_err(refuse)?;
    }
    if is_blank(&db).map_err(refuse)? {
        create(&db).map_err(refuse)?;
    }
    check_marks(&db, path)?;
    if size > 0 && size.saturating_add(log_size) < check_below {
        check_structure(&db, path)?;
    }
    for_writing(&db).map_err(refuse)?;
    upgrade(&db).map_err(refuse)?;
    checkpoint_on_close(true).map_err(refuse)?;
    Ok(db)
}

/// Opens a journal that was checked before, again.
///
/// # Errors
/// What SQLite says.
pub(super) fn reopen(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(BUSY)?;
    for_writing(&db)?;
    Ok(db)
}

/// Opens the reader's connection of a journal that is open for writing.
///
/// # Errors
/// What SQLite says.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    for_reading(Connection::open_with_flags(path, flags)?)
}

/// Opens an existing journal for looking only, whether or not another process writes it.
///
/// SQLite needs its two side files while it reads; they go when the last reader closes.
/// Where the folder cannot be written, a journal without side files is read as it lies.
///
/// # Errors
/// See [`JournalError`]; [`JournalError::Unavailable`] when there is no file.
pub(super) fn open_to_look(path: &Path) -> Result<Connection, JournalError> {
    if !path.exists() {
        return Err(JournalError::Unavailable(format!("there is no journal at {}", path.display())));
    }
    refuse_links(path)?;
    let shared = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let looked = Connection::open_with_flags(path, shared)
        .and_then(for_reading)
        .and_then(|db| is_blank(&db).map(|blank| (db, blank)));
    let (db, blank) = match looked {
        Ok(looked) => looked,
        Err(_) if !beside(path, "-wal").exists() => lying_still(path).map_err(|e| explain(path, &e))?,
        Err(error) => return Err(explain(path, &error)),
    };
    if blank {
        return Err(corrupt(path, "it is empty"));
    }
    check_marks(&db, path)?;
    let found = number(&db, "user_version").map_err(|error| explain(path, &error))?;
    if found < FORMAT {
        return Err(JournalError::Unavailable(format!(
            "{} has format {found}, written by an older version; the server brings it to format {FORMAT} when it starts",
            path.display()
        )));
    }
    Ok(db)
}

/// A side file is SQLite's own and never a symbolic link, which SQLite would not follow either;
/// this says so. The journal itself may be one.
fn refuse_links(path: &Path) -> Result<(), JournalError> {
    let file = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    for suffix in SIDE_FILES {
        let side = beside(&file, suffix);
        if side.is_symlink() {
            return Err(JournalError::Unavailable(format!(
                "{} is a symbolic link; a file of SQLite's belongs there: remove the link",
                side.display()
            )));
        }
    }
    Ok(())
}

fn lying_still(path: &Path) -> rusqlite::Result<(Connection, bool)> {
    let escaped: String = path
        .to_string_lossy()
        .chars()
        .map(|c| match c {
            '%' => "%25".to_owned(),
            '?' => "%3f".to_owned(),
            '#' => "%23".to_owned(),
            other => other.to_string(),
        })
        .collect();
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let db = for_reading(Connection::open_with_flags(format!("file:{escaped}?mode=ro&immutable=1"), flags)?)?;
    let blank = is_blank(&db)?;
    Ok((db, blank))
}

fn for_writing(db: &Connection) -> rusqlite::Result<()> {
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(rusqlite::Error::InvalidParameterName(format!(
            "this file system cannot hold a write-ahead log (journal_mode = {mode})"
        )));
    }
    // 2 MiB of pages; the log is copied into the file every 8 MiB and cut back to that size. What
    // is deleted is overwritten; see `erase`.
    db.execute_batch(
        "PRAGMA secure_delete = ON;
         PRAGMA synchronous = FULL;
         PRAGMA cache_size = -2048;
         PRAGMA temp_store = MEMORY;
         PRAGMA recursive_triggers = ON;",
    )?;
    db.pragma_update(None, "wal_autocheckpoint", 2_048)?;
    db.pragma_update(None, "journal_size_limit", 8 * 1_024 * 1_024)
}

fn for_reading(db: Connection) -> rusqlite::Result<Connection> {
    db.busy_timeout(BUSY)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -1024; PRAGMA temp_store = MEMORY;")?;
    Ok(db)
}

fn beside(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
