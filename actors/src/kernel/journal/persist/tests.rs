use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::*;
use crate::kernel::journal::conformance::{add, events, request, row, settle, t, world};
use crate::kernel::journal::memory::{Fault, FaultPoint, Faults, MemoryJournal};
use crate::kernel::journal::{Due, Expected, Queue};

/// Faults for appends, in order, then none.
struct Script(Mutex<VecDeque<Fault>>);
impl Faults for Script {
    fn next(&self, point: FaultPoint) -> Fault {
        if point != FaultPoint::Append {
            return Fault::Ok;
        }
        self.0.lock().unwrap().pop_front().unwrap_or(Fault::Ok)
    }
}

fn journal(script: &[Fault]) -> MemoryJournal {
    let script = Script(Mutex::new(script.to_vec().into()));
    MemoryJournal::with_faults(world(), Arc::new(Vec::new()), Arc::new(script))
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_outwaited() {
    let journal = journal(&vec![Fault::Rejected; 20]);
    let appended = persist(&journal, &world(), events("a", Expected::NoStream, 1)).await.unwrap();
    assert_eq!(appended, Appended { position: 1, already_there: false });
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_that_had_landed_is_recognised() {
    let journal = journal(&[Fault::IndeterminateNotWritten, Fault::IndeterminateWritten, Fault::Rejected]);
    let appended = persist(&journal, &world(), events("a", Expected::NoStream, 1)).await.unwrap();
    assert_eq!(appended, Appended { position: 1, already_there: true });
    assert_eq!(journal.head().await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_settlement_that_had_landed_is_recognised() {
    let journal = journal(&[Fault::Ok, Fault::IndeterminateWritten]);
    journal.append(add(vec![row("k", Due::At(t(0)))])).await.unwrap();
    let claim = journal.claim(request(0)).await.unwrap()[0].claim;
    assert!(persist(&journal, &world(), settle("k", Some(claim))).await.unwrap().already_there);
    assert!(journal.outbox(Queue::Deliver, 9).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn answers_are_not_repeated() {
    let journal = journal(&[]);
    journal.append(events("a", Expected::NoStream, 1)).await.unwrap();
    let conflict = persist(&journal, &world(), events("a", Expected::NoStream, 1)).await;
    assert!(matches!(conflict, Err(AppendError::Conflict { .. })));
    let lost = persist(&journal, &world(), settle("k", Some(uuid::Uuid::nil()))).await;
    assert!(matches!(lost, Err(AppendError::ClaimLost { .. })));
    assert_eq!(journal.raise_fence("poller").await.unwrap(), 1);
    journal.raise_fence("poller").await.unwrap();
    let mut commit = events("b", Expected::NoStream, 1);
    commit.fence = Some(crate::kernel::journal::Fence { lease: "poller".to_owned(), token: 1 });
    assert!(matches!(persist(&journal, &world(), commit).await, Err(AppendError::Fenced { .. })));
}
