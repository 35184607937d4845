//! The workers: who is alive, who polls, who lags behind.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::checks::{self, CheckRow};
use super::words::Words;
use crate::http::pages::clock::PageClock;
use crate::http::pages::names;
use crate::http::pages::parts::{Badge, Mood, UntrustedText, When};
use crate::http::pages::visit::PageVisit;
use crate::http::v1::operations::parts::{LeaseView, WorkerView, granted, known_and_alive};
use crate::services::board::{MailboxReport, WorkerReport};

/// Ended workers that are listed.
const MAX_ENDED: usize = 20;

/// The part of the page that changes by itself.
pub(super) struct WorkersPart {
    /// Those that are alive; this one first.
    pub(super) alive: Vec<WorkerCard>,
    /// What could not be found out.
    pub(super) trouble: Option<String>,
    /// Who may do what one worker alone does.
    pub(super) leases: Vec<LeaseEntry>,
    /// Those that there were.
    pub(super) earlier: Vec<EarlierRow>,
    /// How many, in words.
    pub(super) earlier_count: String,
    /// What this worker found out about itself.
    pub(super) own: Vec<CheckRow>,
}

/// A worker that is alive.
pub(super) struct WorkerCard {
    /// `<host>/<pid>/<start id>`.
    pub(super) name: UntrustedText,
    /// It made this page.
    pub(super) mine: bool,
    /// Ready or not.
    pub(super) badge: Badge,
    /// It has the lease.
    pub(super) polls: Option<Badge>,
    /// Of the program.
    pub(super) version: UntrustedText,
    /// It is not this worker's.
    pub(super) other_version: bool,
    /// For how long it runs.
    pub(super) running: String,
    pub(super) since: When,
    /// How far it has read.
    pub(super) position: String,
    /// How it sees its mailbox.
    pub(super) mailbox: Option<MailboxEntry>,
    /// Which documents it runs, beside this worker; `None` = nothing to compare with.
    pub(super) documents: Option<String>,
    /// They are other ones.
    pub(super) skewed: bool,
    /// What it found out; this worker's are in a section of their own.
    pub(super) checks: Vec<CheckRow>,
}

/// A mailbox as a worker sees it.
pub(super) struct MailboxEntry {
    pub(super) name: UntrustedText,
    /// How many mails wait there.
    pub(super) waiting: String,
    /// When the server last said anything.
    pub(super) heard: Option<When>,
}

pub(super) struct LeaseEntry {
    pub(super) name: UntrustedText,
    pub(super) holder: Option<UntrustedText>,
    /// When it was granted or given back.
    pub(super) since: When,
}

/// A worker of which only the journal knows.
pub(super) struct EarlierRow {
    pub(super) name: UntrustedText,
    /// Of the program.
    pub(super) version: UntrustedText,
    /// When it began.
    pub(super) from: When,
    /// When it stopped in order.
    pub(super) to: Option<When>,
    pub(super) why: UntrustedText,
}

/// How the workers are, whatever of it can be found out.
pub(super) async fn part(visit: &PageVisit) -> WorkersPart {
    let (state, clock) = (&visit.state, visit.clock);
    let board = &state.services.board;
    let (known, leases) = tokio::join!(known_and_alive(state), granted(state));
    let (alive, known, mut trouble) = match known {
        Ok(view) => (view.alive, view.known, None),
        // This worker knows how it is, whoever else does not answer.
        Err(problem) => {
            let own = board.own(&state.probe, state.draining.begun(), state.pulse.age()).await;
            (vec![own], Vec::new(), Some(problem.detail))
        }
    };
    let leases = leases.unwrap_or_else(|problem| {
        trouble = Some(problem.detail);
        Vec::new()
    });
    let (alive, own, names) = cards(alive, &board.worker, clock);
    let earlier: Vec<EarlierRow> = known
        .into_iter()
        .filter(|worker| !names.contains(&worker.worker))
        .take(MAX_ENDED)
        .map(|worker| earlier(worker, clock))
        .collect();
    WorkersPart {
        alive,
        own,
        trouble: trouble.map(|why| Words::unknown(visit.lang, &why)),
        leases: leases.into_iter().map(|row| lease(row, clock)).collect(),
        earlier_count: Words::earlier(visit.lang, earlier.len()),
        earlier,
    }
}

