//! The actor on the journal in memory, in virtual time.

mod copies;
mod holds;
mod hostile;
mod ignored;
mod preferences;
mod senders;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use chrono::{DateTime, TimeZone as _, Utc};
use futures::future::join_all;

use super::*;
use crate::kernel::event::{DomainEvent as _, Recorded};
use crate::kernel::journal::JournalAdmin as _;
use crate::kernel::journal::memory::{Fault, FaultPoint, Faults, MemoryJournal};
use crate::kernel::journal::{Commit, Due, Expected, Fence, OutboxRow, Queue, StreamWrite};
use crate::mail::life::{DeliveryEnd, Location, MailEvent, MailSettled, mail_stream};
use crate::mail::outbox_rows::{DeliverMeta, DraftMeta, FlagMeta};
use crate::mail::policy::{Ordering, Policy, Window};
use crate::mail::{parse, samples, windows};
use crate::messages::Source;
use crate::stored_mail;

fn policy() -> Policy {
    Policy { allowed_senders: vec!["camille@ex.com".to_owned()], ..samples::policy() }
}

/// From 14:00 to 18:00 in Paris.
fn afternoon() -> Window {
    Window {
        start: windows::parse_time_hhmm("14h00"),
        end: windows::parse_time_hhmm("18h00"),
        start_text: "14h00".to_owned(),
        end_text: "18h00".to_owned(),
    }
}

fn mail(n: usize) -> Bytes {
    let subject = format!("Média Solution - Lot {n}");
    source(n, "camille@ex.com", &subject, &format!("https://www.dropbox.com/scl/fo/a/{n}?rlkey=k&dl=0"))
}

fn source(n: usize, from: &str, subject: &str, body: &str) -> Bytes {
    Bytes::from(format!(
        "Message-ID: <{n}@ex>\r\nFrom: {from}\r\nSubject: {subject}\r\nDate: Mon, 26 Jan 2026 10:00:00 +0100\r\n\r\n{body}\r\n"
    ))
}

fn id(source: &[u8]) -> String {
    parse::parse(source).unwrap().email_id
}

fn place(item: usize) -> Location {
    Location { mailbox: "INBOX".to_owned(), validity: 1, item: item.to_string() }
}

/// The next append is done after a while, or not at all. While the switch is on, rows can
/// neither be claimed nor made due.
#[derive(Default)]
struct NextAppend(Mutex<Option<Fault>>, AtomicBool);

impl Faults for NextAppend {
    fn next(&self, point: FaultPoint) -> Fault {
        if point == FaultPoint::Claim && self.1.load(Relaxed) {
            return Fault::Rejected;
        }
        let hit = (point == FaultPoint::Append).then(|| self.0.lock().unwrap().take()).flatten();
        hit.unwrap_or(Fault::Ok)
    }
}

struct Scene {
    world: World,
    journal: Arc<MemoryJournal>,
    next_append: Arc<NextAppend>,
    policy: PolicyCell,
    fence: Fence,
    actor: actix::Addr<DedupActor>,
}

type Answer = Result<Admitted, AdmitError>;

impl Scene {
    async fn admit(&self, item: usize, source: &Bytes) -> Answer {
        self.hand_over(item, Source::Full(source.clone())).await
    }

    async fn hand_over(&self, item: usize, source: Source) -> Answer {
        self.hand_over_as(item, source, false).await
    }

    async fn hand_over_as(&self, item: usize, source: Source, deadly: bool) -> Answer {
        let admit = Admit {
            location: place(item),
            arrived_at: Some(self.world.now()),
            source,
            deadly,
            fence: Some(self.fence.clone()),
        };
        // What was decided is in the events.
        self.actor.send(admit).await.unwrap().map(|admitted| Admitted { decision: None, ..admitted })
    }

    async fn set(&self, change: impl FnOnce(&mut Policy)) {
        let mut policy = Policy::clone(&self.policy.load());
        policy.version += 1;
        change(&mut policy);
        let policy = Arc::new(policy);
        self.policy.store(Arc::clone(&policy));
        self.actor.send(PolicyChanged(policy)).await.unwrap();
    }

