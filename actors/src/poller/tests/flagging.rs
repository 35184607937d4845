//! Marking as read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::support::NAME;
use super::support::{Rig, pass};
use crate::kernel::journal::memory::{Fault, FaultPoint, Faults};
use crate::kernel::journal::{Commit, Journal as _, Queue};
use crate::mail::life::Location;
use crate::mail::outbox_rows::flag_rows;

fn seen(rig: &Rig) -> usize {
    rig.mailbox.server().mails.values().filter(|mail| mail.seen).count()
}

async fn add_rows(rig: &Rig, validity: u64, items: impl Iterator<Item = u64>) {
    let add = items
        .flat_map(|item| {
            let location = Location { mailbox: NAME.to_owned(), validity, item: item.to_string() };
            flag_rows("mail", &[location], rig.world.now())
        })
        .collect();
    let commit = Commit { at: rig.world.now(), add, ..Commit::default() };
    rig.journal.append(commit).await.unwrap();
}

#[actix_rt::test]
async fn flags_are_stored_in_batches_also_in_the_middle_of_a_wait() {
    let rig = Rig::start();
    for number in 0..1_200 {
        rig.mailbox.arrive(&format!("mail {number}"));
    }
    rig.grant().await;
    pass(5.0).await;
    assert_eq!(rig.received().await.len(), 1_200);
    add_rows(&rig, 7, 1..=1_200).await;
    pass(0.2).await;
    assert_eq!(seen(&rig), 0, "gathering");
    pass(1.0).await;
    assert_eq!(seen(&rig), 1_200);
    let sizes: Vec<usize> = rig.mailbox.server().stores.iter().map(Vec::len).collect();
    assert_eq!(sizes, [500, 500, 200]);
    assert_eq!(rig.flag_rows().await, 0);
    let events = rig.events().await;
    let flagged: Vec<_> = events.iter().filter(|event| event.kind == "mailbox.flagged").collect();
    assert_eq!(flagged.len(), 3);
    assert!(flagged.iter().all(|event| event.stream.key() == NAME && event.payload["validity"] == 7));
    assert_eq!(flagged[2].payload["items"].as_array().unwrap().len(), 200);
}

#[actix_rt::test]
async fn flags_get_their_turn_while_a_backlog_is_loaded() {
    let rig = Rig::start();
    {
        let mut answers = rig.answers.lock().unwrap();
        answers.flags = true;
        answers.takes = Duration::from_millis(100);
    }
    for number in 0..5_000 {
        rig.mailbox.arrive(&format!("mail {number}"));
    }
    rig.grant().await;
    pass(2.5).await;
    assert_eq!(rig.status().await.phase, "fetching");
    let marked = seen(&rig);
    assert!(marked > 500, "{marked} marked while loading");
    pass(30.0).await;
    assert_eq!((seen(&rig), rig.flag_rows().await), (5_000, 0));
}

#[actix_rt::test]
async fn rows_of_an_earlier_uidvalidity_are_settled_and_mark_nothing() {
    let rig = Rig::start();
    rig.mailbox.arrive("mail");
    rig.grant().await;
    pass(1.0).await;
    add_rows(&rig, 6, 1..=3).await;
    pass(1.0).await;
    assert_eq!((seen(&rig), rig.flag_rows().await), (0, 0));
    assert!(rig.mailbox.server().stores.is_empty());
    let events = rig.events().await;
    let flagged = events.iter().find(|event| event.kind == "mailbox.flagged").unwrap();
    assert_eq!(flagged.payload["validity"], 6);
}

#[actix_rt::test]
async fn a_mailbox_that_declines_to_mark_is_still_read_and_asked_again_later() {
    let rig = Rig::start();
    rig.mailbox.server().read_only = true;
    rig.mailbox.arrive("one");
    rig.grant().await;
    pass(1.0).await;
    add_rows(&rig, 7, 1..=1).await;
    pass(2.0).await;
    rig.mailbox.arrive("two");
    pass(1.0).await;
    assert_eq!(rig.received().await, ["one", "two"]);
    assert_eq!((rig.flag_rows().await, rig.mailbox.server().connects.len()), (1, 1));
    rig.mailbox.server().read_only = false;
    pass(90.0).await;
    assert_eq!((seen(&rig), rig.flag_rows().await), (1, 0));
}

