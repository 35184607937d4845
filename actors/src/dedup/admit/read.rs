//! A mail is read, on a thread that may take its time; what is too large or no mail is so decided.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::super::DedupDeps;
use super::super::commit::Cx;
use super::super::decision_pool::DecisionPool;
use super::{DEADLY, DecidedMail, Hindsight, READINGS, decided, quarantined};
use crate::kernel::heavy::Heavy;
use crate::mail::policy::Policy;
use crate::mail::{IgnoreReason, LONGEST_HEADER, Mail, Outcome, Verdict, content, decide, parse};
use crate::messages::{Admit, Source};

/// The sender and the identity of a mail that is still being read, from its header alone: of the
/// mail no more is looked at, since all of it is in memory in several forms already. On another
/// core: a parser that panics costs this mail its place, not the pipeline its life.
pub(super) async fn header_of(admit: &Admit, headers: &Heavy) -> (String, String) {
    if admit.deadly {
        return Default::default();
    }
    let (header, size) = match &admit.source {
        Source::Full(raw) => (beginning(raw), raw.len() as u64),
        Source::HeaderOnly { header, size } => (header.clone(), *size),
        Source::Pushed(mail) => return (mail.address(), mail.email_id()),
    };
    let headers = headers.clone();
    let reading = tokio::spawn(async move {
        headers.run(header.len(), move || parse::parse_header_only(&header, size)).await
    });
    let mail = reading.await.ok().and_then(Result::ok);
    mail.map(|mail| (mail.sender, mail.email_id)).unwrap_or_default()
}

/// What of a mail can be its header.
pub(super) fn beginning(raw: &Bytes) -> Bytes {
    raw.slice(..raw.len().min(LONGEST_HEADER))
}

/// Reads and decides on another core. A parser that panics costs this mail its reading,
/// not the others theirs; but only when it does so twice: a fault that does not repeat is
/// not the mail's.
pub(super) async fn prepare(
    deps: DedupDeps,
    thinking: DecisionPool,
    admit: Admit,
    known: Hindsight,
) -> DecidedMail {
    let policy = deps.policy.load_full();
    let now = deps.world.now();
    for _ in 0..READINGS {
        let (for_task, under, copy) = (deps.clone(), Arc::clone(&policy), admit.clone());
        let known = known.clone();
        let bytes = match &admit.source {
            Source::Full(raw) => raw.len(),
            Source::Pushed(mail) => mail.size(),
            // Nothing is decided about its text.
            Source::HeaderOnly { .. } => 0,
        };
        let read = move || read(&for_task, &under, now, copy, &known);
        match thinking.run(&policy, bytes, read).await {
            Ok(prepared) => return prepared,
            Err(error) => tracing::error!(item = admit.location.item, %error, "reading a mail failed"),
        }
    }
    let cx = Cx { policy: &policy, now, ids: deps.world.ids.as_ref() };
    quarantined(admit, &parse::Unreadable::ParserFailed.to_string(), cx)
}

pub(super) fn read(
    deps: &DedupDeps,
    policy: &Policy,
    now: DateTime<Utc>,
    admit: Admit,
    known: &Hindsight,
) -> DecidedMail {
    let cx = Cx { policy, now, ids: deps.world.ids.as_ref() };
    if admit.deadly {
        // A mail that workers died of before it was in the journal; it needs an operator.
        metrics::counter!("render_signal_mails_set_aside_total").increment(1);
        tracing::error!(item = admit.location.item, "a mail goes into quarantine unread: {DEADLY}");
        return quarantined(admit, DEADLY, cx);
    }
    match &admit.source {
        Source::Full(raw) => match parse::parse_for(raw, &policy.providers) {
            Ok(mut mail) => {
                // The mailbox knows it better than the header, which anybody can write.
                mail.arrived = admit.arrived_at.or(mail.arrived);
                let verdict = decide::decide(&mail, policy, now);
                let content = content::of(&mail);
                decided(admit, mail, verdict, content, known, cx)
            }
            Err(unreadable) => quarantined(admit, &unreadable.to_string(), cx),
        },
        Source::HeaderOnly { header, size } => match parse::parse_header_only(header, *size) {
            Ok(mail) => oversized(admit, mail, known, cx),
            Err(unreadable) => quarantined(admit, &unreadable.to_string(), cx),
        },
        Source::Pushed(pushed) if pushed.size() as u64 > policy.email_limit() => {
            let mail = pushed.read_header();
            oversized(admit, mail, known, cx)
        }
        Source::Pushed(pushed) => {
            let mail = pushed.read(&policy.providers);
            let verdict = decide::decide(&mail, policy, now);
            let content = content::of(&mail);
            decided(admit, mail, verdict, content, known, cx)
        }
    }
}

/// A mail that is too large: nothing is decided about its text.
fn oversized(admit: Admit, mail: Mail, known: &Hindsight, cx: Cx<'_>) -> DecidedMail {
    let detail = Some(too_large(mail.size, cx.policy));
    let outcome = Outcome::Ignore { reason: IgnoreReason::TooLarge, detail };
    let verdict = Verdict { detection: None, links: Vec::new(), outcome };
    let content = content::of_header(&mail);
    decided(admit, mail, verdict, content, known, cx)
}

/// How large, and what to change.
fn too_large(size: u64, policy: &Policy) -> String {
    let limit = policy.email_limit();
    format!("{size} bytes, the limit is {limit} (max_email_size_mb, MAX_EMAIL_SIZE_MB)")
}
