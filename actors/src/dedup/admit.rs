//! The pipeline of admission: parse and decide many mails at once, append in order.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use md5::{Digest as _, Md5};
use tokio::sync::{Notify, mpsc};

use super::commit::{self, Cx};
use super::heavy::Thinking;
use super::hold;
use super::turns::{Turns, order_of};
use super::{DedupDeps, Job};
use crate::kernel::event::{EventError, StreamId};
use crate::kernel::journal::{AppendError, Commit, Journal, Queue};
use crate::mail::groups::{self, KnownGroup, Standing};
use crate::mail::life::{Location, Received, mail_stream, rehydrate};
use crate::mail::policy::Policy;
use crate::mail::{IgnoreReason, Mail, Outcome, Verdict, decide, identity, parse};
use crate::messages::{Admit, AdmitError, Admitted, Source};

/// Mails parsed at the same time.
const PARSING: usize = 16;
/// How long a mail keeps those behind it waiting.
const PATIENCE: Duration = Duration::from_millis(250);
/// How often a mail is read that makes the parser panic.
const READINGS: usize = 2;
/// Appends under way at the same time; the journal merges them into group commits.
const APPENDING: usize = 256;
/// How often a duplicate is noted anew when its stream keeps moving.
const CONFLICTS: usize = 8;

/// A mail that has been read and decided, ready for the journal.
struct Prepared {
    key: String,
    location: Location,
    /// Empty when it has none, or could not be read.
    sender: String,
    commit: Result<Commit, EventError>,
    admit: Admit,
    /// Version of the configuration it was decided under.
    under: u64,
}

