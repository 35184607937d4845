//! One mail: from its claimed row to the commit that makes its deliveries due.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::FutureExt;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use super::finish::{finish, refresh};
use super::normalize::FOLDER_LIMIT;
use super::outcome::{End, Obtained};
use super::patience::{PutOff, put_off};
use super::plan::{SourceLink, Unplanned, plan};
use super::single_flight::{Lead, Part, SingleFlight};
use super::{Copied, Job, NoCopy, R2Deps, reuse};
use crate::alone::{Alone, NotTried, returned};
use crate::kernel::event::DomainEvent;
use crate::kernel::heavy::Heavy;
use crate::kernel::journal::persist::persist;
use crate::kernel::journal::{AppendError, Claimed, Commit, Defer, Due, Expected, LIGHT, Queue, StreamWrite};
use crate::kernel::load::{Held, Load};
use crate::mail::life::{LinksDeferred, MailEvent, mail_stream};
use crate::mail::outbox_rows::{Draft, DraftMeta, deliver_rows, to_value};
use crate::mail::policy::Policy;
use crate::mail::providers::Providers;

/// Transfers under way at once, over all mails.
const TRANSFERS: usize = 64;
/// Longest wait for a free slot; after that a link is sent as it is.
const SLOT_WAIT: Duration = FOLDER_LIMIT;
/// A store that overruns its own limit by this much is given up on.
const OVERRUN: Duration = Duration::from_secs(5);
/// Time for everything else that a mail needs before its commit: heavy ones make theirs one after
/// the other.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(120);
/// When a mail is tried again that the journal could not tell about.
const RETRY_PAUSE: chrono::Duration = chrono::Duration::seconds(5);
/// Bytes of drafts that wait to be read, but for the last one. They are read one after the
/// other, some tens of megabytes a second, so a larger budget would bring nothing. Control
/// characters are written sixfold in JSON: the draft of a mail of two mebibytes has twelve.
const UNREAD: usize = 16 << 20;

/// How long a claim holds: longer than a mail can take before its commit.
pub(super) fn claim_lease(deps: &R2Deps) -> Duration {
    SLOT_WAIT + deps.store.longest() + OVERRUN + COMMIT_TIMEOUT
}

/// How a mail ended, as far as this actor is concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Links copied.
    pub(super) copied: u64,
    /// Links whose earlier copy was used again.
    pub(super) reused: u64,
    /// Links kept.
    pub(super) kept: u64,
    /// 1 when the row was put aside.
    pub(super) parked: u64,
    /// Until when the mail was put off, and what it waits for.
    pub(super) put_off: Option<(DateTime<Utc>, String)>,
}

/// What the mails under way have in common.
#[derive(Debug, Clone)]
pub(super) struct SharedTransfers {
    /// Transfers that may begin.
    pub(super) slots: Arc<Semaphore>,
    /// Links that are being copied.
    pub(super) flights: SingleFlight,
    /// Where drafts are read and bodies are made.
    pub(super) heavy: Heavy,
    /// Where mails are read that a worker may have died of.
    pub(super) alone: Alone,
    /// Drafts that wait to be read.
    pub(super) load: Load,
    /// A place for one mail whose draft is read again for its commit.
    pub(super) finishing: Arc<Semaphore>,
}

impl Default for SharedTransfers {
    fn default() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(TRANSFERS)),
            flights: SingleFlight::default(),
            heavy: Heavy::default(),
            alone: Alone::default(),
            load: Load::new(UNREAD, UNREAD),
            finishing: Arc::new(Semaphore::new(1)),
        }
    }
}

/// A claimed mail, read.
pub(super) struct Opened {
    pub(super) meta: DraftMeta,
    /// What is copied.
    sources: Vec<SourceLink>,
    /// `None` = it is heavy. A transfer may take hours, and 64 such drafts would fill a small
    /// machine; so it is read again for the commit. It lies in the journal as long as the row does.
    pub(super) read: Option<ReadDraft>,
    /// Bytes of the draft: what the work with it costs.
    pub(super) bytes: usize,
}

/// A draft, with what is made of each of its links.
pub(super) struct ReadDraft {
    pub(super) draft: Draft,
    pub(super) planned: Vec<Result<SourceLink, Unplanned>>,
}

