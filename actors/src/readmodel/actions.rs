//! `actions`: who did what: one row per event that names who asked for it.

use std::borrow::Cow;

use rusqlite::Connection;

use super::{at, integer, list, typed};
use crate::access::state::{MagicLinkEvent, SessionEvent};
use crate::archive::state::ArchiveEvent;
use crate::config::events::ConfigEvent;
use crate::kernel::projection::{FedEvent, Projection};
use crate::make::state::ScenarioEvent;
use crate::poller::check::CheckEvent;
use crate::registry::TypedEvent;
use crate::webhook::events::{DeliveryEvent, TargetEvent};

/// Names behind which nobody stands who asked for it: origins of a changed document, why a target was
/// enabled by itself, and settings that switch scenarios.
const NOBODY: [&str; 8] =
    ["startup", "external", "recovered", "recovery", "reconciled", "access", "new_address", "settings"];

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

    fn apply(&self, db: &Connection, event: &FedEvent<'_>) -> rusqlite::Result<()> {
        let Some(typed) = typed(event) else { return Ok(()) };
        if let TypedEvent::Archive(ArchiveEvent::Archived(archived)) = typed {
            db.prepare_cached("DELETE FROM actions WHERE stream IN (SELECT value FROM json_each(?1))")?
                .execute([list(&archived.streams)])?;
            return Ok(());
        }
        let Some(actor) = actor(typed) else { return Ok(()) };
        db.prepare_cached(
            "INSERT INTO actions (position, at, actor, kind, stream) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
        )?
        .execute((integer(event.position), at(event), actor, &event.kind, event.stream.as_str()))?;
        Ok(())
    }
}

/// Who asked for what happened; `None` = nobody, it came about by itself.
fn actor(event: &TypedEvent) -> Option<Cow<'_, str>> {
    let by: &str = match event {
        TypedEvent::Session(SessionEvent::Opened(opened)) => {
            return (!opened.user.is_empty()).then(|| format!("session:{}", opened.user).into());
        }
        TypedEvent::Session(SessionEvent::Ended(ended)) => &ended.by,
        TypedEvent::MagicLink(MagicLinkEvent::Created(created)) => &created.by,
        TypedEvent::MagicLink(MagicLinkEvent::Revoked(revoked)) => &revoked.by,
        TypedEvent::Config(ConfigEvent::Changed(changed)) => &changed.origin,
        TypedEvent::Config(ConfigEvent::Deferred(deferred)) => &deferred.origin,
        TypedEvent::Config(ConfigEvent::Conflicted(conflicted)) => &conflicted.origin,
        TypedEvent::Config(ConfigEvent::Resolved(resolved)) => &resolved.by,
        TypedEvent::Config(ConfigEvent::Reconciled(_) | ConfigEvent::Absent(_)) => return None,
        TypedEvent::Scenario(ScenarioEvent::Requested(requested)) => &requested.by,
        TypedEvent::Scenario(
            ScenarioEvent::Followed(_) | ScenarioEvent::Confirmed(_) | ScenarioEvent::Refused(_),
        ) => return None,
        TypedEvent::Target(TargetEvent::Enabled(enabled)) => &enabled.why,
        TypedEvent::Check(CheckEvent::Requested(requested)) => &requested.by,
        TypedEvent::Delivery(DeliveryEvent::Requeued(requeued)) => &requeued.by,
        TypedEvent::Delivery(DeliveryEvent::Cancelled(cancelled)) => &cancelled.by,
        TypedEvent::Mail(mail) => mail.by()?,
        TypedEvent::Session(SessionEvent::Used(_))
        | TypedEvent::MagicLink(MagicLinkEvent::Consumed(_))
        | TypedEvent::Target(
            TargetEvent::Disabled(_) | TargetEvent::BreakerOpened(_) | TargetEvent::BreakerClosed(_),
        )
        | TypedEvent::Delivery(
            DeliveryEvent::Attempted(_)
            | DeliveryEvent::Succeeded(_)
            | DeliveryEvent::Deferred(_)
            | DeliveryEvent::DeadLettered(_),
        )
        | TypedEvent::Group(_)
        | TypedEvent::Rate(_)
        | TypedEvent::Mailbox(_)
        | TypedEvent::Lease(_)
        | TypedEvent::Worker(_)
        | TypedEvent::Archive(_) => return None,
    };
    (!by.is_empty() && !NOBODY.contains(&by)).then_some(Cow::Borrowed(by))
}
