//! Held mails: decided again when their time comes or the configuration changes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;
use tracing::Instrument as _;

use super::DedupDeps;
use super::admit::known_group;
use super::commit::{self, Cx};
use super::decision_pool::DecisionPool;
use super::sequencer::{Sequencer, SequencerTurn, order_of, wants_order};
use super::strangers::Strangers;
use crate::alone::{Alone, NotTried, heed, returned};
use crate::kernel::aggregate::rehydrate;
use crate::kernel::heavy::Heavy;
use crate::kernel::journal::persist::persist;
use crate::kernel::journal::{
    AppendError, BodyBudget, ClaimRequest, Claimed, Commit, Defer, Due, Queue, Settle,
};
use crate::kernel::load::Load;
use crate::mail::decide;
use crate::mail::groups::{self, KnownGroup};
use crate::mail::life::{Location, MailLife, mail_stream};
use crate::mail::outbox_rows::{Draft, DraftMeta, to_value};

/// How long a claim on a held mail lasts. Deciding takes no time; the rest is a slow disk, or
/// a hostile set of rules.
const LEASE: Duration = Duration::from_secs(120);
/// Decisions under way at once.
const MAX_UNDER_WAY: usize = 64;
/// Bytes of drafts under way at once, but for the last one. What is made of a draft is a few
/// times as large for a moment.
const DRAFTS: usize = 16 << 20;
/// More are claimed when so few are left.
const REFILL_BELOW: usize = MAX_UNDER_WAY / 2;
/// A lost hint costs at most this.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// When a mail is tried again that could not be decided because of the journal.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// When a mail is tried again whose decision panicked. The configuration may be another then.
const AFTER_PANIC: Duration = Duration::from_secs(60);

/// Makes every held mail due now, because the configuration changed. Answers whether they are.
async fn reconsider(deps: &DedupDeps) -> bool {
    let done = deps.journal.hasten(Queue::Hold, None, deps.world.now()).await;
    if let Err(error) = &done {
        tracing::warn!(%error, "held mails could not be made due after a change of configuration, trying again");
    }
    done.is_ok()
}

/// Makes a held mail due now if the configuration has changed since `under`, the version that
/// it was decided under: [`reconsider`] may have come before its row.
pub(super) async fn reconsider_one(
    deps: &DedupDeps,
    strangers: &Strangers,
    look: &Notify,
    key: &str,
    under: u64,
) {
    if deps.policy.load().version == under {
        return;
    }
    strangers.look_again();
    // Nobody else looks for it, and its own time may be a day away.
    while let Err(error) = deps.journal.hasten(Queue::Hold, Some(&[key.to_owned()]), deps.world.now()).await {
        tracing::warn!(%error, email_id = key, "a held mail could not be made due after a change of configuration, trying again");
        tokio::time::sleep(deps.world.jitter.spread(POLL_INTERVAL)).await;
    }
    look.notify_one();
}

/// Decides due mails again, for ever; when draining, ends those under way and stops.
pub(super) async fn watch(
    deps: DedupDeps,
    thinking: DecisionPool,
    strangers: Strangers,
    look: Arc<Notify>,
    mut draining: watch::Receiver<bool>,
) {
    // The configuration for which held mails were made due; that of an earlier run is not known.
    let mut considered = None;
    let mut under_way = FuturesUnordered::new();
    let mut timer = tokio::time::interval(POLL_INTERVAL);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut turns = Sequencer::default();
    let (heavy, alone, load) = (Heavy::default(), Alone::default(), Load::new(DRAFTS, DRAFTS));
    let mut due = true;
    while !*draining.borrow_and_update() {
        let version = deps.policy.load().version;
        if considered != Some(version) && reconsider(&deps).await {
            considered = Some(version);
            due = true;
        }
        due |= strangers.sweep(&deps).await | load.was_freed();
        if due && under_way.len() <= REFILL_BELOW {
            let room = MAX_UNDER_WAY - under_way.len();
            let claimed = claim(&deps, &load, room).await;
            due = claimed.len() == room;
            heed(&load, &claimed);
            for mut row in claimed {
                let body = row.body.take();
                // Nothing is claimed before all of them are under way.
                let held = load.hold("", body.as_ref().map_or(0, Bytes::len));
                let opened = open(&deps, &thinking, (&heavy, &alone), &row, body).await;
                let turn = turns.take(true, opened.as_ref().ok().and_then(|kept| order(&deps, kept)));
                let span = tracing::info_span!("decide", email_id = row.key);
                let deciding = decide_again(&deps, &thinking, &strangers, &look, row, opened, turn);
                under_way.push(deciding.instrument(span).map(move |()| drop(held)));
            }
        }
        tokio::select! {
            biased;
            changed = draining.changed() => if changed.is_err() { return },
            Some(()) = under_way.next() => {}
            () = look.notified() => due = true,
            _ = timer.tick() => due = true,
        }
    }
    while under_way.next().await.is_some() {}
}

