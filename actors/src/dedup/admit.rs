//! The pipeline of admission: parse and decide many mails at once, append in order.

mod read;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{Notify, mpsc};
use tracing::Instrument as _;

use self::read::{header_of, prepare};
use super::commit::{self, Cx};
use super::copies::{self, CopyLookup};
use super::decision_pool::DecisionPool;
use super::sequencer::{Sequencer, order_of};
use super::strangers::Strangers;
use super::{AdmissionJob, DedupDeps, hold};
use crate::kernel::event::{EventError, StreamId};
use crate::kernel::execute::ATTEMPTS;
use crate::kernel::heavy::Heavy;
use crate::kernel::journal::{AppendError, Commit, Journal, Queue};
use crate::mail::groups::{self, GroupOwner, KnownGroup};
use crate::mail::life::{MailReceived, mail_stream};
use crate::mail::{Mail, Verdict, content, identity};
use crate::messages::{AdmissionDecision, Admit, AdmitError, Admitted, Source};

/// Mails parsed at the same time.
const MAX_PARSING: usize = 16;
/// How long a mail keeps those behind it waiting.
const MAX_TURN_WAIT: Duration = Duration::from_millis(250);
/// How often a mail is read that makes the parser panic.
const READINGS: usize = 2;
/// Appends under way at the same time; the journal merges them into group commits.
const APPENDING: usize = 256;
/// Why a mail is in quarantine that was not read, for whoever reads the list.
const DEADLY: &str = "three workers ended while they read it for the first time, alone";
/// Characters of the hash of a place in the name of a mail where every copy is one.
const PLACE: usize = 8;

/// What the journal has said about a mail that it did not take at once.
#[derive(Debug, Clone, Default)]
struct Hindsight {
    /// Who has its subject group.
    group: Option<KnownGroup>,
    /// Its identity is that of a mail with other content.
    other: bool,
}

/// A mail of which the identity was the reference's when it was pushed first may be pushed again
/// with an id: it is still the same mail, if it says the same.
async fn pushed_before(deps: &DedupDeps, prepared: &DecidedMail) -> Result<Option<Admitted>, AdmitError> {
    let Source::Pushed(mail) = &prepared.admit.source else { return Ok(None) };
    let key = mail.reference_id();
    if mail.id.is_empty() || key == prepared.key {
        return Ok(None);
    }
    let is_known = deps.journal.read_stream(&mail_stream(&key), 0).await;
    let known = is_known.map_err(|error| AdmitError::Journal(error.to_string()))?;
    let Some(last) = known.last() else { return Ok(None) };
    let content = prepared.content.as_deref();
    match copies::compare(deps, (&key, content), &prepared.admit, last.version).await? {
        CopyLookup::Copy(admitted) => Ok(Some(admitted)),
        CopyLookup::Other => Ok(None),
    }
}

/// A mail that has been read and decided, ready for the journal.
struct DecidedMail {
    /// The name of its stream.
    key: String,
    /// Empty when it has none, or could not be read.
    sender: String,
    /// Hash of what decides about it; `None` = it could not be read.
    content: Option<String>,
    commit: Result<Commit, EventError>,
    /// What was decided.
    decision: AdmissionDecision,
    admit: Admit,
    /// Version of the configuration it was decided under.
    under: u64,
}

