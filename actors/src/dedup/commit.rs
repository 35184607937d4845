//! The commits of admission: pure functions from a decision to one atomic change.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::kernel::clock::Ids;
use crate::kernel::event::{DomainEvent, EventError, NewEvent, StreamId};
use crate::kernel::journal::{Body, Commit, Due, Expected, Fence, OutboxAdd, Queue, Settle, StreamWrite};
use crate::mail::groups::Taking;
use crate::mail::heading::Heading;
use crate::mail::life::{
    Location, MailDuplicated, MailEvent, MailHeld, MailIgnored, MailQuarantined, MailReceived, MailRouted,
    MailSkipped, RoutedDelivery, mail_stream,
};
use crate::mail::outbox_rows::{self, Draft, DraftMeta};
use crate::mail::policy::Policy;
use crate::mail::{Detection, IgnoreReason, Mail, Outcome, Verdict, reread};

/// Quarantined sources outlive ordinary bodies: somebody has to look at them.
const QUARANTINE_DAYS: i64 = 365;
/// A held mail without a known end is decided again at least this often.
const RECHECK_HOURS: i64 = 24;

/// What decides about a mail besides itself.
#[derive(Clone, Copy)]
pub(super) struct Cx<'a> {
    pub policy: &'a Policy,
    pub now: DateTime<Utc>,
    pub ids: &'a dyn Ids,
}

/// Events, rows and bodies that follow from a decision.
#[derive(Default)]
struct Consequences {
    events: Vec<MailEvent>,
    add: Vec<OutboxAdd>,
    bodies: Vec<Body>,
}

/// What was decided, and the subject group that is taken with it.
pub(super) type GroupedDecision = (Verdict, Option<Taking>);

/// A mail seen for the first time. `key` names its stream (its e-mail id, as a rule).
pub(super) fn admission(
    key: &str,
    received: MailReceived,
    mail: Mail,
    (verdict, taking): GroupedDecision,
    fence: Option<Fence>,
    cx: Cx<'_>,
) -> Result<Commit, EventError> {
    let locations = vec![received.location.clone()];
    let mut events = vec![MailEvent::Received(received)];
    let consequences = consequences(key, 1, mail, verdict, &locations, None, cx);
    events.extend(consequences.events);
    Ok(Commit {
        at: cx.now,
        cause: fence.as_ref().map(Fence::grant),
        writes: writes(key, Expected::NoStream, &events, taking, cx.ids)?,
        add: consequences.add,
        bodies: consequences.bodies,
        fence,
        ..Commit::default()
    })
}

/// A held mail, decided again. `None` = it goes on waiting and there is nothing to say;
/// the row is only put back.
pub(super) fn redecision(
    key: &str,
    version: u64,
    draft: Draft,
    (verdict, taking): GroupedDecision,
    locations: &[Location],
    settle: Settle,
    cx: Cx<'_>,
) -> Result<Commit, EventError> {
    let before = draft.verdict.outcome.clone();
    let consequences = consequences(key, version, draft.mail, verdict, locations, Some(&before), cx);
    Ok(Commit {
        at: cx.now,
        writes: writes(key, Expected::Exact(version), &consequences.events, taking, cx.ids)?,
        add: consequences.add,
        bodies: consequences.bodies,
        settle: vec![settle],
        ..Commit::default()
    })
}