impl ReadDraft {
    /// `most`: links of one mail that are copied.
    pub(super) fn of(body: &[u8], most: usize) -> Result<Self, String> {
        let draft: Draft = serde_json::from_slice(body).map_err(|error| format!("its draft: {error}"))?;
        let planned = plan(&draft.verdict.links, most);
        Ok(Self { draft, planned })
    }
}

/// Copies the links of one mail and commits the outcome. Answers when the row is no longer ours.
/// `held`: its draft, until that is read.
pub(super) async fn offload_mail(deps: R2Deps, shared: SharedTransfers, row: Claimed, held: Held) -> Tally {
    // Whatever is logged below, by whichever room, names the mail.
    let span = tracing::info_span!("offload", email_id = row.key);
    offload_within(deps, shared, row, held).instrument(span).await
}

async fn offload_within(deps: R2Deps, shared: SharedTransfers, mut row: Claimed, held: Held) -> Tally {
    let policy = deps.policy.load_full();
    let body = row.body.take();
    let opened = read_alone(&deps, &shared, &row, body, &policy).await;
    drop(held);
    let opened = match opened {
        Ok(opened) => opened,
        Err(Unopened::Never(why)) => return park(&deps, &row, &why).await,
        Err(Unopened::SetAside) => return Tally { parked: 1, ..Tally::default() },
        Err(Unopened::NotNow(why)) => {
            tracing::warn!(why, "a mail could not be opened, its offload is tried again");
            let due = Due::At(deps.world.now() + RETRY_PAUSE);
            give_back(&deps, row.key, row.claim, due, row.meta).await;
            return Tally::default();
        }
    };
    let (ends, leads) = copy_all(&deps, &shared, &policy, &opened).await;
    let (now, chance) = (deps.world.now(), deps.world.jitter.fraction());
    if let Some(later) = put_off(&ends, opened.meta.waiting, deps.patience, now, chance) {
        drop(leads);
        return wait(&deps, &row, opened.meta, later).await;
    }
    let tally = finish(&deps, &shared, &row, opened, policy, ends).await;
    // From now on the journal knows of the copies.
    drop(leads);
    tally
}

/// Why there is nothing to work on.
enum Unopened {
    /// It cannot be read.
    Never(String),
    /// Workers died of it.
    SetAside,
    /// The journal could not be asked.
    NotNow(String),
}

/// Reads the draft, and for once makes of it what will be made of it later: after that, nothing is
/// computed of the mail that has not been computed before.
async fn read_alone(
    deps: &R2Deps,
    shared: &SharedTransfers,
    row: &Claimed,
    body: Option<Bytes>,
    policy: &Arc<Policy>,
) -> Result<Opened, Unopened> {
    let meta = DraftMeta::deserialize(&row.meta);
    let meta = meta.map_err(|error| Unopened::Never(format!("its meta: {error}")))?;
    let body = body.ok_or_else(|| Unopened::Never("its draft is gone".to_owned()))?;
    let (bytes, most, now) = (body.len(), deps.links_per_mail, deps.world.now());
    let (policy, for_rows) = (Arc::clone(policy), meta.clone());
    let is_first = row.claims <= 1;
    let read = shared.heavy.run(bytes, move || {
        let read = ReadDraft::of(&body, most)?;
        drop(body);
        if !is_first {
            let Draft { mail, verdict } = &read.draft;
            drop(deliver_rows(mail, verdict, &verdict.links, &policy, &for_rows, Due::At(now), now));
        }
        let sources = read.planned.iter().filter_map(|planned| planned.as_ref().ok()).cloned().collect();
        tell_untried(&read.planned, &for_rows.email_id);
        Ok::<_, String>((sources, (bytes <= LIGHT).then_some(read)))
    });
    let read = shared.alone.read(deps.journal.as_ref(), &deps.world, (row, &meta), read).await;
    match read {
        Ok(Ok((sources, read))) => Ok(Opened { meta, sources, read, bytes }),
        Ok(Err(why)) => Err(Unopened::Never(why)),
        Err(NotTried::SetAside) => Err(Unopened::SetAside),
        Err(NotTried::Failed(why)) => Err(Unopened::NotNow(why)),
    }
}