#[actix_rt::test]
async fn flags_that_wait_when_the_program_stops_are_stored_on_the_way_out() {
    let rig = Rig::start();
    rig.mailbox.arrive("one");
    rig.grant().await;
    pass(5.0).await;
    add_rows(&rig, 7, 1..=1).await;
    rig.drain().await;
    assert_eq!((seen(&rig), rig.flag_rows().await), (1, 0));
}

#[actix_rt::test]
async fn flags_of_a_connection_that_breaks_are_stored_by_the_next() {
    let rig = Rig::start();
    rig.mailbox.arrive("one");
    rig.grant().await;
    pass(1.0).await;
    rig.mailbox.server().down = true;
    add_rows(&rig, 7, 1..=1).await;
    pass(5.0).await;
    assert_eq!(seen(&rig), 0);
    rig.mailbox.server().down = false;
    pass(20.0).await;
    assert_eq!((seen(&rig), rig.flag_rows().await), (1, 0));
}

#[actix_rt::test]
async fn flags_of_a_lease_that_was_lost_in_the_midst_of_marking_are_stored_under_the_next() {
    let rig = Rig::start();
    rig.mailbox.arrive("one");
    rig.grant().await;
    pass(1.0).await;
    rig.mailbox.server().hangs = true;
    add_rows(&rig, 7, 1..=1).await;
    pass(2.0).await;
    rig.grant().await;
    rig.mailbox.server().hangs = false;
    pass(5.0).await;
    assert_eq!((seen(&rig), rig.flag_rows().await), (1, 0));
}

/// The journal takes nothing, while on.
#[derive(Default)]
struct Full(AtomicBool);
impl Faults for Full {
    fn next(&self, point: FaultPoint) -> Fault {
        let refuses = point == FaultPoint::Append && self.0.load(Ordering::Relaxed);
        if refuses { Fault::Rejected } else { Fault::Ok }
    }
}

#[actix_rt::test]
async fn flags_of_a_lease_that_was_lost_before_their_settlement_are_stored_under_the_next() {
    let full = Arc::new(Full::default());
    let rig = Rig::start_with(full.clone(), |_| ());
    rig.mailbox.arrive("one");
    rig.grant().await;
    pass(1.0).await;
    add_rows(&rig, 7, 1..=1).await;
    full.0.store(true, Ordering::Relaxed);
    pass(2.0).await;
    assert_eq!((seen(&rig), rig.flag_rows().await), (1, 1), "marked, and the journal does not know yet");
    full.0.store(false, Ordering::Relaxed);
    rig.grant().await;
    pass(5.0).await;
    assert_eq!((rig.flag_rows().await, rig.count("mailbox.flagged").await), (0, 1));
}

/// Commits land and are not acknowledged, while on.
#[derive(Default)]
struct Unsure(AtomicBool);
impl Faults for Unsure {
    fn next(&self, point: FaultPoint) -> Fault {
        if point == FaultPoint::Append && self.0.swap(false, Ordering::Relaxed) {
            return Fault::IndeterminateWritten;
        }
        Fault::Ok
    }
}

#[actix_rt::test]
async fn a_settlement_without_an_answer_is_not_written_twice() {
    let unsure = Arc::new(Unsure::default());
    let rig = Rig::start_with(unsure.clone(), |_| ());
    rig.mailbox.arrive("one");
    rig.grant().await;
    pass(1.0).await;
    add_rows(&rig, 7, 1..=1).await;
    unsure.0.store(true, Ordering::Relaxed);
    pass(5.0).await;
    add_rows(&rig, 7, 1..=1).await;
    pass(5.0).await;
    assert_eq!(rig.count("mailbox.flagged").await, 2);
    assert_eq!(rig.journal.outbox(Queue::Flag, 10).await.unwrap().len(), 0);
}