/// Runs until the queue is closed and empty.
pub(super) async fn pipeline(
    deps: DedupDeps,
    thinking: Thinking,
    look: Arc<Notify>,
    queue: mpsc::Receiver<Job>,
) {
    let jobs =
        futures::stream::unfold(queue, |mut queue| async move { queue.recv().await.map(|job| (job, queue)) });
    // `buffered` keeps the order of arrival: targets that ask for an order get it. Only a
    // mail that takes very long to read is overtaken, by those of other orders: it must not
    // stop all others.
    let prepared = jobs
        .map(|job| {
            let mut preparing = prepare(deps.clone(), thinking.clone(), job.admit.clone(), None).boxed();
            let deps = &deps;
            async move {
                let (prepared, late, sender) = match tokio::time::timeout(PATIENCE, &mut preparing).await {
                    Ok(prepared) => {
                        let sender = prepared.sender.clone();
                        (std::future::ready(prepared).boxed(), false, sender)
                    }
                    Err(_) => (preparing, true, sender_of(&job.admit.source).await),
                };
                let order = order_of(&deps.policy.load(), &job.admit.location, &sender);
                (prepared, late, order, job.answer)
            }
        })
        .buffered(PARSING);
    let mut prepared = std::pin::pin!(prepared.fuse());
    let mut turns = Turns::default();
    let mut appends = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(()) = appends.next(), if !appends.is_empty() => {}
            next = prepared.next(), if appends.len() < APPENDING => match next {
                Some((prepared, late, order, answer)) => {
                    let (deps, thinking, look) = (deps.clone(), thinking.clone(), Arc::clone(&look));
                    let mut turn = turns.take(late, order);
                    appends.push(async move {
                        let prepared = prepared.await;
                        turn.comes().await;
                        let result = append(&deps, &thinking, &look, prepared).await;
                        drop(turn);
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

/// The sender of a mail that is still being read, from its header alone. On another core: a
/// parser that panics costs this mail its place, not the pipeline its life.
async fn sender_of(source: &Source) -> String {
    let (header, size) = match source {
        Source::Full(raw) => (raw.clone(), raw.len() as u64),
        Source::HeaderOnly { header, size } => (header.clone(), *size),
    };
    let reading = tokio::spawn(async move { parse::parse_header_only(&header, size) });
    reading.await.ok().and_then(Result::ok).map(|mail| mail.sender).unwrap_or_default()
}

/// Reads and decides on another core. A parser that panics costs this mail its reading,
/// not the others theirs; but only when it does so twice: a fault that does not repeat is
/// not the mail's.
async fn prepare(deps: DedupDeps, thinking: Thinking, admit: Admit, group: Option<KnownGroup>) -> Prepared {
    let policy = deps.policy.load_full();
    let now = deps.world.now();
    for _ in 0..READINGS {
        let (for_task, under, copy) = (deps.clone(), Arc::clone(&policy), admit.clone());
        let group = group.clone();
        let bytes = match &admit.source {
            Source::Full(raw) => raw.len(),
            // Nothing is decided about its text.
            Source::HeaderOnly { .. } => 0,
        };
        let read = move || read(&for_task, &under, now, copy, group.as_ref());
        match thinking.about(&policy, bytes, read).await {
            Ok(prepared) => return prepared,
            Err(error) => tracing::error!(item = admit.location.item, %error, "reading a mail failed"),
        }
    }
    let cx = Cx { policy: &policy, now, ids: deps.world.ids.as_ref() };
    quarantined(admit, &parse::Unreadable::ParserFailed.to_string(), cx)
}

fn read(
    deps: &DedupDeps,
    policy: &Policy,
    now: DateTime<Utc>,
    admit: Admit,
    group: Option<&KnownGroup>,
) -> Prepared {
    let cx = Cx { policy, now, ids: deps.world.ids.as_ref() };
    match &admit.source {
        Source::Full(raw) => match parse::parse(raw) {
            Ok(mut mail) => {
                // The mailbox knows it better than the header, which anybody can write.
                mail.arrived = admit.arrived_at.or(mail.arrived);
                let verdict = decide::decide(&mail, policy, now);
                decided(admit, mail, verdict, group, cx)
            }
            Err(unreadable) => quarantined(admit, &unreadable.to_string(), cx),
        },
        Source::HeaderOnly { header, size } => match parse::parse_header_only(header, *size) {
            Ok(mail) => {
                let outcome = Outcome::Ignore { reason: IgnoreReason::TooLarge, detail: None };
                let verdict = Verdict { detection: None, links: Vec::new(), outcome };
                decided(admit, mail, verdict, group, cx)
            }
            Err(unreadable) => quarantined(admit, &unreadable.to_string(), cx),
        },
    }
}

fn decided(admit: Admit, mail: Mail, verdict: Verdict, group: Option<&KnownGroup>, cx: Cx<'_>) -> Prepared {
    let key = if cx.policy.disable_email_id_dedup {
        // Every copy is a mail of its own, so its place becomes part of its name.
        format!("{}.{}", mail.email_id, short_hash(&admit.location))
    } else {
        mail.email_id.clone()
    };
    let received: Received = commit::received(
        &mail,
        admit.location.clone(),
        admit.arrived_at,
        identity::subject_group(&mail.subject),
        &cx.policy.prefs.authentication,
    );
    let sender = mail.sender.clone();
    let decided = groups::claim(verdict, &key, &mail.subject, cx.policy, cx.now, group);
    let commit = commit::admission(&key, received, mail, decided, admit.fence.clone(), cx);
    Prepared { key, location: admit.location.clone(), sender, commit, admit, under: cx.policy.version }
}

fn quarantined(admit: Admit, why: &str, cx: Cx<'_>) -> Prepared {
    let source = match &admit.source {
        Source::Full(raw) => raw.clone(),
        Source::HeaderOnly { header, .. } => header.clone(),
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
    let location = admit.location.clone();
    Prepared { key, location, sender: String::new(), commit, admit, under: cx.policy.version }
}

async fn append(
    deps: &DedupDeps,
    thinking: &Thinking,
    look: &Notify,
    mut prepared: Prepared,
) -> Result<Admitted, AdmitError> {
    for _ in 0..CONFLICTS {
        let commit = prepared.commit.map_err(|error| AdmitError::Journal(error.to_string()))?;
        let held = commit.add.iter().any(|row| row.queue == Queue::Hold);
        match deps.journal.append(commit).await {
            Ok(appended) => {
                metrics::counter!("render_signal_mails_admitted_total").increment(1);
                if held {
                    hold::reconsider_one(deps, look, &prepared.key, prepared.under).await;
                }
                return Ok(Admitted { email_id: prepared.key, duplicate: appended.already_there });
            }
            // Somebody has its subject group: it is read again, which only such mails are.
            Err(AppendError::Conflict { stream, .. }) if stream.category() == groups::CATEGORY => {
                let known = known_group(deps.journal.as_ref(), stream).await.map_err(AdmitError::Journal)?;
                prepared = prepare(deps.clone(), thinking.clone(), prepared.admit, Some(known)).await;
            }
            Err(AppendError::Conflict { actual, .. }) => {
                return note_duplicate(deps, &prepared.key, prepared.location, &prepared.admit, actual).await;
            }
            Err(error) => return Err(refused(&error)),
        }
    }
    Err(AdmitError::Journal(format!("the subject group of mail {} keeps changing hands", prepared.key)))
}

/// Who has a group now, in words of its own when that cannot be read.
pub(super) async fn known_group(journal: &dyn Journal, stream: StreamId) -> Result<KnownGroup, String> {
    let events = journal.read_stream(&stream, 0).await.map_err(|error| error.to_string())?;
    let standing = Standing::of(&events).map_err(|error| error.to_string())?;
    Ok((stream, standing))
}

/// The journal knows this mail: note the new place, unless it is known, too.
async fn note_duplicate(
    deps: &DedupDeps,
    key: &str,
    location: Location,
    admit: &Admit,
    mut actual: u64,
) -> Result<Admitted, AdmitError> {
    let known = Admitted { email_id: key.to_owned(), duplicate: true };
    for _ in 0..CONFLICTS {
        let events = deps
            .journal
            .read_stream(&mail_stream(key), 0)
            .await
            .map_err(|error| AdmitError::Journal(error.to_string()))?;
        let (life, version) = rehydrate(&events).map_err(|error| AdmitError::Journal(error.to_string()))?;
        // What happened to an archived mail is not here any more, but its version is.
        let version = if events.is_empty() { actual } else { version };
        if life.locations.contains(&location) {
            return Ok(known);
        }
        let policy = deps.policy.load();
        let cx = Cx { policy: &policy, now: deps.world.now(), ids: deps.world.ids.as_ref() };
        let commit =
            commit::duplicate(key, version, location.clone(), life.to_be_marked(), admit.fence.clone(), cx)
                .map_err(|error| AdmitError::Journal(error.to_string()))?;
        match deps.journal.append(commit).await {
            Ok(_) => {
                metrics::counter!("render_signal_mails_duplicate_total").increment(1);
                return Ok(known);
            }
            Err(AppendError::Conflict { actual: now, .. }) => actual = now,
            Err(error) => return Err(refused(&error)),
        }
    }
    Err(AdmitError::Journal(format!("the stream of mail {key} keeps changing")))
}

fn refused(error: &AppendError) -> AdmitError {
    match error {
        AppendError::Fenced { .. } => AdmitError::Fenced(error.to_string()),
        other => AdmitError::Journal(other.to_string()),
    }
}

fn short_hash(location: &Location) -> String {
    let text = format!("{}\n{}\n{}", location.mailbox, location.validity, location.item);
    hex(&Md5::digest(text.as_bytes())).chars().take(8).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