fn consequences(
    key: &str,
    version: u64,
    mail: Mail,
    verdict: Verdict,
    locations: &[Location],
    before: Option<&Outcome>,
    cx: Cx<'_>,
) -> Consequences {
    let keep_until = cx.now + chrono::Duration::from_std(cx.policy.retention).unwrap_or_default();
    let meta = |events: u64| DraftMeta {
        email_id: key.to_owned(),
        mail_version: version + events,
        locations: locations.to_vec(),
        released: false,
        returned: 0,
        told: false,
        stranger: None,
        waiting: None,
        cancelled: Vec::new(),
    };
    // A stranger's mail is kept within bounds, with all that it says.
    let is_strangers =
        matches!(&verdict.outcome, Outcome::Ignore { reason: IgnoreReason::SenderNotAllowed, .. });
    let heading = (!is_strangers).then(|| Heading::of(&mail).body(key, keep_until));
    let mut consequences = match verdict.outcome.clone() {
        Outcome::Ignore { reason: IgnoreReason::SenderNotAllowed, detail } => {
            let reason = IgnoreReason::SenderNotAllowed;
            let events = if before == Some(&verdict.outcome) {
                Vec::new()
            } else {
                vec![MailEvent::Ignored(MailIgnored {
                    reason,
                    detail,
                    configuration: Some(cx.policy.configuration.clone()),
                    by: None,
                })]
            };
            let meta = meta(events.len() as u64);
            let (row, body) = outbox_rows::stranger_row(&Draft { mail, verdict }, meta, (cx.now, keep_until));
            Consequences { events, add: vec![row], bodies: vec![body] }
        }
        Outcome::Ignore { reason, detail } => Consequences {
            events: vec![MailEvent::Ignored(MailIgnored {
                reason,
                detail,
                configuration: Some(cx.policy.configuration.clone()),
                by: None,
            })],
            add: if reason.marks_read() {
                outbox_rows::flag_rows(key, locations, cx.now)
            } else {
                Vec::new()
            },
            bodies: if reason.keeps_content() {
                vec![outbox_rows::draft_body(&Draft { mail, verdict }, key, keep_until)]
            } else {
                Vec::new()
            },
        },
        Outcome::Skip { reason, seen } => {
            let detector = verdict.detection.as_ref().map(|found| found.detector.clone()).unwrap_or_default();
            let skipped =
                MailSkipped { reason, detector, seen, configuration: Some(cx.policy.configuration.clone()) };
            Consequences {
                events: vec![MailEvent::Skipped(skipped)],
                add: if seen { outbox_rows::flag_rows(key, locations, cx.now) } else { Vec::new() },
                bodies: vec![outbox_rows::draft_body(&Draft { mail, verdict }, key, keep_until)],
            }
        }
        Outcome::Hold { reason, until } => {
            let unchanged = before == Some(&verdict.outcome);
            let events = if unchanged {
                Vec::new()
            } else {
                vec![MailEvent::Held(MailHeld {
                    reason,
                    until,
                    configuration: Some(cx.policy.configuration.clone()),
                })]
            };
            let due = until.unwrap_or(cx.now + chrono::Duration::hours(RECHECK_HOURS));
            let meta = meta(events.len() as u64);
            let draft = Draft { mail, verdict };
            let (row, body) = outbox_rows::draft_row(Queue::Hold, &draft, &meta, Due::At(due), keep_until);
            Consequences { events, add: vec![row], bodies: vec![body] }
        }
        Outcome::Deliver { deliveries } => {
            let offload = cx.policy.offload && !verdict.links.is_empty();
            let events = vec![MailEvent::Routed(MailRouted {
                detection: verdict.detection.clone().map(Detection::without_content),
                links: verdict.links.clone(),
                deliveries: deliveries
                    .iter()
                    .map(|planned| RoutedDelivery {
                        target: planned.target.clone(),
                        rule: planned.rule.clone(),
                        share: planned.share,
                    })
                    .collect(),
                offload,
                priority: cx.policy.prefs.priority_of(&mail.sender),
                text: Some(reread::shape(&mail)),
                configuration: Some(cx.policy.configuration.clone()),
            })];
            let meta = DraftMeta { told: true, ..meta(1) };
            if !offload {
                let due = Due::At(cx.now);
                let (add, mut bodies) =
                    outbox_rows::deliver_rows(&mail, &verdict, &verdict.links, cx.policy, &meta, due, cx.now);
                if before.is_some() {
                    // It was held: its webhooks tell all that its draft did.
                    bodies.push(outbox_rows::no_draft(key, cx.now));
                }
                return Consequences { events, add, bodies };
            }
            // Targets that keep an order get their place in it now, whenever the copy ends.
            let (mut add, mut bodies) = outbox_rows::deliver_rows(
                &mail,
                &verdict,
                &verdict.links,
                cx.policy,
                &meta,
                Due::Reserved,
                cx.now,
            );
            let draft = Draft { mail, verdict };
            let (row, body) =
                outbox_rows::draft_row(Queue::Offload, &draft, &meta, Due::At(cx.now), keep_until);
            add.push(row);
            bodies.push(body);
            Consequences { events, add, bodies }
        }
    };
    consequences.bodies.extend(heading);
    consequences
}

