//! `sessions`: one row per session that was opened.

use rusqlite::Connection;

use super::{archived_keys, at, integer, millis, typed};
use crate::access::state::SessionEvent;
use crate::archive::state::ArchiveEvent;
use crate::kernel::event::Recorded;
use crate::kernel::projection::{FedEvent, Projection};
use crate::registry::TypedEvent;

/// Keeps `sessions`.
#[derive(Debug, Clone, Copy)]
pub struct SessionsProjection;

impl Projection for SessionsProjection {
    fn name(&self) -> &'static str {
        "sessions"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["sessions"]
    }

    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        // `position` is that of the event that opened it, `version` that of its stream.
        db.execute_batch(
            "CREATE TABLE sessions (
                 id         TEXT PRIMARY KEY,
                 position   INTEGER NOT NULL,
                 hash       TEXT NOT NULL,
                 user       TEXT NOT NULL,
                 method     TEXT NOT NULL,
                 link       TEXT NOT NULL,
                 credential TEXT NOT NULL,
                 address    TEXT NOT NULL,
                 agent      TEXT NOT NULL,
                 opened_at  INTEGER NOT NULL,
                 used_at    INTEGER NOT NULL,
                 ends_at    INTEGER NOT NULL,
                 ended_at   INTEGER,
                 version    INTEGER NOT NULL
             ) WITHOUT ROWID;
             CREATE UNIQUE INDEX sessions_by_hash ON sessions (hash);
             CREATE INDEX sessions_open ON sessions (position) WHERE ended_at IS NULL;",
        )
    }

    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        match typed(event) {
            Some(TypedEvent::Session(session)) => changed(db, event, session),
            Some(TypedEvent::Archive(ArchiveEvent::Archived(archived))) => {
                let Some(ids) = archived_keys(archived, "session") else { return Ok(()) };
                db.prepare_cached("DELETE FROM sessions WHERE id IN (SELECT value FROM json_each(?1))")?
                    .execute([ids])?;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn changed(db: &Connection, event: &Recorded, session: &SessionEvent) -> rusqlite::Result<()> {
    let (id, at, version) = (event.stream.key(), at(event), integer(event.version));
    match session {
        SessionEvent::Opened(opened) => db
            .prepare_cached(
                "INSERT INTO sessions (id, position, hash, user, method, link, credential, address, agent,
                                       opened_at, used_at, ends_at, version)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12) ON CONFLICT DO NOTHING",
            )?
            .execute((
                id,
                integer(event.position),
                &opened.hash,
                &opened.user,
                &opened.method,
                &opened.link,
                &opened.credential,
                &opened.address,
                &opened.agent,
                at,
                millis(opened.ends_at),
                version,
            ))?,
        SessionEvent::Used(used) => db
            .prepare_cached(
                "UPDATE sessions SET used_at = max(used_at, ?2), address = ?3, version = ?4 WHERE id = ?1",
            )?
            .execute((id, at, &used.address, version))?,
        SessionEvent::Ended(_) => db
            .prepare_cached("UPDATE sessions SET ended_at = ?2, version = ?3 WHERE id = ?1")?
            .execute((id, at, version))?,
    };
    Ok(())
}
