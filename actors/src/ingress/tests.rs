//! Mails that are pushed, through the real admission.

use std::sync::Arc;
use std::time::Duration;

use actix::Actor as _;
use arc_swap::ArcSwap;
use chrono::{DateTime, TimeZone as _, Utc};

use super::*;
use crate::config::documents::{DocumentSet, Key};
use crate::config::policy::{EnvDefaults, build};
use crate::dedup::{DedupActor, DedupDeps};
use crate::kernel::clock::World;
use crate::kernel::event::Recorded;
use crate::kernel::journal::memory::{Fault, FaultPoint, Faults, MemoryJournal};
use crate::kernel::journal::{Journal as _, Queue};
use crate::mail::policy::Policy;
use crate::mail::{HoldReason, IgnoreReason};
use crate::messages::AdmissionDecision;

struct Down(std::sync::atomic::AtomicBool);

impl Faults for Down {
    fn next(&self, point: FaultPoint) -> Fault {
        let down = self.0.load(std::sync::atomic::Ordering::Relaxed);
        if down && point == FaultPoint::Append { Fault::Rejected } else { Fault::Ok }
    }
}

struct Scene {
    journal: Arc<MemoryJournal>,
    down: Arc<Down>,
    policy: PolicyCell,
    ingress: Ingress,
}

impl Scene {
    async fn log(&self) -> Vec<Recorded> {
        self.journal.read_log(0, usize::MAX).await.unwrap()
    }

    async fn kinds(&self) -> Vec<String> {
        self.log().await.into_iter().map(|event| event.kind).collect()
    }

    fn set(&self, change: impl FnOnce(&mut Policy)) {
        let mut policy = Policy::clone(&self.policy.load());
        policy.version += 1;
        change(&mut policy);
        self.policy.store(Arc::new(policy));
    }
}

/// Wednesday, 10:00 in Paris.
fn epoch() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 7, 1, 8, 0, 0).unwrap()
}

fn policy() -> Policy {
    let env = EnvDefaults { webhook_url: "https://hook.eu2.make.com/t".to_owned(), ..EnvDefaults::default() };
    build(&DocumentSet::default(), &env, 1)
}

fn play<F: Future<Output = ()>>(script: impl FnOnce(Scene) -> F) {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix_rt::System::with_tokio_rt(runtime).block_on(async {
        let world = World::seeded(epoch(), 3);
        let down = Arc::new(Down(false.into()));
        let journal =
            Arc::new(MemoryJournal::with_faults(world.clone(), crate::readmodel::all(), down.clone()));
        // Somebody else polls: a pushed mail needs no lease.
        journal.raise_fence("poller").await.unwrap();
        let policy: PolicyCell = Arc::new(ArcSwap::from_pointee(policy()));
        let deps = DedupDeps { world, journal: journal.clone(), policy: Arc::clone(&policy) };
        let admit = Port::new("dedup", &DedupActor::new(deps).start(), 4, Duration::from_secs(5));
        let ingress = Ingress::new(admit, Arc::clone(&policy));
        script(Scene { journal, down, policy, ingress }).await;
    });
}

const PAGE: &str =
    "<p>à faire pour 11h51</p><a href=\"https://www.dropbox.com/scl/fo/a/b?rlkey=k&amp;dl=0\">x</a>";

fn pushed(id: &str, subject: &str, body: &str) -> Pushed {
    Pushed {
        id: id.to_owned(),
        subject: subject.to_owned(),
        sender: "Camille <Camille@Ex.com>".to_owned(),
        date: "2026-07-01T07:59:00.000Z".to_owned(),
        body: body.to_owned(),
        ..Pushed::default()
    }
}

const LOT: &str = "Média Solution - Missions Recadrage - Lot 42";

#[test]
fn a_pushed_mail_is_routed_once_and_marked_nowhere() {
    play(|scene| async move {
        let first = scene.ingress.take(pushed("", LOT, PAGE)).await.unwrap();
        assert_eq!(first.email_id, "a849bc7dba97345affe87b078d72828a");
        assert_eq!((first.duplicate, first.decision), (false, Some(AdmissionDecision::Routed)));
        let again = scene.ingress.take(pushed("", LOT, PAGE)).await.unwrap();
        assert_eq!((again.email_id, again.duplicate), (first.email_id.clone(), true));
        // Once the script sends ids, what it pushed before is known still.
        let with_id = scene.ingress.take(pushed("18f0", LOT, PAGE)).await.unwrap();
        assert_eq!((with_id.email_id, with_id.duplicate), (first.email_id, true));
        assert_eq!(scene.kinds().await, ["mail.received", "mail.routed", "mail.duplicated"]);
        assert_eq!(scene.journal.outbox(Queue::Deliver, 9).await.unwrap().len(), 1);
        assert!(scene.journal.outbox(Queue::Flag, 9).await.unwrap().is_empty());
    });
}

