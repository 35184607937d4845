//! What an operator can do about a mail that is held, was skipped, or was ignored, and about a
//! further copy of a mail: have it sent. Works beside a running server, in the same process or
//! in another one: the wish goes through the journal, and the next worker that looks after held
//! mails carries it out.

use chrono::TimeDelta;

use super::commit;
use crate::kernel::aggregate::{Loaded, rehydrate};
use crate::kernel::clock::World;
use crate::kernel::event::{DomainEvent as _, EventError, new_events};
use crate::kernel::execute::{Decision, Unwritten, execute};
use crate::kernel::journal::{
    AppendError, Body, Commit, Defer, Due, Expected, Journal, JournalError, Queue, Settle, StreamWrite,
};
use crate::mail::heading::Heading;
use crate::mail::life::{
    Location, MailEvent, MailLife, MailReceived, MailReleased, MailResumed, Stage, copied_from, copy_id,
    mail_stream,
};
use crate::mail::outbox_rows::{self, Draft, DraftMeta};
use crate::mail::{Outcome, Verdict, content};
use crate::stored_mail::{self, KeptError};

/// How long the content is kept at the least, from a release on. The worker that carries it
/// out keeps it for MAIL_RETENTION_DAYS.
const KEPT: TimeDelta = TimeDelta::days(1);

/// Why a mail was not released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// There is no such mail.
    #[error("there is no mail {0}; `mails list` shows those that can be released")]
    Unknown(String),
    /// Its webhooks are due or done.
    #[error("mail {0} was routed already; `deliveries list` shows how its webhooks are")]
    Routed(String),
    /// It cannot be read, so nothing can be said in a webhook.
    #[error("mail {0} is in quarantine: it cannot be read, so it cannot be sent")]
    Unreadable(String),
    /// Its content is not there.
    #[error(
        "the content of mail {0} is not kept: it was too large, MAIL_RETENTION_DAYS have passed, or its sender is not in the list and newer mails of such senders needed the room"
    )]
    ContentGone(String),
    /// The mail's stream never stood still.
    #[error("mail {0} keeps changing; try again")]
    Busy(String),
    /// The journal could not be read.
    #[error(transparent)]
    Read(#[from] JournalError),
    /// An event could not be read or written.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The journal did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl From<KeptError> for ReleaseError {
    fn from(error: KeptError) -> Self {
        match error {
            KeptError::Read(error) => Self::Read(error),
            KeptError::Event(error) => Self::Event(error),
        }
    }
}

/// Has the mail `email_id` routed now, whatever was decided about it. `by` says who asked,
/// such as `cli`. A running server takes it up within a second.
///
/// The id of a copy ([`copy_id`]) has the mail that it is a copy of sent as a mail of its own.
///
/// # Errors
/// See [`ReleaseError`]; then nothing has changed.
pub async fn release(
    journal: &dyn Journal,
    world: &World,
    email_id: &str,
    by: &str,
) -> Result<(), ReleaseError> {
    // Two operators at once, or a decision at the same time: the later one looks again.
    let decide = async || {
        let events = journal.read_stream(&mail_stream(email_id), 0).await?;
        let Loaded { state: life, version } = rehydrate::<MailLife>(&events)?;
        if let Some(queue) = &life.set_aside {
            return resumed(world, (email_id, version), queue, by).map(Decision::write);
        }
        match life.stage {
            Stage::Unknown => copy_released(journal, world, email_id, by).await,
            Stage::Routed => Err(ReleaseError::Routed(email_id.to_owned())),
            Stage::Quarantined => Err(ReleaseError::Unreadable(email_id.to_owned())),
            Stage::Received | Stage::Held | Stage::Ignored(_) | Stage::Skipped { .. } => {
                released(journal, world, (email_id, version), life.locations, by).await
            }
        }
        .map(Decision::write)
    };
    execute(
        journal,
        || Box::pin(decide()),
        |error| match error {
            Unwritten::Busy => ReleaseError::Busy(email_id.to_owned()),
            Unwritten::Append(error) => error.into(),
        },
    )
    .await
}

/// Has a mail routed, whatever was decided about it.
async fn released(
    journal: &dyn Journal,
    world: &World,
    (email_id, version): (&str, u64),
    locations: Vec<Location>,
    by: &str,
) -> Result<Commit, ReleaseError> {
    let now = world.now();
    let Some(moved) = content_of(journal, email_id, now + KEPT).await? else {
        return Err(ReleaseError::ContentGone(email_id.to_owned()));
    };
    let meta = released_meta(email_id.to_owned(), version + 1, locations);
    let released = MailEvent::Released(MailReleased { by: by.to_owned() }).to_new(world.ids.next())?;
    Ok(Commit {
        at: now,
        writes: vec![StreamWrite::after(version, mail_stream(email_id), vec![released])],
        add: vec![outbox_rows::kept_draft_row(Queue::Hold, &meta, Due::At(now))],
        settle: moved.settle,
        bodies: moved.bodies,
        ..Commit::default()
    })
}

