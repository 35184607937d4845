//! The file: its tables, how it is opened, and why it is refused.
//!
//! A file that is not a sound journal of a known format is refused and left as it was.
//! Nothing here reads the file but SQLite itself: closing a descriptor of our own would
//! drop the locks of every other connection of this process (POSIX advisory locks).

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::erase;
use crate::kernel::files::{self, PRIVATE};
use crate::kernel::journal::JournalError;

/// Marks the file as a journal of this program ("RSJ1").
const APPLICATION_ID: i64 = 0x5253_4A31;

/// The format this program reads and writes (`PRAGMA user_version`).
pub(super) const FORMAT: i64 = 2;

/// How long a writer waits for another process's transaction.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Distinct statements kept prepared per connection.
const STATEMENTS: usize = 96;

/// The trigger that lets nothing of an event be changed, except that one that has been archived
/// is emptied.
macro_rules! append_only {
    () => {
        "CREATE TRIGGER event_update BEFORE UPDATE ON event
         WHEN NOT (
             NEW.payload = '' AND NEW.position = OLD.position AND NEW.id = OLD.id
             AND NEW.stream = OLD.stream AND NEW.version = OLD.version AND NEW.prev = OLD.prev
             AND NEW.kind = OLD.kind AND NEW.schema = OLD.schema AND NEW.at = OLD.at
             AND NEW.cause IS OLD.cause AND NEW.sum = OLD.sum
             AND EXISTS (SELECT 1 FROM stream s WHERE s.id = OLD.stream AND s.trimmed >= OLD.version)
         )
         BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;"
    };
}

/// The tables. Integer keys that grow keep the hot pages together: what is looked up by
/// name (`stream.name`, `body.key`, `outbox.key`) is the only thing written at random places.
///
/// * `event.prev`: position of the previous event of the same stream, 0 for the first. With
///   `stream.head` it makes a stream readable without an index of its own.
/// * `event.sum`: SHA-256 over the previous event's sum and this event, cut to 16 bytes.
/// * `event.payload`: empty when the event has been archived and has left the log. The rest
///   of the row stays: positions remain gapless and the chain of sums whole.
/// * `stream.trimmed`: up to which version its events have left the log. A stream that never
///   had any here (see `Trim`) has no `head`.
/// * `outbox.state`: 0 = due at `due`, 1 = reserved, 2 = parked.
/// * `outbox.visible`: when the row can be claimed, NULL = not without somebody's doing. The
///   later of `due` and the end of its claim; of ordered rows, only the first has one.
/// * `outbox.owner`: slot of the process that holds the claim.
/// * Instants are microseconds since 1970, UTC.
const TABLES: &str = concat!(
    "
    CREATE TABLE stream (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        version INTEGER NOT NULL,
        head INTEGER NOT NULL,
        trimmed INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX stream_trimmed ON stream (name) WHERE trimmed > 0;
    CREATE TABLE event (
        position INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        stream INTEGER NOT NULL,
        version INTEGER NOT NULL,
        prev INTEGER NOT NULL,
        kind TEXT NOT NULL,
        schema INTEGER NOT NULL,
        at INTEGER NOT NULL,
        cause BLOB,
        payload TEXT NOT NULL,
        sum BLOB NOT NULL
    );
    ",
    append_only!(),
    "
    CREATE TRIGGER event_delete BEFORE DELETE ON event
        BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
    CREATE TABLE outbox (
        seq INTEGER PRIMARY KEY,
        queue INTEGER NOT NULL,
        key TEXT NOT NULL,
        partition TEXT NOT NULL,
        order_key TEXT,
        state INTEGER NOT NULL,
        due INTEGER,
        visible INTEGER,
        claim BLOB,
        claimed_until INTEGER,
        owner INTEGER,
        claims INTEGER NOT NULL,
        added_at INTEGER NOT NULL,
        meta TEXT NOT NULL,
        body_key TEXT,
        UNIQUE (queue, key)
    );
    CREATE INDEX outbox_due ON outbox (queue, partition, visible) WHERE visible IS NOT NULL;
    CREATE INDEX outbox_order ON outbox (queue, partition, order_key)
        WHERE order_key IS NOT NULL AND state <> 2;
    CREATE INDEX outbox_order_claim ON outbox (queue, partition, order_key, claimed_until)
        WHERE order_key IS NOT NULL AND claimed_until IS NOT NULL;
    CREATE INDEX outbox_owner ON outbox (owner) WHERE owner IS NOT NULL;
    CREATE TABLE body (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        keep_until INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        sum BLOB NOT NULL
    );
    CREATE INDEX body_keep ON body (keep_until);
    CREATE TABLE fence (
        lease TEXT PRIMARY KEY,
        token INTEGER NOT NULL
    ) WITHOUT ROWID;
"
);

/// From format 1, which knew no archive, to 2.
const FROM_1_TO_2: &str = concat!(
    "
    ALTER TABLE stream ADD COLUMN trimmed INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX stream_trimmed ON stream (name) WHERE trimmed > 0;
    DROP TRIGGER event_update;
",
    append_only!()
);

/// What SQLite appends to the name of a file for those beside it.
const SIDE_FILES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// What every table is called: a file without one of them is damaged.
const TABLE_NAMES: [&str; 5] = ["stream", "event", "outbox", "body", "fence"];

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

/// No table at all and no mark: nobody has ever written here.
fn is_blank(db: &Connection) -> rusqlite::Result<bool> {
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && number(db, "application_id")? == 0 && number(db, "user_version")? == 0)
}

