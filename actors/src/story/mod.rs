//! All that is known of one mail, in one answer: its arrival, each decision with the documents it was
//! made under, its links, its deliveries with every attempt and what the receiver said, its marks,
//! and who did what. The streams of the journal tell it; what is kept beside them is added as long
//! as it is kept.

mod delivery;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

pub use self::delivery::{DeliveryStep, DeliveryWhat, delivery_steps};
use crate::config::history::{DecidedUnder, versions_of};
use crate::kernel::aggregate::rehydrate;
use crate::kernel::event::{DomainEvent as _, EventError, Recorded};
use crate::kernel::journal::{Journal, JournalError, Queue};
use crate::kernel::projection::ViewError;
use crate::mail::life::{
    Location, MailEvent, MailHeld, MailIgnored, MailLife, MailRouted, MailSkipped, Stage, copy_id,
    mail_stream,
};
use crate::mail::outbox_rows;
use crate::mail::policy::Configuration;
use crate::readmodel::queries::{self, DeliveryRow, MailFilter, MailLink, MailRow, Neighbours};
use crate::stored_mail::{self, KeptError};

/// Marks that are due are looked through up to so many: more are there when a mailbox is away.
const DUE: usize = 10_000;

/// Why a story cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    /// The journal could not be read.
    #[error(transparent)]
    Read(#[from] JournalError),
    /// The read models could not be asked.
    #[error(transparent)]
    View(#[from] ViewError),
    /// An event could not be read.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The history of a document could not be read.
    #[error("the history of the documents cannot be read: {0}")]
    History(String),
}

impl From<KeptError> for StoryError {
    fn from(error: KeptError) -> Self {
        match error {
            KeptError::Read(error) => Self::Read(error),
            KeptError::Event(error) => Self::Event(error),
        }
    }
}

/// Something that happened to a mail.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// When.
    pub at: DateTime<Utc>,
    /// Kind of the event.
    pub event: String,
    /// As in the journal, in today's form.
    pub payload: Value,
    /// Of a decision: the documents that were in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_under: Option<Decided>,
    /// Position of the event.
    #[serde(skip)]
    pub position: u64,
    /// Who did it, when it was a person or a program of one's own.
    #[serde(skip)]
    pub by: Option<String>,
    /// It, to be put into words.
    #[serde(skip)]
    pub known: MailEvent,
}

/// What a decision was made under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Decided {
    /// It was made by a version that did not record it: `unknown`.
    Unknown(&'static str),
    /// These; none = the environment and the built-in defaults.
    Documents(Vec<DecidedUnder>),
}

/// One mail's whole story.
#[derive(Debug, Clone)]
pub struct Story {
    /// Where it stands.
    pub mail: MailRow,
    /// Clean address of who sent it; `None` = erased.
    pub sender: Option<String>,
    /// What it is called; `None` = erased.
    pub subject: Option<String>,
    /// The mails beside it.
    pub neighbours: Neighbours,
    /// What happened to it, oldest first.
    pub steps: Vec<Step>,
    /// What became of its links.
    pub links: Vec<MailLink>,
    /// Its deliveries.
    pub deliveries: Vec<DeliveryStory>,
    /// Where it lies, and whether it is marked as read there.
    pub marks: Vec<Mark>,
    /// Why its content cannot be read any more; `None` = it can be.
    pub content_gone: Option<String>,
}

/// A delivery with all that happened to it.
#[derive(Debug, Clone)]
pub struct DeliveryStory {
    /// Where it stands.
    pub row: DeliveryRow,
    /// What every attempt says that it is.
    pub webhook_id: String,
    /// Whether its bytes are still kept, so that it can go once more.
    pub body_kept: bool,
    /// What happened to it, oldest first.
    pub steps: Vec<DeliveryStep>,
}

/// A place where a mail lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// Mailbox and item.
    #[serde(flatten)]
    pub location: Location,
    /// Whether it is marked as read.
    pub state: MarkState,
    /// Of a further copy: what it can be released by.
    pub copy_id: Option<String>,
}

/// Whether a mail is marked as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkState {
    /// It is not to be marked, as it stands.
    Unwanted,
    /// It is to be marked.
    Due,
    /// It was marked.
    Marked,
}

