//! What an operator can do about a mail that is held, was skipped, or was ignored: have it
//! sent. Works beside a running server, in the same process or in another one: the wish goes
//! through the journal, and the next worker that looks after held mails carries it out.

use crate::kernel::clock::World;
use crate::kernel::event::{DomainEvent as _, EventError};
use crate::kernel::journal::{
    AppendError, Commit, Defer, Due, Expected, Journal, JournalError, Queue, StreamWrite,
};
use crate::mail::life::{MailEvent, Released, Resumed, Stage, mail_stream, rehydrate};
use crate::mail::work::{self, DraftMeta};

/// How often the wish is written anew when the mail's stream moves at the same time.
const CONFLICTS: usize = 8;

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
        "the content of mail {0} is not kept: it was too large, its sender is not in the list, or MAIL_RETENTION_DAYS have passed"
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

/// Has the mail `email_id` routed now, whatever was decided about it. `by` says who asked,
/// such as `cli`. A running server takes it up within a second.
///
/// # Errors
/// See [`ReleaseError`]; then nothing has changed.
pub async fn release(
    journal: &dyn Journal,
    world: &World,
    email_id: &str,
    by: &str,
) -> Result<(), ReleaseError> {
    let named = || email_id.to_owned();
    let stream = mail_stream(email_id);
    for _ in 0..CONFLICTS {
        let (life, version) = rehydrate(&journal.read_stream(&stream, 0).await?)?;
        if let Some(queue) = &life.set_aside {
            match resume(journal, world, (email_id, version), queue, by).await {
                Err(ReleaseError::Append(AppendError::Conflict { .. })) => continue,
                done => return done,
            }
        }
        match life.stage {
            Stage::Unknown => return Err(ReleaseError::Unknown(named())),
            Stage::Routed => return Err(ReleaseError::Routed(named())),
            Stage::Quarantined => return Err(ReleaseError::Unreadable(named())),
            Stage::Received | Stage::Held | Stage::Ignored(_) | Stage::Skipped { .. } => {}
        }
        if journal.body(&work::draft_body_key(email_id)).await?.is_none() {
            return Err(ReleaseError::ContentGone(named()));
        }
        let now = world.now();
        let meta = DraftMeta {
            email_id: named(),
            mail_version: version + 1,
            locations: life.locations,
            released: true,
            returned: 0,
        };
        let released = MailEvent::Released(Released { by: by.to_owned() });
        let commit = Commit {
            at: now,
            writes: vec![StreamWrite {
                stream: stream.clone(),
                // Two operators at once, or a decision at the same time: the later one looks again.
                expected: Expected::Exact(version),
                events: vec![released.to_new(world.ids.next())?],
            }],
            add: vec![work::kept_draft_row(Queue::Hold, &meta, Due::At(now))],
            ..Commit::default()
        };
        match journal.append(commit).await {
            Ok(_) => return Ok(()),
            Err(AppendError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ReleaseError::Busy(named()))
}

/// Has a mail that was set aside worked on again, where it stood.
async fn resume(
    journal: &dyn Journal,
    world: &World,
    (email_id, version): (&str, u64),
    queue: &str,
    by: &str,
) -> Result<(), ReleaseError> {
    let Some(row) = Queue::ALL.into_iter().find(|known| known.as_str() == queue) else {
        return Err(ReleaseError::Unknown(email_id.to_owned()));
    };
    let now = world.now();
    let resumed = MailEvent::Resumed(Resumed { queue: queue.to_owned(), by: by.to_owned() });
    let commit = Commit {
        at: now,
        writes: vec![StreamWrite {
            stream: mail_stream(email_id),
            expected: Expected::Exact(version),
            events: vec![resumed.to_new(world.ids.next())?],
        }],
        defer: vec![Defer {
            queue: row,
            key: email_id.to_owned(),
            claim: None,
            due: Due::At(now),
            meta: None,
        }],
        ..Commit::default()
    };
    journal.append(commit).await?;
    Ok(())
}
