//! `magic_links`: one row per sign-in link of which something is known.

use rusqlite::Connection;

use super::{archived_keys, at, instant, integer, payload, text};
use crate::access::state::MagicLinkEvent;
use crate::kernel::event::Recorded;
use crate::kernel::projection::Projection;

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

    fn apply(&self, db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
        let name = event.stream.key();
        match event.kind.as_str() {
            "magic_link.created" => {
                let Some(payload) = payload::<MagicLinkEvent>(event) else { return Ok(()) };
                let single_use = payload.get("single_use").and_then(serde_json::Value::as_bool);
                db.prepare_cached(
                    "INSERT INTO magic_links (name, created_at, created_by, single_use, expires_at, updated_at, version)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?2, ?6) ON CONFLICT DO NOTHING",
                )?
                .execute((
                    name,
                    at(event),
                    text(&payload, "by").unwrap_or_default(),
                    single_use.unwrap_or(true),
                    instant(&payload, "expires_at"),
                    integer(event.version),
                ))?;
            }
            "magic_link.consumed" => {
                db.prepare_cached(
                    "UPDATE magic_links SET uses = uses + 1, used_at = ?2, updated_at = ?2, version = ?3
                     WHERE name = ?1",
                )?
                .execute((name, at(event), integer(event.version)))?;
            }
            "magic_link.revoked" => {
                // The stream of one whose beginning is not known may begin with its end.
                db.prepare_cached(
                    "INSERT INTO magic_links (name, created_at, created_by, single_use, revoked_at, updated_at, version)
                     VALUES (?1, ?2, '', 1, ?2, ?2, ?3)
                     ON CONFLICT (name) DO UPDATE SET revoked_at = ?2, updated_at = ?2, version = ?3",
                )?
                .execute((name, at(event), integer(event.version)))?;
            }
            "journal.archived" => {
                let Some(names) = archived_keys(event, "magic_link") else { return Ok(()) };
                db.prepare_cached("DELETE FROM magic_links WHERE name IN (SELECT value FROM json_each(?1))")?
                    .execute([names])?;
            }
            _ => {}
        }
        Ok(())
    }
}
