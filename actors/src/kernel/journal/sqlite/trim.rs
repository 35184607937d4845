//! Events that leave the log because they have been archived.

use rusqlite::{Connection, OptionalExtension as _};

use super::rows::{signed, unsigned};
use crate::kernel::event::StreamId;
use crate::kernel::journal::{AppendError, Commit, Trim, rules};

/// Checks that every stream is where the commit believes it to be.
///
/// # Errors
/// The outer error is the database's, the inner one the answer.
pub(super) fn check(db: &Connection, commit: &Commit) -> rusqlite::Result<Result<(), AppendError>> {
    let mut find = db.prepare_cached("SELECT version FROM stream WHERE name = ?1")?;
    for trim in &commit.trim {
        let version: Option<i64> = find.query_row([trim.stream.as_str()], |row| row.get(0)).optional()?;
        if let Err(conflict) = rules::check_trim(trim, version.map_or(0, unsigned)) {
            return Ok(Err(conflict));
        }
    }
    Ok(Ok(()))
}

/// Empties the events. Follows the chain of each stream back, as reading does.
///
/// # Errors
/// What SQLite says.
pub(super) fn write(db: &Connection, commit: &Commit) -> rusqlite::Result<()> {
    if commit.trim.is_empty() {
        return Ok(());
    }
    let mut mark = db.prepare_cached(
        "INSERT INTO stream (name, version, head, trimmed) VALUES (?1, ?2, 0, ?2)
         ON CONFLICT (name) DO UPDATE SET trimmed = ?2 RETURNING head",
    )?;
    let mut empty = db.prepare_cached(
        "UPDATE event SET payload = '' WHERE position = ?1 AND payload <> '' RETURNING prev",
    )?;
    for trim in &commit.trim {
        let mut next: i64 = mark.query_row((trim.stream.as_str(), signed(trim.version)), |row| row.get(0))?;
        while next > 0 {
            let prev: Option<i64> = empty.query_row([next], |row| row.get(0)).optional()?;
            // What comes before an emptied event is empty, too.
            let Some(prev) = prev.filter(|prev| *prev < next) else { break };
            next = prev;
        }
    }
    Ok(())
}

/// The streams that have lost events, by name.
///
/// # Errors
/// What SQLite says.
pub(super) fn list(db: &Connection, offset: u64, limit: usize) -> rusqlite::Result<Vec<Trim>> {
    let mut query = db.prepare_cached(
        "SELECT name, trimmed FROM stream WHERE trimmed > 0 ORDER BY name LIMIT ?2 OFFSET ?1",
    )?;
    let rows = query.query_map((signed(offset), signed(limit as u64)), |row| {
        let name: String = row.get(0)?;
        Ok(Trim { stream: StreamId::from_stored(&name), version: unsigned(row.get(1)?) })
    })?;
    rows.collect()
}