/// All links that are planned to be copied, at once, each within its limits.
async fn copy_all(
    deps: &R2Deps,
    shared: &SharedTransfers,
    policy: &Policy,
    opened: &Opened,
) -> (Vec<End>, Vec<Lead>) {
    if policy.offload {
        copy_planned(deps, shared, &opened.sources, &opened.meta.email_id, &policy.providers).await
    } else {
        let off = |_| Err(NoCopy::lasting("the offload is switched off"));
        (opened.sources.iter().map(off).collect(), Vec::new())
    }
}

/// One line for any number of links.
fn tell_untried(planned: &[Result<SourceLink, Unplanned>], email_id: &str) {
    let kept = |wanted: fn(&Unplanned) -> bool| {
        planned.iter().filter(|planned| planned.as_ref().is_err_and(wanted)).count()
    };
    let too_long = kept(|why| matches!(why, Unplanned::TooLong));
    let too_many = kept(|why| matches!(why, Unplanned::TooMany(_)));
    if too_long + too_many > 0 {
        metrics::counter!("render_signal_r2_links_total", "outcome" => "kept")
            .increment((too_long + too_many) as u64);
        tracing::warn!(
            email_id,
            too_long,
            too_many,
            "links of a mail were not tried and are sent as they are (R2_MAX_LINKS_PER_MAIL)"
        );
    }
}

async fn copy_planned(
    deps: &R2Deps,
    shared: &SharedTransfers,
    sources: &[SourceLink],
    email_id: &str,
    providers: &Providers,
) -> (Vec<End>, Vec<Lead>) {
    // Before the look at earlier copies: what another mail has landed since is among them.
    let parts: Vec<Part> = sources.iter().map(|source| shared.flights.join(source, email_id)).collect();
    let known = reuse::known(deps, sources).await;
    let copies = sources.iter().zip(parts).zip(known).map(async |((source, part), known)| match part {
        Part::Lead(lead) => {
            let end = match known {
                Some(obtained) => use_again(source, obtained),
                None => {
                    let reach = providers.named(&source.provider).map(|provider| Arc::clone(&provider.reach));
                    let job = Job { source: source.clone(), email_id: email_id.to_owned(), reach };
                    copy_one(deps, &shared.slots, job).await.map(Obtained::from)
                }
            };
            lead.land(&end);
            (end, Some(lead))
        }
        Part::Follow(follow) => (followed(source, follow.landed(email_id).await), None),
    });
    let (ends, leads): (Vec<End>, Vec<Option<Lead>>) =
        futures::future::join_all(copies).await.into_iter().unzip();
    (ends, leads.into_iter().flatten().collect())
}

/// What another mail's copy of the link means for this one.
fn followed(source: &SourceLink, end: End) -> End {
    match end {
        Ok(obtained) => use_again(source, obtained),
        Err(failure) => {
            tell_failed(source, &failure);
            Err(failure)
        }
    }
}

fn use_again(source: &SourceLink, obtained: Obtained) -> End {
    metrics::counter!("render_signal_r2_links_total", "outcome" => "reused").increment(1);
    let reused_from = obtained.reused_from.as_deref();
    tracing::info!(provider = source.provider, reused_from, "a link's earlier copy is used again");
    Ok(obtained)
}

async fn copy_one(deps: &R2Deps, slots: &Semaphore, job: Job) -> Result<Copied, NoCopy> {
    let source = job.source.clone();
    let Ok(Ok(_slot)) = timeout(SLOT_WAIT, slots.acquire()).await else {
        return Err(NoCopy::lasting("too many transfers were under way"));
    };
    let started = Instant::now();
    let limit = deps.store.limit(&source) + OVERRUN;
    // A panic of the store fails this link only.
    let copying = AssertUnwindSafe(deps.store.offload(job)).catch_unwind();
    let end = match timeout(limit, copying).await {
        Ok(Ok(end)) => end,
        Ok(Err(_)) => Err(NoCopy::lasting("the transfer failed unexpectedly")),
        Err(_) => Err(NoCopy::lasting("the transfer did not end in time")),
    };
    let outcome = if end.is_ok() { "copied" } else { "kept" };
    // How long the store took for each link.
    metrics::histogram!("render_signal_r2_transfer_seconds", "outcome" => outcome)
        .record(started.elapsed().as_secs_f64());
    match &end {
        // Links that ended, by outcome: copied, kept, put_off, reused.
        Ok(_) => metrics::counter!("render_signal_r2_links_total", "outcome" => "copied").increment(1),
        Err(failure) => tell_failed(&source, failure),
    }
    end
}

