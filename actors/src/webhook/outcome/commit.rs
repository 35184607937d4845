//! The commit that stores an outcome. Pure.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::dead_letters::notice::{self, Notify};
use super::super::events::{DeliveryEvent, delivery_stream};
use super::{DeliveryOutcome, Resolution};
use crate::kernel::aggregate::{Evolve as _, Loaded};
use crate::kernel::event::{DomainEvent as _, EventError};
use crate::kernel::journal::{Body, Commit, Defer, Due, Queue, Settle, StreamWrite};
use crate::mail::life::{DeliveryEnd, MailEvent, MailLife, MailSettled, Stage, mail_stream};
use crate::mail::outbox_rows::{self, DeliverMeta};

/// What is known about the streams a commit writes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownStreams {
    /// Version of the delivery's stream; `None` = what the row says.
    pub delivery: Option<u64>,
    /// The mail; `None` = nothing but what the row says.
    pub mail: Option<Loaded<MailLife>>,
}

/// The one commit that stores `outcome` about the row `key`, held under `claim`. `notify` is
/// told when it is given up.
///
/// # Errors
/// When an event cannot be written as JSON.
pub fn commit(
    outcome: &DeliveryOutcome,
    known: &KnownStreams,
    key: &str,
    claim: Uuid,
    notify: Option<&Notify>,
    now: DateTime<Utc>,
    mut id: impl FnMut() -> Uuid,
) -> Result<Commit, EventError> {
    let meta = &outcome.meta;
    let version = known.delivery.unwrap_or(meta.delivery_version);
    let mut commit = Commit { at: now, ..Commit::default() };
    let mut facts = outcome.events.clone();
    // Nobody is told that nobody could be told.
    if let Some(notify) = notify.filter(|_| !meta.notice) {
        tell(&mut facts, version, notify, now, &mut commit);
    }
    let events = facts.iter().map(|event| event.to_new(id())).collect::<Result<Vec<_>, _>>()?;
    let new_version = version + u64::try_from(events.len()).unwrap_or_default();
    if !events.is_empty() {
        commit.writes.push(StreamWrite::after(
            version,
            delivery_stream(&meta.email_id, &meta.target),
            events,
        ));
    }
    if let (Some((answer, keep_until)), Some(DeliveryEvent::Attempted(_))) = (&outcome.answer, facts.first())
    {
        let key = outbox_rows::answer_body_key(&meta.email_id, &meta.target, version + 1);
        commit.bodies.push(Body { key, bytes: answer.clone().into(), keep_until: *keep_until });
    }
    let end = match outcome.resolution {
        Resolution::Deferred(until) => {
            commit.defer.push(row(meta, new_version, key, claim, Due::At(until)));
            return Ok(commit);
        }
        Resolution::DeadLettered => {
            commit.defer.push(row(meta, new_version, key, claim, Due::Parked));
            DeliveryEnd::DeadLettered
        }
        Resolution::Delivered => {
            commit.settle.push(Settle { queue: Queue::Deliver, key: key.to_owned(), claim: Some(claim) });
            DeliveryEnd::Delivered
        }
    };
    if meta.settles_mail() {
        settle_mail(meta, end, known.mail.as_ref(), &mut commit, id)?;
    }
    Ok(commit)
}

/// The row of a delivery that has not ended, or was given up.
fn row(meta: &DeliverMeta, delivery_version: u64, key: &str, claim: Uuid, due: Due) -> Defer {
    Defer {
        queue: Queue::Deliver,
        key: key.to_owned(),
        claim: Some(claim),
        due,
        meta: Some(outbox_rows::to_value(&DeliverMeta { delivery_version, ..meta.clone() })),
        partition: Some(outbox_rows::delivery_partition(&meta.target, meta.attempts > 0)),
    }
}

/// Notes in the mail's stream how its delivery has ended, and marks the mail when it was the last.
fn settle_mail(
    meta: &DeliverMeta,
    end: DeliveryEnd,
    mail: Option<&Loaded<MailLife>>,
    commit: &mut Commit,
    mut id: impl FnMut() -> Uuid,
) -> Result<(), EventError> {
    let stream = mail_stream(&meta.email_id);
    let settled = MailEvent::Settled(MailSettled { target: meta.target.clone(), end });
    let (version, locations) = match mail {
        // No other delivery of this mail can have ended at this version.
        None => (meta.mail_version, (meta.siblings <= 1).then_some(&meta.locations)),
        Some(Loaded { state: life, version }) if life.stage == Stage::Unknown => {
            // The journal does not know the mail (it has lost commits). If it is taken in again
            // meanwhile, this outcome settles it, and its places have to be marked.
            commit.writes.push(StreamWrite::after(*version, stream, Vec::new()));
            return Ok(());
        }
        Some(Loaded { state: life, version }) => (*version, ends(life, &settled).then_some(&life.locations)),
    };
    let noted = mail.is_some_and(|Loaded { state: life, .. }| {
        life.deliveries.iter().any(|(target, known)| *target == meta.target && *known == Some(end))
    });
    // Even without an event the version is checked: the places to mark depend on it.
    let events = if noted { Vec::new() } else { vec![settled.to_new(id())?] };
    commit.writes.push(StreamWrite::after(version, stream, events));
    if let Some(locations) = locations.filter(|_| end == DeliveryEnd::Delivered) {
        commit.add.extend(outbox_rows::flag_rows(&meta.email_id, locations, commit.at));
    }
    Ok(())
}

/// Adds what tells about a dead letter, and names it in the fact.
fn tell(facts: &mut [DeliveryEvent], version: u64, notify: &Notify, now: DateTime<Utc>, commit: &mut Commit) {
    let last = version + u64::try_from(facts.len()).unwrap_or_default();
    let Some(DeliveryEvent::DeadLettered(dead)) = facts.last_mut() else { return };
    let id = notice::notice_id(dead, last);
    let (row, body) = notice::notice(&id, dead, notify, now);
    dead.notice = Some(id);
    commit.add.push(row);
    commit.bodies.push(body);
}

fn ends(life: &MailLife, settled: &MailEvent) -> bool {
    let mut after = life.clone();
    after.evolve(settled);
    after.all_done()
}
