//! One mail: from its claimed row to the commit that makes its deliveries due.

mod copy;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize as _;
use serde_json::Value;
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use self::copy::{copy_all, tell_untried};
use super::R2Deps;
use super::finish::{finish, refresh};
use super::normalize::FOLDER_LIMIT;
use super::patience::{PutOff, put_off};
use super::plan::{SourceLink, Unplanned, plan};
use super::single_flight::SingleFlight;
use crate::alone::{Alone, NotTried, returned};
use crate::kernel::event::DomainEvent as _;
use crate::kernel::heavy::Heavy;
use crate::kernel::journal::persist::persist;
use crate::kernel::journal::{AppendError, Claimed, Commit, Defer, Due, Expected, LIGHT, Queue, StreamWrite};
use crate::kernel::load::{Held, Load};
use crate::mail::life::{LinksDeferred, MailEvent, mail_stream};
use crate::mail::outbox_rows::{Draft, DraftMeta, deliver_rows, to_value};
use crate::mail::policy::Policy;

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