    /// As somebody else does it: the delivery, an operator.
    async fn settle(&self, email_id: &str, version: u64) {
        let settled =
            MailEvent::Settled(MailSettled { target: "default".to_owned(), end: DeliveryEnd::Delivered });
        let write = StreamWrite {
            stream: mail_stream(email_id),
            expected: Expected::Exact(version),
            events: vec![settled.to_new(self.world.ids.next()).unwrap()],
        };
        self.journal
            .append(Commit { at: self.world.now(), writes: vec![write], ..Commit::default() })
            .await
            .unwrap();
    }

    async fn log(&self) -> Vec<Recorded> {
        self.journal.read_log(0, usize::MAX).await.unwrap()
    }

    async fn kinds(&self) -> Vec<String> {
        self.log().await.into_iter().map(|event| event.kind).collect()
    }

    async fn rows(&self, queue: Queue) -> Vec<OutboxRow> {
        self.journal.outbox(queue, usize::MAX).await.unwrap()
    }

    /// How many rows there are to deliver, offload, hold and flag.
    async fn counts(&self) -> [usize; 4] {
        let count = async |queue| self.rows(queue).await.len();
        [
            count(Queue::Deliver).await,
            count(Queue::Offload).await,
            count(Queue::Hold).await,
            count(Queue::Flag).await,
        ]
    }
}

/// Monday, 09:00 in Paris.
fn epoch() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 26, 8, 0, 0).unwrap()
}

async fn scene(policy: Policy) -> Scene {
    let world = World::seeded(epoch(), 3);
    let next_append = Arc::new(NextAppend::default());
    let journal =
        Arc::new(MemoryJournal::with_faults(world.clone(), crate::readmodel::all(), next_append.clone()));
    let fence = Fence { lease: "poller".to_owned(), token: journal.raise_fence("poller").await.unwrap() };
    let policy: PolicyCell = Arc::new(ArcSwap::from_pointee(policy));
    let deps = DedupDeps { world: world.clone(), journal: journal.clone(), policy: Arc::clone(&policy) };
    let actor = DedupActor::new(deps).start();
    Scene { world, journal, next_append, policy, fence, actor }
}

fn play<F: Future<Output = ()>>(change: impl FnOnce(&mut Policy), script: impl FnOnce(Scene) -> F) {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let mut policy = policy();
    change(&mut policy);
    actix_rt::System::with_tokio_rt(runtime).block_on(async { script(scene(policy).await).await });
}

fn new(email_id: impl Into<String>) -> Answer {
    Ok(Admitted { email_id: email_id.into(), duplicate: false, decision: None })
}

fn known(email_id: impl Into<String>) -> Answer {
    Ok(Admitted { email_id: email_id.into(), duplicate: true, decision: None })
}

async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[test]
fn a_new_mail_becomes_a_delivery_in_one_commit() {
    play(
        |_| {},
        |scene| async move {
            let source = mail(1);
            let email_id = id(&source);
            assert_eq!(scene.admit(1, &source).await, new(&email_id));
            assert_eq!(scene.kinds().await, ["mail.received", "mail.routed"]);
            assert_eq!(scene.counts().await, [1, 0, 0, 0]);
            let row = scene.rows(Queue::Deliver).await.remove(0);
            assert_eq!((row.key.as_str(), row.due), (&*format!("{email_id}/default"), Due::At(epoch())));
            let meta: DeliverMeta = serde_json::from_value(row.meta).unwrap();
            assert_eq!((meta.mail_version, meta.siblings, meta.locations), (2, 1, vec![place(1)]));
            let body = scene.journal.body(&format!("delivery/{email_id}/default")).await.unwrap().unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["delivery_links"][0]["provider"], "dropbox");
        },
    );
}

