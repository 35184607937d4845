//! One run: the world that the workers live in, and what must be true in the end.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::config::{active::ActiveDocuments, load};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::event::{DomainEvent as _, Recorded};
use render_signal_actors::kernel::guardian::Restarts;
use render_signal_actors::kernel::journal::memory::MemoryJournal;
use render_signal_actors::kernel::journal::{Due, Journal as _, JournalAdmin as _, Queue};
use render_signal_actors::kernel::projection;
use render_signal_actors::mail::outbox_rows::is_stranger;
use render_signal_actors::mail::{content, parse};
use render_signal_actors::r2::{COPIES_PATIENCE, Copies, LINKS_PER_MAIL};
use render_signal_actors::webhook::events::{DeliveryCounted, RateEvent};
use render_signal_actors::webhook::scheduler::DeliveryLimits;
use render_signal_actors::{readmodel, system};
use serde_json::json;

use crate::chaos::Chaos;
use crate::checked::{Checked, JournalFaults};
use crate::mailbox::{Message, Server};
use crate::operator::Operator;
use crate::ports::{Registry, SimDocuments, SimLease, SimLinks, SimReceiver};
use crate::receiver::Inbox;
use crate::rules::{Fate, Rules};
use crate::source::SimSource;

/// How long things go wrong.
const STORM: Duration = Duration::from_secs(40 * 60);
/// How long the calm may last until everything must be settled: longer than the longest
/// back-off, which is an hour.
const CALM: Duration = Duration::from_secs(12 * 3_600);

/// What all workers of a run share.
#[derive(Clone)]
struct Stage {
    seed: u64,
    world: World,
    chaos: Chaos,
    journal: Arc<Checked>,
    server: Server,
    rules: Arc<Rules>,
    inbox: Inbox,
    registry: Registry,
    documents: SimDocuments,
    operator: Operator,
    env: Arc<EnvDefaults>,
}

/// Monday, 09:00 in Paris.
fn epoch() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 26, 8, 0, 0).unwrap()
}

/// Deliveries per hour; with a limit a run takes hours, so few have one. It is that of a worker
/// that could not read its documents yet.
const fn limit(seed: u64) -> usize {
    if seed % 8 == 5 { 5 } else { 0 }
}

pub(crate) async fn play(seed: u64, chaos: Chaos) {
    let world = World::seeded(epoch(), seed);
    let faults = Arc::new(JournalFaults { chaos: chaos.clone(), quiet: false.into(), drawn: 0.into() });
    let inner = Arc::new(MemoryJournal::with_faults(world.clone(), readmodel::all(), faults.clone()));
    let inbox = Inbox::default();
    let documents = SimDocuments::new(chaos.clone());
    let limit = limit(seed);
    documents.put(Key::ProcessingPrefs, json!({"rate_limit_per_hour": limit, "webhook_timeout_sec": 30}));
    let env = Arc::new(EnvDefaults {
        senders: vec!["camille@ex.com".to_owned()],
        active_start_hour: 0,
        active_end_hour: 24,
        active_days: vec![0, 1, 2, 3, 4, 5, 6],
        webhook_url: "https://hook.example.com/recv".to_owned(),
        offload: !seed.is_multiple_of(3),
        ..EnvDefaults::default()
    });
    let stage = Stage {
        seed,
        chaos: chaos.clone(),
        journal: Arc::new(Checked::new(inner, faults, inbox.clone())),
        server: Server::new(),
        rules: Arc::new(Rules::new(inbox.clone())),
        inbox,
        registry: Registry::default(),
        documents,
        operator: Operator::new(world.clone(), Arc::clone(&env)),
        env,
        world,
    };
    let workers = 1 + seed % 2;
    let running: Vec<_> =
        (0..workers).map(|number| actix_rt::spawn(keep_a_worker(stage.clone(), number))).collect();
    let weather = weather(&stage);
    tokio::pin!(weather);
    tokio::select! {
        biased;
        () = &mut weather => {}
        // A worker only ends by panicking: an invariant was broken inside it.
        (ended, _, _) = futures::future::select_all(running) => panic!("{}", ended.unwrap_err()),
    }
    check_documents(&stage).await;
    check_rebuild(&stage).await;
    check_rate(&stage).await;
    tell(&stage).await;
}