/// A further copy of a known mail. `mark` = its fate is settled, so the copy is marked too.
pub(super) fn duplicate(
    key: &str,
    version: u64,
    location: Location,
    mark: bool,
    fence: Option<Fence>,
    cx: Cx<'_>,
) -> Result<Commit, EventError> {
    let add =
        if mark { outbox_rows::flag_rows(key, std::slice::from_ref(&location), cx.now) } else { Vec::new() };
    let event = MailEvent::Duplicated(MailDuplicated { location });
    Ok(Commit {
        at: cx.now,
        cause: fence.as_ref().map(Fence::grant),
        writes: vec![write(mail_stream(key), Expected::Exact(version), &[event], cx.ids)?],
        add,
        fence,
        ..Commit::default()
    })
}

/// A message that cannot be read: its source is kept, and somebody can look at it.
pub(super) fn quarantine(
    key: &str,
    location: Location,
    why: String,
    source: bytes::Bytes,
    fence: Option<Fence>,
    cx: Cx<'_>,
) -> Result<Commit, EventError> {
    let body_key = outbox_rows::source_body_key(key);
    let event = MailEvent::Quarantined(MailQuarantined {
        email_id: key.to_owned(),
        location,
        why,
        size: source.len() as u64,
        body_key: body_key.clone(),
    });
    Ok(Commit {
        at: cx.now,
        cause: fence.as_ref().map(Fence::grant),
        writes: vec![write(mail_stream(key), Expected::NoStream, &[event], cx.ids)?],
        bodies: vec![Body {
            key: body_key,
            bytes: source,
            keep_until: cx.now + chrono::Duration::days(QUARANTINE_DAYS),
        }],
        fence,
        ..Commit::default()
    })
}

/// `mail.received` of a mail. Who sent it and what it is called is not in it: an event stays.
pub(super) fn received(
    mail: &Mail,
    location: Location,
    arrived_at: Option<DateTime<Utc>>,
    content: String,
) -> MailReceived {
    MailReceived {
        email_id: mail.email_id.clone(),
        location,
        sender: String::new(),
        subject: String::new(),
        size: mail.size,
        arrived_at,
        subject_group: String::new(),
        flaws: mail.flaws.clone(),
        content: Some(content),
        other_content_of: None,
        copy_of: None,
        authentication: None,
    }
}

/// What happened to the mail, and to its subject group.
fn writes(
    key: &str,
    expected: Expected,
    events: &[MailEvent],
    taking: Option<Taking>,
    ids: &dyn Ids,
) -> Result<Vec<StreamWrite>, EventError> {
    let mut writes = vec![write(mail_stream(key), expected, events, ids)?];
    if let Some(Taking { stream, expected, event }) = taking {
        writes.push(write(stream, expected, &[event], ids)?);
    }
    Ok(writes)
}

fn write<E: DomainEvent>(
    stream: StreamId,
    expected: Expected,
    events: &[E],
    ids: &dyn Ids,
) -> Result<StreamWrite, EventError> {
    let events = events
        .iter()
        .map(|event| event.to_new(next_id(ids)))
        .collect::<Result<Vec<NewEvent>, EventError>>()?;
    Ok(StreamWrite { stream, expected, events })
}

fn next_id(ids: &dyn Ids) -> Uuid {
    ids.next()
}