#[test]
fn with_the_offload_a_draft_waits_and_ordered_targets_keep_their_place() {
    for ordering in [Ordering::None, Ordering::Sender, Ordering::Mailbox] {
        play(
            |policy| {
                policy.offload = true;
                policy.default_target.ordering = ordering;
            },
            |scene| async move {
                let source = mail(1);
                let email_id = id(&source);
                assert_eq!(scene.admit(1, &source).await, new(&email_id));
                assert_eq!(scene.kinds().await, ["mail.received", "mail.routed"]);
                let reserved = usize::from(ordering != Ordering::None);
                assert_eq!(scene.counts().await, [reserved, 1, 0, 0], "{ordering:?}");
                assert!(scene.rows(Queue::Deliver).await.iter().all(|row| row.due == Due::Reserved));
                let draft = scene.rows(Queue::Offload).await.remove(0);
                let meta: DraftMeta = serde_json::from_value(draft.meta).unwrap();
                assert_eq!((meta.mail_version, meta.locations), (2, vec![place(1)]));
                assert!(scene.journal.body(&format!("draft/{email_id}")).await.unwrap().is_some());
                let body = scene.journal.body(&format!("delivery/{email_id}/default")).await.unwrap();
                assert_eq!(body, None, "no body before the links are final");
            },
        );
    }
}

#[test]
fn what_is_not_wanted_is_recorded_and_marked_as_the_reason_says() {
    let cases = [
        ("eve@evil.example", "Lot", "https://fromsmash.com/abc", "sender_not_allowed", 0),
        ("camille@ex.com", "Re: Lot", "https://fromsmash.com/abc", "reply", 1),
        ("camille@ex.com", "Lot", "nothing to fetch", "no_links", 1),
    ];
    for (from, subject, body, reason, marked) in cases {
        play(
            |_| {},
            |scene| async move {
                let source = source(1, from, subject, body);
                assert_eq!(scene.admit(1, &source).await, new(id(&source)));
                assert_eq!(scene.kinds().await, ["mail.received", "mail.ignored"]);
                assert_eq!(scene.log().await[1].payload["reason"], reason);
                let kept = usize::from(reason == "sender_not_allowed");
                assert_eq!(scene.counts().await, [0, 0, kept, marked], "{reason}");
            },
        );
    }
}

/// What is in events is in every journal, its tables and its archives, for as long as they stay.
#[test]
fn events_do_not_name_who_wrote_and_what_about() {
    play(
        |policy| policy.prefs.subject_groups = Some(crate::mail::groups::GroupRule::default()),
        |scene| async move {
            let subjects = ["Arret maladie", "Re: Arret maladie", "Arret maladie d'un autre"];
            let senders = ["camille@ex.com", "camille@ex.com", "eve@evil.example"];
            let mut ids = Vec::new();
            for (n, (subject, from)) in subjects.into_iter().zip(senders).enumerate() {
                let source = source(n, from, subject, "https://fromsmash.com/abc");
                scene.admit(n, &source).await.unwrap();
                ids.push(id(&source));
                let heading = stored_mail::heading(scene.journal.as_ref(), &ids[n]).await.unwrap().unwrap();
                assert_eq!((&*heading.subject, &*heading.sender), (subject, from));
            }
            for event in scene.log().await {
                let said = event.payload.to_string();
                assert!(
                    !said.contains("maladie") && !said.contains("@ex") && !said.contains("@evil"),
                    "{said}"
                );
            }
            // What waits is known by its content; of what nothing is sent for, the time is over.
            scene.journal.purge(epoch() + chrono::TimeDelta::days(365)).await.unwrap();
            let mut known = Vec::new();
            for id in &ids {
                known.push(stored_mail::heading(scene.journal.as_ref(), id).await.unwrap().is_some());
            }
            assert_eq!(known, [true, false, true]);
            assert_eq!(stored_mail::heading(scene.journal.as_ref(), "no-such-mail").await.unwrap(), None);
        },
    );
}

#[test]
fn a_copy_elsewhere_is_noted_and_marked_only_when_the_mail_is_settled() {
    play(
        |_| {},
        |scene| async move {
            let source = mail(1);
            let email_id = id(&source);
            assert_eq!(scene.admit(1, &source).await, new(&email_id));
            assert_eq!(scene.admit(2, &source).await, known(&email_id));
            assert_eq!(scene.kinds().await, ["mail.received", "mail.routed", "mail.duplicated"]);
            assert_eq!(scene.counts().await, [1, 0, 0, 0], "nothing is marked before it is delivered");

            scene.settle(&email_id, 3).await;
            assert_eq!(scene.admit(3, &source).await, known(&email_id));
            let flags = scene.rows(Queue::Flag).await;
            let flagged: Vec<FlagMeta> =
                flags.into_iter().map(|row| serde_json::from_value(row.meta).unwrap()).collect();
            assert_eq!(flagged, [FlagMeta { email_id, location: place(3) }]);
        },
    );
}