/// Starts a worker, lets it live until it dies or is told to go, and starts the next.
async fn keep_a_worker(stage: Stage, number: u64) {
    for life in 0_u64.. {
        let chaos = stage.chaos.for_worker();
        // A worker can die while it is still reading its documents.
        let system = tokio::select! {
            biased;
            () = chaos.crashed() => {
                stage.chaos.note(format!("worker {number}.{life} crashed at its start"));
                continue;
            }
            system = start_worker(&stage, &chaos, number, life) => system,
        };
        let going = Duration::from_secs(300 + stage.chaos.below(3_600));
        tokio::select! {
            biased;
            () = chaos.crashed() => {
                stage.chaos.note(format!("worker {number}.{life} crashed"));
                drop(system);
            }
            () = tokio::time::sleep(going), if stage.chaos.is_active() => {
                stage.chaos.note(format!("worker {number}.{life} was told to stop"));
                system.stop("deploy").await;
            }
            why = system.escalated() => {
                assert!(stage.chaos.is_active(), "escalated in the calm: {why}");
                stage.chaos.note(format!("worker {number}.{life} gave up: {why}"));
                drop(system);
            }
        }
        tokio::time::sleep(Duration::from_secs(stage.chaos.below(20))).await;
    }
}

async fn start_worker(stage: &Stage, chaos: &Chaos, number: u64, life: u64) -> system::System {
    let worker = format!("sim/{number}/{life}");
    let authority = SimDocuments { chaos: chaos.clone(), ..stage.documents.clone() };
    let documents = stage.operator.stores(authority, stage.journal.clone());
    let active: ActiveDocuments = load::load(documents.as_ref(), &stage.env, None, stage.world.now()).await;
    let policy = active.policy(&stage.env, 1);
    let world = stage.world.clone();
    system::start(&system::Parts {
        traced: false,
        worker: worker.clone(),
        version: "sim".to_owned(),
        worlds: Arc::new(move |_| world.clone()),
        journal: stage.journal.clone(),
        policy: Arc::new(ArcSwap::from_pointee(policy)),
        defaults: Arc::clone(&stage.env),
        documents,
        lease: Arc::new(SimLease { registry: stage.registry.clone(), worker, chaos: chaos.clone() }),
        lease_ttl: Duration::from_secs(30),
        source: Some(Arc::new(SimSource {
            server: stage.server.clone(),
            chaos: chaos.clone(),
            rules: Arc::clone(&stage.rules),
        })),
        links: Arc::new(SimLinks(chaos.clone())),
        copies: Copies::default(),
        links_per_mail: LINKS_PER_MAIL,
        copies_patience: COPIES_PATIENCE,
        receiver: Arc::new(SimReceiver { inbox: stage.inbox.clone(), chaos: chaos.clone() }),
        keys: None,
        limits: DeliveryLimits::default(),
        chores: Vec::new(),
        scenarios: None,
        restarts: Restarts::default(),
    })
}

/// What happens outside: mails arrive and move, the operator changes settings; then calm.
async fn weather(stage: &Stage) {
    let began = tokio::time::Instant::now();
    let mails = 3 + stage.chaos.below(10);
    let mut sent = 0;
    while began.elapsed() < STORM || sent < mails {
        tokio::time::sleep(Duration::from_secs(stage.chaos.below(120))).await;
        match stage.chaos.below(15) {
            0 => stage.server.renumber(),
            1 if stage.server.count() > 0 => stage.server.move_away(stage.chaos.below(stage.server.count())),
            2 => stage.server.move_back(),
            3 => {
                let on = stage.chaos.below(2) == 0;
                stage.documents.put(Key::WebhookConfig, json!({"webhook_sending_enabled": on}));
            }
            4 => stage
                .documents
                .put(Key::WebhookConfig, json!({"webhook_time_start": "14h00", "webhook_time_end": "18h00"})),
            5 => stage.documents.be_silent(stage.chaos.below(2) == 0),
            6 | 7 => {
                // A command of his own: if it dies, no worker does.
                let authority = SimDocuments { chaos: stage.chaos.for_worker(), ..stage.documents.clone() };
                stage.operator.change(authority, stage.journal.clone()).await;
            }
            _ if sent < mails => {
                sent += 1;
                arrive(stage, sent);
            }
            _ => {}
        }
    }
    stage.server.move_back();
    stage.documents.be_silent(false);
    stage.documents.put(Key::WebhookConfig, json!({"webhook_sending_enabled": true}));
    stage.chaos.calm();
    stage.chaos.note("calm".to_owned());
    let calm = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(Duration::from_secs(20)).await;
        match unsettled(stage).await {
            None => break,
            Some(why) if calm.elapsed() > CALM => {
                tell(stage).await;
                panic!("not settled after the calm: {why}");
            }
            Some(_) => {}
        }
    }
}