async fn claim(deps: &DedupDeps, load: &Load, room: usize) -> Vec<Claimed> {
    let request = ClaimRequest {
        queue: Queue::Hold,
        now: deps.world.now(),
        lease: LEASE,
        limit: room,
        partition_default: room,
        per_partition: HashMap::new(),
        // The order of the claims is that of the commits, where a target wants one.
        bodies: BodyBudget { in_order: wants_order(&deps.policy.load()), ..load.allows_with_care() },
    };
    deps.journal.claim(request).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "held mails could not be claimed");
        Vec::new()
    })
}

/// Why a mail was not decided again.
enum Undecided {
    /// It never will be.
    Unreadable(String),
    /// It may be after this time.
    Failed(String, Duration),
    /// Two workers died of it; its row is parked already.
    SetAside,
}

impl From<String> for Undecided {
    fn from(why: String) -> Self {
        Self::Failed(why, RETRY_PAUSE)
    }
}

/// What was kept of a held mail. One that a worker may have died of is read alone, and decided
/// once for nothing: then nothing is computed of it later that has not been computed before.
async fn open(
    deps: &DedupDeps,
    thinking: &DecisionPool,
    (heavy, alone): (&Heavy, &Alone),
    row: &Claimed,
    body: Option<Bytes>,
) -> Result<(DraftMeta, Draft), Undecided> {
    let unreadable = |error: serde_json::Error| Undecided::Unreadable(error.to_string());
    let meta: DraftMeta = serde_json::from_value(row.meta.clone()).map_err(unreadable)?;
    let body = body.ok_or_else(|| Undecided::Unreadable("its kept facts are gone".to_owned()))?;
    let is_first = row.claims <= 1;
    let read = async {
        let bytes = body.len();
        let draft = heavy.run(bytes, move || Draft::read(&body)).await?;
        if !is_first {
            let (policy, now, mail) = (deps.policy.load_full(), deps.world.now(), draft.mail.clone());
            let (under, bytes) = (Arc::clone(&policy), mail.plain.len() + mail.html.len());
            // A panic comes again when it is decided in earnest.
            drop(thinking.run(&policy, bytes, move || decide::release(&mail, &under, now)).await);
        }
        Ok::<_, serde_json::Error>(draft)
    };
    match alone.read(deps.journal.as_ref(), &deps.world, (row, &meta), read).await {
        Ok(draft) => Ok((meta, draft.map_err(unreadable)?)),
        Err(NotTried::SetAside) => Err(Undecided::SetAside),
        Err(NotTried::Failed(why)) => Err(why.into()),
    }
}

/// The order that some target wants it to keep.
fn order(deps: &DedupDeps, (meta, draft): &(DraftMeta, Draft)) -> Option<String> {
    order_of(&deps.policy.load(), meta.locations.first()?, &draft.mail.sender)
}

async fn decide_again(
    deps: &DedupDeps,
    thinking: &DecisionPool,
    strangers: &Strangers,
    look: &Notify,
    row: Claimed,
    opened: Result<(DraftMeta, Draft), Undecided>,
    turn: SequencerTurn,
) {
    let done = match opened {
        Ok(kept) => try_decide(deps, thinking, strangers, look, &row, kept, turn).await,
        Err(undecided) => Err(undecided),
    };
    let due = match done {
        Ok(()) | Err(Undecided::SetAside) => return,
        Err(Undecided::Unreadable(why)) => {
            tracing::error!(why, "a held mail cannot be decided any more, it was put aside");
            Due::Parked
        }
        Err(Undecided::Failed(why, pause)) => {
            tracing::error!(why, "a held mail could not be decided again, it stays held");
            Due::At(deps.world.now() + chrono::Duration::from_std(pause).unwrap_or_default())
        }
    };
    give_back(deps, &row, due).await;
}