/// Runs until the queue is closed and empty.
pub(super) async fn pipeline(
    deps: DedupDeps,
    thinking: DecisionPool,
    strangers: Strangers,
    look: Arc<Notify>,
    queue: mpsc::Receiver<AdmissionJob>,
) {
    let jobs =
        futures::stream::unfold(queue, |mut queue| async move { queue.recv().await.map(|job| (job, queue)) });
    let headers = Heavy::default();
    // `buffered` keeps the order of arrival: targets that ask for an order get it. Only a
    // mail that takes very long to read is overtaken, by those of other orders: it must not
    // stop all others.
    let prepared = jobs
        .map(|job| {
            let mut preparing =
                prepare(deps.clone(), thinking.clone(), job.admit.clone(), Hindsight::default()).boxed();
            let (deps, headers) = (&deps, &headers);
            async move {
                let (prepared, late, (sender, key)) =
                    match tokio::time::timeout(MAX_TURN_WAIT, &mut preparing).await {
                        Ok(prepared) => {
                            let known = (prepared.sender.clone(), prepared.key.clone());
                            (std::future::ready(prepared).boxed(), false, known)
                        }
                        Err(_) => (preparing, true, header_of(&job.admit, headers).await),
                    };
                let order = order_of(&deps.policy.load(), &job.admit.location, &sender);
                (prepared, late, order, key, job.answer)
            }
        })
        .buffered(MAX_PARSING);
    let mut prepared = std::pin::pin!(prepared.fuse());
    let mut turns = Sequencer::default();
    // Of two mails of one identity, the first to arrive gets it, so that it gets it again when
    // they are read again after the journal was lost.
    let mut namesakes = Sequencer::default();
    let mut appends = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(()) = appends.next(), if !appends.is_empty() => {}
            next = prepared.next(), if appends.len() < APPENDING => match next {
                Some((prepared, late, order, key, answer)) => {
                    let (deps, thinking, look) = (deps.clone(), thinking.clone(), Arc::clone(&look));
                    let strangers = strangers.clone();
                    let mut turn = turns.take(late, order);
                    let mut namesake = namesakes.take(true, Some(key));
                    appends.push(async move {
                        let prepared = prepared.await;
                        turn.ready().await;
                        namesake.ready().await;
                        let span = tracing::info_span!("admit", email_id = prepared.key, decision = tracing::field::Empty);
                        let result = append(&deps, &thinking, &strangers, &look, prepared);
                        let result = result.instrument(span).await;
                        drop((turn, namesake));
                        // Nobody waits any more: the poller will see the mail again, or know it.
                        drop(answer.send(result));
                    });
                }
                None if appends.is_empty() => return,
                None => while appends.next().await.is_some() {},
            },
        }
    }
}

fn decided(
    admit: Admit,
    mut mail: Mail,
    verdict: Verdict,
    content: String,
    known: &Hindsight,
    cx: Cx<'_>,
) -> DecidedMail {
    let mut key = mail.email_id.clone();
    if cx.policy.disable_email_id_dedup {
        // Every copy is a mail of its own, so its place becomes part of its name.
        key = format!("{key}.{}", admit.location.digest(PLACE));
    }
    let mut other_content_of = None;
    if known.other {
        // Receivers go by the identity in the payload, so this is its own there, too.
        mail.email_id = content::other_id(&key, &content);
        other_content_of = Some(std::mem::replace(&mut key, mail.email_id.clone()));
    }
    let received = MailReceived {
        other_content_of,
        authentication: cx.policy.prefs.authentication.recorded(&mail),
        ..commit::received(&mail, admit.location.clone(), admit.arrived_at, content.clone())
    };
    let sender = mail.sender.clone();
    let decided = groups::claim(verdict, &key, &mail.subject, cx.policy, cx.now, known.group.as_ref());
    let decision = AdmissionDecision::of(&decided.0.outcome);
    let commit = commit::admission(&key, received, mail, decided, admit.fence.clone(), cx);
    DecidedMail { key, sender, content: Some(content), commit, decision, admit, under: cx.policy.version }
}

fn quarantined(admit: Admit, why: &str, cx: Cx<'_>) -> DecidedMail {
    let source = match &admit.source {
        Source::Full(raw) => raw.clone(),
        Source::HeaderOnly { header, .. } => header.clone(),
        Source::Pushed(mail) => Bytes::from(format!("From: {}\r\n\r\n{}", mail.sender, mail.body)),
    };
    let key = identity::source_id(&source);
    let commit = commit::quarantine(
        &key,
        admit.location.clone(),
        why.to_owned(),
        Bytes::clone(&source),
        admit.fence.clone(),
        cx,
    );
    let sender = String::new();
    let decision = AdmissionDecision::Quarantined;
    DecidedMail { key, sender, content: None, commit, decision, admit, under: cx.policy.version }
}