/// Whatever the operator was told is done is with the authority.
async fn check_documents(stage: &Stage) {
    let checked = stage.operator.check(&stage.documents, stage.journal.clone());
    if let Err(why) = stage.journal.quietly(checked).await {
        tell(stage).await;
        panic!("{why}");
    }
}

/// Adds the journal to the trace.
async fn tell(stage: &Stage) {
    for event in stage.journal.quietly(stage.journal.inner.read_log(0, usize::MAX)).await.unwrap() {
        let (id, at) = (event.id, event.at);
        stage.chaos.note(format!("{at} {} {} {} {id}", event.stream, event.kind, event.payload));
    }
    for queue in Queue::ALL {
        for row in stage.journal.quietly(stage.journal.inner.outbox(queue, 100)).await.unwrap() {
            stage.chaos.note(format!("{row:?}"));
        }
    }
}

/// A mail of some kind arrives; what must become of it is noted.
fn arrive(stage: &Stage, nth: u64) {
    let label = u32::try_from(nth).unwrap();
    let kind = stage.chaos.below(10);
    let (from, subject, body) = match kind {
        0 => ("Camille <camille@ex.com>", format!("Re: Lot {nth}"), "https://fromsmash.com/abc".to_owned()),
        1 => ("Camille <camille@ex.com>", format!("Lot {nth}"), "nothing to fetch".to_owned()),
        2 => ("Eve <eve@evil.example>", format!("Lot {nth}"), "https://fromsmash.com/abc".to_owned()),
        3 => (
            "Camille <camille@ex.com>",
            format!("=?utf-8?b?a? Lot {nth}"),
            format!("caf\u{e9} https://fromsmash.com/x{nth}"),
        ),
        _ => (
            "Camille <camille@ex.com>",
            format!("Média Solution - Missions Recadrage - Lot {nth}"),
            format!("https://www.dropbox.com/scl/fo/a/{nth}?rlkey=k&dl=0\r\nà faire pour 11h51"),
        ),
    };
    let raw = format!(
        "Message-ID: <{}.{nth}@ex>\r\nFrom: {from}\r\nSubject: {subject}\r\nDate: Mon, 26 Jan 2026 10:00:00 +0100\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}\r\n",
        stage.seed
    );
    let mail = parse::parse(raw.as_bytes()).expect("a readable mail");
    let fate = match kind {
        0 | 1 => Fate::IgnoredAndMarked,
        2 => Fate::LeftAlone,
        _ => Fate::Delivered(vec![format!("msg_{}_default", mail.email_id)]),
    };
    let namesake = matches!(fate, Fate::Delivered(_)) && stage.chaos.below(4) == 0;
    let (fate, raw, other) = if namesake { namesakes(&raw, nth) } else { (fate, raw, None) };
    stage.chaos.note(format!("mail {label} arrives: {fate:?}"));
    stage.rules.expect(label, fate);
    let message = Message { raw: Bytes::from(raw), seen: false, arrived_at: stage.world.now(), label };
    if stage.chaos.below(4) == 0 {
        // The same mail twice, as mail servers sometimes do it.
        stage.server.arrive(message.clone());
    }
    let at_once = stage.chaos.below(2) == 0;
    stage.server.arrive(message.clone());
    let Some(raw) = other else { return };
    let other = Message { raw, ..message };
    if at_once {
        stage.server.arrive(other);
    } else {
        // Away at first, it comes at some time or in the end.
        stage.server.with(|state| state.elsewhere.push(other));
    }
}

/// Two mails of the identity of this one, and what must become of both.
fn namesakes(raw: &str, nth: u64) -> (Fate, String, Option<Bytes>) {
    let words = [format!("first-of-{nth}."), format!("other-of-{nth}.")];
    let raws = words.clone().map(|word| raw.replace("\r\n\r\n", &format!("\r\n\r\n{word}\r\n")));
    let mails = raws.clone().map(|raw| parse::parse(raw.as_bytes()).expect("a readable mail"));
    let id = &mails[0].email_id;
    assert_eq!(*id, mails[1].email_id);
    let named = mails.iter().map(|mail| content::other_id(id, &content::of(mail)));
    let ids = std::iter::once(id.clone()).chain(named).map(|id| format!("msg_{id}_default")).collect();
    let [first, other] = raws;
    (Fate::Namesakes { ids, words }, first, Some(Bytes::from(other)))
}

