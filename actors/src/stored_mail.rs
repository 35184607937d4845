//! What the journal still knows of a mail: its content, and what was decided when it came.

use chrono::{DateTime, Utc};

use crate::kernel::event::{DomainEvent as _, EventError};
use crate::kernel::journal::{Journal, JournalError};
use crate::mail::compare::{RecordedDecision, recorded};
use crate::mail::heading::{Heading, heading_key};
use crate::mail::life::{MailEvent, MailReceived, mail_stream};
use crate::mail::outbox_rows::{delivery_body_key, draft_body_key, stranger_key};
use crate::mail::{IgnoreReason, Mail, reread};

/// A mail of the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalMail {
    /// When it was decided on first.
    pub at: DateTime<Utc>,
    /// What was decided then.
    pub recorded: Option<RecordedDecision>,
    /// It, or why there is nothing to read.
    pub content: Result<Mail, ContentGone>,
}

/// Why the content of a mail cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContentGone {
    /// Its sender was not in the list.
    #[error(
        "its sender is not in the list, and its content is no longer kept (MAIL_RETENTION_DAYS, or newer ones needed the room)"
    )]
    Stranger,
    /// It was larger than the limit.
    #[error("a mail that is too large is not loaded")]
    TooLarge,
    /// It was none.
    #[error("it is in quarantine: no rule applies to what cannot be read")]
    Unreadable,
    /// Its time is over.
    #[error("its content is no longer kept (MAIL_RETENTION_DAYS)")]
    Expired,
    /// It was settled long ago.
    #[error("it was archived (JOURNAL_RETENTION_DAYS)")]
    Archived,
    /// Only its webhook is kept, and what it takes to read it again was not recorded.
    #[error("it was routed by an earlier version, which kept nothing but its webhooks")]
    Unrecorded,
    /// Only its webhooks are kept, and none has the whole text.
    #[error("its receivers are given a part of the text only (webhook_body), and nothing else of it is kept")]
    Reduced,
}

/// Why the journal did not tell.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] JournalError),
    /// An event could not be read.
    #[error(transparent)]
    Event(#[from] EventError),
}

/// What the journal knows of the mail whose stream is called `key`; `None` = nothing at all.
///
/// # Errors
/// See [`KeptError`].
pub async fn known(journal: &dyn Journal, key: &str) -> Result<Option<JournalMail>, KeptError> {
    let stream = journal.read_stream(&mail_stream(key), 0).await?;
    let Some(at) = stream.first().map(|event| event.at) else { return Ok(None) };
    let events: Vec<MailEvent> =
        stream.iter().map(MailEvent::from_recorded).collect::<Result<_, EventError>>()?;
    let content = content(journal, key, &events).await?;
    Ok(Some(JournalMail { at, recorded: recorded(&events), content }))
}

/// Who sent the mail whose stream is called `key`, and what it is called; `None` = that is erased
/// (`MAIL_RETENTION_DAYS`), or there is no such mail. While the mail waits, its content knows it;
/// events of earlier versions name it until they are archived.
///
/// # Errors
/// See [`KeptError`].
pub async fn heading(journal: &dyn Journal, key: &str) -> Result<Option<Heading>, KeptError> {
    let kept = journal.body(&heading_key(key)).await?;
    if let Some(heading) = kept.and_then(|bytes| Heading::read(&bytes)) {
        return Ok(Some(heading));
    }
    let stream = journal.read_stream(&mail_stream(key), 0).await?;
    let events: Vec<MailEvent> =
        stream.iter().map(MailEvent::from_recorded).collect::<Result<_, EventError>>()?;
    if let Some(MailEvent::Received(MailReceived { sender, subject, .. })) = events.first()
        && !(sender.is_empty() && subject.is_empty())
    {
        return Ok(Some(Heading { sender: sender.clone(), subject: subject.clone() }));
    }
    Ok(content(journal, key, &events).await?.ok().map(|mail| Heading::of(&mail)))
}

async fn content(
    journal: &dyn Journal,
    key: &str,
    events: &[MailEvent],
) -> Result<Result<Mail, ContentGone>, JournalError> {
    let Some(MailEvent::Received(received)) = events.first() else {
        // The events before were archived, or there never was a mail to receive.
        let unreadable = matches!(events.first(), Some(MailEvent::Quarantined(_)));
        return Ok(Err(if unreadable { ContentGone::Unreadable } else { ContentGone::Archived }));
    };
    for body in [draft_body_key(key), stranger_key(key)] {
        let draft = journal.body(&body).await?;
        if let Some(mail) = draft.and_then(|draft| reread::from_draft(&draft).ok()) {
            return Ok(Ok(mail));
        }
    }
    for event in events {
        match event {
            MailEvent::Routed(routed) => {
                let Some(shape) = routed.text else {
                    return Ok(Err(if routed.offload {
                        ContentGone::Expired
                    } else {
                        ContentGone::Unrecorded
                    }));
                };
                for delivery in routed.deliveries.iter().filter(|delivery| delivery.share.is_all()) {
                    if let Some(mail) = from_webhook(journal, key, &delivery.target, shape, received).await? {
                        return Ok(Ok(mail));
                    }
                }
                if !routed.deliveries.iter().any(|delivery| delivery.share.is_all()) {
                    return Ok(Err(ContentGone::Reduced));
                }
            }
            MailEvent::Ignored(ignored) if ignored.reason == IgnoreReason::SenderNotAllowed => {
                return Ok(Err(ContentGone::Stranger));
            }
            MailEvent::Ignored(ignored) if ignored.reason == IgnoreReason::TooLarge => {
                return Ok(Err(ContentGone::TooLarge));
            }
            _ => {}
        }
    }
    Ok(Err(ContentGone::Expired))
}

async fn from_webhook(
    journal: &dyn Journal,
    key: &str,
    target: &str,
    shape: crate::mail::life::TextShape,
    received: &MailReceived,
) -> Result<Option<Mail>, JournalError> {
    let body = journal.body(&delivery_body_key(key, target)).await?;
    Ok(body.and_then(|body| reread::from_webhook(&body, shape, received)))
}