/// The whole story of a mail; `None` = it is not known, or was archived.
///
/// # Errors
/// See [`StoryError`].
pub async fn story(journal: &dyn Journal, email_id: &str) -> Result<Option<Story>, StoryError> {
    let id = email_id.to_owned();
    let views = journal.views();
    let read = views.read(move |db| {
        let Some(story) = queries::mail_story(db, &id)? else { return Ok(None) };
        let neighbours = queries::neighbours(db, story.mail.position, &MailFilter::default())?;
        Ok(Some((story, neighbours, queries::links_of(db, &id)?)))
    });
    let Some((rows, neighbours, links)) = read.await? else { return Ok(None) };
    let events = journal.read_stream(&mail_stream(email_id), 0).await?;
    let life = rehydrate::<MailLife>(&events)?.state;
    let steps = tell(journal, events).await?;
    let heading = stored_mail::heading(journal, email_id).await?;
    let (sender, subject) = heading.map(|heading| (heading.sender, heading.subject)).unzip();
    let mut deliveries = Vec::with_capacity(rows.deliveries.len());
    for row in rows.deliveries {
        let steps = delivery_steps(journal, email_id, &row.target).await?;
        let body = journal.body(&outbox_rows::delivery_body_key(email_id, &row.target)).await?;
        deliveries.push(DeliveryStory {
            webhook_id: outbox_rows::webhook_id(email_id, &row.target),
            body_kept: body.is_some_and(|bytes| !bytes.is_empty()),
            steps,
            row,
        });
    }
    let content_gone = match stored_mail::known(journal, email_id).await? {
        Some(known) => known.content.err().map(|gone| gone.to_string()),
        None => Some(stored_mail::ContentGone::Archived.to_string()),
    };
    let marks = marks(journal, email_id, &life).await?;
    Ok(Some(Story {
        mail: rows.mail,
        sender,
        subject,
        neighbours,
        steps,
        links,
        deliveries,
        marks,
        content_gone,
    }))
}

/// What happened to a mail, oldest first; empty = it is not known.
///
/// # Errors
/// See [`StoryError`].
pub async fn steps(journal: &dyn Journal, email_id: &str) -> Result<Vec<Step>, StoryError> {
    tell(journal, journal.read_stream(&mail_stream(email_id), 0).await?).await
}

async fn tell(journal: &dyn Journal, events: Vec<Recorded>) -> Result<Vec<Step>, StoryError> {
    let mut steps = Vec::with_capacity(events.len());
    for recorded in events {
        let known = MailEvent::from_recorded(&recorded)?;
        let decided_under = match configuration(&known) {
            None => None,
            Some(None) => Some(Decided::Unknown("unknown")),
            Some(Some(configuration)) => {
                let found = versions_of(journal, configuration).await.map_err(StoryError::History)?;
                Some(Decided::Documents(found))
            }
        };
        let payload = known.to_new(recorded.id)?.payload;
        let by = known.by().map(str::to_owned);
        let (at, position, event) = (recorded.at, recorded.position, recorded.kind);
        steps.push(Step { at, event, payload, decided_under, position, by, known });
    }
    Ok(steps)
}

/// What a decision was made under; `None` = it is no decision of the program's.
const fn configuration(event: &MailEvent) -> Option<Option<&Configuration>> {
    match event {
        MailEvent::Ignored(MailIgnored { by: Some(_), .. }) => None,
        MailEvent::Ignored(MailIgnored { configuration, .. })
        | MailEvent::Skipped(MailSkipped { configuration, .. })
        | MailEvent::Held(MailHeld { configuration, .. })
        | MailEvent::Routed(MailRouted { configuration, .. }) => Some(configuration.as_ref()),
        _ => None,
    }
}

/// Where the mail lies. What is to be marked has a row until it is.
async fn marks(journal: &dyn Journal, email_id: &str, life: &MailLife) -> Result<Vec<Mark>, StoryError> {
    let wanted = life.to_be_marked();
    let due: HashSet<String> = match wanted {
        true => journal.outbox(Queue::Flag, DUE).await?.into_iter().map(|row| row.key).collect(),
        false => HashSet::new(),
    };
    // Its row may be behind those that were looked at.
    let untold = due.len() >= DUE;
    let mark = |(place, location): (usize, &Location)| {
        let key = outbox_rows::flag_key(location);
        let state = match (wanted, due.contains(&key)) {
            (false, _) => MarkState::Unwanted,
            (true, false) if !untold => MarkState::Marked,
            (true, _) => MarkState::Due,
        };
        let is_copy = place > 0 && life.stage != Stage::Unknown;
        let copy_id = is_copy.then(|| copy_id(email_id, location));
        Mark { location: location.clone(), state, copy_id }
    };
    Ok(life.locations.iter().enumerate().map(mark).collect())
}