/// What is still missing, if anything.
async fn unsettled(stage: &Stage) -> Option<String> {
    for (label, fate) in stage.rules.fates() {
        let seen: Vec<bool> = stage.server.with(|state| {
            state.messages.values().filter(|mail| mail.label == label).map(|mail| mail.seen).collect()
        });
        match fate {
            Fate::Delivered(ids) => {
                if let Some(id) = ids.iter().find(|id| !stage.inbox.has(id)) {
                    return Some(format!("mail {label}: {id} was not delivered"));
                }
                if seen.contains(&false) {
                    return Some(format!("mail {label} was delivered and is not marked read"));
                }
            }
            Fate::Namesakes { ids, words } => {
                if let Some(word) = words.iter().find(|word| !stage.inbox.says(&ids, word)) {
                    return Some(format!("mail {label}: nobody was told {word}"));
                }
                if seen.contains(&false) {
                    return Some(format!("mail {label} was delivered and is not marked read"));
                }
            }
            Fate::IgnoredAndMarked if seen.contains(&false) => {
                return Some(format!("mail {label} was ignored and is not marked read"));
            }
            Fate::IgnoredAndMarked | Fate::LeftAlone => {}
        }
    }
    for queue in Queue::ALL {
        let rows = stage.journal.quietly(stage.journal.inner.outbox(queue, 100)).await.unwrap();
        if let Some(row) = rows.iter().find(|row| row.due != Due::Parked) {
            return Some(format!("a row is left in {queue}: {}", row.key));
        }
        // Strangers' mails are kept for a while.
        let rows: Vec<_> = rows.into_iter().filter(|row| !is_stranger(&row.key)).collect();
        assert!(rows.is_empty(), "INVARIANT: no delivery fails for good here, but {queue} holds {rows:?}");
    }
    None
}

/// Under a limit every delivery was counted, and no rolling hour has more than the limit.
async fn check_rate(stage: &Stage) {
    let limit = limit(stage.seed);
    if limit == 0 {
        return;
    }
    let log = stage.journal.quietly(stage.journal.inner.read_log(0, usize::MAX)).await.unwrap();
    let counted = |event: &Recorded| match RateEvent::from_recorded(event) {
        Ok(RateEvent::Counted(counted)) => Some(counted),
        Err(_) => None,
    };
    let counted: Vec<DeliveryCounted> = log.iter().filter_map(counted).collect();
    for first in &counted {
        let hour = first.at..=first.at + TimeDelta::hours(1);
        let within = counted.iter().filter(|other| hour.contains(&other.at)).count();
        assert!(within <= limit, "INVARIANT: {within} deliveries from {} on, {limit} are allowed", first.at);
    }
    for (id, _) in stage.inbox.all() {
        let known =
            counted.iter().any(|counted| id == format!("msg_{}_{}", counted.email_id, counted.target));
        assert!(known, "INVARIANT: {id} was sent without being counted");
    }
}

/// Read models are what a replay makes them, and the journal is sound.
async fn check_rebuild(stage: &Stage) {
    let hashes = || async {
        let views = stage.journal.inner.views();
        views
            .read(|db| {
                readmodel::all()
                    .iter()
                    .map(|one| projection::content_hash(db, one.as_ref()))
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .await
            .expect("the read models")
    };
    let before = hashes().await;
    stage.journal.inner.crash(0);
    assert_eq!(before, hashes().await, "INVARIANT: read models equal their replay");
    let report = stage.journal.inner.verify().await.unwrap();
    assert!(report.problems.is_empty(), "INVARIANT: the journal is sound: {:?}", report.problems);
    let expected: std::collections::BTreeSet<_> = stage
        .rules
        .fates()
        .into_values()
        .flat_map(|fate| match fate {
            Fate::Delivered(ids) | Fate::Namesakes { ids, .. } => ids,
            Fate::IgnoredAndMarked | Fate::LeftAlone => Vec::new(),
        })
        .collect();
    let allowed_repeats =
        stage.chaos.crashes() + stage.journal.faults.drawn.load(std::sync::atomic::Ordering::SeqCst);
    for (id, seen) in stage.inbox.all() {
        assert!(expected.contains(&id), "INVARIANT: {id} was sent, and should not have been");
        let repeats = u64::from(seen.acknowledged.saturating_sub(1));
        assert!(repeats <= allowed_repeats, "INVARIANT: {id} was acknowledged {} times", seen.acknowledged);
    }
}