/// Creates everything in one transaction: a crash leaves either nothing or all of it.
fn create(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch("BEGIN IMMEDIATE")?;
    let made = is_blank(db).and_then(|blank| {
        // Another process may have been quicker.
        if blank {
            db.execute_batch(TABLES)?;
            db.execute_batch(erase::MARK)?;
            db.pragma_update(None, "application_id", APPLICATION_ID)?;
            db.pragma_update(None, "user_version", FORMAT)?;
        }
        db.execute_batch("COMMIT")
    });
    if made.is_err() && !db.is_autocommit() {
        db.execute_batch("ROLLBACK")?;
    }
    made
}

/// Brings a file of an older format up to date, in one transaction.
fn upgrade(db: &Connection) -> rusqlite::Result<()> {
    if number(db, "user_version")? == FORMAT {
        return Ok(());
    }
    db.execute_batch("BEGIN IMMEDIATE")?;
    // Another process may have been quicker.
    let upgraded = number(db, "user_version").and_then(|found| {
        if found == 1 {
            db.execute_batch(FROM_1_TO_2)?;
            db.pragma_update(None, "user_version", FORMAT)?;
        }
        db.execute_batch("COMMIT")
    });
    if upgraded.is_err() && !db.is_autocommit() {
        db.execute_batch("ROLLBACK")?;
    }
    upgraded
}

fn check_marks(db: &Connection, path: &Path) -> Result<(), JournalError> {
    let refuse = |error: rusqlite::Error| explain(path, &error);
    if number(db, "application_id").map_err(refuse)? != APPLICATION_ID {
        return Err(corrupt(path, "it is a database of another program"));
    }
    let found = number(db, "user_version").map_err(refuse)?;
    if found > FORMAT {
        return Err(JournalError::FromTheFuture { path: path.display().to_string(), found, known: FORMAT });
    }
    if found < 1 {
        return Err(corrupt(path, "it carries no format number"));
    }
    for table in TABLE_NAMES {
        let there: bool = db
            .query_row(
                "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1",
                [table],
                |row| row.get(0),
            )
            .map_err(refuse)?;
        if !there {
            return Err(corrupt(path, &format!("its table {table} is missing")));
        }
    }
    Ok(())
}

fn check_structure(db: &Connection, path: &Path) -> Result<(), JournalError> {
    let found: String =
        db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| explain(path, &error))?;
    if found == "ok" { Ok(()) } else { Err(corrupt(path, &found)) }
}

fn number(db: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, pragma, |row| row.get(0))
}

fn beside(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn corrupt(path: &Path, what: &str) -> JournalError {
    JournalError::Corrupt { path: path.display().to_string(), what: what.to_owned() }
}

/// The error of a read or of opening, in the journal's words.
pub(super) fn explain(path: &Path, error: &rusqlite::Error) -> JournalError {
    let damaged = match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..) => true,
        other => {
            matches!(other.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        }
    };
    if damaged {
        corrupt(path, &error.to_string())
    } else {
        JournalError::Unavailable(format!("{}: {error}", path.display()))
    }
}