/// The cards, this worker's first; its checks; and the names of all.
fn cards(
    words: Vec<WorkerReport>,
    me: &str,
    clock: PageClock,
) -> (Vec<WorkerCard>, Vec<CheckRow>, Vec<String>) {
    let head = words.iter().filter_map(|word| word.position).max().unwrap_or_default();
    let own = words.iter().find(|word| word.worker == me);
    let version = own.map(|word| word.version.clone()).unwrap_or_default();
    let documents = own.map(|word| word.documents.clone()).unwrap_or_default();
    let checks = own.map(|word| checks::of_word(&word.checks, clock.lang)).unwrap_or_default();
    let names = words.iter().map(|word| word.worker.clone()).collect();
    let mut cards: Vec<WorkerCard> =
        words.into_iter().map(|word| card(word, me, &documents, head, clock)).collect();
    for card in &mut cards {
        card.other_version = card.version.0 != version;
    }
    cards.sort_by_key(|card| !card.mine);
    (cards, checks, names)
}

fn card(
    word: WorkerReport,
    me: &str,
    ours: &BTreeMap<String, String>,
    head: u64,
    clock: PageClock,
) -> WorkerCard {
    let (lang, w) = (clock.lang, Words::of(clock.lang));
    let mine = word.worker == me;
    let ready = word.status == "ready";
    let others = (!mine).then(|| other_documents(&word.documents, ours, clock)).flatten();
    WorkerCard {
        mine,
        badge: if ready { Badge::new(Mood::Good, w.ready) } else { Badge::new(Mood::Bad, w.not_ready) },
        polls: word.polls.then(|| Badge::new(Mood::Good, w.polls)),
        version: UntrustedText(word.version),
        other_version: false,
        running: clock.length(clock.now - word.started_at),
        since: When::short(clock, word.started_at),
        position: word
            .position
            .map_or_else(|| w.position_unknown.to_owned(), |at| Words::behind(clock, at, head)),
        mailbox: word.mailbox.map(|seen| mailbox(seen, clock)),
        skewed: others.is_some(),
        documents: (!mine).then(|| {
            let names = others.map(|names| Words::other_documents(lang, &names));
            names.unwrap_or_else(|| w.same_documents.to_owned())
        }),
        checks: if mine { Vec::new() } else { checks::of_word(&word.checks, lang) },
        name: UntrustedText(word.worker),
    }
}

/// The documents of which a worker runs another version than we do; `None` = there are none.
fn other_documents(
    theirs: &BTreeMap<String, String>,
    ours: &BTreeMap<String, String>,
    clock: PageClock,
) -> Option<String> {
    let differing = ours.iter().filter(|(key, hash)| theirs.get(*key) != Some(*hash));
    let names: Vec<String> = differing.map(|(key, _)| names::document(key, clock.lang)).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn mailbox(seen: MailboxReport, clock: PageClock) -> MailboxEntry {
    MailboxEntry {
        name: UntrustedText(seen.name),
        waiting: Words::waiting_mails(clock.lang, seen.lag_mails),
        heard: seen.last_heard.map(|at: DateTime<Utc>| When::ago(clock, at)),
    }
}

fn lease(row: LeaseView, clock: PageClock) -> LeaseEntry {
    LeaseEntry {
        name: UntrustedText(row.name),
        holder: row.holder.map(UntrustedText),
        since: When::short(clock, row.since),
    }
}

fn earlier(row: WorkerView, clock: PageClock) -> EarlierRow {
    EarlierRow {
        name: UntrustedText(row.worker),
        version: UntrustedText(row.version),
        from: When::short(clock, row.started_at),
        to: row.stopped_at.map(|at| When::short(clock, at)),
        why: UntrustedText(row.stop_reason.unwrap_or_default()),
    }
}