#[test]
fn the_same_place_again_writes_nothing() {
    play(
        |_| {},
        |scene| async move {
            let source = mail(1);
            scene.admit(1, &source).await.unwrap();
            scene.admit(2, &source).await.unwrap();
            let before = scene.kinds().await;
            for item in [1, 2, 1] {
                assert_eq!(scene.admit(item, &source).await, known(id(&source)));
            }
            assert_eq!(scene.kinds().await, before);
            assert_eq!(scene.counts().await, [1, 0, 0, 0]);
        },
    );
}

#[test]
fn of_many_copies_at_once_one_is_the_mail() {
    play(
        |_| {},
        |scene| async move {
            let source = mail(1);
            let answers = join_all((0..20).map(|item| scene.admit(item, &source))).await;
            let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
            assert_eq!(answers.iter().filter(|answer| !answer.duplicate).count(), 1);
            let kinds = scene.kinds().await;
            assert_eq!(kinds.iter().filter(|kind| *kind == "mail.duplicated").count(), 19);
            assert_eq!((kinds.len(), scene.counts().await), (21, [1, 0, 0, 0]));
        },
    );
}

#[test]
fn every_copy_is_a_mail_where_duplicates_are_wanted() {
    play(
        |policy| policy.disable_email_id_dedup = true,
        |scene| async move {
            let source = mail(1);
            let first = scene.admit(1, &source).await.unwrap();
            let second = scene.admit(2, &source).await.unwrap();
            assert!(first.email_id.starts_with(&id(&source)) && second.email_id.starts_with(&id(&source)));
            assert_ne!(first.email_id, second.email_id);
            assert_eq!((first.duplicate, second.duplicate), (false, false));
            assert_eq!(scene.counts().await, [2, 0, 0, 0]);
            // Only a place that is read again, after a crash, is no new copy.
            assert_eq!(scene.admit(1, &source).await, known(first.email_id));
            assert_eq!(scene.counts().await, [2, 0, 0, 0]);
        },
    );
}

#[test]
fn what_cannot_be_read_is_kept_for_somebody_to_look_at() {
    let nothing = Bytes::from_static(b"bonjour");
    let sources =
        [Source::Full(nothing.clone()), Source::HeaderOnly { header: nothing.clone(), size: 1 << 30 }];
    for source in sources {
        let nothing = nothing.clone();
        play(
            |_| {},
            |scene| async move {
                let admitted = scene.hand_over(1, source.clone()).await.unwrap();
                assert!(!admitted.duplicate);
                assert_eq!(scene.kinds().await, ["mail.quarantined"]);
                assert_eq!(scene.counts().await, [0, 0, 0, 0], "it is left unread");
                let key = format!("source/{}", admitted.email_id);
                assert_eq!(scene.journal.body(&key).await.unwrap(), Some(nothing));
                // The next sweep finds it again.
                assert!(scene.hand_over(1, source).await.unwrap().duplicate);
                assert_eq!(scene.kinds().await.len(), 1);
            },
        );
    }
}

/// It could be read; whoever says that it is deadly knows better.
#[test]
fn a_mail_that_workers_died_of_is_not_looked_into() {
    play(
        |_| {},
        |scene| async move {
            scene.hand_over_as(1, Source::Full(mail(1)), true).await.unwrap();
            let log = scene.log().await;
            let [quarantined] = log.as_slice() else { panic!("{log:?}") };
            assert_eq!(quarantined.kind, "mail.quarantined");
            assert!(quarantined.payload.to_string().contains("three workers ended"), "{quarantined:?}");
        },
    );
}

#[test]
fn a_mail_over_the_limit_is_recorded_and_left_unread() {
    play(
        |_| {},
        |scene| async move {
            let header =
                Bytes::from_static(b"Message-ID: <1@ex>\r\nFrom: camille@ex.com\r\nSubject: x\r\n\r\n");
            let source = Source::HeaderOnly { header, size: 1 << 30 };
            assert!(!scene.hand_over(1, source).await.unwrap().duplicate);
            assert_eq!(scene.kinds().await, ["mail.received", "mail.ignored"]);
            let log = scene.log().await;
            assert_eq!(
                (&log[0].payload["size"], &log[1].payload["reason"]),
                (&(1 << 30).into(), &"too_large".into())
            );
            assert_eq!(scene.counts().await, [0, 0, 0, 0]);
        },
    );
}