/// What the row of a mail says that somebody wants sent.
const fn released_meta(email_id: String, mail_version: u64, locations: Vec<Location>) -> DraftMeta {
    DraftMeta {
        email_id,
        mail_version,
        locations,
        released: true,
        returned: 0,
        told: false,
        stranger: None,
        waiting: None,
        cancelled: Vec::new(),
    }
}

/// Has a mail that was set aside worked on again, where it stood.
fn resumed(
    world: &World,
    (email_id, version): (&str, u64),
    queue: &str,
    by: &str,
) -> Result<Commit, ReleaseError> {
    let Some(row) = Queue::ALL.into_iter().find(|known| known.as_str() == queue) else {
        return Err(ReleaseError::Unknown(email_id.to_owned()));
    };
    let now = world.now();
    let resumed = MailEvent::Resumed(MailResumed { queue: queue.to_owned(), by: by.to_owned() });
    let events = vec![resumed.to_new(world.ids.next())?];
    let due = Defer {
        queue: row,
        key: email_id.to_owned(),
        claim: None,
        due: Due::At(now),
        meta: None,
        partition: None,
    };
    Ok(Commit {
        at: now,
        writes: vec![StreamWrite::after(version, mail_stream(email_id), events)],
        defer: vec![due],
        ..Commit::default()
    })
}

/// What brings the content of a mail to where a held mail has it.
#[derive(Default)]
struct Moved {
    settle: Vec<Settle>,
    bodies: Vec<Body>,
}

/// `None` = there is none.
async fn content_of(
    journal: &dyn Journal,
    email_id: &str,
    keep_until: chrono::DateTime<chrono::Utc>,
) -> Result<Option<Moved>, JournalError> {
    let key = outbox_rows::draft_body_key(email_id);
    if journal.body(&key).await?.is_some_and(|bytes| !bytes.is_empty()) {
        return Ok(Some(Moved::default()));
    }
    let stranger = outbox_rows::stranger_key(email_id);
    let Some(bytes) = journal.body(&stranger).await?.filter(|bytes| !bytes.is_empty()) else {
        return Ok(None);
    };
    // Of a key of its own, for that of a stranger is emptied when others need the room.
    Ok(Some(Moved {
        settle: vec![Settle { queue: Queue::Hold, key: stranger, claim: None }],
        bodies: vec![Body { key, bytes, keep_until }],
    }))
}

/// Has a further copy of a mail sent, as a mail of its own: receivers take it for a new one.
async fn copy_released(
    journal: &dyn Journal,
    world: &World,
    id: &str,
    by: &str,
) -> Result<Commit, ReleaseError> {
    let unknown = || ReleaseError::Unknown(id.to_owned());
    let original = copied_from(id).ok_or_else(unknown)?;
    let life = rehydrate::<MailLife>(&journal.read_stream(&mail_stream(original), 0).await?)?.state;
    let location = life.locations.into_iter().skip(1).find(|location| copy_id(original, location) == id);
    let location = location.ok_or_else(unknown)?;
    let known = stored_mail::known(journal, original).await?.ok_or_else(unknown)?;
    let Ok(mut mail) = known.content else { return Err(ReleaseError::ContentGone(original.to_owned())) };
    id.clone_into(&mut mail.email_id);
    Ok(copy(world, mail, original, location, by)?)
}

fn copy(
    world: &World,
    mail: crate::mail::Mail,
    original: &str,
    location: Location,
    by: &str,
) -> Result<Commit, EventError> {
    let now = world.now();
    let id = mail.email_id.clone();
    let received = MailReceived {
        copy_of: Some(original.to_owned()),
        ..commit::received(&mail, location.clone(), None, content::of(&mail))
    };
    let events = [MailEvent::Received(received), MailEvent::Released(MailReleased { by: by.to_owned() })];
    let meta = released_meta(id.clone(), 2, vec![location]);
    // Where to is decided by the worker that carries it out.
    let outcome = Outcome::Deliver { deliveries: Vec::new() };
    let draft = Draft { mail, verdict: Verdict { detection: None, links: Vec::new(), outcome } };
    let heading = Heading::of(&draft.mail).body(&id, now + KEPT);
    let (row, body) = outbox_rows::draft_row(Queue::Hold, &draft, &meta, Due::At(now), now + KEPT);
    Ok(Commit {
        at: now,
        writes: vec![StreamWrite {
            stream: mail_stream(&id),
            expected: Expected::NoStream,
            events: new_events(&events, world.ids.as_ref())?,
        }],
        add: vec![row],
        bodies: vec![body, heading],
        ..Commit::default()
    })
}