/// A line, and a count, for a link that has no copy yet, or will have none.
fn tell_failed(source: &SourceLink, failure: &NoCopy) {
    let (provider, why) = (source.provider.as_str(), failure.why.as_str());
    let outcome = if failure.passing { "put_off" } else { "kept" };
    metrics::counter!("render_signal_r2_links_total", "outcome" => outcome).increment(1);
    if failure.passing {
        tracing::warn!(provider, why, "a link cannot be copied at the moment");
    } else {
        tracing::warn!(provider, why, "a link was not copied and is sent as it is");
    }
}

/// Gives the row back until the copies can be tried again. That it waits is a fact of the mail,
/// once; copies that were made are found again.
async fn wait(deps: &R2Deps, row: &Claimed, mut meta: DraftMeta, later: PutOff) -> Tally {
    let PutOff { due, waiting, at_the_latest, why, links } = later;
    let deferred =
        MailEvent::LinksDeferred(LinksDeferred { count: links, why: why.clone(), until: at_the_latest });
    let is_news = meta.waiting.is_none();
    let events = match is_news.then(|| deferred.to_new(deps.world.ids.next())).transpose() {
        Ok(news) => Vec::from_iter(news),
        Err(error) => return park(deps, row, &error.to_string()).await,
    };
    tracing::warn!(why, %due, %at_the_latest, "a mail waits for copies of its links");
    loop {
        let next = DraftMeta {
            mail_version: meta.mail_version + u64::from(is_news),
            waiting: Some(waiting),
            ..returned(&meta, row.claims)
        };
        let write = StreamWrite {
            stream: mail_stream(&meta.email_id),
            expected: Expected::Exact(meta.mail_version),
            events: events.clone(),
        };
        let given_back = Defer {
            queue: Queue::Offload,
            key: row.key.clone(),
            claim: Some(row.claim),
            due: Due::At(due),
            meta: Some(to_value(&next)),
            partition: None,
        };
        let writes = if is_news { vec![write] } else { Vec::new() };
        let commit = Commit { at: deps.world.now(), writes, defer: vec![given_back], ..Commit::default() };
        match persist(deps.journal.as_ref(), &deps.world, commit).await {
            Ok(_) => return Tally { put_off: Some((due, why)), ..Tally::default() },
            Err(AppendError::Conflict { .. }) => {
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

/// Puts a row aside that cannot be worked on: visible, and nothing is lost.
pub(super) async fn park(deps: &R2Deps, row: &Claimed, why: &str) -> Tally {
    if !give_back(deps, row.key.clone(), row.claim, Due::Parked, row.meta.clone()).await {
        tracing::warn!(why, "an offload was given up, its row is not ours any more");
        return Tally::default();
    }
    tracing::error!(
        email_id = row.key,
        why,
        "an offload could not be worked on and was put aside; its mail waits until the row is looked at"
    );
    // Mails put aside; each needs an operator.
    metrics::counter!("render_signal_r2_parked_total").increment(1);
    Tally { parked: 1, ..Tally::default() }
}

/// Ends our claim on a row without ending the row. False = it is not ours any more: another
/// worker has it, or the journal has lost it.
pub(super) async fn give_back(deps: &R2Deps, key: String, claim: uuid::Uuid, due: Due, meta: Value) -> bool {
    let row =
        Defer { queue: Queue::Offload, key, claim: Some(claim), due, meta: Some(meta), partition: None };
    let commit = Commit { at: deps.world.now(), defer: vec![row], ..Commit::default() };
    // The only errors that end the repetition say that the row is not ours any more.
    persist(deps.journal.as_ref(), &deps.world, commit).await.is_ok()
}