#[test]
fn without_the_lease_nothing_is_taken_in() {
    play(
        |_| {},
        |scene| async move {
            let source = mail(1);
            scene.admit(1, &source).await.unwrap();
            scene.journal.raise_fence("poller").await.unwrap();
            for (item, source) in [(2, mail(2)), (3, source)] {
                let refused = scene.admit(item, &source).await;
                assert!(matches!(refused, Err(AdmitError::Fenced(_))), "{refused:?}");
            }
            assert_eq!(scene.kinds().await.len(), 2);
        },
    );
}

#[test]
fn a_journal_that_does_not_take_the_mail_is_said_and_may_be_asked_again() {
    let cases = [
        (Fault::Rejected, new(id(&mail(1)))),
        (Fault::IndeterminateNotWritten, new(id(&mail(1)))),
        // Nobody knew that it was written; the repetition finds it.
        (Fault::IndeterminateWritten, known(id(&mail(1)))),
    ];
    for (fault, then) in cases {
        play(
            |_| {},
            |scene| async move {
                *scene.next_append.0.lock().unwrap() = Some(fault.clone());
                let refused = scene.admit(1, &mail(1)).await;
                assert!(matches!(refused, Err(AdmitError::Journal(_))), "{fault:?}: {refused:?}");
                assert_eq!(scene.admit(1, &mail(1)).await, then, "{fault:?}");
                assert_eq!(scene.kinds().await, ["mail.received", "mail.routed"]);
                assert_eq!(scene.counts().await, [1, 0, 0, 0]);
            },
        );
    }
}

#[test]
fn an_order_to_stop_finishes_what_is_under_way_and_refuses_the_rest() {
    play(
        |_| {},
        |scene| async move {
            *scene.next_append.0.lock().unwrap() = Some(Fault::Delay(Duration::from_secs(5)));
            let slow = mail(1);
            let (admitted, began, refused) = tokio::join!(
                biased;
                scene.admit(1, &slow),
                async {
                    wait(1).await;
                    let began = scene.world.now();
                    scene.actor.send(Drain).await.unwrap();
                    assert_eq!(scene.kinds().await.len(), 2, "answered when it is in the journal");
                    began
                },
                async {
                    wait(2).await;
                    scene.admit(2, &mail(2)).await
                },
            );
            assert_eq!(admitted, new(id(&slow)));
            assert_eq!(scene.world.now() - began, chrono::TimeDelta::seconds(4));
            assert!(matches!(refused, Err(AdmitError::Journal(_))), "{refused:?}");
            // Asked twice, it has still nothing under way.
            scene.actor.send(Drain).await.unwrap();
            assert_eq!(scene.kinds().await.len(), 2);
        },
    );
}

#[test]
fn mails_are_admitted_in_their_order_however_long_each_takes_to_read() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    actix_rt::System::with_tokio_rt(runtime).block_on(async {
        let mut policy = policy();
        // A target wants it so; otherwise a mail that takes very long, as on a busy machine, is
        // overtaken.
        policy.default_target.ordering = Ordering::Mailbox;
        let scene = scene(policy).await;
        let mails: Vec<_> = (0..120)
            .map(|n| {
                // Every seventh is large.
                let filler = "<p>rien à voir</p> ".repeat(if n % 7 == 0 { 5_000 } else { 0 });
                source(n, "camille@ex.com", "Lot", &format!("https://fromsmash.com/x{n} {filler}"))
            })
            .collect();
        let answers =
            join_all(mails.iter().enumerate().map(|(item, source)| scene.admit(item, source))).await;
        assert!(answers.iter().all(Result::is_ok));
        let log = scene.log().await;
        let admitted: Vec<_> = log
            .iter()
            .filter(|event| event.kind == "mail.received")
            .map(|event| event.stream.clone())
            .collect();
        let wanted: Vec<_> = mails.iter().map(|source| mail_stream(&id(source))).collect();
        assert!(admitted == wanted, "120 mails in order");
    });
}
