//! The file: its tables, how it is made and brought up to date, and why it is refused.
//!
//! A file that is not a sound journal of a known format is refused and left as it was.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use super::erase;
use crate::kernel::journal::JournalError;

/// Marks the file as a journal of this program ("RSJ1").
const APPLICATION_ID: i64 = 0x5253_4A31;

/// The format this program reads and writes (`PRAGMA user_version`).
pub(super) const FORMAT: i64 = 2;

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

/// What every table is called: a file without one of them is damaged.
const TABLE_NAMES: [&str; 5] = ["stream", "event", "outbox", "body", "fence"];

/// No table at all and no mark: nobody has ever written here.
pub(super) fn is_blank(db: &Connection) -> rusqlite::Result<bool> {
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && number(db, "application_id")? == 0 && number(db, "user_version")? == 0)
}

/// Creates everything in one transaction: a crash leaves either nothing or all of it.
pub(super) fn create(db: &Connection) -> rusqlite::Result<()> {
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
pub(super) fn upgrade(db: &Connection) -> rusqlite::Result<()> {
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

pub(super) fn check_marks(db: &Connection, path: &Path) -> Result<(), JournalError> {
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

pub(super) fn check_structure(db: &Connection, path: &Path) -> Result<(), JournalError> {
    let found: String =
        db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| explain(path, &error))?;
    if found == "ok" { Ok(()) } else { Err(corrupt(path, &found)) }
}

pub(super) fn number(db: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, pragma, |row| row.get(0))
}

pub(super) fn corrupt(path: &Path, what: &str) -> JournalError {
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