#[test]
fn mails_of_one_second_are_two_and_one_with_an_id_stays_one_when_its_subject_is_edited() {
    play(|scene| async move {
        let take = async |mail| scene.ingress.take(mail).await.unwrap();
        let one = take(pushed("", LOT, PAGE)).await;
        let other = take(pushed("", LOT, "https://fromsmash.com/b")).await;
        assert_ne!(one.email_id, other.email_id);
        assert!(!other.duplicate);
        let first = take(pushed("18f1", "Lot 1", PAGE)).await;
        let edited = take(pushed("18f1", "Lot 1 (bis)", PAGE)).await;
        assert_eq!((edited.email_id, edited.duplicate), (first.email_id, true));
        let next = take(pushed("18f2", "Lot 1", PAGE)).await;
        assert!(!next.duplicate, "another mail of the same subject and second");
    });
}

#[test]
fn every_decision_is_told_and_in_the_journal() {
    play(|scene| async move {
        let decided = async |subject: &str, body: &str| {
            scene.ingress.take(pushed("", subject, body)).await.unwrap().decision
        };
        // W-89: what holds for mails of a mailbox holds for these.
        assert_eq!(decided("Re: Lot 1", PAGE).await, Some(AdmissionDecision::Ignored(IgnoreReason::Reply)));
        assert_eq!(
            decided("Lot 2", "bonjour").await,
            Some(AdmissionDecision::Ignored(IgnoreReason::NoLinks))
        );
        scene.set(|policy| policy.sending_enabled = false);
        assert_eq!(decided("Lot 3", PAGE).await, Some(AdmissionDecision::Held(HoldReason::SendingDisabled)));
        scene.set(|policy| policy.allowed_senders = vec!["somebody@else.fr".to_owned()]);
        assert_eq!(
            decided("Lot 4", PAGE).await,
            Some(AdmissionDecision::Ignored(IgnoreReason::SenderNotAllowed))
        );
        scene.set(|policy| policy.max_email_bytes = Some(100));
        assert_eq!(decided("Lot 5", PAGE).await, Some(AdmissionDecision::Ignored(IgnoreReason::TooLarge)));
        let log = scene.log().await;
        let decisions = log.iter().filter(|event| event.kind != "mail.received").count();
        assert_eq!((log.len(), decisions), (10, 5));
        // The stranger is kept, and comes in when the list changes.
        let held = scene.journal.outbox(Queue::Hold, 9).await.unwrap();
        assert_eq!(held.len(), 2);
    });
}

#[test]
fn what_the_journal_does_not_take_is_not_taken() {
    play(|scene| async move {
        scene.down.0.store(true, std::sync::atomic::Ordering::Relaxed);
        let refused = scene.ingress.take(pushed("", LOT, PAGE)).await;
        assert!(matches!(refused, Err(IngressError::NotNow(_))), "{refused:?}");
        scene.down.0.store(false, std::sync::atomic::Ordering::Relaxed);
        let taken = scene.ingress.take(pushed("", LOT, PAGE)).await.unwrap();
        assert!(!taken.duplicate);
    });
}

#[test]
fn the_flag_shuts_the_door() {
    play(|scene| async move {
        let env = EnvDefaults::default();
        let mut documents = DocumentSet::default();
        let off = serde_json::json!({"gmail_ingress_enabled": false});
        documents.put(Key::RuntimeFlags, Some(&off), &env).expect("a document");
        let off = build(&documents, &env, 2);
        scene.set(|policy| *policy = off);
        assert_eq!(scene.ingress.take(pushed("", LOT, PAGE)).await, Err(IngressError::Off));
        assert!(scene.log().await.is_empty());
    });
}

#[test]
fn there_is_room_for_two_of_the_largest_and_no_more() {
    play(|scene| async move {
        let one = scene.ingress.room(LARGEST).expect("room");
        let two = scene.ingress.room(LARGEST).expect("room");
        assert!(scene.ingress.room(1).is_none());
        drop(one);
        assert!(scene.ingress.room(LARGEST).is_some());
        drop(two);
        let whole = scene.ingress.room(usize::MAX).expect("all of it");
        assert!(scene.ingress.room(1).is_none());
        drop(whole);
    });
}
