//! One mail: from its claimed row to the commit that makes its deliveries due.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::flights::{Flights, Lead, Part};
use super::normalize::FOLDER_LIMIT;
use super::outcome::{End, Fate, Obtained, settle_links};
use super::patience::{PutOff, put_off};
use super::plan::{Source, Unplanned, plan};
use super::{Copied, Job, NoCopy, R2Deps, reuse};
use crate::alone::{Alone, NotTried, returned};
use crate::kernel::event::{DomainEvent, NewEvent};
use crate::kernel::heavy::Heavy;
use crate::kernel::journal::persist::persist;
use crate::kernel::journal::{
    AppendError, Body, Claimed, Commit, Defer, Due, Expected, OutboxAdd, Queue, Settle, StreamWrite,
};
use crate::mail::life::{LinksDeferred, MailEvent, mail_stream, rehydrate};
use crate::mail::providers::Providers;
use crate::mail::work::{Draft, DraftMeta, deliver_rows, no_draft, to_value};
use crate::mail::{Link, policy::Policy};

/// Longest wait for a free slot; after that a link is sent as it is.
const SLOT_WAIT: Duration = FOLDER_LIMIT;
/// A store that overruns its own limit by this much is given up on.
const OVERRUN: Duration = Duration::from_secs(5);
/// Time for everything else that a mail needs before its commit.
const COMMIT: Duration = Duration::from_secs(30);
/// When a mail is tried again that the journal could not tell about.
const AGAIN: chrono::Duration = chrono::Duration::seconds(5);
/// Pause between tries to read a stream.
const READ_PAUSE: Duration = Duration::from_millis(500);

/// How long a claim holds: longer than a mail can take before its commit.
pub(super) fn claim_lease(deps: &R2Deps) -> Duration {
    SLOT_WAIT + deps.store.longest() + OVERRUN + COMMIT
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
    /// What the mail waits for, when it was put off.
    pub(super) put_off: Option<String>,
}

/// What the mails under way have in common.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    /// Transfers that may begin.
    pub(super) slots: Arc<Semaphore>,
    /// Links that are being copied.
    pub(super) flights: Flights,
    /// Where drafts are read and bodies are made.
    pub(super) heavy: Heavy,
    /// Where mails are read that a worker may have died of.
    pub(super) alone: Alone,
}

/// A claimed mail, read.
struct Opened {
    meta: DraftMeta,
    draft: Draft,
    planned: Vec<Result<Source, Unplanned>>,
    /// Bytes of the draft: what the work with it costs.
    bytes: usize,
}

/// Copies the links of one mail and commits the outcome. Answers when the row is no longer ours.
pub(super) async fn offload_mail(deps: R2Deps, shared: Shared, row: Claimed) -> Tally {
    let policy = deps.policy.load_full();
    let opened = match read_alone(&deps, &shared, &row, &policy).await {
        Ok(opened) => opened,
        Err(Unopened::Never(why)) => return park(&deps, &row, &why).await,
        Err(Unopened::SetAside) => return Tally { parked: 1, ..Tally::default() },
        Err(Unopened::NotNow(why)) => {
            tracing::warn!(email_id = row.key, why, "a mail could not be opened, its offload is tried again");
            let due = Due::At(deps.world.now() + AGAIN);
            give_back(&deps, row.key, row.claim, due, row.meta).await;
            return Tally::default();
        }
    };
    let (fates, leads) = copy_all(&deps, &shared, &policy, &opened).await;
    let (now, chance) = (deps.world.now(), deps.world.jitter.fraction());
    if let Some(later) = put_off(&fates, opened.meta.waiting, deps.patience, now, chance) {
        drop(leads);
        return wait(&deps, &row, opened.meta, later).await;
    }
    let tally = finish(&deps, &shared.heavy, &row, opened, policy, fates).await;
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
    shared: &Shared,
    row: &Claimed,
    policy: &Arc<Policy>,
) -> Result<Opened, Unopened> {
    let meta = DraftMeta::deserialize(&row.meta);
    let meta = meta.map_err(|error| Unopened::Never(format!("its meta: {error}")))?;
    let body = row.body.clone().ok_or_else(|| Unopened::Never("its draft is gone".to_owned()))?;
    let (bytes, most, now) = (body.len(), deps.links_per_mail, deps.world.now());
    let (policy, for_rows) = (Arc::clone(policy), meta.clone());
    let is_first = row.claims <= 1;
    let read = shared.heavy.run(bytes, move || {
        let draft: Draft = serde_json::from_slice(&body).map_err(|error| format!("its draft: {error}"))?;
        let planned = plan(&draft.verdict.links, most);
        if !is_first {
            let Draft { mail, verdict } = &draft;
            drop(deliver_rows(mail, verdict, &verdict.links, &policy, &for_rows, Due::At(now), now));
        }
        Ok::<_, String>((draft, planned))
    });
    let read = shared.alone.read(deps.journal.as_ref(), &deps.world, (row, &meta), read).await;
    match read {
        Ok(Ok((draft, planned))) => Ok(Opened { meta, draft, planned, bytes }),
        Ok(Err(why)) => Err(Unopened::Never(why)),
        Err(NotTried::SetAside) => Err(Unopened::SetAside),
        Err(NotTried::Failed(why)) => Err(Unopened::NotNow(why)),
    }
}

