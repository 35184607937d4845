//! `actions`: who did what: one row per event that names who asked for it.

use rusqlite::Connection;
use serde_json::Value;

use super::{at, integer, payload, text};
use crate::archive::state::ArchiveEvent;
use crate::kernel::event::Recorded;
use crate::kernel::projection::Projection;

/// Origins of a changed document behind which nobody stands who asked for it.
const NOBODY: [&str; 6] = ["startup", "external", "recovered", "recovery", "reconciled", "access"];

/// Keeps `actions`.
#[derive(Debug, Clone, Copy)]
pub struct ActionsProjection;

impl Projection for ActionsProjection {
    fn name(&self) -> &'static str {
        "actions"
    }

    fn version(&self) -> u32 {
        2
    }

    fn tables(&self) -> &'static [&'static str] {
        &["actions"]
    }

    fn create(&self, db: &Connection) -> rusqlite::Result<()> {
        db.execute_batch(
            "CREATE TABLE actions (
                 position INTEGER PRIMARY KEY,
                 at       INTEGER NOT NULL,
                 actor    TEXT NOT NULL,
                 kind     TEXT NOT NULL,
                 stream   TEXT NOT NULL
             );
             CREATE INDEX actions_by_stream ON actions (stream);",
        )
    }

    fn apply(&self, db: &Connection, event: &Recorded) -> rusqlite::Result<()> {
        if event.kind == "journal.archived" {
            let payload = payload::<ArchiveEvent>(event);
            let Some(streams) = payload.as_ref().and_then(|payload| payload.get("streams")) else {
                return Ok(());
            };
            db.prepare_cached("DELETE FROM actions WHERE stream IN (SELECT value FROM json_each(?1))")?
                .execute([streams.to_string()])?;
            return Ok(());
        }
        let Some(actor) = actor(event) else { return Ok(()) };
        db.prepare_cached(
            "INSERT INTO actions (position, at, actor, kind, stream) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
        )?
        .execute((integer(event.position), at(event), actor, &event.kind, event.stream.as_str()))?;
        Ok(())
    }
}

/// Who asked for what happened; `None` = nobody, it came about by itself.
fn actor(event: &Recorded) -> Option<String> {
    let said = |field| text(&event.payload, field).filter(|said| !said.is_empty());
    match event.kind.as_str() {
        "session.opened" => said("user").map(|user| format!("session:{user}")),
        "config.changed" | "config.deferred" | "config.conflicted" => {
            said("origin").filter(|origin| !NOBODY.contains(origin)).map(str::to_owned)
        }
        "target.enabled" => said("why").filter(|why| *why != "new_address").map(str::to_owned),
        _ => event
            .payload
            .get("by")
            .and_then(Value::as_str)
            .filter(|by| !by.is_empty() && !NOBODY.contains(by))
            .map(str::to_owned),
    }
}
