//! `magic_links`: one row per sign-in link of which something is known.

use rusqlite::Connection;

use super::{archived_keys, at, integer, millis, typed};
use crate::access::state::MagicLinkEvent;
use crate::archive::state::ArchiveEvent;
use crate::kernel::event::Recorded;
use crate::kernel::projection::{FedEvent, Projection};
use crate::registry::TypedEvent;

/// Keeps `magic_links`.
#[derive(Debug, Clone, Copy)]
pub struct MagicLinksProjection;

impl Projection for MagicLinksProjection {
    fn name(&self) -> &'static str {
        "magic_links"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["magic_links"]
    }

    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        db.execute_batch(
            "CREATE TABLE magic_links (
                 name       TEXT PRIMARY KEY,
                 created_at INTEGER NOT NULL,
                 created_by TEXT NOT NULL,
                 single_use INTEGER NOT NULL,
                 expires_at INTEGER,
                 uses       INTEGER NOT NULL DEFAULT 0,
                 used_at    INTEGER,
                 revoked_at INTEGER,
                 updated_at INTEGER NOT NULL,
                 version    INTEGER NOT NULL
             ) WITHOUT ROWID;
             CREATE INDEX magic_links_by_update ON magic_links (updated_at);",
        )
    }

    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        match typed(event) {
            Some(TypedEvent::MagicLink(link)) => changed(db, event, link),
            Some(TypedEvent::Archive(ArchiveEvent::Archived(archived))) => {
                let Some(names) = archived_keys(archived, "magic_link") else { return Ok(()) };
                db.prepare_cached("DELETE FROM magic_links WHERE name IN (SELECT value FROM json_each(?1))")?
                    .execute([names])?;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn changed(db: &Connection, event: &Recorded, link: &MagicLinkEvent) -> rusqlite::Result<()> {
    let (name, at, version) = (event.stream.key(), at(event), integer(event.version));
    match link {
        MagicLinkEvent::Created(created) => db
            .prepare_cached(
                "INSERT INTO magic_links (name, created_at, created_by, single_use, expires_at, updated_at, version)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?2, ?6) ON CONFLICT DO NOTHING",
            )?
            .execute((
                name,
                at,
                &created.by,
                created.single_use,
                created.expires_at.map(millis),
                version,
            ))?,
        MagicLinkEvent::Consumed(_) => db
            .prepare_cached(
                "UPDATE magic_links SET uses = uses + 1, used_at = ?2, updated_at = ?2, version = ?3
                 WHERE name = ?1",
            )?
            .execute((name, at, version))?,
        // The stream of one whose beginning is not known may begin with its end.
        MagicLinkEvent::Revoked(_) => db
            .prepare_cached(
                "INSERT INTO magic_links (name, created_at, created_by, single_use, revoked_at, updated_at, version)
                 VALUES (?1, ?2, '', 1, ?2, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET revoked_at = ?2, updated_at = ?2, version = ?3",
            )?
            .execute((name, at, version))?,
    };
    Ok(())
}