/// All links that are planned to be copied, at once, each within its limits.
async fn copy_all(
    deps: &R2Deps,
    shared: &Shared,
    policy: &Policy,
    opened: &Opened,
) -> (Vec<Fate>, Vec<Lead>) {
    let email_id = opened.meta.email_id.as_str();
    let sources: Vec<Source> =
        opened.planned.iter().filter_map(|planned| planned.as_ref().ok()).cloned().collect();
    let (ends, leads) = if policy.offload {
        copy_planned(deps, shared, &sources, email_id, &policy.providers).await
    } else {
        let off = || Err(NoCopy::lasting("the offload is switched off"));
        (sources.iter().map(|_| off()).collect(), Vec::new())
    };
    tell_untried(&opened.planned, email_id);
    let mut ends = ends.into_iter();
    let fate = |planned: &Result<Source, Unplanned>| match planned {
        Ok(_) => Fate::Tried(ends.next().unwrap_or_else(|| Err(NoCopy::lasting("it was not tried")))),
        Err(why) => Fate::Untried(*why),
    };
    (opened.planned.iter().map(fate).collect(), leads)
}

/// One line for any number of links.
fn tell_untried(planned: &[Result<Source, Unplanned>], email_id: &str) {
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
    shared: &Shared,
    sources: &[Source],
    email_id: &str,
    providers: &Providers,
) -> (Vec<End>, Vec<Lead>) {
    // Before the look at earlier copies: what another mail has landed since is among them.
    let parts: Vec<Part> = sources.iter().map(|source| shared.flights.join(source, email_id)).collect();
    let known = reuse::known(deps, sources).await;
    let copies = sources.iter().zip(parts).zip(known).map(async |((source, part), known)| match part {
        Part::Lead(lead) => {
            let end = match known {
                Some(obtained) => use_again(source, email_id, obtained),
                None => {
                    let reach = providers.named(&source.provider).map(|provider| Arc::clone(&provider.reach));
                    let job = Job { source: source.clone(), email_id: email_id.to_owned(), reach };
                    copy_one(deps, &shared.slots, job).await.map(Obtained::from)
                }
            };
            lead.land(&end);
            (end, Some(lead))
        }
        Part::Follow(follow) => (followed(source, email_id, follow.landed(email_id).await), None),
    });
    let (ends, leads): (Vec<End>, Vec<Option<Lead>>) =
        futures::future::join_all(copies).await.into_iter().unzip();
    (ends, leads.into_iter().flatten().collect())
}

/// What another mail's copy of the link means for this one.
fn followed(source: &Source, email_id: &str, end: End) -> End {
    match end {
        Ok(obtained) => use_again(source, email_id, obtained),
        Err(failure) => {
            tell_failed(source, email_id, &failure);
            Err(failure)
        }
    }
}

fn use_again(source: &Source, email_id: &str, obtained: Obtained) -> End {
    metrics::counter!("render_signal_r2_links_total", "outcome" => "reused").increment(1);
    let reused_from = obtained.reused_from.as_deref();
    tracing::info!(email_id, provider = source.provider, reused_from, "a link's earlier copy is used again");
    Ok(obtained)
}

async fn copy_one(deps: &R2Deps, slots: &Semaphore, job: Job) -> Result<Copied, NoCopy> {
    let (source, email_id) = (job.source.clone(), job.email_id.clone());
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
        Err(failure) => tell_failed(&source, &email_id, failure),
    }
    end
}

/// A line, and a count, for a link that has no copy yet, or will have none.
fn tell_failed(source: &Source, email_id: &str, failure: &NoCopy) {
    let (provider, why) = (source.provider.as_str(), failure.why.as_str());
    let outcome = if failure.passing { "put_off" } else { "kept" };
    metrics::counter!("render_signal_r2_links_total", "outcome" => outcome).increment(1);
    if failure.passing {
        tracing::warn!(email_id, provider, why, "a link cannot be copied at the moment");
    } else {
        tracing::warn!(email_id, provider, why, "a link was not copied and is sent as it is");
    }
}