async fn try_decide(
    deps: &DedupDeps,
    thinking: &DecisionPool,
    strangers: &Strangers,
    look: &Notify,
    row: &Claimed,
    (meta, draft): (DraftMeta, Draft),
    mut turn: SequencerTurn,
) -> Result<(), Undecided> {
    let mut version = meta.mail_version;
    let mut locations = meta.locations.clone();
    let mut group = None;
    loop {
        let draft = draft.clone();
        let (under, commit) =
            redecide(deps, thinking, row, &meta, draft, (version, &locations), group.as_ref()).await?;
        turn.ready().await;
        match persist(deps.journal.as_ref(), &deps.world, commit).await {
            Ok(_) => {
                tracing::info!("a held mail was decided again");
                reconsider_one(deps, strangers, look, &meta.email_id, under).await;
                return Ok(());
            }
            Err(AppendError::ClaimLost { .. }) => return Ok(()),
            Err(AppendError::Conflict { stream, .. }) if stream.category() == groups::CATEGORY => {
                group = Some(known_group(deps.journal.as_ref(), stream).await?);
            }
            Err(AppendError::Conflict { .. }) => {
                (version, locations) = reload(deps, &meta.email_id).await?;
            }
            Err(error) => return Err(error.to_string().into()),
        }
    }
}

/// The commit that follows, and the version of the configuration it follows from.
async fn redecide(
    deps: &DedupDeps,
    thinking: &DecisionPool,
    row: &Claimed,
    meta: &DraftMeta,
    draft: Draft,
    (version, locations): (u64, &[Location]),
    group: Option<&KnownGroup>,
) -> Result<(u64, Commit), Undecided> {
    let key = meta.email_id.clone();
    let policy = deps.policy.load_full();
    let now = deps.world.now();
    let bytes = draft.mail.plain.len() + draft.mail.html.len();
    let (mail, under, name) = (draft.mail.clone(), Arc::clone(&policy), key.clone());
    let (released, group) = (meta.released, group.cloned());
    if released && let Some(why) = policy.withheld.why() {
        // Decided as a held mail it would lose that somebody has released it. Every held mail is
        // made due when the configuration changes.
        return Err(Undecided::Failed(format!("a document cannot be used: {why}"), AFTER_PANIC));
    }
    let deciding = thinking.run(&policy, bytes, move || {
        let (mail, policy, group) = (&mail, under.as_ref(), group.as_ref());
        if released {
            let verdict = decide::release(mail, policy, now);
            groups::claim_released(verdict, &name, &mail.subject, policy, now, group)
        } else {
            groups::claim(decide::decide(mail, policy, now), &name, &mail.subject, policy, now, group)
        }
    });
    let decided = deciding.await.map_err(|error| Undecided::Failed(error.to_string(), AFTER_PANIC))?;
    let cx = Cx { policy: &policy, now, ids: deps.world.ids.as_ref() };
    let settle = Settle { queue: Queue::Hold, key: row.key.clone(), claim: Some(row.claim) };
    commit::redecision(&key, version, draft, decided, locations, settle, cx)
        .map(|commit| (policy.version, commit))
        .map_err(|error| error.to_string().into())
}

async fn reload(deps: &DedupDeps, key: &str) -> Result<(u64, Vec<Location>), String> {
    let events = deps.journal.read_stream(&mail_stream(key), 0).await.map_err(|error| error.to_string())?;
    let life = rehydrate::<MailLife>(&events).map_err(|error| error.to_string())?;
    Ok((life.version, life.state.locations))
}

/// Ends our claim without a decision. Repeated until the journal has answered; the only other
/// answer is that the row is not ours any more.
async fn give_back(deps: &DedupDeps, row: &Claimed, due: Due) {
    let meta = serde_json::from_value(row.meta.clone()).ok();
    let meta = meta.map(|meta: DraftMeta| to_value(&returned(&meta, row.claims)));
    let row = Defer {
        queue: Queue::Hold,
        key: row.key.clone(),
        claim: Some(row.claim),
        due,
        meta,
        partition: None,
    };
    let commit = Commit { at: deps.world.now(), defer: vec![row], ..Commit::default() };
    drop(persist(deps.journal.as_ref(), &deps.world, commit).await);
}
