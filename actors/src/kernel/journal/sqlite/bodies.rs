//! Bodies: what is kept beside the log under a key, for a time.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _};

use super::super::{KeptBody, rules};
use super::rows::signed;

/// The bodies that are kept, by key.
///
/// # Errors
/// What SQLite says.
pub(super) fn bodies(db: &Connection, offset: u64, limit: usize) -> rusqlite::Result<Vec<KeptBody>> {
    let mut query = db.prepare_cached("SELECT key, keep_until FROM body ORDER BY key LIMIT ?2 OFFSET ?1")?;
    let rows = query.query_map((signed(offset), signed(limit as u64)), |row| {
        Ok(KeptBody { key: row.get(0)?, keep_until: rules::instant(row.get(1)?) })
    })?;
    rows.collect()
}

/// The bytes of a body.
///
/// # Errors
/// What SQLite says.
pub(super) fn body(db: &Connection, key: &str) -> rusqlite::Result<Option<Bytes>> {
    db.prepare_cached("SELECT bytes FROM body WHERE key = ?1")?
        .query_row([key], |row| row.get::<_, Vec<u8>>(0))
        .optional()
        .map(|found| found.map(Bytes::from))
}

/// The bodies of these keys, in their order: one statement, since each one of its own looks at the
/// write-ahead log anew.
///
/// # Errors
/// What SQLite says.
pub(super) fn bodies_of(db: &Connection, keys: &[String]) -> rusqlite::Result<Vec<Option<Bytes>>> {
    let list = serde_json::Value::from(keys.to_vec()).to_string();
    let mut query =
        db.prepare_cached("SELECT j.key, b.bytes FROM json_each(?1) j JOIN body b ON b.key = j.value")?;
    let mut bodies = vec![None; keys.len()];
    let mut rows = query.query([list])?;
    while let Some(row) = rows.next()? {
        let place = usize::try_from(row.get::<_, i64>(0)?).ok();
        if let Some(body) = place.and_then(|place| bodies.get_mut(place)) {
            *body = Some(Bytes::from(row.get::<_, Vec<u8>>(1)?));
        }
    }
    Ok(bodies)
}

/// Drops up to `limit` bodies that are past their time and that no row refers to.
///
/// # Errors
/// What SQLite says.
pub(super) fn purge(db: &Connection, now: DateTime<Utc>, limit: u64) -> rusqlite::Result<u64> {
    let dropped = db
        .prepare_cached(
            "DELETE FROM body WHERE id IN (
                 SELECT id FROM body INDEXED BY body_keep WHERE keep_until <= ?1
                     AND key NOT IN (SELECT body_key FROM outbox WHERE body_key IS NOT NULL)
                 LIMIT ?2)",
        )?
        .execute((rules::micros(now), signed(limit)))?;
    Ok(dropped as u64)
}