/// Gives the row back until the copies can be tried again. That it waits is a fact of the mail,
/// once; copies that were made are found again.
async fn wait(deps: &R2Deps, row: &Claimed, mut meta: DraftMeta, later: PutOff) -> Tally {
    let PutOff { due, waiting, at_the_latest, why, links } = later;
    let deferred = LinksDeferred { count: links, why: why.clone(), until: at_the_latest };
    let event = match MailEvent::LinksDeferred(deferred).to_new(deps.world.ids.next()) {
        Ok(event) => event,
        Err(error) => return park(deps, row, &error.to_string()).await,
    };
    let is_news = meta.waiting.is_none();
    tracing::warn!(email_id = meta.email_id, why, %due, %at_the_latest, "a mail waits for copies of its links");
    loop {
        let told = u64::from(is_news);
        let next = DraftMeta {
            mail_version: meta.mail_version + told,
            waiting: Some(waiting),
            ..returned(&meta, row.claims)
        };
        let write = StreamWrite {
            stream: mail_stream(&meta.email_id),
            expected: Expected::Exact(meta.mail_version),
            events: vec![event.clone()],
        };
        let row = Defer {
            queue: Queue::Offload,
            key: row.key.clone(),
            claim: Some(row.claim),
            due: Due::At(due),
            meta: Some(to_value(&next)),
            partition: None,
        };
        let writes = if is_news { vec![write] } else { Vec::new() };
        let commit = Commit { at: deps.world.now(), writes, defer: vec![row], ..Commit::default() };
        match persist(deps.journal.as_ref(), &deps.world, commit).await {
            Ok(_) => return Tally { put_off: Some(why), ..Tally::default() },
            Err(AppendError::Conflict { .. }) => {
                if let Err(error) = refresh(deps, &mut meta).await {
                    tracing::error!(email_id = meta.email_id, error, "a mail that waits for copies is lost");
                    return Tally::default();
                }
            }
            Err(error) => {
                tracing::warn!(email_id = meta.email_id, %error, "another worker has taken the offload over");
                return Tally::default();
            }
        }
    }
}

/// Commits the fates of the links, the deliveries and the end of the row, all or nothing.
async fn finish(
    deps: &R2Deps,
    heavy: &Heavy,
    row: &Claimed,
    opened: Opened,
    policy: Arc<Policy>,
    fates: Vec<Fate>,
) -> Tally {
    let tally = count(&fates);
    let Opened { mut meta, draft, bytes, .. } = opened;
    let (links, facts) = settle_links(&draft.verdict.links, fates);
    let events: Result<Vec<NewEvent>, _> =
        facts.iter().map(|fact: &MailEvent| fact.to_new(deps.world.ids.next())).collect();
    let events = match events {
        Ok(events) => events,
        Err(error) => return park(deps, row, &error.to_string()).await,
    };
    let routed = Arc::new(Routed { draft, links, policy });
    loop {
        let (now, routed, after) = (deps.world.now(), Arc::clone(&routed), after(&meta, events.len()));
        let (add, bodies) = heavy.run(bytes, move || routed.deliveries(&after, now)).await;
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
            Ok(_) => return tally,
            Err(AppendError::Conflict { .. }) => {
                // Somebody noted a further copy of the mail: its deliveries must know it.
                if let Err(why) = refresh(deps, &mut meta).await {
                    return park(deps, row, &why).await;
                }
            }
            Err(error) => {
                tracing::warn!(email_id = meta.email_id, %error, "another worker has taken the offload over");
                return Tally::default();
            }
        }
    }
}

fn count(fates: &[Fate]) -> Tally {
    let mut tally = Tally::default();
    for fate in fates {
        match fate {
            Fate::Tried(Ok(Obtained { reused_from: None, .. })) => tally.copied += 1,
            Fate::Tried(Ok(Obtained { reused_from: Some(_), .. })) => tally.reused += 1,
            Fate::Tried(Err(_)) | Fate::Untried(_) => tally.kept += 1,
        }
    }
    tally
}

/// What the deliveries are told: the mail as it is after so many more events.
fn after(meta: &DraftMeta, events: usize) -> DraftMeta {
    DraftMeta { mail_version: meta.mail_version + events as u64, ..meta.clone() }
}

/// A mail whose links have ended.
struct Routed {
    draft: Draft,
    links: Vec<Link>,
    policy: Arc<Policy>,
}

impl Routed {
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
async fn refresh(deps: &R2Deps, meta: &mut DraftMeta) -> Result<(), String> {
    let stream = mail_stream(&meta.email_id);
    let events = loop {
        match deps.journal.read_stream(&stream, 0).await {
            Ok(events) => break events,
            Err(error) => {
                tracing::warn!(email_id = meta.email_id, %error, "a mail's stream could not be read, trying again");
                tokio::time::sleep(deps.world.jitter.spread(READ_PAUSE)).await;
            }
        }
    };
    let (life, version) = rehydrate(&events).map_err(|error| error.to_string())?;
    if version == 0 {
        return Err("its stream does not exist".to_owned());
    }
    meta.mail_version = version;
    for location in life.locations {
        if !meta.locations.contains(&location) {
            meta.locations.push(location);
        }
    }
    Ok(())
}

/// Puts a row aside that cannot be worked on: visible, and nothing is lost.
async fn park(deps: &R2Deps, row: &Claimed, why: &str) -> Tally {
    if !give_back(deps, row.key.clone(), row.claim, Due::Parked, row.meta.clone()).await {
        tracing::warn!(email_id = row.key, why, "an offload was given up, its row is not ours any more");
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