async fn append(
    deps: &DedupDeps,
    thinking: &DecisionPool,
    strangers: &Strangers,
    look: &Notify,
    mut prepared: DecidedMail,
) -> Result<Admitted, AdmitError> {
    if let Some(admitted) = pushed_before(deps, &prepared).await? {
        return Ok(admitted);
    }
    let mut known = Hindsight::default();
    for _ in 0..ATTEMPTS {
        let mut commit = prepared.commit.map_err(|error| AdmitError::Journal(error.to_string()))?;
        let held = commit.add.iter().any(|row| row.queue == Queue::Hold);
        let seat = strangers.seat(deps.journal.as_ref(), &mut commit).await;
        let answer = deps.journal.append(commit).await;
        if let Some(seat) = seat {
            strangers.seated(seat, answer.as_ref().err()).await;
        }
        match answer {
            Ok(appended) => {
                metrics::counter!("render_signal_mails_admitted_total").increment(1);
                if held {
                    hold::reconsider_one(deps, strangers, look, &prepared.key, prepared.under).await;
                }
                let (decision, reason) = (prepared.decision.stage(), prepared.decision.reason());
                tracing::info!(decision, reason, "a mail was taken in");
                if !appended.already_there {
                    // Of the admissions that were tried, the one that the trace of the mail goes on from.
                    tracing::Span::current().record("decision", decision);
                }
                let decision = (!appended.already_there).then_some(prepared.decision);
                return Ok(Admitted { email_id: prepared.key, duplicate: appended.already_there, decision });
            }
            // Somebody has its subject group: it is read again, which only such mails are.
            Err(AppendError::Conflict { stream, .. }) if stream.category() == groups::CATEGORY => {
                let group = known_group(deps.journal.as_ref(), stream).await.map_err(AdmitError::Journal)?;
                known.group = Some(group);
                prepared = prepare(deps.clone(), thinking.clone(), prepared.admit, known.clone()).await;
            }
            Err(AppendError::Conflict { actual, .. }) => {
                match copies::compare(
                    deps,
                    (&prepared.key, prepared.content.as_deref()),
                    &prepared.admit,
                    actual,
                )
                .await?
                {
                    CopyLookup::Copy(admitted) => return Ok(admitted),
                    CopyLookup::Other if known.other => {
                        let why =
                            format!("mail {} has the name of another one with other content", prepared.key);
                        return Err(AdmitError::Journal(why));
                    }
                    CopyLookup::Other => known.other = true,
                }
                prepared = prepare(deps.clone(), thinking.clone(), prepared.admit, known.clone()).await;
            }
            Err(error) => return Err(refused(&error)),
        }
    }
    Err(AdmitError::Journal(format!("the streams of mail {} keep changing", prepared.key)))
}

/// Who has a group now, in words of its own when that cannot be read.
pub(super) async fn known_group(journal: &dyn Journal, stream: StreamId) -> Result<KnownGroup, String> {
    let events = journal.read_stream(&stream, 0).await.map_err(|error| error.to_string())?;
    let standing = GroupOwner::of(&events).map_err(|error| error.to_string())?;
    Ok((stream, standing))
}

pub(super) fn refused(error: &AppendError) -> AdmitError {
    match error {
        AppendError::Fenced { .. } => AdmitError::Fenced(error.to_string()),
        other => AdmitError::Journal(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::read::beginning;
    use super::*;
    use crate::mail::{LONGEST_HEADER, parse};

    #[test]
    fn the_beginning_of_a_mail_says_who_sent_it_and_which_it_is() {
        let fields = "Message-ID: <a@x>\nFrom: Camille <c@b.fr>\nSubject: Lot 3\nDate: d\n";
        let text = "x ".repeat(LONGEST_HEADER);
        for raw in [
            format!("{fields}\n{text}"),
            format!("{fields}{}\n{text}", "X-A: b\n".repeat(LONGEST_HEADER / 4)),
            format!("{fields}X-A: {text}{text}\n\n{text}"),
            format!("{fields}\ncourt"),
        ] {
            let whole = parse::parse(raw.as_bytes()).expect("a mail");
            let header = beginning(&Bytes::from(raw));
            assert!(header.len() <= LONGEST_HEADER);
            let read = parse::parse_header_only(&header, whole.size).expect("a header");
            assert_eq!((read.sender, read.email_id), (whole.sender, whole.email_id));
        }
    }
}
