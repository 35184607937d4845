//! The end of a mail's offload: the commit that makes its deliveries due.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::outcome::{End, LinkFate, Obtained, settle_links};
use super::plan::{SourceLink, Unplanned};
use super::transfer::{Opened, ReadDraft, SharedTransfers, Tally, park};
use super::{NoCopy, R2Deps};
use crate::kernel::aggregate::{Loaded, rehydrate};
use crate::kernel::event::new_events;
use crate::kernel::journal::persist::persist;
use crate::kernel::journal::{
    AppendError, Body, Claimed, Commit, Due, Expected, OutboxAdd, Queue, Settle, StreamWrite,
};
use crate::mail::life::{MailLife, mail_stream};
use crate::mail::outbox_rows::{Draft, DraftMeta, deliver_rows, no_draft};
use crate::mail::{Link, policy::Policy};

/// Pause between tries to read the journal.
const READ_PAUSE: Duration = Duration::from_millis(500);

/// Commits the fates of the links, the deliveries and the end of the row, all or nothing. `ends`:
/// of the links that were to be copied, in their order.
pub(super) async fn finish(
    deps: &R2Deps,
    shared: &SharedTransfers,
    row: &Claimed,
    opened: Opened,
    policy: Arc<Policy>,
    ends: Vec<End>,
) -> Tally {
    let Opened { mut meta, read, bytes, .. } = opened;
    // Held until the commit: of the mails whose drafts are read again one is in memory at a time,
    // with what is made of it.
    let mut _place = None;
    let read = match read {
        Some(read) => read,
        None => {
            // Never closed.
            _place = shared.finishing.acquire().await.ok();
            match read_again(deps, shared, row, bytes).await {
                Ok(read) => read,
                Err(why) => return park(deps, row, &why).await,
            }
        }
    };
    let ReadDraft { draft, planned } = read;
    let fates = fates(planned, ends);
    let tally = count(&fates);
    let (links, facts) = settle_links(&draft.verdict.links, fates);
    let events = match new_events(&facts, deps.world.ids.as_ref()) {
        Ok(events) => events,
        Err(error) => return park(deps, row, &error.to_string()).await,
    };
    let routed = Arc::new(FinishedMail { draft, links, policy });
    loop {
        let (now, routed, after) = (deps.world.now(), Arc::clone(&routed), after(&meta, events.len()));
        let (add, bodies) = shared.heavy.run(bytes, move || routed.deliveries(&after, now)).await;
        let commit = Commit {
            at: now,
            writes: vec![StreamWrite {
                stream: mail_stream(&meta.email_id),
                expected: Expected::Exact(meta.mail_version),
                events: events.clone(),
            }],
            add,
            bodies,
            settle: vec![Settle { queue: Queue::Offload, key: row.key.clone(), claim: Some(row.claim) }],
            ..Commit::default()
        };
        match persist(deps.journal.as_ref(), &deps.world, commit).await {
            Ok(_) => {
                let Tally { copied, reused, kept, .. } = tally;
                tracing::info!(copied, reused, kept, "the links of a mail are settled");
                return tally;
            }
            Err(AppendError::Conflict { .. }) => {
                // Somebody noted a further copy of the mail, or cancelled a delivery: its deliveries
                // must know it.
                if let Err(why) = refresh(deps, &mut meta).await {
                    return park(deps, row, &why).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "another worker has taken the offload over");
                return Tally::default();
            }
        }
    }
}

/// The draft of a mail that was too heavy to be kept in memory while its links were copied.
async fn read_again(
    deps: &R2Deps,
    shared: &SharedTransfers,
    row: &Claimed,
    bytes: usize,
) -> Result<ReadDraft, String> {
    let key = row.body_key.as_deref().ok_or("its row names no draft")?;
    let body = loop {
        match deps.journal.body(key).await {
            Ok(body) => break body.ok_or("its draft is gone")?,
            Err(error) => {
                tracing::warn!(%error, "a draft could not be read again, trying again");
                tokio::time::sleep(deps.world.jitter.spread(READ_PAUSE)).await;
            }
        }
    };
    let most = deps.links_per_mail;
    shared.heavy.run(bytes, move || ReadDraft::of(&body, most)).await
}

/// What became of each link of the mail.
fn fates(planned: Vec<Result<SourceLink, Unplanned>>, ends: Vec<End>) -> Vec<LinkFate> {
    let mut ends = ends.into_iter();
    let fate = |planned| match planned {
        Ok(_) => LinkFate::Tried(ends.next().unwrap_or_else(|| Err(NoCopy::lasting("it was not tried")))),
        Err(why) => LinkFate::Untried(why),
    };
    planned.into_iter().map(fate).collect()
}

fn count(fates: &[LinkFate]) -> Tally {
    let mut tally = Tally::default();
    for fate in fates {
        match fate {
            LinkFate::Tried(Ok(Obtained { reused_from: None, .. })) => tally.copied += 1,
            LinkFate::Tried(Ok(Obtained { reused_from: Some(_), .. })) => tally.reused += 1,
            LinkFate::Tried(Err(_)) | LinkFate::Untried(_) => tally.kept += 1,
        }
    }
    tally
}

/// What the deliveries are told: the mail as it is after so many more events.
fn after(meta: &DraftMeta, events: usize) -> DraftMeta {
    DraftMeta { mail_version: meta.mail_version + events as u64, ..meta.clone() }
}

/// A mail whose links have ended.
struct FinishedMail {
    draft: Draft,
    links: Vec<Link>,
    policy: Arc<Policy>,
}

impl FinishedMail {
    fn deliveries(&self, meta: &DraftMeta, now: DateTime<Utc>) -> (Vec<OutboxAdd>, Vec<Body>) {
        let Draft { mail, verdict } = &self.draft;
        let (add, mut bodies) =
            deliver_rows(mail, verdict, &self.links, &self.policy, meta, Due::At(now), now);
        if meta.told && !bodies.is_empty() {
            bodies.push(no_draft(&meta.email_id, now));
        }
        (add, bodies)
    }
}

/// Brings version and locations up to what the stream says now.
pub(super) async fn refresh(deps: &R2Deps, meta: &mut DraftMeta) -> Result<(), String> {
    let stream = mail_stream(&meta.email_id);
    let events = loop {
        match deps.journal.read_stream(&stream, 0).await {
            Ok(events) => break events,
            Err(error) => {
                tracing::warn!(%error, "a mail's stream could not be read, trying again");
                tokio::time::sleep(deps.world.jitter.spread(READ_PAUSE)).await;
            }
        }
    };
    let Loaded { state: life, version } =
        rehydrate::<MailLife>(&events).map_err(|error| error.to_string())?;
    if version == 0 {
        return Err("its stream does not exist".to_owned());
    }
    meta.mail_version = version;
    meta.cancelled = life.cancelled().map(str::to_owned).collect();
    for location in life.locations {
        if !meta.locations.contains(&location) {
            meta.locations.push(location);
        }
    }
    Ok(())
}
